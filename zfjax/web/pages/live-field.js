// Where a unit looks: from a cell of a map to pixels of the picture, and back.
(function () {
  "use strict";
  const live = ((window.zf = window.zf || {}).live = window.zf.live || {});

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

  live.field = { cell, same, clip };
})();
