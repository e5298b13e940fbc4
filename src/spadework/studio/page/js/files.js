// In and out: label maps, projects, photographs, the clipboard, examples, new sheets.

import { Problem, ask, query, send } from "./api.js";
import { saveFilm } from "./film.js";
import { $, attempt, dialog, download, input, make, press } from "./page.js";
import { Opening, readLabels } from "./opening.js";
import { projectText, readProject } from "./project.js";
import { runsOf } from "./runs.js";
import { sizeText } from "./status.js";

/** @typedef {import("./sheet.js").Sheet} Sheet */
/** @typedef {import("./style.js").Style} Style */
/** @typedef {import("./shelf.js").Shelf} Shelf */

const SHAPES = [["3:2", 384, 256], ["1:1", 256, 256], ["2:1", 512, 256], ["2:3", 256, 384], ["Large 3:2", 768, 512]];
const MOST = 2048 * 2048;
const MOST_SIDE = 2048;

export class Files {
  /** @param {Sheet} sheet @param {Style} style @param {Shelf} shelf @param {any} model @param {Uint32Array} colors */
  constructor(sheet, style, shelf, model, colors) {
    /** @type {(fresh: boolean) => Promise<void>} before another drawing takes the place of this one */
    this.turn = async () => {};
    this.sheet = sheet;
    this.style = style;
    this.shelf = shelf;
    this.palette = model.palette.name;
    /** @type {Set<number>} */
    this.classes = new Set(model.palette.classes.map((/** @type {{id: number}} */ { id }) => id));
    this.name = "Sketch";
    this.opening = new Opening(model, colors, {
      start: (sketch, name) => this.start(sketch, name),
      open: (project, name) => this.openProject(project, name),
      takeStyle: (file) => shelf.takePhoto(file),
    });
    $("save-psd").hidden = !model.psd;
    this.#listen();
    this.#offerShapes();
  }

  #listen() {
    $("new").onclick = () => {
      dialog("new").showModal();
      void this.#tellSize();
    };
    $("new-cancel").onclick = () => dialog("new").close();
    for (const id of ["new-width", "new-height"]) input(id).addEventListener("input", () => void this.#tellSize());
    $("new-form").onsubmit = () => void attempt(() => this.#create());
    $("open").onclick = () => input("file").click();
    input("file").onchange = () => {
      const [file] = input("file").files ?? [];
      if (file) void attempt(() => this.open(file));
      input("file").value = "";
    };
    const jobs = { "save-photo": () => this.savePhoto("png"), "save-webp": () => this.savePhoto("webp"), "save-jpeg": () => this.savePhoto("jpeg"), "copy-photo": () => this.copyPhoto(), "save-labels": () => this.saveLabels(), "save-layers": () => this.saveLayers("ora"), "save-film": () => saveFilm(this.sheet, this.style, this.name), "save-psd": () => this.saveLayers("psd"), "save-project": () => this.saveProject() };
    for (const [id, job] of Object.entries(jobs)) {
      $(id).onclick = () => {
        $("save-menu").hidePopover();
        void attempt(job);
      };
    }
    $("save-menu").addEventListener("beforetoggle", () => this.#offerTwice());
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
      const light = event.target instanceof Element && event.target.closest("#photo-style");
      if (file) void attempt(() => (light ? this.shelf.takePhoto(file) : this.open(file, true)));
    });
  }

  /** @param {File} file @param {boolean} [dropped] */
  async open(file, dropped = false) {
    if (!file.name.endsWith(".json")) return this.opening.file(file, dropped);
    await this.openProject(await file.text(), file.name);
  }

  /** A project as a new page. @param {string} text @param {string} name of its file */
  async openProject(text, name) {
    const project = readProject(text, this.palette, this.classes);
    await this.turn(false);
    this.name = stem(name);
    this.#lay(project);
  }

  /** A drawing that was kept. @param {string} text */
  restore(text) {
    this.#lay(readProject(text, this.palette, this.classes));
  }

  /** @param {ReturnType<typeof readProject>} project */
  #lay({ base, strokes, undone, style }) {
    this.style.set(style);
    this.sheet.replace(base, strokes, undone);
  }

  /**
   * A new page with a mood of its own.
   * @param {{ids: Uint8Array, width: number, height: number, background?: number, layers?: import("./layers.js").Layer[]}} map
   * @param {string} [name] of its file @param {boolean} [fresh] whether it can be had again at any time
   */
  async start(map, name = "Sketch", fresh = false) {
    await this.turn(fresh);
    this.name = stem(name);
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
        void this.#tellSize();
      };
      press(button, title === SHAPES[0][0]);
      $("sizes").append(button);
    }
  }

  /** What will be painted of a sheet, and what enlarged. */
  async #tellSize() {
    const [width, height] = [Number(input("new-width").value), Number(input("new-height").value)];
    const answer = await ask(`/v1/size?${query({ width, height })}`).catch(() => null);
    const size = answer && (await answer.json());
    if (Number(input("new-width").value) !== width || Number(input("new-height").value) !== height) return;  // late
    $("new-made").textContent = size ? sizeText({ width, height }, `${size.width}x${size.height}`, size.doublings) : "";
  }

  async #create() {
    const [width, height] = [Number(input("new-width").value), Number(input("new-height").value)];
    const background = Number(/** @type {HTMLSelectElement} */ (/** @type {unknown} */ ($("new-background"))).value);
    if (width * height > MOST) throw new Problem("That sketch is too large", "Use at most 2048 by 2048 pixels");
    await this.start({ ids: new Uint8Array(width * height).fill(background), width, height, background }, "Sketch", true);
  }

  /** @param {string} name @param {string} url */
  async openExample(name, url) {
    const file = await (await ask(url)).blob();
    await this.start((await readLabels(file)).sketch, name, true);
  }

  /** The photograph in full size, or twice that, as the server makes it: the text of a PNG says how, and carries the drawing. @param {string} form */
  async #photo(form) {
    const scale = input("twice").checked ? 2 : 1;
    return (await send("/v1/projects/picture", { project: this.project, form, scale })).blob();
  }

  /** @param {"png" | "webp" | "jpeg"} form */
  async savePhoto(form) {
    download(await this.#photo(form), `${this.name}.${form === "jpeg" ? "jpg" : form}`);
  }

  /** Twice the size is offered where it is not too large. */
  #offerTwice() {
    const [width, height] = [2 * this.sheet.width, 2 * this.sheet.height];
    input("twice").disabled = Math.max(width, height) > MOST_SIDE;
    if (input("twice").disabled) input("twice").checked = false;
    $("twice-size").textContent = input("twice").disabled ? `a side has at most ${MOST_SIDE} pixels` : `${width} × ${height}`;
  }

  /** Plain http from another machine has no clipboard. */
  async copyPhoto() {
    if (!globalThis.ClipboardItem || !navigator.clipboard) {
      throw new Problem("The browser opens its clipboard only to https and to this machine", "Save the photograph instead");
    }
    const item = new ClipboardItem({ "image/png": this.#photo("png") });
    await navigator.clipboard.write([item]).catch((error) => {
      throw error instanceof Problem ? error : new Problem("The browser keeps its clipboard closed", "Allow it, or save the photograph");
    });
  }

  async saveLabels() {
    const response = await send("/v1/labels/write", { runs: runsOf(this.sheet.raster) });
    download(await response.blob(), `${this.name}.labels.png`);
  }

  /** For Krita and GIMP, or for Photoshop. @param {"ora" | "psd"} form */
  async saveLayers(form) {
    download(await (await send("/v1/projects/layers", { project: this.project, form })).blob(), `${this.name}.${form}`);
  }

  get text() { return projectText(this.sheet, this.style, this.palette); }

  get project() { return JSON.parse(this.text); }

  saveProject() {
    download(new Blob([this.text], { type: "application/json" }), `${this.name}.spadework.json`);
  }
}

/** A file's name without its endings. @param {string} name */
const stem = (name) => name.replace(/(\.labels|\.spadework)?\.\w+$/, "") || "Sketch";
