// The document: strokes over a base map. Ids are derived; undo and redo never end.

import { paintSegment, paintStroke } from "./strokes.js";

/** @typedef {import("./strokes.js").Stroke} Stroke */
/** @typedef {{ids: Uint8Array, width: number, height: number, background: number}} Base */

const EVERY = 16;
const MOST_BYTES = 48 * 1024 * 1024;

/** Fires "change" whenever the ids change, "history" whenever strokes come or go. */
export class Sheet extends EventTarget {
  /** @param {Base} base @param {Stroke[]} [strokes] @param {Stroke[]} [undone] the stroke undone last is the last */
  constructor(base, strokes = [], undone = []) {
    super();
    this.replace(base, strokes, undone);
  }

  /** @param {Base} base @param {Stroke[]} [strokes] @param {Stroke[]} [undone] */
  replace(base, strokes = [], undone = []) {
    this.base = base;
    this.strokes = [...strokes];
    this.undone = [...undone];
    /** @type {Map<number, Uint8Array>} ids after so many strokes */
    this.snapshots = new Map([[0, base.ids]]);
    /** @type {Stroke | null} */
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

  /** Start a stroke that grows. @param {Stroke} stroke */
  begin(stroke) {
    this.current = stroke;
    this.before = this.raster.ids.slice();
    paintStroke(this.raster, stroke);
    this.dispatchEvent(new Event("change"));
  }

  /** The pointer moved: a brush goes on, a shape takes new points. @param {number[]} points */
  extend(points) {
    if (!this.current) return;
    if (this.current.tool === "brush") {
      this.current.points.push(...points);
      paintSegment(this.raster, this.current, this.current.points.length / 3 - 1);
    } else {
      this.current.points = points;
      this.raster.ids.set(/** @type {Uint8Array} */ (this.before));
      paintStroke(this.raster, this.current);
    }
    this.dispatchEvent(new Event("change"));
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
    this.raster.ids.set(/** @type {Uint8Array} */ (this.before));
    this.current = null;
    this.dispatchEvent(new Event("change"));
  }

  undo() {
    this.cancel();
    const last = this.strokes.pop();
    if (!last) return;
    this.undone.push(last);
    for (const n of this.snapshots.keys()) if (n > this.strokes.length) this.snapshots.delete(n);
    this.#derive();
    this.#tell();
  }

  redo() {
    this.cancel();
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

  #tell() {
    this.dispatchEvent(new Event("change"));
    this.dispatchEvent(new Event("history"));
  }
}
