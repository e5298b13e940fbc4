// Pictures in other sizes, byte for byte as pillow makes them: the filter's values as whole numbers, rows first.

/** @typedef {import("./sizes.js").Size} Size */
/** @typedef {{pixels: Uint8Array<ArrayBuffer>, width: number, height: number}} Picture RGBA */
/** @typedef {{reach: number, at: (x: number) => number}} Filter */
/** @typedef {{from: Int32Array, count: Int32Array, values: Int32Array, most: number}} Taps of every new pixel: the first old one, how many, and `most` places for their weights */

const BITS = 22;  // of a weight
const STRIP = 256;  // rows of a photograph that are decoded at once

/** @param {number} x */
const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

/** @type {Filter} */
export const LANCZOS = { reach: 3, at: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) };

/** @type {Filter} Keys' with a = -1/2 */
export const BICUBIC = { reach: 2, at: (value) => {
  const x = Math.abs(value);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0;
} };

/** @param {Picture} picture @param {Size} size @param {Filter} [filter] @returns {Picture} */
export function resampled(picture, size, filter = LANCZOS) {
  const { pixels, width, height } = picture;
  if (width === size.width && height === size.height) return picture;
  return both((top, bottom) => pixels.subarray(4 * top * width, 4 * bottom * width), picture, size, filter);
}

/** A photograph on white, strip by strip, so that a large one takes the memory of a small one. @param {ImageBitmap} image @param {Size} size @returns {Picture} */
export function reduced(image, size) {
  const { width, height } = image;
  const canvas = new OffscreenCanvas(width, Math.min(STRIP, height));
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  context.fillStyle = "white";
  const rows = (/** @type {number} */ top, /** @type {number} */ bottom) => {
    context.fillRect(0, 0, width, canvas.height);
    context.drawImage(image, 0, -top);
    return context.getImageData(0, 0, width, bottom - top).data;
  };
  return both(rows, image, size, LANCZOS);
}

/** @param {(top: number, bottom: number) => Uint8Array | Uint8ClampedArray} rows RGBA @param {Size} old @param {Size} size @param {Filter} filter @returns {Picture} */
function both(rows, old, size, filter) {
  const narrow = new Uint8Array(3 * size.width * old.height);
  const across = taps(old.width, size.width, filter);
  for (let top = 0; top < old.height; top += STRIP) {
    const bottom = Math.min(old.height, top + STRIP);
    const strip = rows(top, bottom);
    for (let y = top; y < bottom; y++) weigh(strip, 4 * (y - top) * old.width, 4, narrow, 3 * y * size.width, 3, across);
  }
  const pixels = new Uint8Array(4 * size.width * size.height).fill(255);
  const down = taps(old.height, size.height, filter);
  for (let x = 0; x < size.width; x++) weigh(narrow, 3 * x, 3 * size.width, pixels, 4 * x, 4 * size.width, down);
  return { pixels, ...size };
}

/** A line of new pixels of a line of old ones. @param {Uint8Array | Uint8ClampedArray} old @param {number} start @param {number} step to the next pixel @param {Uint8Array} made @param {number} place @param {number} stride @param {Taps} taps */
function weigh(old, start, step, made, place, stride, { from, count, values, most }) {
  for (let n = 0; n < from.length; n++) {
    let [red, green, blue] = [1 << (BITS - 1), 1 << (BITS - 1), 1 << (BITS - 1)];
    for (let k = 0, at = start + step * from[n]; k < count[n]; k++, at += step) {
      const weight = values[n * most + k];
      red += old[at] * weight;
      green += old[at + 1] * weight;
      blue += old[at + 2] * weight;
    }
    const to = place + n * stride;
    [made[to], made[to + 1], made[to + 2]] = [byte(red >> BITS), byte(green >> BITS), byte(blue >> BITS)];
  }
}

/** @param {number} value */
const byte = (value) => (value < 0 ? 0 : value > 255 ? 255 : value);

/** @param {number} old @param {number} made @param {Filter} filter @returns {Taps} */
function taps(old, made, { reach, at }) {
  const scale = old / made;
  const wide = Math.max(1, scale);
  const most = 2 * Math.ceil(reach * wide) + 1;
  const found = { from: new Int32Array(made), count: new Int32Array(made), values: new Int32Array(made * most), most };
  for (let n = 0; n < made; n++) {
    const middle = (n + 0.5) * scale;
    const from = Math.max(0, Math.trunc(middle - reach * wide + 0.5));
    const count = Math.min(old, Math.trunc(middle + reach * wide + 0.5)) - from;
    const weights = Array.from({ length: count }, (_, k) => at((k + from - middle + 0.5) / wide));
    const sum = weights.reduce((a, b) => a + b, 0);
    weights.forEach((weight, k) => (found.values[n * most + k] = Math.trunc((weight / sum) * 2 ** BITS + (weight / sum < 0 ? -0.5 : 0.5))));
    [found.from[n], found.count[n]] = [from, count];
  }
  return found;
}
