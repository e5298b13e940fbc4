// Opening what people have: label maps of any palette, with a report to be checked first, and photographs.

import { Problem, ask, base64, send } from "./api.js";
import { $, attempt, dialog, make, share } from "./page.js";
import { sketchOf } from "./runs.js";
import { drawIds } from "./view.js";

/** @typedef {{ids: Uint8Array, width: number, height: number, layers?: import("./layers.js").Layer[]}} Sketch */
/** @typedef {{sketch: Sketch, palette: string, report: string[]}} Opened */
/** @typedef {{id: number, name: string, color: string}} ClassInfo */

/** @param {any} map as it travels @returns {Opened} */
function opened({ runs, layers, palette, report }) {
  const stack = layers.map((/** @type {any} */ { runs, ...layer }, /** @type {number} */ n) => ({ ...layer, key: n + 1, ids: sketchOf(runs).ids }));
  return { sketch: { ...sketchOf(runs), ...(stack.length ? { layers: stack } : {}) }, palette, report };
}

/** A label map, with a palette or with the one that fits best. @param {Blob} file @param {string} [palette] */
export const readLabels = async (file, palette) => opened(await (await send("/v1/labels/import", { file: await base64(file), palette })).json());

/** The classes that are in a photograph. @param {Blob} file */
const readPhoto = async (file) => opened(await (await send("/v1/labels/from-photo", { photo: await base64(file) })).json());

/** Shows what was found before it becomes the sheet. */
export class Opening {
  /**
   * @param {{palette: {classes: ClassInfo[]}, photo_styles: boolean, photo_labels: boolean}} model @param {Uint32Array} colors
   * @param {{start: (sketch: Sketch, name: string) => Promise<void>, open: (project: string, name: string) => Promise<void>, takeStyle: (file: File) => Promise<void>}} uses
   */
  constructor(model, colors, uses) {
    this.model = model;
    this.colors = colors;
    this.uses = uses;
    for (const name of ["map", "photo"]) $(`${name}-cancel`).onclick = () => dialog(name).close();
    $("photo-labels").hidden = !model.photo_labels;
    $("photo-light").hidden = !model.photo_styles;
  }

  /** Any file: a map is opened, after a look at the report if there is one; a photograph may be two things. @param {File} file @param {boolean} dropped */
  async file(file, dropped) {
    const { kind, project, labels, problem } = await (await send("/v1/open", { file: await base64(file) })).json();
    const found = labels && opened(labels);
    if (kind === "drawing") return this.uses.open(JSON.stringify(project), file.name);
    if (kind === "nothing") throw new Problem(problem.sentence, problem.remedy);
    if (kind === "photo") return this.#photo(file, dropped, found, problem);
    return found.report.length ? this.#check(file, found) : this.uses.start(found.sketch, file.name);
  }

  /** @param {File} file @param {boolean} dropped @param {Opened | null} found @param {{sentence: string} | null} problem */
  async #photo(file, dropped, found, problem) {
    const { photo_styles, photo_labels } = this.model;
    if (dropped && photo_styles && !photo_labels && !found) return this.uses.takeStyle(file);
    const face = await createImageBitmap(file).catch(() => null);
    if (!face) throw new Problem(`The browser cannot show ${file.name}`, "Save it as PNG or JPEG");
    this.#offerPhoto(file, face, found, problem);
  }

  /** @param {File} file @param {ImageBitmap} face @param {Opened | null} [found] the map that it could be @param {{sentence: string} | null} [problem] why it is none */
  #offerPhoto(file, face, found = null, problem = null) {
    $("photo-why").textContent = problem ? `As a label map it cannot be read. ${problem.sentence}.` : "";
    $("photo-map").hidden = !found;
    $("photo-map").onclick = () => this.#chosen(async () => found && this.#check(file, found));
    const surface = /** @type {HTMLCanvasElement} */ ($("photo-face"));
    const scale = Math.min(1, 480 / Math.max(face.width, face.height));
    [surface.width, surface.height] = [Math.round(face.width * scale), Math.round(face.height * scale)];
    surface.getContext("2d")?.drawImage(face, 0, 0, surface.width, surface.height);
    $("photo-light").onclick = () => this.#chosen(() => this.uses.takeStyle(file));
    $("photo-labels").onclick = () => this.#chosen(async () => this.#check(file, await readPhoto(file)));
    dialog("photo").showModal();
  }

  /** @param {() => unknown} job */
  #chosen(job) {
    dialog("photo").close();
    void attempt(job);
  }

  /** The map as it would be, and what was done to it. @param {File} file @param {Opened} found */
  #check(file, found) {
    const { sketch, report } = found;
    drawIds(/** @type {HTMLCanvasElement} */ ($("map-face")), sketch, this.colors);
    $("map-report").replaceChildren(...report.map(line));
    $("map-classes").replaceChildren(...this.#shares(sketch));
    void attempt(() => this.#offerPalettes(file, found));
    $("map-photo").onclick = () => {
      dialog("map").close();
      void attempt(async () => this.#offerPhoto(file, await createImageBitmap(file)));
    };
    $("map-open").onclick = () => {
      dialog("map").close();
      void attempt(() => this.uses.start(sketch, file.name));
    };
    if (!dialog("map").open) dialog("map").showModal();
  }

  /** @param {File} file @param {Opened} found */
  async #offerPalettes(file, { palette }) {
    /** @type {string[]} */
    const palettes = await (await ask("/v1/palettes")).json();
    const select = /** @type {HTMLSelectElement} */ (/** @type {unknown} */ ($("map-palette")));
    select.replaceChildren(...palettes.map((name) => make("option", { value: name, textContent: name, selected: name === palette })));
    select.onchange = () => void attempt(async () => {
      const chosen = select.value;
      select.value = palette;  // until it has been read so
      this.#check(file, await readLabels(file, chosen));
    });
  }

  /** @param {Sketch} sketch */
  #shares({ ids }) {
    const counts = new Uint32Array(256);
    for (const id of ids) counts[id]++;
    const found = this.model.palette.classes.filter(({ id }) => counts[id]).sort((a, b) => counts[b.id] - counts[a.id]);
    return found.map(({ id, name, color }) => {
      const swatch = make("i", { className: "swatch" });
      swatch.style.backgroundColor = color;
      return make("li", {}, swatch, `${name} `, make("small", { textContent: share(counts[id] / ids.length) }));
    });
  }
}

/** A sentence of a report; the part before the colon says what kind it is. @param {string} text */
function line(text) {
  const [, kind, rest] = /^([\w -]+?): (.*)$/s.exec(text) ?? [null, "", text];
  return make("li", { className: kind.split(" ")[0] }, make("b", { textContent: kind }), ` ${rest}`);
}
