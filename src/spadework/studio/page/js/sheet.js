// The document: strokes over a base map. Ids are derived; undo and redo never end.

import { joined, paintSegment, paintStroke, reachOf } from "./strokes.js";

/** @typedef {import("./strokes.js").Stroke} Stroke */
/** @typedef {import("./strokes.js").Box} Box */
/** @typedef {{ids: Uint8Array, width: number, height: number, background: number}} Base */

const EVERY = 16;
const MOST_BYTES = 48 * 1024 * 1024;

/** Fires "change" (detail: the box, or null for all) whenever the ids change, "history" whenever strokes come or go. */
export class Sheet extends EventTarget {
  /** @param {Base} base @param {Stroke[]} [strokes] @param {Stroke[]} [undone] the stroke undone last is the last */
  constructor(base, strokes = [], undone = []) {
    super();
    this.base = base;
    this.strokes = strokes;
    this.undone = undone;
    /** @type {Map<number, Uint8Array>} ids after so many strokes */
    this.snapshots = new Map();
    /** @type {Stroke | null} the one that grows */
    this.current = null;
    this.before = base.ids;
    this.raster = { ids: base.ids, width: base.width, height: base.height };
    this.replace(base, strokes, undone);
  }

  /** @param {Base} base @param {Stroke[]} [strokes] @param {Stroke[]} [undone] */
  replace(base, strokes = [], undone = []) {
    this.base = base;
    this.strokes = [...strokes];
    this.undone = [...undone];
    this.snapshots = new Map([[0, base.ids]]);
    this.current = null;
    this.raster = { ids: base.ids.slice(), width: base.width, height: base.height };
    for (let n = 1; n <= strokes.length; n++) {
      paintStroke(this.raster, strokes[n - 1]);
      this.#remember(n);
    }
    this.#tell();
  }

  get width() { return this.raster.width; }
  get height() { return this.raster.height; }
  get ids() { return this.raster.ids; }

  /** Start a stroke that grows; one that grows already is kept as it is. @param {Stroke} stroke */
  begin(stroke) {
    this.end();
    this.current = stroke;
    this.before = this.raster.ids.slice();
    paintStroke(this.raster, stroke);
    this.#changed(reachOf(stroke, this.width));
  }

  /** The pointer moved: a brush goes on, a shape takes new points. @param {number[]} points */
  extend(points) {
    if (!this.current) return;
    if (this.current.tool === "brush") {
      this.current.points.push(...points);
      paintSegment(this.raster, this.current, this.current.points.length / 3 - 1);
      this.#changed(reachOf(this.current, this.width, this.current.points.slice(-6)));
    } else {
      const before = reachOf(this.current, this.width);
      this.current.points = points;
      this.raster.ids.set(this.before);
      paintStroke(this.raster, this.current);
      this.#changed(joined(before, reachOf(this.current, this.width)));
    }
  }

  /** Keep the growing stroke. */
  end() {
    if (!this.current) return;
    this.strokes.push(this.current);
    this.undone = [];
    this.current = null;
    this.#remember(this.strokes.length);
    this.dispatchEvent(new Event("history"));
  }

  /** Forget the growing stroke. */
  cancel() {
    if (!this.current) return;
    this.raster.ids.set(this.before);
    this.current = null;
    this.#changed();
  }

  /** Take back the growing stroke, or the last one. */
  undo() {
    if (this.current) return this.cancel();
    const last = this.strokes.pop();
    if (!last) return;
    this.undone.push(last);
    for (const n of this.snapshots.keys()) if (n > this.strokes.length) this.snapshots.delete(n);
    this.#derive();
    this.#tell();
  }

  redo() {
    if (this.current) return;
    const next = this.undone.pop();
    if (!next) return;
    this.strokes.push(next);
    paintStroke(this.raster, next);
    this.#remember(this.strokes.length);
    this.#tell();
  }

  #derive() {
    const from = Math.max(...this.snapshots.keys());
    this.raster.ids.set(/** @type {Uint8Array} */ (this.snapshots.get(from)));
    for (const stroke of this.strokes.slice(from)) paintStroke(this.raster, stroke);
  }

  /** @param {number} n */
  #remember(n) {
    if (n % EVERY) return;
    this.snapshots.set(n, this.raster.ids.slice());
    const most = Math.max(4, MOST_BYTES / this.raster.ids.length);
    if (this.snapshots.size > most) {
      [...this.snapshots.keys()].filter((key, i) => key && i % 2).forEach((key) => this.snapshots.delete(key));
    }
  }

  /** @param {Box | null} [box] where; everywhere if it is not told */
  #changed(box = null) {
    this.dispatchEvent(new CustomEvent("change", { detail: box }));
  }

  #tell() {
    this.#changed();
    this.dispatchEvent(new Event("history"));
  }
}
