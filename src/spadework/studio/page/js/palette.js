// The classes: names, colours, search, number keys, how much of the sheet each covers.

import { $, complain, input, make, share } from "./page.js";

/** @typedef {{id: number, name: string, color: string, aliases: string[], synonyms: string[]}} ClassInfo */

/** Fires "choose" when another class is chosen. */
export class Palette extends EventTarget {
  /** @param {ClassInfo[]} classes */
  constructor(classes) {
    super();
    this.classes = classes;
    this.chosen = classes[0].id;
    /** @type {Map<number, {row: HTMLElement, radio: HTMLInputElement, count: HTMLElement}>} */
    this.rows = new Map();
    classes.forEach((info, i) => this.#add(info, i));
    input("search").oninput = () => this.#search();
    input("search").onkeydown = (event) => {
      if (event.key === "Enter") this.#chooseFound();
    };
    this.#fillSelects();
    this.choose(this.chosen);
  }

  /** @param {ClassInfo} info @param {number} i */
  #add({ id, name, color, synonyms }, i) {
    const radio = /** @type {HTMLInputElement} */ (make("input", { type: "radio", name: "class", value: String(id) }));
    radio.onchange = () => this.choose(id);
    const swatch = make("i", { className: "swatch" });
    swatch.style.backgroundColor = color;
    const key = make("kbd", { textContent: i < 10 ? String((i + 1) % 10) : "", ariaHidden: "true" });
    const count = make("small", { className: "number" });
    const row = make("label", { title: [name, ...synonyms].join(", ") }, radio, swatch, make("span", { textContent: name }), count, key);
    $("palette").append(row);
    this.rows.set(id, { row, radio, count });
  }

  #fillSelects() {
    const options = () => this.classes.map(({ id, name }) => make("option", { value: String(id), textContent: name }));
    $("only").append(make("option", { value: "", textContent: "anything" }), ...options());
    $("new-background").append(...options());
  }

  /** @param {number} id */
  choose(id) {
    const entry = this.rows.get(id);
    if (!entry) return;
    this.chosen = id;
    entry.radio.checked = true;
    entry.row.scrollIntoView({ block: "nearest", inline: "nearest" });
    this.dispatchEvent(new Event("choose"));
  }

  /** The class of a number key. @param {string} digit */
  chooseDigit(digit) {
    const info = this.classes[(Number(digit) + 9) % 10];
    if (info) this.choose(info.id);
  }

  /** @param {number} id */
  nameOf(id) {
    return this.classes.find((info) => info.id === id)?.name ?? `class ${id}`;
  }

  /** The classes that a text means, the best first. @param {string} text */
  found(text) {
    const wanted = plain(text);
    if (!wanted) return this.classes;
    const ranked = this.classes.map((info) => ({ info, rank: rankOf(info, wanted) })).filter(({ rank }) => rank < NONE);
    return ranked.sort((a, b) => a.rank - b.rank).map(({ info }) => info);
  }

  #search() {
    const found = new Set(this.found(input("search").value));
    for (const info of this.classes) {
      const entry = this.rows.get(info.id);
      if (entry) entry.row.hidden = !found.has(info);
    }
    $("no-class").hidden = found.size > 0;
    $("no-class").textContent = found.size ? "" : nothing(input("search").value);
  }

  #chooseFound() {
    const [first] = this.found(input("search").value);
    if (!first) return complain({ sentence: nothing(input("search").value), remedy: "Clear the search to see every class" });
    input("search").value = "";
    this.#search();
    this.choose(first.id);
    $("sketch").focus();
  }

  /** Share of the sheet per class. @param {Uint8Array} ids */
  count(ids) {
    const counts = new Uint32Array(256);
    for (const id of ids) counts[id]++;
    for (const [id, { count }] of this.rows) {
      count.textContent = counts[id] ? share(counts[id] / ids.length) : "";
    }
  }
}

const NONE = 9;

/** @param {string} text */
const nothing = (text) => `No class is called “${text.trim()}”`;

/** Lower case, and one where many are named. @param {string} text */
function plain(text) {
  const words = text.trim().toLowerCase().replace(/\s+/g, " ");
  return words.length > 3 ? words.replace(/(?<=ch|sh|x|s)es$|(?<!s)s$/, "") : words;
}

/** How well a class fits: 0 by its name, 1 by another word for it, 2 to 4 by the beginning or a part of one. @param {ClassInfo} info @param {string} wanted */
function rankOf({ name, aliases, synonyms }, wanted) {
  const names = [name, ...aliases].map(plain);
  const words = synonyms.map(plain);
  if (names.includes(wanted)) return 0;
  if (words.includes(wanted)) return 1;
  if (names.some((word) => word.startsWith(wanted))) return 2;
  if (words.some((word) => word.startsWith(wanted))) return 3;
  const parts = wanted.split(" ");
  return [...names, ...words].some((word) => word.includes(wanted) || parts.includes(word)) ? 4 : NONE;
}
