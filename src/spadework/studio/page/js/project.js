// A project as a file: base map, strokes, undone strokes, style, and for others the ids that come of them. With layers
// all of that stands under `layers`, and for whoever knows none of them the drawing is its ids. The same project gives
// the same bytes.

import { Problem } from "./api.js";
import { NOTHING, isLight, isOperation } from "./layers.js";
import { idsOf, pairsOf } from "./runs.js";
import { isStroke } from "./strokes.js";
import { isMood } from "./style.js";

/** @typedef {import("./sheet.js").Sheet} Sheet */
/** @typedef {import("./sheet.js").Entry} Entry */
/** @typedef {import("./style.js").Style} Style */
/** @typedef {{ids: Uint8Array, layers?: import("./layers.js").Layer[], active?: number, strokes: Entry[], undone: Entry[]}} Parts */

const FORMAT = "spadework-project";
const MOST = 64;  // layers of a file

/** @param {Sheet} sheet @param {Style} style @param {string} palette */
export function projectText(sheet, style, palette) {
  const { width, height, background } = sheet.base;
  const { undone } = sheet;
  const growing = sheet.current ?? sheet.moving;
  const strokes = growing ? [...sheet.strokes, growing] : sheet.strokes;
  const ids = packed(sheet.ids);
  const plain = { base: { width, height, background, ids: packedOnce(sheet.base.ids) }, strokes, undone };
  const flat = { base: { width, height, background, ids }, strokes: [], undone: [] };
  const parts = sheet.plain ? plain : { ...flat, layers: layersOf(sheet, strokes) };
  return `${JSON.stringify({ format: FORMAT, version: 1, palette, ...parts, style, ids })}\n`;
}

/** @param {Sheet} sheet @param {Entry[]} strokes */
function layersOf({ base, layers, active, undone }, strokes) {
  const first = base.layers ? { layers: base.layers.map((layer) => ({ ...layer, ids: packedOnce(layer.ids) })) } : { ids: packedOnce(base.ids) };
  const stack = layers.map((layer) => ({ ...layer, ids: packed(layer.ids) }));
  return { nothing: NOTHING, base: first, stack, active, strokes, undone };
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
  const { base, style } = data;
  if (!base || data.version !== 1 || !isMood(style?.mood)) throw damaged();
  const { strokes, undone, ...parts } = data.layers ? readLayers(data, classes) : readPlain(data, classes);
  return { base: { ...base, ...parts }, strokes, undone, style: { chosen: "id" in style.mood, ...style } };
}

/** @param {any} data @param {Set<number>} classes @returns {Parts} */
function readPlain({ base, strokes, undone }, classes) {
  const whole = entries(strokes, undone).every((entry) => isStroke(entry, classes));
  if (!whole) throw damaged();
  return { ids: readIds(base.ids, base, classes), strokes, undone };
}

/** @param {any} data @param {Set<number>} classes @returns {Parts} */
function readLayers({ base, layers }, classes) {
  const known = new Set([...classes, NOTHING]);
  const { base: first, strokes, undone, active } = layers;
  const whole = entries(strokes, undone).every((entry) => isStroke(entry, known) || isOperation(entry));
  const below = first?.layers;
  if (!whole || layers.nothing !== NOTHING || (below && !(Array.isArray(below) && below.length && below.length <= MOST && below.every(isLayer)))) throw damaged();
  const ids = below ? readIds(base.ids, base, classes) : readIds(first?.ids, base, classes);
  const read = below && { layers: below.map((/** @type {any} */ layer) => ({ ...layer, ids: readIds(layer.ids, base, known) })) };
  return { ids, ...read, strokes, undone, ...(Number.isInteger(active) ? { active } : {}) };
}

/** @param {any} layer */
const isLayer = (layer) => Number.isInteger(layer?.key) && typeof layer.name === "string" && typeof layer.hidden === "boolean" && typeof layer.locked === "boolean" && isLight(layer.mood);

/** @param {any} strokes @param {any} undone @returns {any[]} */
function entries(strokes, undone) {
  if (!Array.isArray(strokes) || !Array.isArray(undone)) throw damaged();
  return [...strokes, ...undone];
}

/** @param {any} text @param {{width: number, height: number}} size @param {Set<number>} known */
function readIds(text, { width, height }, known) {
  if (typeof text !== "string") throw damaged();
  const ids = unpacked(text, width * height);
  if (!ids.every((id) => known.has(id))) throw damaged();
  return ids;
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
export const packed = (ids) => pairsOf(ids).map(([id, count]) => `${id}*${count}`).join(" ");

/** @param {string} text @param {number} length */
export function unpacked(text, length) {
  const pairs = text.split(" ").map((run) => run.split("*").map(Number));
  const ids = length >= 16 && length <= 2048 * 2048 ? idsOf(pairs, length) : null;
  if (!ids) throw damaged();
  return ids;
}
