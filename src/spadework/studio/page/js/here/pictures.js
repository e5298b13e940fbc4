// Pictures as files: PNG with what they know, and label maps in the palette's colours.

import { Problem } from "../api.js";

/** @typedef {import("./styles.js").Sketch} Sketch */
/** @typedef {import("./resampling.js").Picture} Picture */
/** @typedef {{id: number, color: string}} Colored */

const PREFIX = "spadework:";
const STARTS = 12;  // bytes of a chunk beside its data
const HEAD = 33;  // bytes of a PNG before what follows IHDR

/** @param {Picture} picture */
export function drawn({ pixels, width, height }) {
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d")?.putImageData(new ImageData(new Uint8ClampedArray(pixels), width, height), 0, 0);
  return canvas;
}

/** @param {OffscreenCanvas} canvas @param {string} form @param {Record<string, unknown>} told what a PNG knows */
export async function file(canvas, form, told) {
  const blob = await canvas.convertToBlob({ type: `image/${form}`, quality: 0.92 });
  if (form !== "png") return blob;
  const data = new Uint8Array(await blob.arrayBuffer());
  const chunks = Object.entries(told).map(([key, value]) => textChunk(PREFIX + key, JSON.stringify(value)));
  return new Blob([data.slice(0, HEAD), ...chunks, data.slice(HEAD)], { type: "image/png" });
}

/** The drawing that a PNG of the studio carries. @param {Uint8Array} data @returns {string | null} */
export function projectIn(data) {
  if (data[0] !== 0x89 || data[1] !== 0x50) return null;
  const view = new DataView(data.buffer, data.byteOffset);
  for (let at = 8; at + STARTS <= data.length; at += STARTS + view.getUint32(at)) {
    const name = String.fromCharCode(...data.subarray(at + 4, at + 8));
    const body = data.subarray(at + 8, at + 8 + view.getUint32(at));
    const key = new TextDecoder().decode(body.subarray(0, Math.max(0, body.indexOf(0))));
    if (key !== `${PREFIX}project`) continue;
    if (name === "tEXt") return new TextDecoder().decode(body.subarray(key.length + 1));
    if (name === "iTXt" && body[key.length + 1] === 0) return new TextDecoder().decode(body.subarray(key.length + 5));
  }
  return null;
}

/** As ASCII, so that any reader has it. @param {string} key @param {string} text @returns {Uint8Array<ArrayBuffer>} */
function textChunk(key, text) {
  const plain = text.replace(/[\u0080-\uffff]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);
  const body = new TextEncoder().encode(`tEXt${key}\0${plain}`);
  const chunk = new Uint8Array(body.length + 8);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, body.length - 4);
  chunk.set(body, 4);
  view.setUint32(body.length + 4, crc(body));
  return chunk;
}

/** @param {Uint8Array} bytes */
function crc(bytes) {
  let value = ~0;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
  }
  return ~value >>> 0;
}

/** Ids in the palette's colours. @param {Sketch} sketch @param {Colored[]} classes */
export function colored({ ids, width, height }, classes) {
  const colors = new Map(classes.map(({ id, color }) => [id, rgb(color)]));
  const pixels = new Uint8Array(4 * ids.length).fill(255);
  ids.forEach((id, i) => pixels.set(colors.get(id) ?? [0, 0, 0], 4 * i));
  return drawn({ pixels, width, height });
}

/** @param {string} color "#rrggbb" */
const rgb = (color) => [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));

/** A picture file, decoded without any colour management. @param {Blob} blob */
export async function decoded(blob) {
  const image = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" }).catch(() => null);
  if (!image) throw new Problem("The file is not a picture that this browser reads", "Open a PNG, a photograph, or a project of the studio.", 422);
  return image;
}

/** A photograph, upright and in sRGB. @param {Blob} blob @param {number} most pixels */
export async function photograph(blob, most) {
  const image = await createImageBitmap(blob).catch(() => null);
  if (!image) throw new Problem("The browser cannot read this photograph", "Save it as PNG or JPEG.", 422);
  demandSmall(image, most);
  return image;
}

/** @param {{width: number, height: number}} size @param {number} most pixels */
function demandSmall({ width, height }, most) {
  if (width * height > most) throw new Problem(`A picture of ${width}x${height} pixels is too large for the studio`, `Use at most ${most.toLocaleString("en")} pixels.`, 413);
}

/** A picture as a label map, and the share of its pixels that had no class's colour. @param {ImageBitmap} image @param {Colored[]} classes @param {number} most pixels @returns {{sketch: Sketch, foreign: number}} */
export function readLabels(image, classes, most) {
  const { width, height } = image;
  demandSmall(image, most);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (new OffscreenCanvas(width, height).getContext("2d"));
  context.drawImage(image, 0, 0);
  const pixels = new Uint32Array(context.getImageData(0, 0, width, height).data.buffer);
  const table = classes.map(({ id, color }) => ({ id, color: rgb(color) }));
  /** @type {Map<number, {id: number, exact: boolean}>} */
  const known = new Map();
  const ids = new Uint8Array(pixels.length);
  let foreign = 0;
  pixels.forEach((pixel, i) => {
    let found = known.get(pixel);
    if (!found) known.set(pixel, (found = nearest([pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255], table)));
    ids[i] = found.id;
    if (!found.exact) foreign += 1;
  });
  return { sketch: { ids, width, height }, foreign: foreign / ids.length };
}

/** @param {number[]} color @param {{id: number, color: number[]}[]} table */
function nearest(color, table) {
  const away = table.map((entry) => entry.color.reduce((sum, value, i) => sum + (value - color[i]) ** 2, 0));
  const least = Math.min(...away);
  return { id: table[away.indexOf(least)].id, exact: least === 0 };
}
