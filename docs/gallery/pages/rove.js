"use strict";
/* One tab stop for many things: arrows, Home, End and pages move among them. */
(() => {
  const zf = (window.zf = window.zf || {});
  let all = [];

  class Roving {
    constructor(items, columns, main) {
      this.main = main;
      this.items = items;
      this.columns = columns;
      this.at = 0;
      const all = items();
      all.forEach((item, place) => {
        if (item.tabIndex !== (place === 0 ? 0 : -1)) item.tabIndex = place === 0 ? 0 : -1;
      });
    }

    focus(place, options) {
      const all = this.items();
      if (!all.length) return;
      if (all[this.at]) all[this.at].tabIndex = -1;
      this.at = Math.max(0, Math.min(all.length - 1, place));
      all[this.at].tabIndex = 0;
      if (!options || !options.quietly) all[this.at].focus();
    }

    /* Returns whether the key means a move here. */
    move(key, shift, control) {
      const all = this.items();
      const found = all.indexOf(document.activeElement);
      if (found >= 0 && found !== this.at) this.focus(found, { quietly: true });
      const columns = Math.max(1, this.columns());
      const first = this.at - (this.at % columns);
      const steps = shift ? 5 : 1;
      const screen =
        Math.max(1, Math.floor(window.innerHeight / ((all[0] && all[0].offsetHeight) || 100)) - 1) * columns;
      const places = {
        ArrowLeft: this.at - steps,
        ArrowRight: this.at + steps,
        ArrowUp: this.at - steps * columns,
        ArrowDown: this.at + steps * columns,
        Home: control ? 0 : first,
        End: control ? all.length - 1 : first + columns - 1,
        PageUp: this.at - screen,
        PageDown: this.at + screen,
      };
      if (!(key in places)) return false;
      const place = places[key];
      if (key.startsWith("Arrow") && (place < 0 || place >= all.length)) return true;
      this.focus(place);
      return true;
    }
  }

  /* items() gives the things in order, columns() how many stand in a row. main: arrows reach it from anywhere. The
     page's key handling finds it by `zf.roves` and calls move(). */
  zf.rove = (items, columns, main = false) => {
    const rove = new Roving(items, columns, main);
    all.push(rove);
    return rove;
  };
  zf.columnsOf = (grid) => getComputedStyle(grid).gridTemplateColumns.split(" ").length;
  zf.roves = () => all;
  zf.clearRoves = () => (all = []);
})();
