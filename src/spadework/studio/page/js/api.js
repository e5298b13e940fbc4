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

const AWAY = new Problem("The painter does not answer", "Go on drawing; the photograph returns when it is back.", 0);

/** @param {string} path @param {RequestInit} [options] @returns {Promise<Response>} */
export async function ask(path, options) {
  let response;
  try {
    response = await service.ask(path, options);
  } catch {
    throw AWAY;
  }
  if (response.ok) return response;
  const told = await response.json().catch(() => null);
  const sentence = told?.sentence ?? "The painter gave no reason";
  throw new Problem(sentence, told?.remedy ?? "Try again.", response.status);
}

/** @param {string} path @param {BodyInit} body @param {AbortSignal} [signal] */
export const send = (path, body, signal) => ask(path, { method: "POST", body, signal });

/** @param {Record<string, string | number | boolean | null | undefined>} values */
export function query(values) {
  const given = Object.entries(values).filter(([, value]) => value !== null && value !== undefined);
  return new URLSearchParams(given.map(([key, value]) => [key, String(value)])).toString();
}
