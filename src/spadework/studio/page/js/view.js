// What is seen: the ids in their colours, the photograph, zoom and pan. Colours never become ids.

import { $, canvas, input, perFrame, press } from "./page.js";
import { joined } from "./strokes.js";

/** @typedef {import("./sheet.js").Sheet} Sheet */
/** @typedef {import("./strokes.js").Box} Box */

const MARGIN = 28;
const CAPTION = 24;  // below the photograph

/** Both panes show the same part of the sheet. */
export class View {
  /** @param {Sheet} sheet @param {Uint32Array} colors id -> pixel, as ImageData has it */
  constructor(sheet, colors) {
    this.sheet = sheet;
    this.colors = colors;
    this.scale = 1;
    this.origin = { x: 0, y: 0 };
    this.fitted = true;
    this.panes = [$("sketch-pane"), $("photo-pane")];
    /** @type {Box | null} what is to be drawn anew; null: all */
    this.dirty = null;
    this.waiting = false;
    const paintSoon = perFrame(() => this.#paint());
    sheet.addEventListener("change", (event) => {
      const { detail } = /** @type {CustomEvent<Box | null>} */ (event);
      this.dirty = this.waiting ? joined(this.dirty, detail) : detail;
      this.waiting = true;
      paintSoon();
    });
    const resized = new ResizeObserver(() => (this.fitted ? this.fit() : this.#place()));
    for (const element of [$("panes"), this.panes[0]]) resized.observe(element);
    this.#listen();
  }

  #listen() {
    $("zoom-in").onclick = () => this.zoom(1.25);
    $("zoom-out").onclick = () => this.zoom(0.8);
    $("zoom-fit").onclick = () => this.fit();
    $("view-side").onclick = () => this.show("side");
    $("view-over").onclick = () => this.show("over");
    input("opacity").oninput = () => this.#fade();
    this.#fade();
  }

  #fade() {
    $("panes").style.setProperty("--opacity", String(Number(input("opacity").value) / 100));
  }

  /** @param {"side" | "over"} view */
  show(view) {
    $("panes").dataset.view = view;
    press($("view-side"), view === "side");
    press($("view-over"), view === "over");
    input("opacity").disabled = view === "side";
    if (this.fitted) this.fit();
  }

  get mode() { return $("panes").dataset.view; }

  /** Beside or below each other: as the sheet gets larger. */
  #flow() {
    const { clientWidth: w, clientHeight: h } = $("panes");
    $("panes").dataset.flow = this.#fitting(w / 2, h) >= this.#fitting(w, h / 2) ? "row" : "column";
  }

  /** The scale at which the sheet fits a pane. @param {number} w @param {number} h */
  #fitting(w, h) {
    const margin = Math.min(MARGIN, w / 32);
    const { width, height } = this.sheet;
    return Math.max(0.05, Math.min((w - 2 * margin) / width, (h - margin - Math.max(margin, CAPTION)) / height));
  }

  /** The whole sheet, as large as the window allows. */
  fit() {
    this.#flow();
    const { clientWidth, clientHeight } = this.panes[0];
    const { width, height } = this.sheet;
    this.scale = this.#fitting(clientWidth, clientHeight);
    const below = Math.max(0, CAPTION - Math.min(MARGIN, clientWidth / 32));
    this.origin = { x: (clientWidth - this.scale * width) / 2, y: (clientHeight - below - this.scale * height) / 2 };
    this.fitted = true;
    this.#place();
  }

  /** Zoom around a place in the pane, by default its middle. @param {number} factor @param {{x: number, y: number}} [at] */
  zoom(factor, at) {
    const { clientWidth, clientHeight } = this.panes[0];
    const { x, y } = at ?? { x: clientWidth / 2, y: clientHeight / 2 };
    const scale = Math.min(32, Math.max(0.1, this.scale * factor));
    const ratio = scale / this.scale;
    this.origin = { x: x - ratio * (x - this.origin.x), y: y - ratio * (y - this.origin.y) };
    this.scale = scale;
    this.fitted = false;
    this.#place();
  }

  /** @param {number} dx @param {number} dy */
  pan(dx, dy) {
    this.origin = { x: this.origin.x + dx, y: this.origin.y + dy };
    this.fitted = false;
    this.#place();
  }

  #place() {
    const { x, y } = this.origin;
    for (const pane of this.panes) {
      const sheet = /** @type {HTMLElement} */ (pane.querySelector(".sheet"));
      sheet.style.width = `${this.sheet.width * this.scale}px`;
      sheet.style.height = `${this.sheet.height * this.scale}px`;
      sheet.style.transform = `translate(${x}px, ${y}px)`;
    }
    $("zoom-fit").textContent = `${Math.round(100 * this.scale)}%`;
  }

  /** From a pointer to the sheet's pixels. @param {{clientX: number, clientY: number}} event @param {Element} pane */
  pixel({ clientX, clientY }, pane) {
    const box = pane.getBoundingClientRect();
    return { x: (clientX - box.left - this.origin.x) / this.scale, y: (clientY - box.top - this.origin.y) / this.scale };
  }

  /** The brush in every pane; null hides it. @param {{x: number, y: number, r: number, square: boolean} | null} spot */
  ring(spot) {
    for (const pane of this.panes) {
      const ring = /** @type {HTMLElement} */ (pane.querySelector(".ring"));
      ring.hidden = !spot;
      if (!spot) continue;
      const size = Math.max(4, 2 * spot.r * this.scale);
      ring.style.width = ring.style.height = `${size}px`;
      ring.style.borderRadius = spot.square ? "2px" : "50%";
      const [x, y] = [this.origin.x + spot.x * this.scale, this.origin.y + spot.y * this.scale];
      ring.style.transform = `translate(${x - size / 2}px, ${y - size / 2}px)`;
    }
  }

  #paint() {
    const { width, height } = this.sheet;
    const surface = canvas("sketch");
    if (surface.width !== width || surface.height !== height) {
      [surface.width, surface.height] = [width, height];
      this.dirty = null;
      if (this.fitted) this.fit();
      else this.#place();
    }
    this.waiting = false;
    drawIds(surface, this.sheet.raster, this.colors, this.dirty);
  }

  /** @param {ImageBitmap} image @param {boolean} preview */
  photograph(image, preview) {
    const surface = canvas("photo");
    const [width, height] = preview ? [this.sheet.width, this.sheet.height] : [image.width, image.height];
    if (surface.width !== width || surface.height !== height) [surface.width, surface.height] = [width, height];
    const context = surface.getContext("2d");
    if (!context) return;
    context.imageSmoothingQuality = "high";
    context.drawImage(image, 0, 0, width, height);
    surface.dataset.painted = String(Number(surface.dataset.painted ?? 0) + 1);
    surface.dataset.preview = String(preview);
  }
}

/** A map in its colours, or the part of it in a box. @param {HTMLCanvasElement} surface @param {import("./painter.js").Sketch} sketch @param {Uint32Array} colors @param {Box | null} [box] */
export function drawIds(surface, { ids, width, height }, colors, box = null) {
  if (surface.width !== width || surface.height !== height) [surface.width, surface.height] = [width, height];
  const [left, top] = box ? [Math.max(0, Math.floor(box[0])), Math.max(0, Math.floor(box[1]))] : [0, 0];
  const [right, bottom] = box ? [Math.min(width, Math.ceil(box[2])), Math.min(height, Math.ceil(box[3]))] : [width, height];
  if (left >= right || top >= bottom) return;
  const image = new ImageData(right - left, bottom - top);
  const pixels = new Uint32Array(image.data.buffer);
  for (let y = top, i = 0; y < bottom; y++) {
    for (let at = y * width + left; at < y * width + right; at++) pixels[i++] = colors[ids[at]];
  }
  surface.getContext("2d")?.putImageData(image, left, top);
}

/** @param {{id: number, color: string}[]} classes @returns {Uint32Array} */
export function pixelColors(classes) {
  const bytes = new Uint8ClampedArray(1024).fill(255);
  for (const { id, color } of classes) {
    for (let channel = 0; channel < 3; channel++) {
      bytes[4 * id + channel] = parseInt(color.slice(1 + 2 * channel, 3 + 2 * channel), 16);
    }
  }
  return new Uint32Array(bytes.buffer);
}
