// A project as a file: base map, strokes, undone strokes, style, and for others the ids that come of them. The same
// project gives the same bytes.

import { Problem } from "./api.js";
import { isStroke } from "./strokes.js";
import { isMood } from "./style.js";

/** @typedef {import("./sheet.js").Sheet} Sheet */
/** @typedef {import("./style.js").Style} Style */

const FORMAT = "spadework-project";

/** @param {Sheet} sheet @param {Style} style @param {string} palette */
export function projectText(sheet, style, palette) {
  const { width, height, background, ids } = sheet.base;
  const base = { width, height, background, ids: packedOnce(ids) };
  const { undone, current } = sheet;
  const strokes = current ? [...sheet.strokes, current] : sheet.strokes;
  return `${JSON.stringify({ format: FORMAT, version: 1, palette, base, strokes, undone, style, ids: packed(sheet.ids) })}\n`;
}

/**
 * @param {string} text @param {string} palette @param {Set<number>} classes
 * @returns what Sheet.replace and Style.set take
 */
export function readProject(text, palette, classes) {
  const data = parsed(text);
  if (data?.format !== FORMAT) throw new Problem("This file is no studio project", "Choose a .json that the studio saved.");
  if (data.palette !== palette) {
    throw new Problem(`This project was drawn for ${data.palette}`, `Open it with that model; this one paints ${palette}.`);
  }
  const { base, strokes, undone, style } = data;
  if (!base || !Array.isArray(strokes) || !Array.isArray(undone) || typeof base.ids !== "string") throw damaged();
  const whole = [...strokes, ...undone].every((stroke) => isStroke(stroke, classes)) && isMood(style.mood);
  const ids = unpacked(base.ids, base.width * base.height);
  if (data.version !== 1 || !whole || !ids.every((id) => classes.has(id))) throw damaged();
  return { base: { ...base, ids }, strokes, undone, style: { chosen: "id" in style.mood, ...style } };
}

/** @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw damaged();
  }
}

const damaged = () => new Problem("This project is damaged", "Open another copy of it.");

/** @type {WeakMap<Uint8Array, string>} */
const packs = new WeakMap();

/** A base never changes. @param {Uint8Array} ids */
function packedOnce(ids) {
  const text = packs.get(ids) ?? packed(ids);
  packs.set(ids, text);
  return text;
}

/** Runs of equal ids as "id*count id*count ...". @param {Uint8Array} ids */
export function packed(ids) {
  const runs = [];
  for (let from = 0, to; from < ids.length; from = to) {
    to = from + 1;
    while (to < ids.length && ids[to] === ids[from]) to++;
    runs.push(`${ids[from]}*${to - from}`);
  }
  return runs.join(" ");
}

/** @param {string} text @param {number} length */
export function unpacked(text, length) {
  if (!(length >= 16 && length <= 2048 * 2048)) throw damaged();
  const ids = new Uint8Array(length);
  let at = 0;
  for (const run of text.split(" ")) {
    const [id, count] = run.split("*").map(Number);
    ids.fill(id, at, at + count);
    at += count;
  }
  if (at !== length) throw damaged();
  return ids;
}
