// Four variations at once, the one that obeys the sketch best first.

import { send } from "./api.js";
import { isLarge, photograph } from "./painter.js";
import { $, attempt, cover, dialog, make, share } from "./page.js";
import { runsOf } from "./runs.js";
import { Style, randomSeed } from "./style.js";

/** @typedef {import("./painter.js").Sketch} Sketch */
/** @typedef {import("./style.js").Mood} Mood */
/** @typedef {{style: Style, face: HTMLCanvasElement, title: HTMLElement, button: HTMLElement, obedience: number}} Card */

export class Variations {
  /** @param {() => Sketch} sketch @param {Style} style @param {string} client @param {number} trained the short side that the model was trained for */
  constructor(sketch, style, client, trained) {
    this.sketch = sketch;
    this.style = style;
    this.client = `${client}-4`;
    this.trained = trained;
    $("variations").onclick = $("variations-again").onclick = () => void attempt(() => this.show());
  }

  /** Four other places, each in a light of its own, or where the light is kept in that one. */
  async show() {
    const list = $("variation-list");
    if (!dialog("variations").open) dialog("variations").showModal();
    const cards = await this.#cards();
    list.replaceChildren(...cards.map(({ button }) => button));
    const results = await Promise.allSettled(cards.map((card) => this.#paint(card)));
    if (cards[0].button.parentElement === list) order(list, cards);
    const failed = results.find(({ status }) => status === "rejected");
    if (failed) throw /** @type {PromiseRejectedResult} */ (failed).reason;
  }

  async #cards() {
    const { mood, other, blend, keepsLight } = this.style;
    const moods = keepsLight ? Array.from({ length: 4 }, () => mood) : await this.#apart();
    return moods.map((mood) => {
      const seed = keepsLight || !("seed" in mood) ? randomSeed() : mood.seed;
      return this.#card(Object.assign(new Style(), { seed, mood, other: keepsLight ? other : null, blend, chosen: true }));
    });
  }

  /** Four moods for the sketch, far from each other. @returns {Promise<Mood[]>} */
  async #apart() {
    const found = await (await send("/v1/style/varied", { runs: runsOf(this.sketch()), seed: randomSeed() })).json();
    return found.map((/** @type {any} */ { seed, style }) => ({ seed, ...style }));
  }

  /** @param {Style} style @returns {Card} */
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
    return { style, face, title, button, obedience: -1 };
  }

  /** @param {Card} card */
  async #paint(card) {
    const { style, face, title, button } = card;
    try {
      const sketch = this.sketch();
      const large = isLarge(Math.min(sketch.width, sketch.height), this.trained);
      const size = large ? { short: this.trained } : {};  // which is what the whole one would be enlarged from
      const result = await photograph(sketch, style, { client: this.client, judged: true, ...size });
      if (!result) return;
      cover(face, result.image, sketch.width / sketch.height);
      if (result.obedience === null) return;
      card.obedience = result.obedience;
      button.append(make("small", { textContent: `${share(result.obedience)} as drawn` }));
    } catch (problem) {
      title.textContent = "not painted";
      throw problem;
    } finally {
      button.classList.remove("waiting");
    }
  }
}

/** The most obedient first; what has the focus keeps it. @param {HTMLElement} list @param {Card[]} cards */
function order(list, cards) {
  const focused = document.activeElement;
  list.append(...cards.sort((a, b) => b.obedience - a.obedience).map(({ button }) => button));
  if (focused instanceof HTMLElement && list.contains(focused)) focused.focus();
}
