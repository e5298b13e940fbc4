// What labels do in the neighbourhoods that have been seen, a row each, so that a stroke computes only what is new.

/** @typedef {import("./contexts.js").Contexts} Contexts */

const SLACK = 1024;  // rows that are kept beyond twice those of the sketch

export class Table {
  constructor() {
    /** @type {Map<string, number>} */
    this.known = new Map();
    this.values = new Float32Array(0);
    this.count = 0;
    this.width = 0;
  }

  get rows() { return this.values.subarray(0, this.count * this.width); }

  /**
   * Which row each pixel has, and the squares whose rows are to be added: at least one, since no network takes none.
   * @param {Contexts} contexts
   */
  look({ patches, index, count }) {
    if (this.known.size > 2 * count + SLACK) this.forget();
    const area = patches.length / count;
    const places = new Int32Array(count);
    /** @type {number[]} */
    const fresh = [];
    for (let n = 0; n < count; n++) {
      const key = String.fromCharCode(...patches.subarray(n * area, (n + 1) * area));
      let place = this.known.get(key);
      if (place === undefined) {
        place = this.known.size;
        this.known.set(key, place);
        fresh.push(n);
      }
      places[n] = place;
    }
    const asked = fresh.length ? fresh : [0];
    const squares = new Int32Array(asked.length * area);
    asked.forEach((n, at) => squares.set(patches.subarray(n * area, (n + 1) * area), at * area));
    return { index: index.map((n) => places[n]), patches: squares, fresh: fresh.length };
  }

  /** All rows are made anew. */
  forget() {
    this.known.clear();
    this.count = 0;
  }

  /** @param {Float32Array} made rows, one after the other @param {number} fresh how many of them are new */
  add(made, fresh) {
    if (!fresh) return;
    this.width = made.length / fresh;
    const end = (this.count + fresh) * this.width;
    if (end > this.values.length) {
      const grown = new Float32Array(Math.ceil(1.25 * end));
      grown.set(this.rows);
      this.values = grown;
    }
    this.values.set(made, this.count * this.width);
    this.count += fresh;
  }
}
