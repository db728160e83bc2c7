// Where a unit looks: from a cell of a map to pixels of the picture, and back.
(function () {
  "use strict";
  const live = ((window.zf = window.zf || {}).live = window.zf.live || {});

  // What a layer's cell sees of a picture [height, width]; may stick out over it.
  function sees(layer, [row, col], height, width) {
    if (!layer.field) return { top: 0, left: 0, height, width };
    const [rows, cols] = layer.field;
    return { top: row * rows[1] + rows[2], left: col * cols[1] + cols[2], height: rows[0], width: cols[0] };
  }

  const clip = (value, most) => Math.min(most - 1, Math.max(0, value));

  // The cell whose view has its middle nearest to a pixel; null where every unit sees the whole picture.
  function cell(layer, pixel) {
    if (!layer.field) return null;
    return layer.field.map(([size, stride, offset], axis) =>
      clip(Math.round((pixel[axis] - offset - (size - 1) / 2) / stride), layer.shape[axis]),
    );
  }

  // The cell of another layer that looks at the same place; null where there is no place to look at.
  function same(from, at, to) {
    if (!from || !from.field || !to.field) return null;
    return cell(
      to,
      from.field.map(([size, stride, offset], axis) => at[axis] * stride + offset + (size - 1) / 2),
    );
  }

  live.field = { sees, cell, same, clip };
})();
