// Styles: what a seed means for a sketch, and what a request asks for.

import { Problem } from "../api.js";
import { Twister } from "./random.js";

/** @typedef {{origin: string, z: Float32Array}} Style */
/** @typedef {{origin: string, z: number[]} | {seed: number}} Light as it travels */
/** @typedef {{ids: Uint8Array, width: number, height: number}} Sketch */
/** @typedef {{references: number, drawn: number, grid: number, layouts: Float32Array, styles: Float32Array}} Prior of real photos: layouts (references, channels * grid * grid), styles (references, Z) */
/** @typedef {import("./contexts.js").Semantics} Semantics */

const SEEDS = 2 ** 32;

export class Styles {
  /** @param {number} size Z @param {Semantics} semantics @param {Prior | null} prior */
  constructor(size, semantics, prior) {
    this.size = size;
    this.semantics = semantics;
    this.prior = prior;
  }

  /** @param {number} seed @param {Sketch} sketch @returns {Style} */
  ofSeed(seed, sketch) {
    const { prior, size } = this;
    const origin = `seed ${seed}`;
    const twister = new Twister(seed);
    if (!prior) return { origin, z: twister.normals(size) };
    const layout = this.layout(sketch, prior.grid);
    let [best, least] = [0, Infinity];
    for (const reference of twister.permutation(prior.references).subarray(0, prior.drawn)) {
      let distance = 0;
      const from = reference * layout.length;
      for (let i = 0; i < layout.length; i++) distance += Math.abs(prior.layouts[from + i] - layout[i]);
      if (distance < least) [best, least] = [reference, distance];
    }
    return { origin, z: prior.styles.slice(best * size, (best + 1) * size) };
  }

  /** Share of every channel in every cell of a coarse grid. @param {Sketch} sketch @param {number} grid */
  layout({ ids, width, height }, grid) {
    const { label_nc, unknown, unknown_id } = this.semantics;
    const shares = new Float32Array((label_nc + (unknown ? 1 : 0)) * grid * grid);
    for (let row = 0; row < grid; row++) {
      for (let column = 0; column < grid; column++) {
        const [top, bottom, left, right] = [...bounds(row, grid, height), ...bounds(column, grid, width)];
        const part = 1 / ((bottom - top) * (right - left));
        for (let y = top; y < bottom; y++) {
          for (let x = left; x < right; x++) {
            const id = ids[y * width + x];
            shares[((unknown && id === unknown_id ? label_nc : id) * grid + row) * grid + column] += part;
          }
        }
      }
    }
    return shares;
  }

  /** A light of a request. @param {Light} light @param {Sketch} sketch @returns {Style} */
  of(light, sketch) {
    if ("seed" in light) return this.ofSeed(light.seed, sketch);
    const { origin, z } = light;
    if (z.length !== this.size) throw new Problem(`The style ${origin} belongs to another model`, "Drop its photo again.", 422);
    return { origin, z: Float32Array.from(z) };
  }

  /** What a request asks for. @param {{seed: number, style?: Light | null, other?: Light | null, blend?: number}} asked @param {Sketch} sketch @returns {Style} */
  wanted({ seed, style, other, blend = 0 }, sketch) {
    const first = this.of(style ?? { seed }, sketch);
    if (!other || blend === 0) return first;
    const second = this.of(other, sketch);
    const z = first.z.map((value, i) => (1 - blend) * value + blend * second.z[i]);
    return { z, origin: `${(1 - blend).toFixed(2)} ${first.origin} + ${blend.toFixed(2)} ${second.origin}` };
  }

  /** Seeds whose styles lie far from each other. @param {Sketch} sketch @param {number} first @param {number} count @param {number} tried for each @returns {[number, Style][]} */
  varied(sketch, first, count, tried) {
    /** @type {Map<number, Style>} */
    const rest = new Map();
    for (let n = 0; n < tried * count; n++) rest.set((first + n) % SEEDS, this.ofSeed((first + n) % SEEDS, sketch));
    /** @type {[number, Style][]} */
    const chosen = [[first, /** @type {Style} */ (rest.get(first))]];
    rest.delete(first);
    const away = new Map([...rest.keys()].map((seed) => [seed, Infinity]));
    while (chosen.length < count) {
      const last = chosen[chosen.length - 1][1];
      for (const [seed, style] of rest) away.set(seed, Math.min(away.get(seed) ?? 0, distance(style.z, last.z)));
      const [furthest, style] = [...rest].reduce((a, b) => ((away.get(b[0]) ?? 0) > (away.get(a[0]) ?? 0) ? b : a));
      chosen.push([furthest, style]);
      rest.delete(furthest);
    }
    return chosen;
  }
}

/** The rows of a cell; cells overlap where they do not divide. @param {number} cell @param {number} grid @param {number} length */
const bounds = (cell, grid, length) => [Math.floor((cell * length) / grid), Math.ceil(((cell + 1) * length) / grid)];

/** @param {Float32Array} a @param {Float32Array} b */
const distance = (a, b) => Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0));

/** As it travels, with a name that equal ones have. @param {Style} style */
export async function travelling({ origin, z }) {
  const id = await idOf(new Uint8Array([...new Uint8Array(z.slice().buffer), ...new TextEncoder().encode(origin)]));
  return { id, origin, z: [...z] };
}

/** The first 16 digits of SHA-256; plain http has none, and there an id need only be its own. @param {Uint8Array<ArrayBuffer>} bytes */
async function idOf(bytes) {
  const digest = crypto.subtle ? new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)) : crypto.getRandomValues(new Uint8Array(8));
  return Array.from(digest.subarray(0, 8), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
