// Pictures that a person likes stay, each with its drawing and mood; two of them, or one and the present, side by side.

import { Problem } from "./api.js";
import { Cupboard } from "./keep.js";
import { $, attempt, canvas, dialog, icon, input, make, note, press, thumbnail, uniqueName } from "./page.js";

/** @typedef {import("./keep.js").Named & {photo: string}} Liked `photo`: a JPEG as a URL */
/**
 * @typedef {object} Present what is drawn on now
 * @property {() => Promise<void>} rest until the photograph is the one of the drawing
 * @property {() => string} text the drawing as a project
 * @property {() => string} title
 * @property {(text: string, title: string) => Promise<void>} open
 */

const AT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const QUALITY = 0.92;

export class Pictures {
  /** @param {Present} present */
  constructor(present) {
    this.present = present;
    this.cupboard = Cupboard.open("spadework-pictures");
    /** @type {Liked[]} at most two, to be compared */
    this.chosen = [];
    $("like").onclick = () => void attempt(() => this.like());
    $("pictures").onclick = () => void attempt(() => this.show());
    input("compare").oninput = () => this.#cut();
  }

  /** Keeps the photograph with its drawing. */
  async like() {
    await this.present.rest();
    const [text, title] = [this.present.text(), this.present.title()];
    const photo = canvas("photo").toDataURL("image/jpeg", QUALITY);
    const kept = { text, title, time: Date.now(), face: thumbnail("photo"), hand: null, plain: false, photo };
    const cupboard = await this.cupboard;
    await cupboard.put(uniqueName(), kept).catch(() => { throw new Problem("The browser has no room for this picture", "Save the photograph, or delete pictures"); });
    note(`“${title}” is among your pictures`, "Show", () => this.show());
  }

  async show() {
    if (!dialog("pictures").open) dialog("pictures").showModal();
    const liked = /** @type {Liked[]} */ (await (await this.cupboard).all());
    this.chosen = this.chosen.filter(({ name }) => liked.some((each) => each.name === name));
    $("no-pictures").hidden = liked.length > 0;
    $("picture-list").replaceChildren(...liked.map((each) => this.#card(each)));
    this.#compare();
  }

  /** @param {Liked} liked */
  #card(liked) {
    const { title, time, face, text } = liked;
    const choose = make("button", { className: "card", ariaLabel: `Compare ${title}`, title: "Compare" }, make("img", { src: face, alt: "" }));
    press(choose, this.chosen.some(({ name }) => name === liked.name));
    choose.onclick = () => void attempt(() => this.#choose(liked));
    const open = make("button", { className: "quiet", textContent: "Go on", title: "Go on with its drawing and mood" });
    open.onclick = () => {
      dialog("pictures").close();
      void attempt(() => this.present.open(text, title));
    };
    const remove = make("button", { className: "icon", ariaLabel: `Delete ${title}`, title: "Delete" }, icon("trash"));
    remove.onclick = () => void attempt(() => this.#remove(liked));
    const words = make("div", {}, make("b", { textContent: title }), make("small", { textContent: AT.format(time) }));
    return make("div", { className: "liked" }, choose, words, open, remove);
  }

  /** A third one takes the place of the first. @param {Liked} liked */
  async #choose(liked) {
    const rest = this.chosen.filter(({ name }) => name !== liked.name);
    this.chosen = rest.length < this.chosen.length ? rest : [...rest, liked].slice(-2);
    await this.show();
  }

  /** One is compared with the photograph as it is now. */
  #compare() {
    const [a, b] = this.chosen;
    $("compare-stage").hidden = !a;
    if (!a) return;
    const now = { photo: canvas("photo").toDataURL("image/jpeg", QUALITY), title: "now" };
    for (const [side, { photo, title }] of Object.entries({ a, b: b ?? now })) {
      /** @type {HTMLImageElement} */ ($(`compare-${side}`)).src = photo;
      $(`compare-${side}`).setAttribute("alt", title);
      $(`compare-title-${side}`).textContent = title;
    }
    this.#cut();
  }

  #cut() {
    $("compare-stage").style.setProperty("--cut", `${input("compare").value}%`);
  }

  /** @param {Liked} liked */
  async #remove({ name, ...kept }) {
    const cupboard = await this.cupboard;
    await cupboard.remove(name);
    await this.show();
    note(`“${kept.title}” is deleted`, "Undo", async () => {
      await cupboard.put(name, kept);
      if (dialog("pictures").open) await this.show();
    });
  }
}
