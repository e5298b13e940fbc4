// From pointers and keys to strokes.

import { NOTHING } from "./layers.js";
import { $, complain, icon, input, make, press } from "./page.js";
import { exact } from "./strokes.js";

/** @typedef {import("./sheet.js").Sheet} Sheet */
/** @typedef {import("./view.js").View} View */
/** @typedef {import("./palette.js").Palette} Palette */
/** @typedef {{x: number, y: number, pressure?: number}} Point */

export const TOOLS = [
  { name: "brush", title: "Brush", key: "b" },
  { name: "fill", title: "Fill", key: "g" },
  { name: "eraser", title: "Eraser, to the background; on a layer, to what is below", key: "e" },
  { name: "pick", title: "Eyedropper", key: "i" },
  { name: "hand", title: "Move the view", key: "h" },
  { name: "line", title: "Line", key: "l" },
  { name: "rectangle", title: "Rectangle", key: "r" },
  { name: "ellipse", title: "Ellipse", key: "o" },
  { name: "polygon", title: "Polygon; Enter or double click closes it", key: "p" },
  { name: "shift", title: "Move the layer", key: "t" },
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
    this.mirror = false;
    /** @type {number[]} corners of a polygon so far */
    this.corners = [];
    /** @type {Point | null} where a layer was taken */
    this.grip = null;
    /** @type {string | null} the tool that waits while the hand is lent */
    this.lent = null;
    this.#offer();
    sheet.addEventListener("change", () => this.#limitSize());
  }

  #offer() {
    for (const { name, title, key } of TOOLS) {
      const label = `${title} (${key.toUpperCase()})`;
      const button = make("button", { id: `tool-${name}`, className: "icon", title: label, ariaLabel: title }, icon(name));
      button.onclick = () => this.use(name);
      $("tools").append(button);
    }
    input("size").oninput = () => this.#showSize();
    input("gap").oninput = () => ($("gap-text").textContent = input("gap").value);
    $("tip-round").onclick = () => this.tip(false);
    $("tip-square").onclick = () => this.tip(true);
    $("mirror-off").onclick = () => this.reflect(false);
    $("mirror-on").onclick = () => this.reflect(true);
    this.choose("brush");
  }

  /** The hand, for as long as a key is held. */
  lend() {
    if (this.lent !== null || this.sheet.current || this.sheet.moving) return;
    this.lent = this.tool;
    this.tool = "hand";
    $("panes").dataset.tool = "hand";
  }

  /** The key is up: the tool before. */
  giveBack() {
    if (this.lent === null) return;
    this.tool = this.lent;
    this.lent = null;
    $("panes").dataset.tool = this.tool;
  }

  /** A person takes a tool; arrow keys are for the layer at once. @param {string} name */
  use(name) {
    this.choose(name);
    if (name === "shift") $("sketch").focus({ preventScroll: true });
  }

  /** @param {string} name */
  choose(name) {
    this.sheet.cancel();
    this.grip = null;
    this.corners = [];
    this.lent = null;
    this.tool = name;
    for (const tool of TOOLS) press($(`tool-${tool.name}`), tool.name === name);
    $("panes").dataset.tool = name;
  }

  /** @param {boolean} mirror */
  reflect(mirror) {
    this.mirror = mirror;
    press($("mirror-off"), !mirror);
    press($("mirror-on"), mirror);
    $("panes").dataset.mirror = String(mirror);
  }

  /** What a stroke says of it; nothing if it has no other side. */
  get #mirrored() { return this.mirror ? { mirror: true } : {}; }

  /** What is kept with a drawing. */
  get hand() {
    const values = Object.fromEntries(["size", "gap", "only"].map((id) => [id, input(id).value]));
    return { tool: this.lent ?? this.tool, square: this.square, mirror: this.mirror, ...values };
  }

  /** @param {{tool: string, square: boolean, mirror?: boolean, size: string, gap: string, only: string}} hand */
  take({ tool, square, mirror, ...values }) {
    for (const [id, value] of Object.entries(values)) if (["size", "gap", "only"].includes(id)) input(id).value = value;
    this.#showSize();
    $("gap-text").textContent = input("gap").value;
    this.tip(square);
    this.reflect(mirror ?? false);
    this.choose(TOOLS.some(({ name }) => name === tool) ? tool : "brush");
  }

  /** @param {boolean} square */
  tip(square) {
    this.square = square;
    press($("tip-round"), !square);
    press($("tip-square"), square);
  }

  /** A brush may be half as large as the sheet's short side. */
  #limitSize() {
    const most = String(Math.max(2, Math.floor(Math.min(this.sheet.width, this.sheet.height) / 2)));
    if (input("size").max === most) return;
    input("size").max = most;
    this.#showSize();
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

  get #id() {
    if (this.tool !== "eraser") return this.palette.chosen;
    return this.sheet.layer === this.sheet.layers[0] ? this.sheet.base.background : NOTHING;
  }

  /** Whether the layer takes what is drawn; if not, it is said why. */
  get #allowed() {
    const { refusal } = this.sheet;
    if (refusal) complain({ sentence: refusal, remedy: "Choose another layer, or show and unlock this one" });
    return !refusal;
  }

  get #only() {
    const value = /** @type {HTMLSelectElement} */ (/** @type {unknown} */ ($("only"))).value;
    return value === "" ? null : Number(value);
  }

  /** The ring of the brush at a point. @param {Point} point */
  ringAt({ x, y }) {
    const brush = ["brush", "eraser", "line"].includes(this.tool);
    return this.tool === "hand" || this.tool === "shift" ? null : { x, y, r: brush ? this.size / 2 : 0, square: this.square };
  }

  /** The pointer comes down. @param {Point} point @param {boolean} [shift] straight */
  down(point, shift = false) {
    if (this.tool === "pick") {
      this.pick(point);
      return this.choose("brush");
    }
    if (!this.#allowed) return;
    if (this.tool === "shift") return void (this.grip = point);
    if (this.tool === "polygon") return this.#corner(this.#guided(point, shift));
    const at = [exact(point.x), exact(point.y)];
    const [id, only] = [this.#id, this.#only];
    if (this.tool === "fill") {
      this.sheet.begin({ tool: "fill", id, only, points: at, gap: Number(input("gap").value), ...this.#mirrored });
      this.sheet.end();
    } else if (this.tool === "rectangle" || this.tool === "ellipse") {
      this.sheet.begin({ tool: this.tool, id, only, points: [...at, ...at], ...this.#mirrored });
    } else {
      const from = shift && this.tool !== "line" ? this.#lastPoint : [];
      const tool = this.tool === "line" || from.length ? "line" : "brush";
      this.sheet.begin({ tool, id, only, points: [...from, ...at, this.#radius(point)], square: this.square, ...this.#mirrored });
    }
    this.dispatchEvent(new Event("drawn"));
  }

  /** Where the last stroke of a brush or line ended: x, y, radius; nothing if there is none. */
  get #lastPoint() {
    const last = this.sheet.strokes.at(-1);
    return last && "tool" in last && ["brush", "line"].includes(last.tool) ? last.points.slice(-3) : [];
  }

  /** The pointer moves while it is down (a polygon follows it always). @param {Point} point @param {boolean} [shift] straight */
  move(point, shift = false) {
    if (this.grip) return this.sheet.move(Math.round(point.x - this.grip.x), Math.round(point.y - this.grip.y));
    const current = this.sheet.current;
    if (!current) return;
    const at = this.#guided(point, shift);
    if (current.tool === "brush") this.#go([...at, this.#radius(point)]);
    else if (current.tool === "line") this.sheet.extend([...current.points.slice(0, 3), ...at, this.#radius(point)]);
    else if (current.tool === "polygon") this.sheet.extend([...this.corners, ...at]);
    else this.sheet.extend([...current.points.slice(0, 2), ...at]);
  }

  /** A brush goes on, unless it stays where it is. @param {number[]} spot */
  #go(spot) {
    const last = this.sheet.current?.points.slice(-3) ?? [];
    if (spot.some((value, i) => value !== last[i])) this.sheet.extend(spot);
  }

  /** A place, or with Shift one that makes a square, a circle or an eighth of a turn. @param {Point} point @param {boolean} shift */
  #guided({ x, y }, shift) {
    const [fromX, fromY] = this.corners.length ? this.corners.slice(-2) : this.sheet.current?.points ?? [];
    if (!shift || fromX === undefined || !["line", "rectangle", "ellipse", "polygon"].includes(this.tool)) return [exact(x), exact(y)];
    const [dx, dy] = (this.tool === "line" || this.tool === "polygon" ? eighth : square)(x - fromX, y - fromY);
    return [exact(fromX + dx), exact(fromY + dy)];
  }

  /** The pointer goes up. */
  up() {
    this.grip = null;
    if (this.tool !== "polygon") this.sheet.end();
  }

  /** Enter or a double click: a polygon is done. */
  close() {
    if (this.sheet.current?.tool !== "polygon") return;
    this.sheet.extend(this.corners);
    this.corners = [];
    this.sheet.end();
  }

  /** Take back the stroke that grows, or the last one. */
  undo() {
    this.corners = [];
    this.grip = null;
    this.sheet.undo();
  }

  /** The arrow keys move the layer. @param {number} dx @param {number} dy */
  nudge(dx, dy) {
    if (this.#allowed) this.sheet.nudge(dx, dy);
  }

  /** Escape: the stroke never was. */
  cancel() {
    this.corners = [];
    this.grip = null;
    this.sheet.cancel();
  }

  /** @param {number[]} at */
  #corner(at) {
    const [x, y] = this.corners;
    if (this.corners.length > 4 && Math.hypot(at[0] - x, at[1] - y) * this.view.scale < 10) return this.close();
    this.corners.push(...at);
    if (this.sheet.current) this.sheet.extend([...this.corners, ...at]);
    else this.sheet.begin({ tool: "polygon", id: this.#id, only: this.#only, points: [...at, ...at], ...this.#mirrored });
    this.dispatchEvent(new Event("drawn"));
  }

  /** The class at a point becomes the one to paint. @param {Point} point */
  pick({ x, y }) {
    const { width, height, ids } = this.sheet;
    if (x < 0 || y < 0 || x >= width || y >= height) return;
    this.palette.choose(ids[Math.floor(y) * width + Math.floor(x)]);
  }

  /** @param {Point} point */
  #radius({ pressure }) {
    return exact((this.size / 2) * (pressure ?? 1));
  }
}

/** The nearest direction of eight, as far as the pointer went that way. @param {number} dx @param {number} dy */
function eighth(dx, dy) {
  const turn = (Math.round(Math.atan2(dy, dx) / (Math.PI / 4)) * Math.PI) / 4;
  const way = dx * Math.cos(turn) + dy * Math.sin(turn);
  return [way * Math.cos(turn), way * Math.sin(turn)];
}

/** Equal sides. @param {number} dx @param {number} dy */
function square(dx, dy) {
  const side = Math.max(Math.abs(dx), Math.abs(dy));
  return [Math.sign(dx) * side, Math.sign(dy) * side];
}
