// The style: seed and dice, moods, photos, a blend of two, four variations.

import { ask, query, send } from "./api.js";
import { photograph } from "./painter.js";
import { $, attempt, cover, dialog, input, make, press, uniqueName, whenQuiet } from "./page.js";
import { MAX_SEED, Style, keyOf, randomSeed, titleOf } from "./style.js";

/** @typedef {import("./painter.js").Sketch} Sketch */
/** @typedef {import("./style.js").Mood} Mood */

const THUMB = 64;

export class Shelf {
  /** @param {() => Sketch} sketch @param {Style} style @param {boolean} photos whether the model reads them */
  constructor(sketch, style, photos) {
    this.sketch = sketch;
    this.style = style;
    this.slot = "a";
    this.client = `${uniqueName()}-moods`;
    /** @type {Mood[]} of photos */
    this.photos = [];
    /** @type {Map<string, {mood: Mood, button: HTMLElement}>} what is offered */
    this.offers = new Map();
    this.asking = new AbortController();
    this.paintLater = whenQuiet(() => void this.paintMoods(), 900);
    $("shelf").hidden = !style.able;
    $("photo-style").hidden = !photos;
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
    for (const [key, { button }] of this.offers) {
      press(button, key === keyOf(mood) || (other !== null && key === keyOf(other)));
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
    const response = await send(`/api/styles?${query({ name: file.name.slice(0, 100) })}`, file);
    const mood = await response.json();
    this.#offerPhoto(mood);
    this.style.set({ locked: false });
    this.take(mood);
    this.paintLater();
  }

  get #aspect() { return this.sketch().width / this.sketch().height; }

  /** The sketch in every mood that suits it, small. A newer call ends an older one. */
  async paintMoods() {
    if (!this.style.able) return;
    this.asking.abort();
    const { signal } = this.asking = new AbortController();
    const { ids, width, height } = this.sketch();
    const path = `/api/moods?${query({ width, height, seed: this.style.seed })}`;
    const answer = await ask(path, { method: "POST", body: ids.slice(), signal }).catch(() => null);
    const found = await answer?.json().catch(() => null);
    if (!found || signal.aborted) return;
    this.#begin(found.seed);
    await Promise.all([...found.moods.map((/** @type {any} */ mood) => this.#show(mood)), ...this.photos.map((mood) => this.#paint(mood))]);
    this.#withdraw(found.moods);
    this.#sort(found.moods);
    this.show();
    $("moods").dataset.shown = "true";
  }

  /** Nobody who has not chosen begins in the dark. @param {number} seed */
  #begin(seed) {
    if (!this.style.chosen && "seed" in this.style.mood && seed !== this.style.seed) this.style.set({ seed, mood: { seed } });
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
    const style = Object.assign(new Style(), { mood });
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
