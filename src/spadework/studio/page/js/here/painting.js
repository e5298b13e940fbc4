// From a sketch to its picture: where other lights are those are laid over it, and large pictures are enlarged.

import { doubled } from "./enlarger.js";
import { fitting, laid } from "./lights.js";
import { resampled } from "./resampling.js";
import { plan, resized, smallSize } from "./sizes.js";

/** @typedef {import("./styles.js").Sketch} Sketch */
/** @typedef {import("./styles.js").Style} Style */
/** @typedef {import("./sizes.js").Size} Size */
/** @typedef {import("./resampling.js").Picture} Picture */
/** @typedef {import("./lights.js").Lights} Lights */
/** @typedef {{sketch: Sketch, seed: number, style: Style, lights?: Lights | null}} Order */
/** @typedef {{picture: Picture, size: Size, doublings: number}} Painted `size` is the network's */

export class Painting {
  /** @param {import("./answers.js").Site} site @param {import("./network.js").Network} network */
  constructor(site, network) {
    this.site = site;
    this.network = network;
  }

  /** @param {Size} size */
  plan(size) {
    return plan(size, this.site.facts.generator, this.site.sizes, this.site.enlarger !== null);
  }

  /** A preview. @param {Order} order @param {number} short side, about @returns {Promise<Painted>} */
  async small(order, short) {
    const size = smallSize(order.sketch, short, this.site.facts.generator, this.site.sizes);
    return { picture: await this.#painted(order, size), size, doublings: 0 };
  }

  /** In true size, or a multiple of it. @param {Order} order @param {number} [scale] @param {() => void} [check] ends it by an error @returns {Promise<Painted>} */
  async whole(order, scale = 1, check = () => {}) {
    const { sketch, seed } = order;
    const final = { width: scale * sketch.width, height: scale * sketch.height };
    const { size, doublings } = this.plan(final);
    let picture = await this.#painted(order, size);
    for (let k = 0; k < doublings && this.site.enlarger; k++) {
      const ids = resized(sketch, { width: 2 * picture.width, height: 2 * picture.height }).ids;
      picture = await doubled(this.network, this.site.enlarger, picture, ids, { seed, doubling: k }, check);
    }
    return { picture: resampled(picture, final), size, doublings };
  }

  /** What the network makes. @param {Order} order @param {Size} size @returns {Promise<Picture>} */
  async #painted({ sketch, seed, style, lights }, size) {
    const small = resized(sketch, size);
    const pixels = await this.network.paint(small, seed, style.z);
    const used = lights && fitting(lights, sketch, size);
    if (!used?.styles.length) return { pixels, ...size };
    const others = [];
    for (const { z } of used.styles) others.push(await this.network.paint(small, seed, z));
    return { pixels: laid(pixels, others, used.numbers, small.ids, size, this.site.light_width), ...size };
  }
}
