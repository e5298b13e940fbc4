// Mouse, pen and fingers on the panes: one draws, two zoom and pan.

import { $ } from "./page.js";

/** @typedef {import("./tools.js").Tools} Tools */
/** @typedef {import("./view.js").View} View */

/** Pens tell how hard they press; half pressure is the size that is set. @param {PointerEvent} event */
const pressureOf = (event) => (event.pointerType === "pen" && event.pressure ? Math.min(2, 2 * event.pressure) : 1);

/** @param {Tools} tools @param {View} view @param {(x: number, y: number) => void} pickClass a choice of classes at a place of the window */
export function listenToPointers(tools, view, pickClass) {
  for (const pane of view.panes) new Pointers(pane, tools, view, pickClass);
}

class Pointers {
  /** @param {HTMLElement} pane @param {Tools} tools @param {View} view @param {(x: number, y: number) => void} pickClass */
  constructor(pane, tools, view, pickClass) {
    this.pickClass = pickClass;
    this.pane = pane;
    this.tools = tools;
    this.view = view;
    /** @type {Map<number, PointerEvent>} */
    this.touching = new Map();
    this.doing = "";
    pane.onmousedown = (event) => event.preventDefault();  // it would take the focus from the sketch, and end the stroke
    pane.onpointerdown = (event) => this.#down(event);
    pane.onpointermove = (event) => this.#move(event);
    pane.onpointerup = pane.onpointercancel = (event) => this.#up(event);
    pane.onpointerleave = () => view.ring(null);
    pane.ondblclick = () => tools.close();
    pane.oncontextmenu = (event) => event.preventDefault();
    pane.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
  }

  /** @param {PointerEvent} event */
  #point(event) {
    return { ...this.view.pixel(event, this.pane), pressure: pressureOf(event) };
  }

  /** @param {PointerEvent} event */
  #down(event) {
    this.touching.set(event.pointerId, event);
    this.pane.setPointerCapture(event.pointerId);
    if (this.touching.size === 2) {
      if (this.doing === "draw") this.tools.cancel();
      this.doing = "pinch";
    } else if (this.touching.size === 1) this.#start(event);
    if (event.pointerType !== "touch") $("sketch").focus({ preventScroll: true });
  }

  /** One finger, a pen or a button. @param {PointerEvent} event */
  #start(event) {
    if (event.button === 2 || event.ctrlKey) this.doing = "pick";
    else if (event.button === 1 || this.tools.tool === "hand") this.doing = "pan";
    else if (event.button !== 0) return;
    else if (event.altKey) this.tools.pick(this.#point(event));
    else {
      this.doing = "draw";
      this.tools.down(this.#point(event), event.shiftKey);
    }
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const before = this.touching.get(event.pointerId);
    this.view.ring(this.tools.ringAt(this.#point(event)));
    if (before && this.doing === "pan") this.view.pan(event.clientX - before.clientX, event.clientY - before.clientY);
    else if (before && this.doing === "pinch") this.#pinch(before, event);
    else if (this.doing === "draw" || this.tools.tool === "polygon") {
      const events = event.getCoalescedEvents?.() ?? [];  // the event itself is the last of them
      for (const each of events.length ? events : [event]) this.tools.move(this.#point(each), event.shiftKey);
    }
    if (before) this.touching.set(event.pointerId, event);
  }

  /** @param {PointerEvent} event */
  #up(event) {
    this.touching.delete(event.pointerId);
    if (this.doing === "draw") this.tools.up();
    if (this.doing === "pick") setTimeout(() => this.pickClass(event.clientX, event.clientY));  // after what a click closes
    if (this.touching.size === 0) this.doing = "";
    else if (this.doing !== "pinch") this.doing = "";
  }

  /** Two fingers: their middle pans, their distance zooms. @param {PointerEvent} before @param {PointerEvent} now */
  #pinch(before, now) {
    const other = [...this.touching.values()].find(({ pointerId }) => pointerId !== now.pointerId);
    if (!other) return;
    const box = this.pane.getBoundingClientRect();
    const distance = (/** @type {PointerEvent} */ a) => Math.hypot(a.clientX - other.clientX, a.clientY - other.clientY);
    const middle = { x: (now.clientX + other.clientX) / 2 - box.left, y: (now.clientY + other.clientY) / 2 - box.top };
    this.view.pan((now.clientX - before.clientX) / 2, (now.clientY - before.clientY) / 2);
    this.view.zoom(distance(now) / Math.max(1, distance(before)), middle);
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    event.preventDefault();
    const box = this.pane.getBoundingClientRect();
    const at = { x: event.clientX - box.left, y: event.clientY - box.top };
    this.view.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015)), at);
  }
}
