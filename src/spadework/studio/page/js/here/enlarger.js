// Pictures at twice their size, by the labels, tile by tile as the engine's enlarger makes them.

import { unit } from "./segmenter.js";
import { bytes } from "./network.js";
import { keysOf, normals } from "./philox.js";

/** @typedef {import("./resampling.js").Picture} Picture */
/** @typedef {{name: string, reach: number, cell: number}} Enlarger `reach`: pixels around a tile that it depends on; `cell`: side of a square of noise */
/** @typedef {{top: number, left: number, bottom: number, right: number}} Part */
/** @typedef {{seed: number, doubling: number}} Place */

const TILE = 128;  // pixels a side: a stroke waits for one of them

/** @param {import("./network.js").Network} network @param {Enlarger} enlarger @param {Picture} picture @param {Uint8Array} ids of twice its size @param {Place} place @param {() => Promise<void> | void} check ends it by an error @returns {Promise<Picture>} */
export async function doubled(network, enlarger, picture, ids, place, check) {
  const { width, height } = picture;
  const made = { pixels: new Uint8Array(16 * width * height), width: 2 * width, height: 2 * height };
  const key = [place.doubling + 1, (place.seed ^ network.facts.noise_seed) >>> 0];
  const [coarse, fine] = [keysOf(key, 0), keysOf(key, 1)];
  for (let top = 0; top < height; top += TILE) {
    for (let left = 0; left < width; left += TILE) {
      await check();
      const inner = { top, left, bottom: Math.min(height, top + TILE), right: Math.min(width, left + TILE) };
      const outer = grown(inner, enlarger.reach, width, height);
      const [h, w] = [outer.bottom - outer.top, outer.right - outer.left];
      const large = twice(outer);
      const feeds = {
        image: { data: unit({ pixels: cut(picture.pixels, width, outer, 4), width: w, height: h }), dims: [1, 3, h, w] },
        labels: { data: cut(ids, 2 * width, large, 1), dims: [1, 2 * h, 2 * w] },
        noise_coarse: { data: noise(coarse, outer, enlarger.cell), dims: [1, 1, h, w] },
        noise_fine: { data: noise(fine, large, enlarger.cell), dims: [1, 1, 2 * h, 2 * w] },
      };
      const tile = bytes((await network.run("enlarger", feeds)).picture, 4 * w * h);
      lay(made, tile, large, twice(inner));
    }
  }
  return made;
}

/** @param {Part} part @param {number} reach @param {number} width @param {number} height */
const grown = ({ top, left, bottom, right }, reach, width, height) => ({ top: Math.max(0, top - reach), left: Math.max(0, left - reach), bottom: Math.min(height, bottom + reach), right: Math.min(width, right + reach) });

/** @param {Part} part */
const twice = ({ top, left, bottom, right }) => ({ top: 2 * top, left: 2 * left, bottom: 2 * bottom, right: 2 * right });

/** @param {Uint8Array} values @param {number} width @param {Part} part @param {number} size of a pixel */
function cut(values, width, { top, left, bottom, right }, size) {
  const row = size * (right - left);
  const made = new Uint8Array(row * (bottom - top));
  for (let y = top; y < bottom; y++) {
    const from = size * (y * width + left);
    made.set(values.subarray(from, from + row), row * (y - top));
  }
  return made;
}

/** The inner part of a tile into a picture. @param {Picture} picture @param {Uint8Array} tile @param {Part} outer @param {Part} inner */
function lay(picture, tile, outer, inner) {
  const part = { top: inner.top - outer.top, left: inner.left - outer.left, bottom: inner.bottom - outer.top, right: inner.right - outer.left };
  const pixels = cut(tile, outer.right - outer.left, part, 4);
  const row = 4 * (inner.right - inner.left);
  for (let y = inner.top; y < inner.bottom; y++) {
    const from = row * (y - inner.top);
    picture.pixels.set(pixels.subarray(from, from + row), 4 * (y * picture.width + inner.left));
  }
}

/** The noise of a part, the same whatever else is drawn. @param {Uint32Array} keys @param {Part} part @param {number} cell */
function noise(keys, { top, left, bottom, right }, cell) {
  const width = right - left;
  const made = new Float32Array(width * (bottom - top));
  for (let i = Math.floor(top / cell); i * cell < bottom; i++) {
    for (let j = Math.floor(left / cell); j * cell < right; j++) {
      const values = normals(keys, i, j, cell * cell);
      const [from, to] = [Math.max(left, j * cell), Math.min(right, (j + 1) * cell)];
      for (let y = Math.max(top, i * cell); y < Math.min(bottom, (i + 1) * cell); y++) {
        const start = (y - i * cell) * cell - j * cell;
        made.set(values.subarray(start + from, start + to), (y - top) * width + from - left);
      }
    }
  }
  return made;
}
