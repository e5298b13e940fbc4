// The document: strokes and what is done to layers, over a base. Ids are derived; undo and redo never end.

import { FIRST, copies, firstLayer, isFlat, lightsOf, merge, newName, operated } from "./layers.js";
import { joined, paintSegment, paintStroke, reachOf } from "./strokes.js";

/** @typedef {import("./strokes.js").Stroke} Stroke */
/** @typedef {import("./strokes.js").Box} Box */
/** @typedef {import("./layers.js").Layer} Layer */
/** @typedef {import("./layers.js").Operation} Operation */
/** @typedef {Stroke | Operation} Entry of the history */
/** @typedef {{ids: Uint8Array, width: number, height: number, background: number, layers?: Layer[], active?: number}} Base `layers`: what it is made of, if that is more than its ids */

const EVERY = 16;
const MOST_BYTES = 48 * 1024 * 1024;

/** Fires "change" (detail: the box, or null for all) whenever the ids change, "history" whenever strokes come or go, "layers" when another layer is drawn on. */
export class Sheet extends EventTarget {
  /** @param {Base} base @param {Entry[]} [strokes] @param {Entry[]} [undone] the one undone last is the last */
  constructor(base, strokes = [], undone = []) {
    super();
    this.base = base;
    this.strokes = strokes;
    this.undone = undone;
    /** @type {Layer[]} the lowest first */
    this.layers = [];
    this.active = FIRST;
    /** @type {Map<number, Layer[]>} after so many strokes */
    this.snapshots = new Map();
    /** @type {Stroke | null} the one that grows */
    this.current = null;
    /** @type {Operation | null} a layer that is being moved */
    this.moving = null;
    this.before = base.ids;
    /** @type {Layer[]} before the layer was moved */
    this.stack = [];
    this.raster = { ids: base.ids, width: base.width, height: base.height };
    this.replace(base, strokes, undone);
  }

  /** @param {Base} base @param {Entry[]} [strokes] @param {Entry[]} [undone] */
  replace(base, strokes = [], undone = []) {
    this.base = base;
    this.strokes = [];
    this.undone = [...undone];
    const first = base.layers ?? [firstLayer(base.ids)];
    this.snapshots = new Map([[0, first]]);
    this.current = this.moving = null;
    this.raster = { ids: base.ids.slice(), width: base.width, height: base.height };
    this.layers = copies(first);
    this.active = first[first.length - 1].key;
    this.#join();
    for (const entry of strokes) {
      this.#apply(entry);
      this.strokes.push(entry);
      this.#remember();
    }
    this.active = base.active ?? this.active;
    this.#tell();
  }

  get width() { return this.raster.width; }
  get height() { return this.raster.height; }
  get ids() { return this.raster.ids; }

  /** The layer that is drawn on; the uppermost if that one is not there. */
  get layer() { return this.layers.find(({ key }) => key === this.active) ?? this.layers[this.layers.length - 1]; }

  /** Whether the drawing is strokes over a base and nothing else. */
  get plain() { return !this.base.layers && !this.moving && [...this.strokes, ...this.undone].every((entry) => !("op" in entry)); }

  /** Of its parts; null if all of it is in one. */
  get lights() { return lightsOf(this.layers); }

  /** Why nothing can be drawn on the layer; empty if it can. */
  get refusal() {
    const { name, hidden, locked } = this.layer;
    return hidden ? `“${name}” is hidden` : locked ? `“${name}” is locked` : "";
  }

  /** Draw on another layer. @param {number} key */
  choose(key) {
    this.end();
    this.active = key;
    this.dispatchEvent(new Event("layers"));
  }

  /** Start a stroke that grows; one that grows already is kept as it is. @param {Stroke} stroke */
  begin(stroke) {
    this.end();
    this.current = this.layers.length > 1 || this.layer.key !== FIRST ? { ...stroke, layer: this.layer.key } : stroke;
    this.before = this.layer.ids.slice();
    this.#paint(this.current);
  }

  /** The pointer moved: a brush goes on, a shape takes new points. @param {number[]} points */
  extend(points) {
    if (!this.current) return;
    if (this.current.tool === "brush") {
      this.current.points.push(...points);
      paintSegment(this.#surface(this.layer), this.current, this.current.points.length / 3 - 1);
      this.#show(reachOf(this.current, this.width, this.current.points.slice(-6)));
    } else {
      const before = reachOf(this.current, this.width);
      this.current.points = points;
      this.layer.ids.set(this.before);
      this.#merge(before);
      paintStroke(this.#surface(this.layer), this.current);
      this.#show(joined(before, reachOf(this.current, this.width)));
    }
  }

  /** Keep the growing stroke, or where the layer is. */
  end() {
    const done = this.current ?? (this.moving && (this.moving.dx || this.moving.dy) ? this.moving : null);
    this.current = this.moving = null;
    if (!done) return;
    this.strokes.push(done);
    this.undone = [];
    this.#remember();
    this.dispatchEvent(new Event("history"));
  }

  /** Forget the growing stroke; a layer goes back to where it was. */
  cancel() {
    if (this.current) this.layer.ids.set(this.before);
    else if (this.moving) this.layers = this.stack;
    else return;
    this.current = this.moving = null;
    this.#join();
    this.#changed();
  }

  /** Do something to a layer. @param {Operation} op */
  operate(op) {
    this.end();
    this.#apply(op);
    this.strokes.push(op);
    this.undone = [];
    this.#remember();
    this.#tell();
  }

  /** An empty layer over the one that is drawn on, or the same once more. @param {"add" | "duplicate"} op */
  grow(op) {
    const names = op === "add" ? newName(this.layers) : `${this.layer.name} 2`;
    this.operate({ op, layer: this.layer.key, key: this.#freeKey(), name: names });
  }

  #freeKey() {
    const keys = [...(this.base.layers ?? []), ...this.strokes, ...this.undone].map((each) => ("key" in each && each.key) || 0);
    return 1 + Math.max(FIRST, ...keys);
  }

  /** The layer goes with the pointer, by so much in all. @param {number} dx @param {number} dy */
  move(dx, dy) {
    if (!this.moving) {
      this.end();
      this.stack = this.layers;
    }
    this.moving = { op: "move", layer: this.layer.key, dx, dy };
    this.layers = operated(this.stack, this.moving, this.raster);
    this.#join();
    this.#changed();
  }

  /** By keys: moves of one layer are one. @param {number} dx @param {number} dy */
  nudge(dx, dy) {
    const last = this.strokes.at(-1);
    const goesOn = last && "op" in last && last.op === "move" && last.layer === this.layer.key;
    if (goesOn) this.#back();
    this.operate({ op: "move", layer: this.layer.key, dx: dx + ((goesOn && last.dx) || 0), dy: dy + ((goesOn && last.dy) || 0) });
  }

  /** Take back what is being done, or the last stroke. */
  undo() {
    if (this.current || this.moving) return this.cancel();
    const last = this.strokes.length ? this.#back() : null;
    if (!last) return;
    this.undone.push(last);
    this.#tell();
  }

  redo() {
    if (this.current || this.moving) return;
    const next = this.undone.pop();
    if (!next) return;
    this.#apply(next);
    this.strokes.push(next);
    this.#remember();
    this.#tell();
  }

  /** The drawing before its last entry. */
  #back() {
    const last = this.strokes.pop();
    for (const n of this.snapshots.keys()) if (n > this.strokes.length) this.snapshots.delete(n);
    const { active } = this;
    const from = Math.max(...this.snapshots.keys());
    this.layers = copies(/** @type {Layer[]} */ (this.snapshots.get(from)));
    this.#join();
    for (const entry of this.strokes.slice(from)) this.#apply(entry);
    this.active = active;
    return last;
  }

  /** @param {Entry} entry */
  #apply(entry) {
    if ("op" in entry) {
      this.layers = operated(this.layers, entry, this.raster);
      if (entry.key) this.active = entry.key;
      this.#join();
      return;
    }
    const layer = this.layers.find(({ key }) => key === (entry.layer ?? FIRST));
    if (!layer) return;
    paintStroke(this.#surface(layer), entry);
    this.#merge(reachOf(entry, this.width));
  }

  /** Of the growing stroke. @param {Stroke} stroke */
  #paint(stroke) {
    paintStroke(this.#surface(this.layer), stroke);
    this.#show(reachOf(stroke, this.width));
  }

  /** A layer to paint on, under the eyes of who sees all of them. @param {Layer} layer */
  #surface({ ids }) {
    return { ...this.raster, ids, seen: this.raster.ids };
  }

  /** The layers are others: what is seen of them is the ids of the only one, or is put together. */
  #join() {
    const { ids } = this.layers[0];
    if (isFlat(this.layers)) this.raster.ids = ids;
    else {
      if (this.layers.some((layer) => layer.ids === this.raster.ids)) this.raster.ids = ids.slice();
      this.#merge();
    }
  }

  /** @param {Box | null} [box] */
  #merge(box = null) {
    if (this.layers[0].ids === this.raster.ids) return;
    merge(this.raster.ids, this.layers, this.base.background, this.raster, box);
  }

  #remember() {
    const n = this.strokes.length;
    if (n % EVERY) return;
    this.snapshots.set(n, copies(this.layers));
    const most = Math.max(4, MOST_BYTES / (this.raster.ids.length * this.layers.length));
    if (this.snapshots.size > most) {
      [...this.snapshots.keys()].filter((key, i) => key && i % 2).forEach((key) => this.snapshots.delete(key));
    }
  }

  /** @param {Box | null} box */
  #show(box) {
    this.#merge(box);
    this.#changed(box);
  }

  /** @param {Box | null} [box] where; everywhere if it is not told */
  #changed(box = null) {
    this.dispatchEvent(new CustomEvent("change", { detail: box }));
  }

  #tell() {
    this.#changed();
    this.dispatchEvent(new Event("history"));
    this.dispatchEvent(new Event("layers"));
  }
}
