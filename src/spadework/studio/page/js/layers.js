// Layers lie over each other: what is seen is the uppermost that has something at a place. What is done to them is data,
// as strokes are; doing it is a function of the layers before.

import { isMood } from "./style.js";

/** @typedef {import("./strokes.js").Box} Box */
/** @typedef {{width: number, height: number}} Size */
/** @typedef {import("./style.js").Held & {seed?: number, name?: string}} Light a mood that has become a style */
/** @typedef {{key: number, name: string, hidden: boolean, locked: boolean, ids: Uint8Array, mood?: Light | null}} Layer `ids` has NOTHING where the layer is empty; `mood`: its light, if not that of the whole */
/** @typedef {{numbers: Uint8Array, moods: Light[]}} Lights 0 where the light of the whole is, n where the n-th mood is */
/**
 * @typedef {object} Operation
 * @property {"add" | "duplicate" | "remove" | "set" | "order" | "flip" | "move"} op
 * @property {number} layer the key of the layer that it is done to; "add": the one below
 * @property {number} [key] of a new layer
 * @property {string} [name]
 * @property {boolean} [hidden]
 * @property {boolean} [locked]
 * @property {Light | null} [mood] null: that of the whole
 * @property {number} [at] its place, counted from the lowest
 * @property {number} [dx] to the right, in pixels
 * @property {number} [dy] downwards
 */

/** No class: the id of a pixel where a layer is empty. No palette has it. */
export const NOTHING = 254;

/** The key of the layer that every drawing begins with. */
export const FIRST = 1;

export const MOST_LAYERS = 16;

/** @param {Uint8Array} ids @returns {Layer} */
export const firstLayer = (ids) => ({ key: FIRST, name: "Background", hidden: false, locked: false, ids });

/** Each with ids of its own. @param {Layer[]} layers @returns {Layer[]} */
export const copies = (layers) => layers.map((layer) => ({ ...layer, ids: layer.ids.slice() }));

/** The layers after an operation; ids that change are new arrays. @param {Layer[]} layers @param {Operation} op @param {Size} size @returns {Layer[]} */
export function operated(layers, op, size) {
  const at = layers.findIndex(({ key }) => key === op.layer);
  const layer = layers[at];
  if (!layer) return layers;
  /** @param {Partial<Layer>} values */
  const changed = (values) => layers.with(at, { ...layer, ...values });
  const [key, name] = [op.key ?? 0, op.name ?? layer.name];
  switch (op.op) {
    case "add": return layers.toSpliced(at + 1, 0, { key, name, hidden: false, locked: false, ids: new Uint8Array(layer.ids.length).fill(NOTHING) });
    case "duplicate": return layers.toSpliced(at + 1, 0, { ...layer, key, name, hidden: false, locked: false, ids: layer.ids.slice() });
    case "remove": return layers.length > 1 ? layers.toSpliced(at, 1) : layers;
    case "set": return changed({ name, hidden: op.hidden ?? layer.hidden, locked: op.locked ?? layer.locked, mood: op.mood === undefined ? layer.mood : op.mood });
    case "order": return layers.toSpliced(at, 1).toSpliced(op.at ?? at, 0, layer);
    case "flip": return changed({ ids: flipped(layer.ids, size) });
    case "move": return changed({ ids: moved(layer.ids, size, op.dx ?? 0, op.dy ?? 0) });
  }
}

/** @param {Uint8Array} ids @param {Size} size */
function flipped(ids, { width, height }) {
  const out = ids.slice();
  for (let y = 0; y < height; y++) out.subarray(y * width, (y + 1) * width).reverse();
  return out;
}

/** What leaves the sheet is gone, what comes in is empty. @param {Uint8Array} ids @param {Size} size @param {number} dx @param {number} dy */
function moved(ids, { width, height }, dx, dy) {
  const out = new Uint8Array(ids.length).fill(NOTHING);
  const [left, right] = [Math.max(0, -dx), Math.min(width, width - dx)];
  for (let y = Math.max(0, -dy); y < Math.min(height, height - dy) && left < right; y++) {
    out.set(ids.subarray(y * width + left, y * width + right), (y + dy) * width + left + dx);
  }
  return out;
}

/** Whether one layer is all that is seen, and its ids are what is painted. @param {Layer[]} layers */
export const isFlat = (layers) => layers.length === 1 && !layers[0].hidden && !layers[0].ids.includes(NOTHING);

/**
 * What is seen, into `out`, in a box or everywhere; the background where every layer is empty.
 * @param {Uint8Array} out @param {Layer[]} layers @param {number} background @param {Size} size @param {Box | null} [box]
 */
export function merge(out, layers, background, { width, height }, box = null) {
  const [left, top] = box ? [Math.max(0, Math.floor(box[0])), Math.max(0, Math.floor(box[1]))] : [0, 0];
  const [right, bottom] = box ? [Math.min(width, Math.ceil(box[2])), Math.min(height, Math.ceil(box[3]))] : [width, height];
  const seen = layers.filter(({ hidden }) => !hidden).map(({ ids }) => ids).reverse();
  for (let y = top; y < bottom; y++) {
    for (let at = y * width + left; at < y * width + right; at++) {
      let id = NOTHING;
      for (let n = 0; n < seen.length && id === NOTHING; n++) id = seen[n][at];
      out[at] = id === NOTHING ? background : id;
    }
  }
}

/** The lights of what is seen; null if all is in that of the whole. @param {Layer[]} layers @returns {Lights | null} */
export function lightsOf(layers) {
  const seen = layers.filter(({ hidden }) => !hidden);
  if (!seen.some(({ mood }) => mood)) return null;
  const numbers = new Uint8Array(seen[0].ids.length);
  const moods = [];
  for (const { ids, mood } of seen) {
    if (mood) moods.push(mood);
    const number = mood ? moods.length : 0;
    for (let at = 0; at < ids.length; at++) if (ids[at] !== NOTHING) numbers[at] = number;
  }
  return { numbers, moods };
}

const NAMES = ["Background", "Middle", "Foreground"];

/** For a new one. @param {Layer[]} layers */
export function newName(layers) {
  const taken = new Set(layers.map(({ name }) => name));
  const plain = NAMES.find((name, n) => n && n >= layers.length && !taken.has(name));
  for (let n = layers.length + 1; ; n++) {
    const name = plain ?? `Layer ${n}`;
    if (!taken.has(name)) return name;
  }
}

/** Whether a file says so of a layer's light. @param {any} mood */
export const isLight = (mood) => mood === undefined || mood === null || (isMood(mood) && Array.isArray(mood.z) && mood.z.every(Number.isFinite));

/** Whether what is done to a layer can be read from a file. @param {any} op */
export function isOperation(op) {
  const known = ["add", "duplicate", "remove", "set", "order", "flip", "move"].includes(op?.op);
  const whole = [op?.layer, op?.key ?? 0, op?.at ?? 0, op?.dx ?? 0, op?.dy ?? 0].every(Number.isInteger);
  return known && whole && ["string", "undefined"].includes(typeof op.name) && [op.hidden, op.locked].every((value) => [undefined, true, false].includes(value)) && isLight(op.mood);
}
