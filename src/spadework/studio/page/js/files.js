// In and out: label maps, projects, photographs, the clipboard, examples, new sheets.

import { Problem, ask, query, send } from "./api.js";
import { $, attempt, download, input, make, press } from "./page.js";
import { Opening, readLabels } from "./opening.js";
import { painted } from "./painter.js";
import { projectText, readProject } from "./project.js";

/** @typedef {import("./sheet.js").Sheet} Sheet */
/** @typedef {import("./style.js").Style} Style */
/** @typedef {import("./shelf.js").Shelf} Shelf */

const SHAPES = [["3:2", 384, 256], ["1:1", 256, 256], ["2:1", 512, 256], ["2:3", 256, 384], ["Large 3:2", 768, 512]];
const MOST = 2048 * 2048;

export class Files {
  /** @param {Sheet} sheet @param {Style} style @param {Shelf} shelf @param {any} model @param {Uint32Array} colors */
  constructor(sheet, style, shelf, model, colors) {
    this.sheet = sheet;
    this.style = style;
    this.palette = model.palette;
    this.classes = new Set(model.classes.map(({ id }) => id));
    this.name = "sketch";
    this.opening = new Opening(model, colors, {
      start: (sketch, name) => this.#begin(sketch, name),
      takeStyle: (file) => shelf.takePhoto(file),
    });
    this.#listen();
    this.#offerShapes();
  }

  #listen() {
    $("new").onclick = () => dialog("new-dialog").showModal();
    $("new-cancel").onclick = () => dialog("new-dialog").close();
    $("new-form").onsubmit = () => void attempt(() => this.#create());
    $("examples").onclick = () => void attempt(() => this.showExamples());
    $("open").onclick = () => input("file").click();
    input("file").onchange = () => {
      const [file] = input("file").files ?? [];
      if (file) void attempt(() => this.open(file));
      input("file").value = "";
    };
    const jobs = { "save-photo": () => this.savePhoto(), "copy-photo": () => this.copyPhoto(), "save-labels": () => this.saveLabels(), "save-project": () => this.saveProject() };
    for (const [id, job] of Object.entries(jobs)) {
      $(id).onclick = () => {
        $("save-menu").hidePopover();
        void attempt(job);
      };
    }
    this.#listenToDrops();
  }

  #listenToDrops() {
    const target = $("drop-target");
    addEventListener("dragover", (event) => {
      event.preventDefault();
      target.hidden = !event.dataTransfer?.types.includes("Files");
    });
    addEventListener("dragleave", (event) => { if (!event.relatedTarget) target.hidden = true; });
    addEventListener("drop", (event) => {
      event.preventDefault();
      target.hidden = true;
      const [file] = event.dataTransfer?.files ?? [];
      if (file) void attempt(() => this.open(file, true));
    });
  }

  /** @param {File} file @param {boolean} [dropped] */
  async open(file, dropped = false) {
    if (!file.name.endsWith(".json")) return this.opening.picture(file, dropped);
    this.openProject(await file.text());
    this.name = stem(file.name);
  }

  /** @param {import("./painter.js").Sketch} sketch @param {string} name of its file */
  #begin(sketch, name) {
    this.start(sketch);
    this.name = stem(name);
  }

  /** @param {string} text */
  openProject(text) {
    const { base, strokes, undone, style } = readProject(text, this.palette, this.classes);
    this.sheet.replace(base, strokes, undone);
    this.style.set(style);
  }

  /** A new sheet, for which the seeds find new styles. @param {{ids: Uint8Array, width: number, height: number, background?: number}} map */
  start(map) {
    this.style.unsettle();
    this.sheet.replace({ background: Math.min(...this.classes), ...map });
  }

  #offerShapes() {
    for (const [title, width, height] of SHAPES) {
      const frame = make("i");
      const [w, h] = [Number(width), Number(height)];
      frame.style.aspectRatio = `${w} / ${h}`;
      frame.style.width = `${Math.round((34 * w) / Math.max(w, h))}px`;
      const button = make("button", { type: "button" }, frame, make("span", { textContent: String(title) }), make("small", { textContent: `${w} × ${h}` }));
      button.onclick = () => {
        [input("new-width").value, input("new-height").value] = [String(w), String(h)];
        for (const other of $("sizes").children) press(/** @type {HTMLElement} */ (other), other === button);
      };
      press(button, title === SHAPES[0][0]);
      $("sizes").append(button);
    }
  }

  #create() {
    const [width, height] = [Number(input("new-width").value), Number(input("new-height").value)];
    const background = Number(/** @type {HTMLSelectElement} */ (/** @type {unknown} */ ($("new-background"))).value);
    if (width * height > MOST) throw new Problem("That sketch is too large", "Use at most 2048 by 2048 pixels");
    this.name = "sketch";
    this.start({ ids: new Uint8Array(width * height).fill(background), width, height, background });
  }

  async showExamples() {
    dialog("examples-dialog").showModal();
    if ($("example-list").children.length) return;
    for (const { name, title, url } of await (await ask("/api/examples")).json()) {
      const button = make("button", { className: "card" }, make("img", { src: url, alt: "" }), make("span", { textContent: title }));
      button.onclick = () => {
        dialog("examples-dialog").close();
        void attempt(() => this.openExample(name, url));
      };
      $("example-list").append(button);
    }
  }

  /** @param {string} name @param {string} url */
  async openExample(name, url) {
    const file = await (await ask(url)).blob();
    this.start((await readLabels(file)).sketch);
    this.name = name;
  }

  /** The photograph in full size, as the server made it: its PNG text says how. */
  async #photo() {
    await this.style.settle(this.sheet.raster);
    const response = await painted(this.sheet.raster, this.style, { client: "saving" });
    if (!response) throw new Problem("The painter was busy", "Save it again");
    return response.blob();
  }

  async savePhoto() {
    download(await this.#photo(), `${this.name}.png`);
  }

  async copyPhoto() {
    const item = new ClipboardItem({ "image/png": this.#photo() });
    await navigator.clipboard.write([item]).catch((error) => {
      throw error instanceof Problem ? error : new Problem("The browser keeps its clipboard closed", "Allow it, or save the photograph");
    });
  }

  async saveLabels() {
    const { width, height, ids } = this.sheet.raster;
    const response = await send(`/api/labels/write?${query({ width, height })}`, ids.slice());
    download(await response.blob(), `${this.name}.labels.png`);
  }

  get text() { return projectText(this.sheet, this.style, this.palette); }

  saveProject() {
    download(new Blob([this.text], { type: "application/json" }), `${this.name}.spadework.json`);
  }
}

/** A file's name without its endings. @param {string} name */
const stem = (name) => name.replace(/(\.labels|\.spadework)?\.\w+$/, "") || "sketch";

/** @param {string} id */
const dialog = (id) => /** @type {HTMLDialogElement} */ ($(id));
