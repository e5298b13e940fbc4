// Paints beside the page, one picture at a time. What is newer goes before what is stale, and faces of moods go last.

import { Problem } from "../api.js";
import { Answers } from "./answers.js";
import { Network } from "./network.js";
import { whole } from "./parts.js";
import { Styles } from "./styles.js";

/** @typedef {{id: number, path: string, asked: any}} Request `asked`: the body, or what the query says */

const WAITING = 1;  // ms in which messages come in
const QUICK = ["/ready", "/v1/models", "/v1/palettes", "/v1/size", "/v1/sketches", "/v1/sketches/composed", "/v1/open", "/v1/labels/import", "/v1/labels/write"];
const MOODS = "/v1/moods";

/** @type {Request[]} that wait for the network */
let queue = [];
/** @type {Set<number>} */
const dropped = new Set();
/** @type {Promise<void> | null} */
let working = null;

const answers = begin();

async function begin() {
  const site = await (await fetch(new URL("../../site.json", import.meta.url))).json();
  const network = new Network(site.facts, (told) => postMessage({ told }));
  const { prior } = site;
  const [layouts, styles] = prior ? await Promise.all(["layouts", "styles"].map(async (name) => new Float32Array((await whole(site.facts.files[name])).buffer))) : [];
  return new Answers(site, network, new Styles(site.z_dim, site.facts.semantics, prior && { ...prior, layouts, styles }));
}

addEventListener("message", ({ data }) => {
  if (data.drop) return drop(data.drop);
  const { pathname, searchParams } = new URL(data.path, "https://page");
  const request = { id: data.id, path: pathname, asked: data.body ? JSON.parse(data.body) : Object.fromEntries(searchParams) };
  if (QUICK.includes(pathname)) return void serve(request);
  if (request.asked.live) {
    for (const { id, asked } of queue) if (asked.live && asked.client === request.asked.client) drop(id);
  }
  queue.push(request);
  working ??= work();
});

/** @param {number} id */
function drop(id) {
  dropped.add(id);
  if (!queue.some((request) => request.id === id)) return;
  queue = queue.filter((request) => request.id !== id);
  postMessage({ id, status: 204, headers: {}, body: null });
}

async function work() {
  while (await waiting()) {
    const at = Math.max(0, queue.findIndex(({ path }) => path !== MOODS));
    await serve(queue.splice(at, 1)[0]);
  }
  working = null;
}

/** What somebody waits for, after the messages that came meanwhile. */
async function waiting() {
  await new Promise((done) => setTimeout(done, WAITING));
  return queue.length > 0;
}

/** Others first, while moods are looked for. */
async function rest() {
  while ((await waiting()) && queue.some(({ path }) => path !== MOODS)) {
    const at = queue.findIndex(({ path }) => path !== MOODS);
    await serve(queue.splice(at, 1)[0]);
  }
}

/** @param {Request} request */
async function serve({ id, path, asked }) {
  try {
    const answer = await (await answers).answer(path, { asked, rest, stale: () => dropped.has(id) });
    postMessage({ id, status: answer.status ?? 200, headers: answer.headers ?? {}, body: answer.body ?? null });
  } catch (error) {
    if (!(error instanceof Problem)) console.error(error);
    const problem = error instanceof Problem ? error : new Problem("This browser could not paint", "Reload the page; your drawing is kept.", 500);
    const told = JSON.stringify({ sentence: problem.sentence, remedy: problem.remedy });
    postMessage({ id, status: problem.status > 0 ? problem.status : 422, headers: {}, body: told });
  }
  dropped.delete(id);
}
