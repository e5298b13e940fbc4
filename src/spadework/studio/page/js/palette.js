// The classes: names, colours, search, number keys, how much of the sheet each covers.

import { $, input, make, share } from "./page.js";

/** @typedef {{id: number, name: string, color: string, aliases: string[]}} ClassInfo */

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
  #add({ id, name, color }, i) {
    const radio = /** @type {HTMLInputElement} */ (make("input", { type: "radio", name: "class", value: String(id) }));
    radio.onchange = () => this.choose(id);
    const swatch = make("i", { className: "swatch" });
    swatch.style.backgroundColor = color;
    const key = make("kbd", { textContent: i < 10 ? String((i + 1) % 10) : "", ariaHidden: "true" });
    const count = make("small", { className: "number" });
    const row = make("label", { title: name }, radio, swatch, make("span", { textContent: name }), count, key);
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

  #found() {
    const words = input("search").value.trim().toLowerCase();
    return this.classes.filter(({ name, aliases }) => [name, ...aliases].some((text) => text.toLowerCase().includes(words)));
  }

  #search() {
    const found = new Set(this.#found());
    for (const info of this.classes) {
      const entry = this.rows.get(info.id);
      if (entry) entry.row.hidden = !found.has(info);
    }
  }

  #chooseFound() {
    const [first] = this.#found();
    if (!first) return;
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
