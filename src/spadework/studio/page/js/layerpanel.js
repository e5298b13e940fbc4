// The layers of the drawing, the uppermost first. The list is there from the second layer on.

import { MOST_LAYERS } from "./layers.js";
import { $, icon, make, press } from "./page.js";

/** @typedef {import("./sheet.js").Sheet} Sheet */
/** @typedef {import("./layers.js").Layer} Layer */
/** @typedef {import("./tools.js").Tools} Tools */

export class LayerPanel {
  /** @param {Sheet} sheet @param {Tools} tools */
  constructor(sheet, tools) {
    this.sheet = sheet;
    this.tools = tools;
    const layer = () => sheet.layer.key;
    /** @type {Record<string, () => void>} */
    const jobs = {
      "layer-add": () => sheet.grow("add"),
      "layer-copy": () => sheet.grow("duplicate"),
      "layer-up": () => this.#shift(1),
      "layer-down": () => this.#shift(-1),
      "layer-flip": () => sheet.operate({ op: "flip", layer: layer() }),
      "layer-remove": () => sheet.operate({ op: "remove", layer: layer() }),
    };
    for (const [id, job] of Object.entries(jobs)) $(id).onclick = job;
    sheet.addEventListener("layers", () => this.#show());
    this.#show();
  }

  /** @param {number} by */
  #shift(by) {
    const { layers, layer } = this.sheet;
    this.sheet.operate({ op: "order", layer: layer.key, at: layers.indexOf(layer) + by });
  }

  #show() {
    const { layers, layer } = this.sheet;
    const focused = document.activeElement?.id;
    $("layers").hidden = layers.length < 2;
    $("layer-list").replaceChildren(...layers.toReversed().map((each) => this.#row(each)));
    const at = layers.indexOf(layer);
    enable("layer-add", layers.length < MOST_LAYERS);
    enable("layer-copy", layers.length < MOST_LAYERS);
    enable("layer-up", at < layers.length - 1);
    enable("layer-down", at > 0);
    enable("layer-flip", !this.sheet.refusal);
    enable("layer-remove", layers.length > 1 && !layer.locked);
    if (focused?.startsWith("layer-")) document.getElementById(focused)?.focus({ preventScroll: true });
  }

  /** @param {Layer} layer */
  #row({ key, name, hidden, locked }) {
    const { sheet } = this;
    const id = (/** @type {string} */ part) => `layer-${part}-${key}`;
    const eye = make("button", { id: id("eye"), className: "icon", title: hidden ? "Show" : "Hide", ariaLabel: `Show ${name}` }, icon(hidden ? "eyeless" : "eye"));
    press(eye, !hidden);
    eye.onclick = () => sheet.operate({ op: "set", layer: key, hidden: !hidden });
    const here = sheet.layer.key === key;
    const button = make("button", { id: id("name"), className: "name", title: here ? "Rename" : "Draw on this layer", textContent: name });
    press(button, here);
    button.onclick = () => (here ? this.#rename(button, key, name) : sheet.choose(key));
    const lock = make("button", { id: id("lock"), className: "icon", title: locked ? "Unlock" : "Lock", ariaLabel: `Lock ${name}` }, icon("lock"));
    press(lock, locked);
    lock.onclick = () => sheet.operate({ op: "set", layer: key, locked: !locked });
    return make("div", { className: here ? "layer here" : "layer" }, eye, button, lock);
  }

  /** @param {HTMLElement} button @param {number} key @param {string} name */
  #rename(button, key, name) {
    const field = /** @type {HTMLInputElement} */ (make("input", { type: "text", value: name, maxLength: 40, ariaLabel: `Name of ${name}` }));
    field.onblur = () => {
      const given = field.value.trim() || name;
      if (given === name) field.replaceWith(button);  // and nothing else: what was clicked must be there
      else this.sheet.operate({ op: "set", layer: key, name: given });
    };
    field.onkeydown = ({ key }) => {
      if (key === "Escape") field.value = name;
      if (key === "Enter" || key === "Escape") field.blur();
    };
    button.replaceWith(field);
    field.select();
  }
}

/** @param {string} id @param {boolean} able */
const enable = (id, able) => ($(id).toggleAttribute("disabled", !able));
