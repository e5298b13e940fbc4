// Nothing is lost: every drawing stays on a shelf, and a new one only turns the page.

import { Problem } from "./api.js";
import { Cupboard, hearLast, lastNames, ownName, rememberName, sayLast } from "./keep.js";
import { $, attempt, complain, dialog, icon, make, note, uniqueName, whenQuiet } from "./page.js";
import { claim } from "./places.js";

/** @typedef {import("./keep.js").Kept} Kept */
/** @typedef {import("./keep.js").Named} Named */
/** @typedef {import("./places.js").Place} Place */
/**
 * @typedef {object} Desk what is drawn on now
 * @property {() => string} text the drawing as a project
 * @property {() => string} face a small picture of it, as a URL
 * @property {() => any} hand tool, class and size @property {(hand: any) => void} take
 * @property {() => boolean} untouched
 * @property {(text: string) => void} open
 * @property {string} title
 */

const RELOAD = 1000;  // ms within which a page that reloads gives its place to its successor
const QUIET = 300;
const AT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

export class Drawings {
  /** @param {Desk} desk */
  constructor(desk) {
    this.desk = desk;
    this.cupboard = new Cupboard(null);
    this.name = "";
    /** @type {Place | null} */
    this.place = null;
    this.version = 0;
    this.kept = 0;
    this.fresh = true;  // from no file and not drawn on
    this.soon = whenQuiet(() => void this.save(), QUIET);
    $("drawings").onclick = () => void attempt(() => this.show());
    addEventListener("visibilitychange", () => document.visibilityState === "hidden" && void this.save());
    addEventListener("pagehide", () => this.#leave());
  }

  /** The drawing that this tab had, else the newest that no living tab has, else none. @returns {Promise<Kept | null>} */
  async begin() {
    this.cupboard = await Cupboard.open("spadework");
    const own = ownName();
    const place = own && (await claim(own, RELOAD));
    if (own && place) this.#sit(own, place);
    for (const name of lastNames()) await this.#hear(name);
    if (!this.name) await this.#findPlace();
    const kept = await this.cupboard.get(this.name);
    this.fresh = kept?.plain ?? true;
    return kept;
  }

  /** @param {string} name */
  async #hear(name) {
    if (name === this.name) return hearLast(this.cupboard, name);
    const place = await claim(name);
    if (place) await hearLast(this.cupboard, name);
    place?.release();
  }

  async #findPlace() {
    for (const { name, plain } of await this.cupboard.all()) {
      const place = await claim(name);
      if (place && !plain) return this.#sit(name, place);
      if (place) await this.cupboard.remove(name);  // nobody drew on it
      place?.release();
    }
    await this.#sitAnew();
  }

  async #sitAnew() {
    const name = uniqueName();
    this.#sit(name, await claim(name));
  }

  /** @param {string} name @param {Place | null} place */
  #sit(name, place) {
    this.place?.release();
    [this.name, this.place] = [name, place];
    rememberName(name);
  }

  /** Whether another tab took the drawing while this one slept. */
  #lost() { return this.place?.ours() === false; }

  /** The drawing is not what it was. */
  touched() {
    this.version += 1;
    queueMicrotask(() => { if (!this.desk.untouched()) this.fresh = false; });  // a page that is being turned is not yet new
    document.body.dataset.version = String(this.version);
    this.soon();
  }

  /** @returns {Kept} */
  #record() {
    const { desk, fresh } = this;
    return { text: desk.text(), time: Date.now(), title: desk.title, face: desk.face(), hand: desk.hand(), plain: fresh };
  }

  /** Whether it could be kept. */
  async save() {
    const now = this.version;
    if (this.#lost()) await this.#sitAnew();  // both drawings stay
    const kept = await this.cupboard.put(this.name, this.#record()).then(() => true, () => false);
    if (!kept || !this.cupboard.lasting) this.#warn();
    this.kept = now;
    document.body.dataset.kept = String(now);
    return kept;
  }

  #warn() {
    if (this.warned) return;
    this.warned = true;
    complain({ sentence: "The browser does not keep this drawing", remedy: "Save the project before you close the page" });
  }

  #leave() {
    if (!this.desk.untouched()) this.fresh = false;
    sayLast(this.#lost() ? uniqueName() : this.name, this.#record());
  }

  /** Another drawing is about to begin: this one goes to the shelf. @param {boolean} fresh whether the new one comes from no file */
  async turn(fresh) {
    const { name, desk: { title } } = this;
    if (!this.desk.untouched()) this.fresh = false;
    if (this.fresh) await this.cupboard.remove(name);
    else {
      await this.#demandKept();
      note(`“${title}” is kept under Drawings`, "Go back", () => this.take(name));
    }
    await this.#sitAnew();
    this.fresh = fresh;
  }

  /** Nothing takes the place of a drawing that cannot be kept. */
  async #demandKept() {
    if (!(await this.save())) throw new Problem("The browser has no room to keep this drawing", "Save its project, delete some of your drawings, and try again");
  }

  /** Go on with a drawing of the shelf. @param {string} name */
  async take(name) {
    if (name === this.name) return;
    const place = await claim(name);
    if (!place) throw new Problem("Another tab has this drawing", "Go on with it there, or close that tab first");
    try {
      const kept = await this.cupboard.get(name);
      if (!kept) throw new Problem("This drawing is gone", "Choose another one");
      await this.#demandKept();
      this.lay(kept);
    } catch (problem) {
      place.release();
      throw problem;
    }
    this.#sit(name, place);
    this.fresh = false;
  }

  /** What is kept here stays as it is: another model's drawing, say. */
  async leave() {
    await this.#sitAnew();
    this.fresh = true;
  }

  /** @param {Kept} kept */
  lay({ title, text }) {
    this.desk.title = title;
    this.desk.open(text);
  }

  async show() {
    await this.save();
    if (!dialog("drawings").open) dialog("drawings").showModal();
    const all = (await this.cupboard.all()).filter(({ plain, name }) => !plain || name === this.name);
    $("drawing-list").replaceChildren(...all.map((kept) => this.#card(kept)));
  }

  /** @param {Named} kept */
  #card(kept) {
    const { name, title, time, face } = kept;
    const here = name === this.name;
    const open = make("button", { className: "card" }, make("img", { src: face, alt: "" }));
    open.onclick = () => {
      dialog("drawings").close();
      void attempt(() => this.take(name));
    };
    const field = make("input", { type: "text", value: title, maxLength: 60, ariaLabel: "Name" });
    const remove = make("button", { className: "icon", title: "Delete", hidden: here }, icon("trash"));
    remove.onclick = () => void attempt(() => this.#remove(kept));
    const label = () => [open.ariaLabel, remove.ariaLabel] = [`Open ${kept.title}`, `Delete ${kept.title}`];
    field.onchange = () => void attempt(() => this.#rename(kept, /** @type {HTMLInputElement} */ (field).value.trim()).then(label));
    label();
    return make("div", { className: "drawing" }, open, field, make("small", { textContent: here ? "open now" : AT.format(time) }), remove);
  }

  /** @param {Named} kept @param {string} title */
  async #rename(kept, title) {
    kept.title = title || kept.title;
    const { name, ...rest } = kept;
    if (name === this.name) this.desk.title = kept.title;
    await this.cupboard.put(name, rest);
  }

  /** @param {Named} kept */
  async #remove({ name, ...kept }) {
    const place = await claim(name);
    if (!place) throw new Problem("Another tab has this drawing", "Close that tab first");
    await this.cupboard.remove(name);
    place.release();
    await this.show();
    note(`“${kept.title}” is deleted`, "Undo", async () => {
      await this.cupboard.put(name, kept);
      if (dialog("drawings").open) await this.show();
    });
  }
}
