// Time-lapse: the history played again, sketch and photograph beside each other, as a GIF of the server.

import { Problem, send } from "./api.js";
import { $, download, note, uniqueName } from "./page.js";
import { runsOf } from "./runs.js";
import { Sheet } from "./sheet.js";

/** @typedef {import("./style.js").Style} Style */
/** @typedef {{ids: Uint8Array, width: number, height: number}} Sketch */

const MOST = 60;  // pictures
const SHORT = 256;  // pixels of a sketch on its way

/** @param {Sheet} sheet @param {Style} style @param {string} name of the file */
export async function saveFilm(sheet, style, name) {
  const frames = framesOf(sheet);
  if (frames.length < 2) throw new Problem("There is no stroke to play again", "Draw something first");
  const asking = new AbortController();
  note("The time-lapse is being painted", "Stop", () => asking.abort());
  try {
    const film = await (await send("/v1/film", { sketches: frames.map(runsOf), ...style.asked(), client: uniqueName() }, asking.signal)).blob();
    $("toast").hidden = true;
    download(film, `${name}.gif`);
  } catch (problem) {
    if (!asking.signal.aborted) throw problem;
  }
}

/** The drawing after each stroke, or after every few, with the blank sheet and the last. @param {Sheet} sheet @returns {Sketch[]} */
function framesOf({ base, strokes }) {
  const again = new Sheet(base, [], strokes.toReversed());
  const every = Math.max(1, strokes.length / (MOST - 1));
  const frames = [small(again.raster)];
  for (let n = 1; n <= strokes.length; n++) {
    again.redo();
    if (n === strokes.length || Math.floor(n / every) > Math.floor((n - 1) / every)) frames.push(small(again.raster));
  }
  return frames;
}

/** A sketch in no more pixels than it needs here; never a blend. @param {Sketch} sketch @returns {Sketch} */
function small({ ids, width, height }) {
  const scale = Math.max(1, Math.min(width, height) / SHORT);
  const [w, h] = [Math.round(width / scale), Math.round(height / scale)];
  const out = new Uint8Array(w * h);
  for (let y = 0; y < h; y++) {
    const row = Math.floor(((y + 0.5) * height) / h) * width;
    for (let x = 0; x < w; x++) out[y * w + x] = ids[row + Math.floor(((x + 0.5) * width) / w)];
  }
  return { ids: out, width: w, height: h };
}
