// What the page asks, answered in this browser: the same paths and the same answers as the server's.

import { Problem } from "../api.js";
import { lightsOf } from "../layers.js";
import { unpacked } from "../project.js";
import { brightEnough, lookOf, named } from "./moods.js";
import { Painting } from "./painting.js";
import { whole } from "./parts.js";
import { colored, decoded, drawn, file, photograph, projectIn, readLabels } from "./pictures.js";
import { reduced } from "./resampling.js";
import { labelled, obedience, told, unit } from "./segmenter.js";
import { resized, scaled } from "./sizes.js";

/** @typedef {import("./network.js").Network} Network */
/** @typedef {import("./styles.js").Styles} Styles */
/** @typedef {import("./styles.js").Style} Style */
/** @typedef {import("./styles.js").Sketch} Sketch */
/** @typedef {{body?: BodyInit | null, headers?: Record<string, string>, status?: number}} Answer */
/** @typedef {{query: URLSearchParams, body: Blob, rest: () => Promise<void>, stale: () => boolean}} Asked `rest`: until nobody waits for anything else; `stale`: nobody waits for this any more */
/** @typedef {import("./resampling.js").Picture} Picture */
/**
 * @typedef {object} Site what the export wrote of the model and of the engine
 * @property {any} model
 * @property {import("./network.js").Facts} facts
 * @property {unknown[]} examples
 * @property {number} photo_side of the style encoder
 * @property {import("./sizes.js").Sizes} sizes
 * @property {import("./moods.js").Rules} moods
 * @property {number} light_width
 * @property {number} unlike seeds tried for a style that is to be unlike the others
 * @property {(import("./segmenter.js").Reading & {unknown: number | null}) | null} segmenter
 * @property {import("./enlarger.js").Enlarger | null} enlarger
 */

const FOREIGN = 0.5;  // more pixels without a class's colour than this share are a photograph's
const STALE = { status: 204 };

class Stale extends Error {}

export class Answers {
  /** @param {Site} site @param {Network} network @param {Styles} styles */
  constructor(site, network, styles) {
    this.site = site;
    this.network = network;
    this.styles = styles;
    this.painting = new Painting(site, network);
    /** @type {Record<string, (asked: Asked) => Promise<Answer> | Answer>} */
    this.paths = {
      "/api/health": () => json({ ready: true }),
      "/api/model": () => json(site.model),
      "/api/examples": () => json(site.examples),
      "/api/starts": ({ query }) => this.starts(Number(query.get("seed"))),
      "/api/size": ({ query }) => this.size(sizeOf(query)),
      "/api/paint": (asked) => this.paint(asked),
      "/api/picture": (asked) => this.picture(asked),
      "/api/open": (asked) => this.open(asked),
      "/api/labels/read": (asked) => this.read(asked),
      "/api/labels/from-photo": (asked) => this.labels(asked),
      "/api/labels/write": async (asked) => ({ body: await file(colored(await sketchOf(asked), site.model.classes), "png", {}) }),
      "/api/styles": (asked) => this.photo(asked),
      "/api/styles/of-seed": async (asked) => json(await this.styles.hold(this.styles.ofSeed(seedOf(asked), await sketchOf(asked)))),
      "/api/styles/varied": (asked) => this.varied(asked),
      "/api/moods": (asked) => this.moods(asked),
    };
  }

  /** @param {string} path @param {Asked} asked @returns {Promise<Answer>} */
  async answer(path, asked) {
    const job = this.paths[path];
    if (!job) throw new Problem("A studio without a server cannot do this", "Install spadework and paint with its own studio.", 404);
    try {
      return await job(asked);
    } catch (error) {
      if (error instanceof Stale) return STALE;
      throw error;
    }
  }

  /** One of the sets of composed sketches that came with the site. @param {number} seed */
  async starts(seed) {
    const sets = JSON.parse(new TextDecoder().decode(await whole(this.site.facts.files.starts)));
    return json(sets[seed % sets.length].map(travelling));
  }

  /** @param {import("./sizes.js").Size} sketch */
  size(sketch) {
    const { size, doublings } = this.painting.plan(sketch);
    return json({ ...size, doublings });
  }

  /** @param {Asked} asked */
  async paint(asked) {
    const { query } = asked;
    const sketch = await sketchOf(asked);
    const [style, short] = [query.get("style"), Number(query.get("short"))];
    const seed = seedOf(asked);
    const began = performance.now();
    const wanted = this.styles.wanted({ seed, style, other: query.get("other"), blend: Number(query.get("blend") ?? 0) }, sketch);
    const order = { sketch, seed, style: wanted, lights: await this.lights(asked, sketch) };
    const made = short ? await this.painting.small(order, short) : await this.painting.whole(order, 1, checking(asked));
    const judged = query.get("judged") ? await this.judged(sketch, made.picture) : {};
    const headers = { ...making(made), ...judged, "X-Width": String(made.picture.width), "Server-Timing": `paint;dur=${(performance.now() - began).toFixed(1)}` };
    return { body: made.picture.pixels, headers };
  }

  /** Those of parts of a sketch, which come after its ids. @param {Asked} asked @param {Sketch} sketch */
  async lights({ query, body }, sketch) {
    const names = query.get("lights");
    if (!names) return null;
    const numbers = new Uint8Array(await body.arrayBuffer()).subarray(sketch.ids.length);
    return { numbers, styles: names.split(",").map((name) => this.styles.named(name, sketch)) };
  }

  /** How much of it looks like what was drawn. @param {Sketch} sketch @param {Picture} picture @returns {Promise<Record<string, string>>} */
  async judged(sketch, picture) {
    const { segmenter } = this.site;
    if (!segmenter) return {};
    const seen = await labelled(this.network, segmenter, picture);
    return { "X-Obedience": obedience(resized(sketch, picture), seen, segmenter.unknown).toFixed(4) };
  }

  /** A project -> its picture in true size, or twice that. @param {Asked} asked */
  async picture({ query, body }) {
    const project = JSON.parse(await body.text());
    const { width, height } = project.base;
    const sketch = { ids: unpacked(project.ids, width * height), width, height };
    const { seed, mood, other, blend } = project.style;
    const style = await this.mixed(mood, other, blend, sketch);
    const found = lightsOf((project.layers?.stack ?? []).map((/** @type {any} */ layer) => ({ ...layer, ids: unpacked(layer.ids, width * height) })));
    const lights = found && { numbers: found.numbers, styles: found.moods.map(({ origin, z }) => ({ origin, z: Float32Array.from(z) })) };
    const { picture, size, doublings } = await this.painting.whole({ sketch, seed, style, lights }, Number(query.get("scale") ?? 1));
    const { name, images_seen, palette, version } = this.site.model;
    const enlarged = doublings ? { enlarged: 2 ** doublings, enlarger: this.site.enlarger?.name } : {};
    const lit = lights ? { lights: lights.styles.map(({ origin }) => origin) } : {};
    const known = { model: name, images_seen, palette, seed, style: style.origin, z: [...style.z], painted_size: [size.height, size.width], ...enlarged, version, ...lit, project };
    return { body: await file(drawn(picture), query.get("form") ?? "png", known) };
  }

  /** @param {any} mood @param {any} other @param {number} blend @param {Sketch} sketch */
  async mixed(mood, other, blend, sketch) {
    const names = [];
    for (const each of [mood, other]) {
      if (each?.z) names.push((await this.styles.hold({ origin: each.origin, z: Float32Array.from(each.z) })).id);
      else names.push(each ? `seed:${each.seed}` : null);
    }
    return this.styles.wanted({ seed: 0, style: names[0], other: names[1], blend }, sketch);
  }

  /** @param {Asked} asked */
  async open({ body }) {
    const data = new Uint8Array(await body.arrayBuffer());
    const drawing = data[0] === 0x7b ? new TextDecoder().decode(data) : projectIn(data);
    if (drawing !== null) return json({ kind: "drawing", drawing, labels: null, problem: null });
    try {
      const { sketch, foreign } = readLabels(await decoded(body), this.site.model.classes, this.site.sizes.pixels);
      if (foreign > FOREIGN) return json({ kind: "photo", drawing: null, labels: null, problem: null });
      return json({ kind: "labels", drawing: null, labels: this.opened(sketch, foreign), problem: null });
    } catch (error) {
      const problem = error instanceof Problem ? { sentence: error.sentence, remedy: error.remedy } : { sentence: String(error), remedy: "Try another file." };
      return json({ kind: error instanceof Problem && error.status === 413 ? "photo" : "nothing", drawing: null, labels: null, problem });
    }
  }

  /** @param {Asked} asked */
  async read({ body }) {
    const { sketch, foreign } = readLabels(await decoded(body), this.site.model.classes, this.site.sizes.pixels);
    if (foreign > FOREIGN) throw new Problem(`The file has few colours of palette ${this.site.model.palette}`, "Use the photograph's light, or open it in a studio with a server.", 422);
    return json(this.opened(sketch, foreign));
  }

  /** @param {Sketch} sketch @param {number} foreign */
  opened({ ids, width, height }, foreign) {
    const { palette } = this.site.model;
    const report = foreign ? [`colours: ${(100 * foreign).toFixed(1)} % of the pixels got the class of the nearest colour`] : [];
    return { ids: base64(ids), width, height, palette, palettes: [palette], report, layers: [] };
  }

  /** PUT brings a style that the page has kept; POST reads one from a photograph. @param {Asked} asked */
  async photo({ query, body }) {
    if (body.type === "application/json") {
      const { origin, z } = JSON.parse(await body.text());
      if (z.length !== this.styles.size) throw new Problem(`The style ${origin} belongs to another model`, "Drop its photo again.", 422);
      return json(await this.styles.hold({ origin, z: Float32Array.from(z) }));
    }
    const side = this.site.photo_side;
    const image = { data: unit(reduced(await photograph(body, this.site.sizes.photo), { width: side, height: side })), dims: [1, 3, side, side] };
    const { style } = await this.network.run("encoder", { image });
    return json(await this.styles.hold({ origin: `photo ${query.get("name") ?? "photo"}`, z: style.slice() }));
  }

  /** A photograph -> the map of its classes, as fine as the model was trained. @param {Asked} asked */
  async labels({ body }) {
    const { sizes, segmenter, facts, model } = this.site;
    if (!segmenter) throw new Problem(`No segmenter of palette ${model.palette} came with this site`, "Open a label map, or use the photograph's light.", 404);
    const photo = await photograph(body, sizes.photo);
    const scale = Math.min(Math.min(...facts.generator.size) / Math.min(photo.width, photo.height), sizes.longest / Math.max(photo.width, photo.height));
    const sketch = await labelled(this.network, segmenter, reduced(photo, scaled(photo, scale, sizes.least)));
    return json({ ...this.opened(sketch, 0), report: [told(sketch, model.classes)] });
  }

  /** @param {Asked} asked */
  async varied(asked) {
    const found = this.styles.varied(await sketchOf(asked), seedOf(asked), Number(asked.query.get("count") ?? 4), this.site.unlike);
    return json(await Promise.all(found.map(async ([seed, style]) => ({ seed, ...(await this.styles.hold(style)) }))));
  }

  /** Moods with names for a sketch, painted one by one while nobody waits for anything else. @param {Asked} asked */
  async moods(asked) {
    const [sketch, place] = [await sketchOf(asked), seedOf(asked)];
    const first = Number(asked.query.get("light") ?? place);
    const rules = this.site.moods;
    /** @type {Map<string, {seed: number, style: Style, picture: Picture}>} */
    const tried = new Map();
    for (const seed of [first, ...Array.from({ length: rules.tried }, (_, n) => n).filter((n) => n !== first)]) {
      const style = this.styles.ofSeed(seed, sketch);
      if (tried.has(style.z.join())) continue;
      await asked.rest();
      if (asked.stale()) return STALE;
      const { picture } = await this.painting.small({ sketch, seed: place, style }, rules.short);
      tried.set(style.z.join(), { seed, style, picture });
    }
    const all = [...tried.values()];
    const looks = all.map(({ picture }) => lookOf(picture.pixels, rules.brightness));
    const moods = await Promise.all(named(looks, rules).map(async ([name, n]) => {
      const { seed, style, picture } = all[n];
      const face = base64(new Uint8Array(await (await drawn(picture).convertToBlob()).arrayBuffer()));
      return { name, face, seed, ...(await this.styles.hold(style)) };
    }));
    return json({ moods, light: all[brightEnough(looks, rules)].seed });
  }
}

/** What the network painted, and how often that was enlarged. @param {import("./painting.js").Painted} made */
const making = ({ size, doublings }) => ({ "X-Painted": `${size.width}x${size.height}`, "X-Enlarged": String(2 ** doublings) });

/** Before every tile: hears what came meanwhile, and ends what nobody waits for any more. @param {Asked} asked */
const checking = ({ stale }) => async () => {
  await new Promise((done) => setTimeout(done));
  if (stale()) throw new Stale();
};

/** @param {unknown} value @returns {Answer} */
const json = (value) => ({ body: JSON.stringify(value), headers: { "Content-Type": "application/json" } });

/** @param {URLSearchParams} query */
const sizeOf = (query) => ({ width: Number(query.get("width")), height: Number(query.get("height")) });

/** @param {Asked} asked */
const seedOf = ({ query }) => Number(query.get("seed") ?? 0);

/** @param {Asked} asked @returns {Promise<Sketch>} */
async function sketchOf({ query, body }) {
  const size = sizeOf(query);
  return { ids: new Uint8Array(await body.arrayBuffer()).subarray(0, size.width * size.height), ...size };
}

/** @param {{title: string, width: number, height: number, ids: string}} start with its ids in runs */
const travelling = ({ ids, width, height, title }) => ({ title, width, height, ids: base64(unpacked(ids, width * height)) });

/** @param {Uint8Array} bytes */
function base64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}
