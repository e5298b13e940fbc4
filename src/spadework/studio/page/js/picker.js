// The classes at the pointer: the right button opens them.

import { $, input, make } from "./page.js";

/** @typedef {import("./palette.js").Palette} Palette */

const MARGIN = 8;

/** Opens the choice at a place of the window. @param {Palette} palette @returns {(x: number, y: number) => void} */
export function picker(palette) {
  const list = $("picker-list");
  const show = () => list.replaceChildren(...palette.found(input("picker-search").value).map((info) => choice(palette, info)));
  input("picker-search").oninput = show;
  input("picker-search").onkeydown = (event) => {
    if (event.key === "Enter") list.querySelector("button")?.click();
  };
  return (x, y) => {
    const panel = $("picker");
    input("picker-search").value = "";
    show();
    panel.showPopover();
    panel.style.left = `${Math.max(MARGIN, Math.min(x, innerWidth - panel.offsetWidth - MARGIN))}px`;
    panel.style.top = `${Math.max(MARGIN, Math.min(y, innerHeight - panel.offsetHeight - MARGIN))}px`;
    input("picker-search").focus();
  };
}

/** @param {Palette} palette @param {import("./palette.js").ClassInfo} info */
function choice(palette, { id, name, color }) {
  const swatch = make("i", { className: "swatch" });
  swatch.style.backgroundColor = color;
  const button = make("button", { type: "button" }, swatch, make("span", { textContent: name }));
  button.onclick = () => {
    $("picker").hidePopover();
    palette.choose(id);
    $("sketch").focus({ preventScroll: true });
  };
  return button;
}
