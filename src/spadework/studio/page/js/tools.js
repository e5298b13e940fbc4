// From pointers and keys to strokes.

import { $, icon, input, make, press } from "./page.js";
import { exact } from "./strokes.js";

/** @typedef {import("./sheet.js").Sheet} Sheet */
/** @typedef {import("./view.js").View} View */
/** @typedef {import("./palette.js").Palette} Palette */
/** @typedef {{x: number, y: number, pressure?: number}} Point */

export const TOOLS = [
  { name: "brush", title: "Brush", key: "b" },
  { name: "fill", title: "Fill", key: "g" },
  { name: "eraser", title: "Eraser, to the background", key: "e" },
  { name: "pick", title: "Eyedropper", key: "i" },
  { name: "hand", title: "Move the view", key: "h" },
  { name: "line", title: "Line", key: "l" },
  { name: "rectangle", title: "Rectangle", key: "r" },
  { name: "ellipse", title: "Ellipse", key: "o" },
  { name: "polygon", title: "Polygon; Enter or double click closes it", key: "p" },
];

/** The chosen tool with its settings. Fires "drawn" with the first stroke. */
export class Tools extends EventTarget {
  /** @param {Sheet} sheet @param {View} view @param {Palette} palette */
  constructor(sheet, view, palette) {
    super();
    this.sheet = sheet;
    this.view = view;
    this.palette = palette;
    this.tool = "brush";
    this.square = false;
    /** @type {number[]} corners of a polygon so far */
    this.corners = [];
    this.#offer();
  }

  #offer() {
    for (const { name, title, key } of TOOLS) {
      const label = `${title} (${key.toUpperCase()})`;
      const button = make("button", { id: `tool-${name}`, className: "icon", title: label, ariaLabel: title }, icon(name));
      button.onclick = () => this.choose(name);
      $("tools").append(button);
    }
    input("size").oninput = () => this.#showSize();
    input("gap").oninput = () => ($("gap-text").textContent = input("gap").value);
    $("tip-round").onclick = () => this.tip(false);
    $("tip-square").onclick = () => this.tip(true);
    this.choose("brush");
  }

  /** @param {string} name */
  choose(name) {
    this.sheet.cancel();
    this.corners = [];
    this.tool = name;
    for (const tool of TOOLS) press($(`tool-${tool.name}`), tool.name === name);
    $("panes").dataset.tool = name;
  }

  /** @param {boolean} square */
  tip(square) {
    this.square = square;
    press($("tip-round"), !square);
    press($("tip-square"), square);
  }

  get size() { return Number(input("size").value); }

  /** @param {number} factor */
  resize(factor) {
    const step = Math.max(1, Math.round(this.size * Math.abs(factor - 1)));
    input("size").value = String(this.size + (factor > 1 ? step : -step));
    this.#showSize();
  }

  #showSize() {
    $("size-text").textContent = input("size").value;
  }

  get #id() { return this.tool === "eraser" ? this.sheet.base.background : this.palette.chosen; }

  get #only() {
    const value = /** @type {HTMLSelectElement} */ (/** @type {unknown} */ ($("only"))).value;
    return value === "" ? null : Number(value);
  }

  /** The ring of the brush at a point. @param {Point} point */
  ringAt({ x, y }) {
    const brush = ["brush", "eraser", "line"].includes(this.tool);
    return this.tool === "hand" ? null : { x, y, r: brush ? this.size / 2 : 0, square: this.square };
  }

  /** The pointer comes down. @param {Point} point */
  down(point) {
    const at = [exact(point.x), exact(point.y)];
    if (this.tool === "pick") return this.#pick(point);
    if (this.tool === "polygon") return this.#corner(at);
    const [id, only] = [this.#id, this.#only];
    if (this.tool === "fill") {
      this.sheet.begin({ tool: "fill", id, only, points: at, gap: Number(input("gap").value) });
      this.sheet.end();
    } else if (this.tool === "rectangle" || this.tool === "ellipse") {
      this.sheet.begin({ tool: this.tool, id, only, points: [...at, ...at] });
    } else {
      const tool = this.tool === "line" ? "line" : "brush";
      this.sheet.begin({ tool, id, only, points: [...at, this.#radius(point)], square: this.square });
    }
    this.dispatchEvent(new Event("drawn"));
  }

  /** The pointer moves while it is down (a polygon follows it always). @param {Point} point */
  move(point) {
    const current = this.sheet.current;
    if (!current) return;
    const at = [exact(point.x), exact(point.y)];
    if (current.tool === "brush") this.sheet.extend([...at, this.#radius(point)]);
    else if (current.tool === "line") this.sheet.extend([...current.points.slice(0, 3), ...at, this.#radius(point)]);
    else if (current.tool === "polygon") this.sheet.extend([...this.corners, ...at]);
    else this.sheet.extend([...current.points.slice(0, 2), ...at]);
  }

  /** The pointer goes up. */
  up() {
    if (this.tool !== "polygon") this.sheet.end();
  }

  /** Enter or a double click: a polygon is done. */
  close() {
    if (this.sheet.current?.tool !== "polygon") return;
    this.sheet.extend(this.corners);
    this.corners = [];
    this.sheet.end();
  }

  /** Escape: the stroke never was. */
  cancel() {
    this.corners = [];
    this.sheet.cancel();
  }

  /** @param {number[]} at */
  #corner(at) {
    const [x, y] = this.corners;
    if (this.corners.length > 4 && Math.hypot(at[0] - x, at[1] - y) * this.view.scale < 10) return this.close();
    this.corners.push(...at);
    if (this.sheet.current) this.sheet.extend([...this.corners, ...at]);
    else this.sheet.begin({ tool: "polygon", id: this.#id, only: this.#only, points: [...at, ...at] });
    this.dispatchEvent(new Event("drawn"));
  }

  /** @param {Point} point */
  #pick({ x, y }) {
    const { width, height, ids } = this.sheet;
    if (x < 0 || y < 0 || x >= width || y >= height) return;
    this.palette.choose(ids[Math.floor(y) * width + Math.floor(x)]);
    this.choose("brush");
  }

  /** @param {Point} point */
  #radius({ pressure }) {
    return exact((this.size / 2) * (pressure ?? 1));
  }
}
