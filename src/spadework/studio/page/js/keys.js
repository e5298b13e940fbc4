// Everything by keyboard: shortcuts anywhere, and a brush that the arrow keys move.

import { $, input, make } from "./page.js";
import { TOOLS } from "./tools.js";

/** @typedef {import("./tools.js").Tools} Tools */
/** @typedef {import("./view.js").View} View */

const HELP = [
  ["Tools", TOOLS.map(({ key, title }) => `${key.toUpperCase()} ${title.split(/[;,]/)[0].toLowerCase()}`).join(", ")],
  ["Classes", "1 to 9 and 0, or / to search"],
  ["Brush", "[ smaller, ] larger, M mirror"],
  ["Pointer", "Space and drag moves the sheet, Alt click picks a class, Shift draws straight (Shift click: from the last point), the right button opens the classes"],
  ["Draw", "on the sketch: arrows move (Shift: further), Space puts the brush down and lifts it, Enter closes a polygon, Esc takes the stroke back"],
  ["Layers", "with the tool that moves them: arrows move the layer by a pixel (Shift: further)"],
  ["History", "Ctrl Z undo, Ctrl Shift Z redo"],
  ["View", "V split or over, F fit, + and - zoom, middle button or two fingers move"],
  ["Place", "D dice: another place, and another light unless that is locked"],
  ["Files", "Ctrl S save the project, Ctrl O open"],
];

/** @param {Record<string, () => void>} actions by key; "ctrl+z" and the like with modifiers @param {Tools} tools */
export function listenToKeys(actions, tools) {
  listenToSpace(tools);
  addEventListener("keydown", (event) => {
    if (busy(event)) return;
    const name = `${event.ctrlKey || event.metaKey ? "ctrl+" : ""}${event.shiftKey && event.ctrlKey ? "shift+" : ""}${event.key.toLowerCase()}`;
    const tool = TOOLS.find(({ key }) => key === name);
    if (tool) tools.use(tool.name);
    else if (/^\d$/.test(name)) tools.palette.chooseDigit(name);
    else if (actions[name]) actions[name]();
    else return;
    event.preventDefault();
  });
  for (const [term, text] of HELP) $("keys").append(make("dt", { textContent: term }), make("dd", { textContent: text }));
}

/** Space lends the hand while it is held. @param {Tools} tools */
function listenToSpace(tools) {
  let pointing = false;  // at a sheet, not at what has the focus
  addEventListener("pointermove", ({ target }) => (pointing = target instanceof Element && target.closest(".pane") !== null));
  addEventListener("keydown", (event) => {
    if (event.key === "Tab") pointing = false;
    if (event.key !== " " || !pointing || busy(event)) return;
    event.preventDefault();
    if (!event.repeat) tools.lend();
  });
  addEventListener("keyup", (event) => {
    if (event.key !== " " || tools.lent === null) return;
    event.preventDefault();  // or it would press a button that was clicked before
    tools.giveBack();
  });
  addEventListener("blur", () => tools.giveBack());
}

/** Whether a key is meant for something else. @param {KeyboardEvent} event */
const busy = (event) => document.querySelector("dialog[open], #picker:popover-open") !== null || isText(event.target);

/** @param {EventTarget | null} target */
function isText(target) {
  return target instanceof HTMLElement && target.matches("input:not([type=range], [type=radio]), select, textarea");
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** A brush for hands without a pointer. */
export class KeyBrush {
  /** @param {Tools} tools @param {View} view */
  constructor(tools, view) {
    this.tools = tools;
    this.view = view;
    this.point = { x: 0, y: 0 };
    this.down = false;
    this.inHand = false;  // whether keys move the brush, not a pointer
    const surface = $("sketch");
    surface.onkeydown = (event) => this.#key(event);
    surface.onfocus = () => surface.matches(":focus-visible") && this.#moveTo(view.sheet.width / 2, view.sheet.height / 2);
    surface.onblur = () => this.#leave();
    for (const pane of view.panes) pane.addEventListener("pointermove", () => (this.inHand = false));
  }

  #leave() {
    if (this.down) this.tools.up();
    this.down = this.inHand = false;
    this.view.ring(null);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey) return;
    const step = ARROWS[/** @type {keyof typeof ARROWS} */ (event.key)];
    if (step) {
      if (this.tools.tool === "shift") this.tools.nudge(step[0] * (event.shiftKey ? 16 : 1), step[1] * (event.shiftKey ? 16 : 1));
      else this.#walk(step, event.shiftKey ? 16 : 4);
    } else if (event.key === " " && this.inHand) this.#toggle();
    else if (event.key === "Enter") this.tools.close();
    else if (event.key === "Escape") {
      this.down = false;
      this.tools.cancel();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {number[]} step @param {number} far */
  #walk(step, far) {
    this.#moveTo(this.point.x + far * step[0], this.point.y + far * step[1]);
    this.tools.move(this.point);
  }

  #toggle() {
    this.down = !this.down && !["fill", "pick", "polygon", "shift"].includes(this.tools.tool);
    if (this.down || !this.tools.sheet.current || this.tools.tool === "polygon") this.tools.down(this.point);
    else this.tools.up();
  }

  /** @param {number} x @param {number} y */
  #moveTo(x, y) {
    const { width, height, ids } = this.view.sheet;
    this.inHand = true;
    this.point = { x: Math.min(width - 1, Math.max(0, x)), y: Math.min(height - 1, Math.max(0, y)) };
    this.view.ring(this.tools.ringAt(this.point));
    const under = ids[Math.floor(this.point.y) * width + Math.floor(this.point.x)];
    $("spot").textContent = `${Math.round(this.point.x)}, ${Math.round(this.point.y)}: ${this.tools.palette.nameOf(under)}`;
  }
}

/** To the search field. */
export const search = () => input("search").focus();
