// The style: seed and dice, moods, photos, a blend of two, four variations.

import { query, send } from "./api.js";
import { photograph } from "./painter.js";
import { $, attempt, cover, dialog, input, make, press, uniqueName, whenQuiet } from "./page.js";
import { MAX_SEED, Style, keyOf, randomSeed, titleOf } from "./style.js";

/** @typedef {import("./painter.js").Sketch} Sketch */
/** @typedef {import("./style.js").Mood} Mood */

const SEEDS = [0, 3, 7, 11, 18, 21, 29, 34, 42, 55];
const THUMB = 64;

export class Shelf {
  /** @param {() => Sketch} sketch @param {Style} style @param {boolean} photos whether the model reads them */
  constructor(sketch, style, photos) {
    this.sketch = sketch;
    this.style = style;
    this.slot = "a";
    this.client = `${uniqueName()}-moods`;
    /** @type {Mood[]} */
    this.moods = SEEDS.map((seed) => ({ seed }));
    /** @type {Map<string, HTMLElement>} */
    this.buttons = new Map();
    this.paintLater = whenQuiet(() => void this.paintMoods(), 900);
    this.painting = 0;
    $("shelf").hidden = !style.able;
    $("photo-style").hidden = !photos;
    this.moods.forEach((mood) => this.#offer(mood));
    this.#listen();
    style.addEventListener("change", () => this.show());
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
    input("blend").oninput = () => style.choose({ blend: Number(input("blend").value) / 100 });
    $("photo-style").onclick = () => input("photo-file").click();
    input("photo-file").onchange = () => {
      const [file] = input("photo-file").files ?? [];
      if (file) void attempt(() => this.takePhoto(file));
      input("photo-file").value = "";
    };
    $("variations").onclick = $("variations-again").onclick = () => void attempt(() => this.vary());
  }

  /** @param {string} slot */
  #choose(slot) {
    this.slot = slot;
    this.show();
  }

  /** @param {Mood} mood */
  #offer(mood) {
    if (this.buttons.has(keyOf(mood))) return;
    const title = titleOf(mood);
    const face = make("canvas", { width: 96, height: 64, ariaHidden: "true" });
    const again = "seed" in mood ? "; choose it again to suit it to the sketch as it is now" : "";
    const button = make("button", { className: "mood", title: `${title}${again}` }, face, make("span", { textContent: title }));
    button.onclick = () => this.take(mood);
    this.buttons.set(keyOf(mood), button);
    if ("seed" in mood) $("moods").append(button);
    else $("moods").prepend(button);
  }

  /** Use a mood in the chosen slot. @param {Mood} mood */
  take(mood) {
    if (this.style.locked) return;
    if (this.slot === "b") this.style.choose({ other: mood });
    else this.style.choose({ mood, ...("seed" in mood ? { seed: mood.seed } : {}) });
  }

  show() {
    const { seed, mood, other, blend, chosen, locked } = this.style;
    for (const each of [mood, other]) {
      if (each && !("seed" in each)) this.#offerPhoto(each);
    }
    input("seed").value = String(seed);
    input("blend").value = String(Math.round(100 * blend));
    input("blend").disabled = other === null || locked;
    press($("lock"), locked);
    press($("slot-a"), this.slot === "a");
    press($("slot-b"), this.slot === "b");
    $("slot-a").title = chosen ? "" : "Until you choose, the mood follows the sketch";
    label("slot-a", titleOf(mood), chosen ? "Style" : "Follows sketch");
    label("slot-b", titleOf(other), "Blend with");
    for (const [key, button] of this.buttons) {
      press(button, key === keyOf(mood) || (other !== null && key === keyOf(other)));
      /** @type {HTMLButtonElement} */ (button).disabled = locked;
    }
  }

  /** @param {Mood} mood */
  #offerPhoto(mood) {
    if (this.buttons.has(keyOf(mood))) return;
    this.moods.unshift(mood);
    this.#offer(mood);
  }

  /** A photo's style, for the chosen slot. @param {File} file */
  async takePhoto(file) {
    const response = await send(`/api/styles?${query({ name: file.name.slice(0, 100) })}`, file);
    const mood = await response.json();
    this.#offerPhoto(mood);
    this.style.set({ locked: false });
    this.take(mood);
    this.paintLater();
  }

  get #aspect() { return this.sketch().width / this.sketch().height; }

  /** The sketch in every mood, small. A newer call ends an older one. */
  async paintMoods() {
    const turn = ++this.painting;
    for (const mood of [...this.moods]) {
      const style = Object.assign(new Style(), { seed: "seed" in mood ? mood.seed : 0, mood });
      const small = await photograph(this.sketch(), style, { client: this.client, short: THUMB }).catch(() => null);
      if (turn !== this.painting || !small) return;
      const face = this.buttons.get(keyOf(mood))?.firstChild;
      if (face) cover(/** @type {HTMLCanvasElement} */ (face), small.image, this.#aspect);
    }
  }

  /** Four other seeds at once, in a dialog: other light and other detail, or under a lock other detail only. */
  async vary() {
    const list = $("variation-list");
    if (!dialog("variations").open) dialog("variations").showModal();
    const cards = await this.#variations();
    list.replaceChildren(...cards.map(({ button }) => button));
    const results = await Promise.allSettled(cards.map((card) => this.#paintCard(card)));
    const failed = results.find(({ status }) => status === "rejected");
    if (failed) throw /** @type {PromiseRejectedResult} */ (failed).reason;
  }

  async #variations() {
    const { mood, other, blend, locked } = this.style;
    const keep = locked || !("seed" in mood);
    const moods = keep ? Array.from({ length: 4 }, () => mood) : await this.#apart();
    return moods.map((mood) => {
      const seed = keep || !("seed" in mood) ? randomSeed() : mood.seed;
      return this.#card(Object.assign(new Style(), { seed, mood, other: keep ? other : null, blend, chosen: true }));
    });
  }

  /** Four moods for the sketch, far from each other. @returns {Promise<Mood[]>} */
  async #apart() {
    const { ids, width, height } = this.sketch();
    return (await send(`/api/styles/varied?${query({ width, height, seed: randomSeed() })}`, ids.slice())).json();
  }

  /** @param {Style} style */
  #card(style) {
    const { width, height } = this.sketch();
    const face = /** @type {HTMLCanvasElement} */ (make("canvas", { width, height }));
    const title = make("span", { textContent: `seed ${style.seed}` });
    const button = make("button", { className: "card waiting" }, face, title);
    button.onclick = () => {
      const { seed, mood, other } = style;
      this.style.choose({ seed, mood, other });
      dialog("variations").close();
    };
    return { style, face, title, button };
  }

  /** @param {{style: Style, face: HTMLCanvasElement, title: HTMLElement, button: HTMLElement}} card */
  async #paintCard({ style, face, title, button }) {
    try {
      const result = await photograph(this.sketch(), style, { client: `${this.client}-4` });
      if (result) cover(face, result.image, this.#aspect);
    } catch (problem) {
      title.textContent = "not painted";
      throw problem;
    } finally {
      button.classList.remove("waiting");
    }
  }
}

/** @param {string} id @param {string} text @param {string} above */
function label(id, text, above) {
  const [small, span] = [$(id).querySelector("small"), $(id).querySelector("span")];
  if (small) small.textContent = above;
  if (span) span.textContent = text;
}
