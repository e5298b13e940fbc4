// The classes of a photograph, and how much of a picture looks like what was drawn, as the engine's segmenter finds them.

import { BICUBIC, resampled } from "./resampling.js";
import { resized, rounded, scaled } from "./sizes.js";

/** @typedef {import("./resampling.js").Picture} Picture */
/** @typedef {import("./styles.js").Sketch} Sketch */
/** @typedef {{short: number, long: number, least: number}} Reading `short` and `long`: sides that a photo is read at, `least` of both */

/** @param {import("./network.js").Network} network @param {Reading} reading @param {Picture} picture @returns {Promise<Sketch>} */
export async function labelled(network, { short, long, least }, picture) {
  const { width, height } = picture;
  const scale = Math.min(short / Math.min(width, height), long / Math.max(width, height));
  const read = scaled(picture, scale, least);
  const fine = scaled(picture, Math.min(1, long / Math.max(width, height)), 1);
  const image = unit(resampled(picture, read, BICUBIC));
  const { ids } = await network.run("segmenter", {
    image: { data: image, dims: [1, 3, read.height, read.width] },
    size: { data: BigInt64Array.of(BigInt(fine.height), BigInt(fine.width)), dims: [2] },
  });
  return resized({ ids: Uint8Array.from(ids), ...fine }, { width, height });
}

/** (3, h, w) in [-1, 1]. @param {Picture} picture */
export function unit({ pixels, width, height }) {
  const count = width * height;
  const values = new Float32Array(3 * count);
  for (let channel = 0; channel < 3; channel++) {
    for (let i = 0; i < count; i++) values[channel * count + i] = Math.fround(pixels[4 * i + channel] / 127.5) - 1;
  }
  return values;
}

/** Share of a sketch's pixels that a picture, as large, shows as what they are; pixels without a class do not count. @param {Sketch} sketch @param {Sketch} seen @param {number | null} unknown id */
export function obedience(sketch, seen, unknown) {
  let [known, same] = [0, 0];
  sketch.ids.forEach((id, at) => {
    if (id === unknown) return;
    known += 1;
    if (seen.ids[at] === id) same += 1;
  });
  return known ? same / known : 1;
}

/** What there is at least a hundredth of, for people. @param {Sketch} sketch @param {{id: number, name: string}[]} classes */
export function told({ ids }, classes) {
  const counts = new Map(classes.map(({ id }) => [id, 0]));
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
  const shares = classes.map(({ id, name }) => ({ name, share: (counts.get(id) ?? 0) / ids.length }));
  const seen = shares.filter(({ share }) => share >= 0.01).sort((a, b) => b.share - a.share);
  return `found in the photograph: ${seen.map(({ name, share }) => `${name} ${rounded(100 * share)}%`).join(", ")}`;
}
