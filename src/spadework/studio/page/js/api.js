// The server, or a sentence that says why not.

/** Something went wrong that a person can act on. */
export class Problem extends Error {
  /** @param {string} sentence @param {string} remedy @param {number} [status] 0: nobody answered */
  constructor(sentence, remedy, status = -1) {
    super(`${sentence}. ${remedy}`);
    this.sentence = sentence;
    this.remedy = remedy;
    this.status = status;
  }
}

/** Who answers the page, and whether packing a picture costs more than sending it. A page without a server puts its own worker here. */
export const service = {
  /** @type {(path: string, options?: RequestInit) => Promise<Response>} */
  ask: (path, options) => fetch(path, options),
  near: ["127.0.0.1", "localhost", "[::1]"].includes(location.hostname),
};

const PATIENCE = 600;  // seconds; a large picture takes long on a slow machine

const FULL = 429;  // too many wait
const PAUSE = 1000;  // ms until they may be fewer

const AWAY = new Problem("The painter does not answer", "Go on drawing; the photograph returns when it is back.", 0);

/** Waits where too many do. @param {string} path @param {RequestInit} [options] @returns {Promise<Response>} */
export async function ask(path, options) {
  for (;;) {
    const response = await service.ask(path, options).catch(() => null);
    if (!response) throw AWAY;
    if (response.ok) return response;
    if (response.status !== FULL || options?.signal?.aborted) throw await told(response);
    await new Promise((done) => setTimeout(done, PAUSE));
  }
}

/** What a refusal says. @param {Response} response */
async function told(response) {
  const { sentence, remedy } = await response.json().catch(() => ({}));
  return new Problem(sentence ?? "The painter gave no reason", remedy ?? "Try again.", response.status);
}

/** @param {string} path @param {object} asked @param {AbortSignal} [signal] */
export const send = (path, asked, signal) => ask(path, { method: "POST", body: JSON.stringify({ deadline: PATIENCE, ...asked }), headers: { "Content-Type": "application/json" }, signal });

/** A file as it travels. @param {Blob} file @returns {Promise<string>} */
export async function base64(file) {
  if (!file.size) throw new Problem("The file is empty", "Choose another one.");
  const reader = new FileReader();
  const read = new Promise((done, failed) => {
    reader.onload = done;
    reader.onerror = () => failed(new Problem("The browser cannot read the file", "Choose it again."));
  });
  reader.readAsDataURL(file);
  await read;
  const url = String(reader.result);
  return url.slice(url.indexOf(",") + 1);
}

/** @param {Record<string, number>} values */
export const query = (values) => new URLSearchParams(Object.entries(values).map(([key, value]) => [key, String(value)])).toString();
