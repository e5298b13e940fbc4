// What the painter does, for eyes at once, for ears rarely.

import { $, complain, whenQuiet } from "./page.js";

/** @typedef {import("./painter.js").Painter} Painter */
/** @typedef {import("./painter.js").Photograph} Photograph */
/** @typedef {import("./view.js").View} View */

const AWAY = { sentence: "The painter does not answer", remedy: "Go on drawing; the photograph returns when the server is back" };
const PAUSE = 2000;  // ms without a change before a screen reader hears of a photograph

/** @param {Painter} painter @param {View} view */
export function showPainter(painter, view) {
  const hear = whenQuiet(() => { if (painter.state === "done") announce("The photograph is painted"); }, PAUSE);
  let last = "";
  painter.addEventListener("photograph", (event) => {
    const { image, painted, doublings, preview, ms, stages } = /** @type {CustomEvent<Photograph>} */ (event).detail;
    view.photograph(image, preview);
    last = `${Math.round(ms)} ms`;
    $("state").title = `${preview ? "Preview" : "Photograph"} after ${last}, of which the model took ${Math.round(stages.paint)} ms`;
    if (!preview) $("made").textContent = sizeText(view.sheet, painted, doublings);
    hear();
  });
  painter.addEventListener("state", (event) => {
    const state = /** @type {CustomEvent<string>} */ (event).detail;
    document.body.dataset.painter = $("state").dataset.state = state;
    $("state-text").textContent = { painting: "Painting…", done: last || "Ready", away: "Painter away", wrong: "Not painted" }[state] ?? "";
    $("away").hidden = state !== "away";
    if (state === "away") complain(AWAY);
    else if (state === "done" && $("toast-head").textContent?.startsWith(AWAY.sentence)) $("toast").hidden = true;
  });
  painter.addEventListener("problem", (event) => complain(/** @type {CustomEvent} */ (event).detail));
  $("toast-close").onclick = () => ($("toast").hidden = true);
}

/** @param {string} text */
function announce(text) {
  if ($("announce").textContent !== text) $("announce").textContent = text;  // the same words are not said again
}

const DOUBLED = ["", "doubled", "doubled twice"];

/** What the model painted of a sheet, and what became of it: "768 × 512: painted 384 × 256, doubled". @param {{width: number, height: number}} sheet @param {string} painted "384x256" @param {number} doublings */
export function sizeText({ width, height }, painted, doublings) {
  const [w, h] = painted.split("x").map(Number);
  const size = `${width} × ${height}`;
  if (!w || (w === width && h === height)) return w ? `${size}: every pixel is painted` : size;
  const scale = 2 ** doublings;
  const done = [DOUBLED[doublings], w * scale === width && h * scale === height ? "" : fitted((width * height) / (w * h * scale ** 2))];
  return `${size}: painted ${w} × ${h}, ${done.filter((text) => text).join(" and ")}`;
}

/** @param {number} pixels how many times as many */
function fitted(pixels) {
  const factor = Math.sqrt(pixels);
  return factor > 1.05 ? `enlarged ${Math.round(10 * factor) / 10} times` : factor < 0.95 ? "made smaller" : "fitted";
}
