// What the page asks, answered in this browser: the same paths and the same answers as the server's.

import { Problem } from "../api.js";
import { unpacked } from "../project.js";
import { SHORT, TRIED, brightEnough, lookOf, named } from "./moods.js";
import { whole } from "./parts.js";
import { colored, decoded, drawn, file, fitted, pixelsOf, projectIn, readLabels } from "./pictures.js";
import { paintingSize, resized, smallSize } from "./sizes.js";

/** @typedef {import("./network.js").Network} Network */
/** @typedef {import("./styles.js").Styles} Styles */
/** @typedef {import("./styles.js").Style} Style */
/** @typedef {import("./styles.js").Sketch} Sketch */
/** @typedef {{body?: BodyInit | null, headers?: Record<string, string>, status?: number}} Answer */
/** @typedef {{query: URLSearchParams, body: Blob, rest: () => Promise<void>, stale: () => boolean}} Asked `rest`: until nobody waits for anything else; `stale`: nobody waits for this any more */
/** @typedef {{model: any, facts: import("./network.js").Facts, examples: unknown[], photo_side: number}} Site */

const FOREIGN = 0.5;  // more pixels without a class's colour than this share are a photograph's
const STALE = { status: 204 };

export class Answers {
  /** @param {Site} site @param {Network} network @param {Styles} styles */
  constructor(site, network, styles) {
    this.site = site;
    this.network = network;
    this.styles = styles;
    /** @type {Record<string, (asked: Asked) => Promise<Answer> | Answer>} */
    this.paths = {
      "/api/health": () => json({ ready: true }),
      "/api/model": () => json(site.model),
      "/api/examples": () => json(site.examples),
      "/api/starts": ({ query }) => this.starts(Number(query.get("seed"))),
      "/api/size": ({ query }) => json({ ...paintingSize(sizeOf(query), site.facts.generator), doublings: 0 }),
      "/api/paint": (asked) => this.paint(asked),
      "/api/picture": (asked) => this.picture(asked),
      "/api/open": (asked) => this.open(asked),
      "/api/labels/read": (asked) => this.read(asked),
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
    return job(asked);
  }

  /** One of the sets of composed sketches that came with the site. @param {number} seed */
  async starts(seed) {
    const sets = JSON.parse(new TextDecoder().decode(await whole(this.site.facts.files.starts)));
    return json(sets[seed % sets.length].map(travelling));
  }

  /** @param {Asked} asked */
  async paint(asked) {
    const { query } = asked;
    const sketch = await sketchOf(asked);
    const [style, short] = [query.get("style"), Number(query.get("short"))];
    const wanted = { seed: seedOf(asked), style, other: query.get("other"), blend: Number(query.get("blend") ?? 0) };
    const began = performance.now();
    const z = this.styles.wanted(wanted, sketch);
    const { size, canvas } = await this.painted(sketch, wanted.seed, z, short);
    const pixels = pixelsOf(canvas);
    const headers = { "X-Painted": `${size.width}x${size.height}`, "X-Width": String(canvas.width), "Server-Timing": `paint;dur=${(performance.now() - began).toFixed(1)}` };
    return { body: pixels, headers };
  }

  /** @param {Sketch} sketch @param {number} seed @param {Style} style @param {number} [short] */
  async painted(sketch, seed, { z }, short) {
    const { generator } = this.site.facts;
    const size = short ? smallSize(sketch, short, generator) : paintingSize(sketch, generator);
    const canvas = drawn(await this.network.paint(resized(sketch, size), seed, z), size.width, size.height);
    return { size, canvas: short ? canvas : fitted(canvas, sketch.width, sketch.height) };
  }

  /** A project -> its picture in true size, or twice that. @param {Asked} asked */
  async picture({ query, body }) {
    const project = JSON.parse(await body.text());
    const { width, height } = project.base;
    const sketch = { ids: unpacked(project.ids, width * height), width, height };
    const { seed, mood, other, blend } = project.style;
    const style = await this.mixed(mood, other, blend, sketch);
    const { canvas, size } = await this.painted(sketch, seed, style);
    const scale = Number(query.get("scale") ?? 1);
    const { name, images_seen, palette, version } = this.site.model;
    const told = { model: name, images_seen, palette, seed, style: style.origin, z: [...style.z], painted_size: [size.height, size.width], version, project };
    return { body: await file(fitted(canvas, width * scale, height * scale), query.get("form") ?? "png", told) };
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
      const { sketch, foreign } = readLabels(await decoded(body), this.site.model.classes);
      if (foreign > FOREIGN) return json({ kind: "photo", drawing: null, labels: null, problem: null });
      return json({ kind: "labels", drawing: null, labels: this.opened(sketch, foreign), problem: null });
    } catch (error) {
      const problem = error instanceof Problem ? { sentence: error.sentence, remedy: error.remedy } : { sentence: String(error), remedy: "Try another file." };
      return json({ kind: error instanceof Problem && error.status === 413 ? "photo" : "nothing", drawing: null, labels: null, problem });
    }
  }

  /** @param {Asked} asked */
  async read({ body }) {
    const { sketch, foreign } = readLabels(await decoded(body), this.site.model.classes);
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
    const image = await createImageBitmap(body).catch(() => null);
    if (!image) throw new Problem("The browser cannot read this photograph", "Save it as PNG or JPEG.", 422);
    const side = this.site.photo_side;
    const pixels = pixelsOf(fitted(image, side, side));
    const unit = Float32Array.from({ length: 3 * side * side }, (_, i) => pixels[4 * (i % (side * side)) + Math.floor(i / (side * side))] / 127.5 - 1);
    return json(await this.styles.hold({ origin: `photo ${query.get("name") ?? "photo"}`, z: await this.network.style(unit, side) }));
  }

  /** @param {Asked} asked */
  async varied(asked) {
    const found = this.styles.varied(await sketchOf(asked), seedOf(asked), Number(asked.query.get("count") ?? 4));
    return json(await Promise.all(found.map(async ([seed, style]) => ({ seed, ...(await this.styles.hold(style)) }))));
  }

  /** Moods with names for a sketch, painted one by one while nobody waits for anything else. @param {Asked} asked */
  async moods(asked) {
    const [sketch, place] = [await sketchOf(asked), seedOf(asked)];
    const first = Number(asked.query.get("light") ?? place);
    /** @type {Map<string, {seed: number, style: Style, canvas: OffscreenCanvas}>} */
    const tried = new Map();
    for (const seed of [first, ...Array.from({ length: TRIED }, (_, n) => n).filter((n) => n !== first)]) {
      const style = this.styles.ofSeed(seed, sketch);
      if (tried.has(style.z.join())) continue;
      await asked.rest();
      if (asked.stale()) return STALE;
      tried.set(style.z.join(), { seed, style, canvas: (await this.painted(sketch, place, style, SHORT)).canvas });
    }
    const all = [...tried.values()];
    const looks = all.map(({ canvas }) => lookOf(pixelsOf(canvas)));
    const moods = await Promise.all(named(looks).map(async ([name, n]) => {
      const { seed, style, canvas } = all[n];
      const face = base64(new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer()));
      return { name, face, seed, ...(await this.styles.hold(style)) };
    }));
    return json({ moods, light: all[brightEnough(looks)].seed });
  }
}

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
