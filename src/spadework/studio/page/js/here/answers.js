// What the page asks, answered in this browser: the same paths and the same answers as the server's.

import { Problem } from "../api.js";
import { lightsOf } from "../layers.js";
import { unpacked } from "../project.js";
import { runsOf, sketchOf } from "../runs.js";
import { lightOf } from "../style.js";
import { brightEnough, lookOf, named } from "./moods.js";
import { Painting } from "./painting.js";
import { whole } from "./parts.js";
import { colored, decoded, drawn, file, photograph, projectIn, readLabels } from "./pictures.js";
import { reduced } from "./resampling.js";
import { labelled, obedience, told, unit } from "./segmenter.js";
import { resized, scaled } from "./sizes.js";
import { travelling } from "./styles.js";

/** @typedef {import("./network.js").Network} Network */
/** @typedef {import("./styles.js").Styles} Styles */
/** @typedef {import("./styles.js").Style} Style */
/** @typedef {import("./styles.js").Sketch} Sketch */
/** @typedef {{body?: BodyInit | null, headers?: Record<string, string>, status?: number}} Answer */
/** @typedef {{asked: any, rest: () => Promise<void>, stale: () => boolean}} Asked `asked`: the body, or what the query says; `rest`: until nobody waits for anything else; `stale`: nobody waits for this any more */
/** @typedef {import("./resampling.js").Picture} Picture */
/**
 * @typedef {object} Site what the export wrote of the model and of the engine
 * @property {any[]} models
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
      "/ready": () => json({ ready: true }),
      "/v1/models": () => json(site.models),
      "/v1/palettes": () => json([this.palette.name]),
      "/v1/size": ({ asked }) => this.size(sizeOf(asked)),
      "/v1/sketches": () => json(site.examples),
      "/v1/sketches/composed": ({ asked }) => this.composed(Number(asked.seed)),
      "/v1/paint": (request) => this.paint(request),
      "/v1/style": ({ asked }) => this.photo(asked),
      "/v1/style/of-seed": ({ asked }) => this.ofSeed(asked),
      "/v1/style/varied": ({ asked }) => this.varied(asked),
      "/v1/moods": (request) => this.moods(request),
      "/v1/open": ({ asked }) => this.open(asked),
      "/v1/labels/import": ({ asked }) => this.read(asked),
      "/v1/labels/from-photo": ({ asked }) => this.labels(asked),
      "/v1/labels/write": async ({ asked }) => ({ body: await file(colored(sketchOf(asked.runs), this.palette.classes), "png", {}) }),
      "/v1/projects/picture": ({ asked }) => this.picture(asked),
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

  /** @returns {{name: string, classes: {id: number, name: string, color: string}[]}} */
  get palette() { return this.site.models[0].palette; }

  /** One of the sets of composed sketches that came with the site. @param {number} seed */
  async composed(seed) {
    const sets = JSON.parse(new TextDecoder().decode(await whole(this.site.facts.files.starts)));
    return json(sets[seed % sets.length]);
  }

  /** @param {import("./sizes.js").Size} sketch */
  size(sketch) {
    const { size, doublings } = this.painting.plan(sketch);
    return json({ ...size, doublings });
  }

  /** @param {Asked} request */
  async paint(request) {
    const { seed = 0, short, judged, lights, ...look } = request.asked;
    const sketch = sketchOf(look.runs);
    const began = performance.now();
    const order = { sketch, seed, style: this.styles.wanted({ seed, ...look }, sketch), lights: lights && this.lights(lights, sketch) };
    const made = short ? await this.painting.small(order, short) : await this.painting.whole(order, 1, checking(request));
    const { width, height } = made.picture;
    const told = { ...making(made), ...(judged ? await this.judged(sketch, made.picture) : {}) };
    const headers = { ...told, "X-Width": String(width), "X-Height": String(height), "Server-Timing": `paint;dur=${(performance.now() - began).toFixed(1)}` };
    return { body: made.picture.pixels, headers };
  }

  /** Those of parts of a sketch. @param {{parts: import("../runs.js").Runs, styles: import("./styles.js").Light[]}} asked @param {Sketch} sketch */
  lights({ parts, styles }, sketch) {
    return { numbers: sketchOf(parts).ids, styles: styles.map((light) => this.styles.of(light, sketch)) };
  }

  /** How much of it looks like what was drawn. @param {Sketch} sketch @param {Picture} picture @returns {Promise<Record<string, string>>} */
  async judged(sketch, picture) {
    const { segmenter } = this.site;
    if (!segmenter) return {};
    const seen = await labelled(this.network, segmenter, picture);
    return { "X-Obedience": obedience(resized(sketch, picture), seen, segmenter.unknown).toFixed(4) };
  }

  /** A project -> its picture in true size, or twice that. @param {{project: any, form: string, scale: number}} asked */
  async picture({ project, form, scale }) {
    const { width, height } = project.base;
    const sketch = { ids: unpacked(project.ids, width * height), width, height };
    const { seed, mood, other, blend } = project.style;
    const style = this.styles.wanted({ seed, style: lightOf(mood), other: other && lightOf(other), blend }, sketch);
    const found = lightsOf((project.layers?.stack ?? []).map((/** @type {any} */ layer) => ({ ...layer, ids: unpacked(layer.ids, width * height) })));
    const lights = found && { numbers: found.numbers, styles: found.moods.map(({ origin, z }) => ({ origin, z: Float32Array.from(z) })) };
    const { picture, size, doublings } = await this.painting.whole({ sketch, seed, style, lights }, scale);
    const { model, images_seen, version } = this.site.models[0];
    const enlarged = doublings ? { enlarged: 2 ** doublings, enlarger: this.site.enlarger?.name } : {};
    const lit = lights ? { lights: lights.styles.map(({ origin }) => origin) } : {};
    const known = { model, images_seen, palette: this.palette.name, seed, style: style.origin, z: [...style.z], painted_size: [size.height, size.width], ...enlarged, version, ...lit, project };
    return { body: await file(drawn(picture), form, known) };
  }

  /** @param {{file: string}} asked */
  async open(asked) {
    const data = bytes(asked.file);
    const text = data[0] === 0x7b ? new TextDecoder().decode(data) : projectIn(data);
    if (text !== null) return json({ kind: "drawing", project: JSON.parse(text), labels: null, problem: null });
    try {
      const { sketch, foreign } = readLabels(await decoded(new Blob([data])), this.palette.classes, this.site.sizes.pixels);
      if (foreign > FOREIGN) return json({ kind: "photo", project: null, labels: null, problem: null });
      return json({ kind: "labels", project: null, labels: this.opened(sketch, foreign), problem: null });
    } catch (error) {
      const problem = error instanceof Problem ? { sentence: error.sentence, remedy: error.remedy } : { sentence: String(error), remedy: "Try another file." };
      return json({ kind: error instanceof Problem && error.status === 413 ? "photo" : "nothing", project: null, labels: null, problem });
    }
  }

  /** @param {{file: string}} asked */
  async read(asked) {
    const { name, classes } = this.palette;
    const { sketch, foreign } = readLabels(await decoded(new Blob([bytes(asked.file)])), classes, this.site.sizes.pixels);
    if (foreign > FOREIGN) throw new Problem(`The file has few colours of palette ${name}`, "Use the photograph's light, or open it in a studio with a server.", 422);
    return json(this.opened(sketch, foreign));
  }

  /** @param {Sketch} sketch @param {number} foreign */
  opened(sketch, foreign) {
    const report = foreign ? [`colours: ${(100 * foreign).toFixed(1)} % of the pixels got the class of the nearest colour`] : [];
    return { palette: this.palette.name, runs: runsOf(sketch), report, layers: [] };
  }

  /** @param {{photo: string, name?: string}} asked */
  async photo({ photo, name = "photo" }) {
    const side = this.site.photo_side;
    const picture = await photograph(new Blob([bytes(photo)]), this.site.sizes.photo);
    const image = { data: unit(reduced(picture, { width: side, height: side })), dims: [1, 3, side, side] };
    const { style } = await this.network.run("encoder", { image });
    return json(await travelling({ origin: `photo ${name}`, z: style.slice() }));
  }

  /** A photograph -> the map of its classes, as fine as the model was trained. @param {{photo: string}} asked */
  async labels(asked) {
    const { sizes, segmenter, facts } = this.site;
    if (!segmenter) throw new Problem(`No segmenter of palette ${this.palette.name} came with this site`, "Open a label map, or use the photograph's light.", 404);
    const photo = await photograph(new Blob([bytes(asked.photo)]), sizes.photo);
    const scale = Math.min(Math.min(...facts.generator.size) / Math.min(photo.width, photo.height), sizes.longest / Math.max(photo.width, photo.height));
    const sketch = await labelled(this.network, segmenter, reduced(photo, scaled(photo, scale, sizes.least)));
    return json({ ...this.opened(sketch, 0), report: [told(sketch, this.palette.classes)] });
  }

  /** @param {{runs: import("../runs.js").Runs, seed: number}} asked */
  async ofSeed({ runs, seed }) {
    return json({ seed, style: await travelling(this.styles.ofSeed(seed, sketchOf(runs))) });
  }

  /** @param {{runs: import("../runs.js").Runs, seed: number, count?: number}} asked */
  async varied({ runs, seed, count = 4 }) {
    const found = this.styles.varied(sketchOf(runs), seed, count, this.site.unlike);
    return json(await Promise.all(found.map(async ([seed, style]) => ({ seed, style: await travelling(style) }))));
  }

  /** Moods with names for a sketch, painted one by one while nobody waits for anything else. @param {Asked} request */
  async moods({ asked, rest, stale }) {
    const [sketch, place] = [sketchOf(asked.runs), asked.seed];
    const first = asked.light ?? place;
    const rules = this.site.moods;
    /** @type {Map<string, {seed: number, style: Style, picture: Picture}>} */
    const tried = new Map();
    for (const seed of [first, ...Array.from({ length: rules.tried }, (_, n) => n).filter((n) => n !== first)]) {
      const style = this.styles.ofSeed(seed, sketch);
      if (tried.has(style.z.join())) continue;
      await rest();
      if (stale()) return STALE;
      const { picture } = await this.painting.small({ sketch, seed: place, style }, rules.short);
      tried.set(style.z.join(), { seed, style, picture });
    }
    const all = [...tried.values()];
    const looks = all.map(({ picture }) => lookOf(picture.pixels, rules.brightness));
    const moods = await Promise.all(named(looks, rules).map(async ([name, n]) => {
      const { seed, style, picture } = all[n];
      const face = base64(new Uint8Array(await (await drawn(picture).convertToBlob()).arrayBuffer()));
      return { name, face, seed, style: await travelling(style) };
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

/** @param {Record<string, unknown>} query */
const sizeOf = ({ width, height }) => ({ width: Number(width), height: Number(height) });

/** @param {string} text in base64 */
const bytes = (text) => Uint8Array.from(atob(text), (byte) => byte.charCodeAt(0));

/** @param {Uint8Array} data */
function base64(data) {
  let text = "";
  for (let at = 0; at < data.length; at += 0x8000) text += String.fromCharCode(...data.subarray(at, at + 0x8000));
  return btoa(text);
}
