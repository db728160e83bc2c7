"use strict";
/* Where the boxes of a network stand: a layered drawing from top to bottom, branches side by side. */
(() => {
  const zf = (window.zf = window.zf || {});

  /* Rank of every layer: one below the lowest of its inputs. A layer without inputs follows the layer before it. */
  function nodesOf(layers) {
    const byName = new Map();
    const nodes = [];
    layers.forEach((layer, number) => {
      const named = layer.inputs && layer.inputs.length ? layer.inputs : [number ? layers[number - 1].name : "image"];
      const inputs = named.map((name) => byName.get(name)).filter(Boolean);
      const rank = inputs.length ? 1 + Math.max(...inputs.map((input) => input.rank)) : 0;
      const node = { layer, inputs, rank, x: 0, y: 0, width: 0, height: 0 };
      byName.set(layer.name, node);
      nodes.push(node);
    });
    return nodes;
  }

  /* An edge over several ranks passes through a thin stand-in on each, so that it runs beside the boxes. */
  function withStandIns(nodes) {
    const ranks = [];
    const edges = [];
    const put = (node) => (ranks[node.rank] = ranks[node.rank] || []).push(node);
    nodes.forEach(put);
    for (const node of nodes) {
      for (const input of node.inputs) {
        const path = [input];
        for (let rank = input.rank + 1; rank < node.rank; rank++) {
          const standIn = { inputs: [path[path.length - 1]], rank, x: 0, y: 0, width: 10, height: 0, standIn: true };
          put(standIn);
          path.push(standIn);
        }
        path.push(node);
        edges.push(path);
      }
    }
    for (const path of edges)
      path[path.length - 1].above = (path[path.length - 1].above || []).concat(path[path.length - 2]);
    return { ranks, edges };
  }

  /* Nearest to the wished places while neighbours keep their distance: pools of neighbours that share one shift. */
  function spread(row, gap) {
    let offset = 0;
    const pools = [];
    row.forEach((node, i) => {
      if (i) offset += (row[i - 1].width + node.width) / 2 + gap;
      node.offset = offset;
      pools.push({ sum: node.wish - offset, nodes: [node] });
      while (pools.length > 1) {
        const [before, last] = pools.slice(-2);
        if (before.sum / before.nodes.length <= last.sum / last.nodes.length) break;
        pools.splice(-2, 2, { sum: before.sum + last.sum, nodes: before.nodes.concat(last.nodes) });
      }
    });
    for (const pool of pools) for (const node of pool.nodes) node.x = node.offset + pool.sum / pool.nodes.length;
  }

  /* layers: rows with "name" and "inputs". size(layer) -> [width, height]. Returns {nodes, edges, width, height}:
     nodes with their centre x, top y, width, height; edges as lists of nodes from input to layer. */
  zf.layOut = (layers, size, gap = { across: 20, down: 26 }) => {
    const nodes = nodesOf(layers);
    for (const node of nodes) [node.width, node.height] = size(node.layer);
    const { ranks, edges } = withStandIns(nodes);
    let y = 0;
    for (const row of ranks) {
      for (const node of row) {
        const above = node.above || node.inputs;
        node.wish = above.length ? above.reduce((sum, each) => sum + each.x, 0) / above.length : 0;
      }
      row.sort((a, b) => a.wish - b.wish);
      spread(row, gap.across);
      const tallest = Math.max(...row.map((node) => node.height));
      for (const node of row) {
        node.y = y + (tallest - node.height) / 2;
        if (node.standIn) [node.y, node.height] = [y, tallest];
      }
      y += tallest + gap.down;
    }
    const all = ranks.flat();
    const left = Math.min(...all.map((node) => node.x - node.width / 2));
    const right = Math.max(...all.map((node) => node.x + node.width / 2));
    for (const node of all) node.x -= left;
    return { nodes, edges, width: right - left, height: y - gap.down };
  };
})();
