// The style: a seed for the place, moods and photos for the light, a blend of two, four variations.

import { base64, send } from "./api.js";
import { photograph } from "./painter.js";
import { $, attempt, cover, input, make, press, uniqueName, whenQuiet } from "./page.js";
import { runsOf } from "./runs.js";
import { MAX_SEED, Style, keyOf, randomSeed, titleOf } from "./style.js";
import { Variations } from "./variations.js";

/** @typedef {import("./sheet.js").Sheet} Sheet */
/** @typedef {import("./style.js").Mood} Mood */

const THUMB = 128;

export class Shelf {
  /** @param {Sheet} sheet @param {Style} style @param {{photo_styles: boolean, size: number[]}} model */
  constructor(sheet, style, model) {
    this.sheet = sheet;
    this.sketch = () => sheet.raster;
    this.style = style;
    this.slot = "a";
    this.client = `${uniqueName()}-moods`;
    /** @type {Mood[]} of photos */
    this.photos = [];
    /** @type {Map<string, {mood: Mood, button: HTMLElement}>} what is offered */
    this.offers = new Map();
    this.asking = new AbortController();
    this.rested = whenQuiet(() => void this.paintMoods(), 900);
    this.place = style.seed;  // the one that the faces show
    new Variations(this.sketch, style, this.client, Math.min(...model.size));
    $("shelf").hidden = !style.able;
    $("photo-style").hidden = !model.photo_styles;
    this.#listen();
    style.addEventListener("change", () => this.#follow());
    sheet.addEventListener("layers", () => this.show());
    this.show();
  }

  #listen() {
    const { style } = this;
    input("seed").onchange = () => {
      const value = Number(input("seed").value);
      style.roll(Math.min(MAX_SEED, Math.max(0, Math.round(value) || 0)));
    };
    $("dice").onclick = () => style.roll(randomSeed());
    $("lock").onclick = () => style.choose({ locked: !style.locked });
    $("slot-a").onclick = () => this.#choose("a");
    $("slot-b").onclick = () => {
      if (this.slot === "b") style.choose({ other: null });
      this.#choose(this.slot === "b" ? "a" : "b");
    };
    $("slot-c").onclick = () => {
      if (this.slot === "c" && this.layer?.mood) this.#light(null);
      this.#choose(this.slot === "c" ? "a" : "c");
    };
    input("blend").oninput = () => style.choose({ blend: Number(input("blend").value) / 100 });
    $("photo-style").onclick = () => input("photo-file").click();
    input("photo-file").onchange = () => {
      const [file] = input("photo-file").files ?? [];
      if (file) void attempt(() => this.takePhoto(file));
      input("photo-file").value = "";
    };
  }

  /** Faces show the place that is used now, so that they differ in light only. */
  #follow() {
    if (this.place !== this.style.seed) this.paintLater();
    this.place = this.style.seed;
    this.show();
  }

  /** @param {string} slot */
  #choose(slot) {
    this.slot = slot;
    this.show();
  }

  /** A mood in its place on the shelf. @param {Mood} mood @returns {HTMLCanvasElement} its face */
  #offer(mood) {
    const known = this.offers.get(keyOf(mood));
    if (known) {
      known.mood = mood;
      return /** @type {HTMLCanvasElement} */ (known.button.firstChild);
    }
    const title = titleOf(mood);
    const face = /** @type {HTMLCanvasElement} */ (make("canvas", { width: 192, height: 128, ariaHidden: "true" }));
    const button = make("button", { className: "mood", title }, face, make("span", { textContent: title }));
    const offer = { mood, button };
    button.onclick = () => this.take(offer.mood);
    this.offers.set(keyOf(mood), offer);
    if ("seed" in mood) $("moods").append(button);
    else $("moods").prepend(button);
    return face;
  }

  /** The layer that may have a light of its own; null where there is only one. */
  get layer() {
    const { layers, layer } = this.sheet;
    return layers.length > 1 || layer.mood ? layer : null;
  }

  /** Of the layer alone; null: that of the whole. @param {import("./layers.js").Light | null} mood */
  #light(mood) {
    this.sheet.operate({ op: "set", layer: this.sheet.layer.key, mood });
  }

  /** Use a mood's light in the chosen slot; the place stays. @param {Mood} mood */
  take(mood) {
    if (this.style.locked) return;
    if (this.slot === "c") return this.#light(/** @type {import("./layers.js").Light} */ (mood));
    this.style.choose(this.slot === "b" ? { other: mood } : { mood });
  }

  show() {
    const { layer } = this;
    if (this.slot === "c" && !layer) this.slot = "a";
    $("slot-c").hidden = !layer;
    const { seed, mood, other, blend, chosen, locked } = this.style;
    for (const each of [mood, other]) {
      if (each && !("seed" in each)) this.#offerPhoto(each);
    }
    input("seed").value = String(seed);
    input("blend").value = String(Math.round(100 * blend));
    input("blend").disabled = other === null || locked;
    press($("lock"), locked);
    $("dice").title = this.style.keepsLight ? "Another place in the same light (D)" : "Another place and another light (D)";
    $("variations").title = this.style.keepsLight ? "Four other places in the same light" : "Four other places, each in a light of its own";
    press($("slot-a"), this.slot === "a");
    press($("slot-b"), this.slot === "b");
    press($("slot-c"), this.slot === "c");
    $("slot-a").title = chosen ? "" : "Until you choose, the light follows the sketch";
    label("slot-a", titleOf(mood), chosen ? "Light" : "Follows sketch");
    label("slot-b", titleOf(other), "Blend with");
    label("slot-c", layer?.mood ? titleOf(layer.mood) : "as the rest", `Only ${layer?.name ?? ""}`);
    const used = [mood, other, layer?.mood];
    for (const [key, { button }] of this.offers) {
      press(button, used.some((each) => each && key === keyOf(each)));
      /** @type {HTMLButtonElement} */ (button).disabled = locked;
    }
  }

  /** @param {Mood} mood */
  #offerPhoto(mood) {
    if (this.offers.has(keyOf(mood))) return;
    this.photos.push(mood);
    this.#offer(mood);
  }

  /** A photo's style, for the chosen slot. @param {File} file */
  async takePhoto(file) {
    const response = await send("/v1/style", { photo: await base64(file), name: [...file.name].slice(0, 100).join("") });
    const mood = await response.json();
    this.#offerPhoto(mood);
    this.style.set({ locked: false });
    this.take(mood);
    this.paintLater();
  }

  /** The faces are out of date: whoever still looks for the old ones stops, so that the painter has time for strokes. */
  paintLater() {
    this.asking.abort();
    this.rested();
  }

  get #aspect() { return this.sketch().width / this.sketch().height; }

  /** The sketch in every mood that suits it, small. A newer call ends an older one. */
  async paintMoods() {
    if (!this.style.able) return;
    this.asking.abort();
    const { signal } = this.asking = new AbortController();
    const { seed, mood } = this.style;
    const asked = { runs: runsOf(this.sketch()), seed, light: "seed" in mood ? mood.seed : null, client: this.client };
    const answer = await send("/v1/moods", asked, signal).catch(() => null);
    const found = await answer?.json().catch(() => null);
    if (!found || signal.aborted) return;
    this.#begin(found.light);
    /** @type {(Mood & {face: string})[]} */
    const moods = found.moods.map((/** @type {any} */ { style, ...mood }) => ({ ...mood, ...style }));
    await Promise.all([...moods.map((mood) => this.#show(mood)), ...this.photos.map((mood) => this.#paint(mood))]);
    this.#withdraw(moods);
    this.#sort(moods);
    this.show();
    $("moods").dataset.shown = "true";
  }

  /** Nobody who has not chosen begins in the dark. @param {number} seed of a light that is not near black */
  #begin(seed) {
    const { chosen, mood } = this.style;
    if (!chosen && "seed" in mood && seed !== mood.seed) this.style.set({ mood: { seed } });
  }

  /** @param {Mood & {face: string}} found */
  async #show({ face, ...mood }) {
    const image = new Image();
    image.src = `data:image/png;base64,${face}`;
    await image.decode();
    cover(this.#offer(mood), image, this.#aspect);
  }

  /** @param {Mood} mood */
  async #paint(mood) {
    const style = Object.assign(new Style(), { seed: this.style.seed, mood });
    const small = await photograph(this.sketch(), style, { client: this.client, short: THUMB }).catch(() => null);
    if (small) cover(this.#offer(mood), small.image, this.#aspect);
  }

  /** Photos first, then the moods as the day goes. @param {Mood[]} moods */
  #sort(moods) {
    const order = [...this.photos, ...moods].map((mood) => this.offers.get(keyOf(mood))?.button);
    const inOrder = order.every((button, i) => button === $("moods").children[i]);
    if (!inOrder) $("moods").append(...order.filter((button) => button !== undefined));
  }

  /** Moods that this sketch does not have. @param {Mood[]} moods */
  #withdraw(moods) {
    const keys = new Set([...moods, ...this.photos].map(keyOf));
    for (const [key, { button }] of this.offers) {
      if (keys.has(key)) continue;
      button.remove();
      this.offers.delete(key);
    }
  }
}

/** @param {string} id @param {string} text @param {string} above */
function label(id, text, above) {
  const [small, span] = [$(id).querySelector("small"), $(id).querySelector("span")];
  if (small) small.textContent = above;
  if (span) span.textContent = text;
}
