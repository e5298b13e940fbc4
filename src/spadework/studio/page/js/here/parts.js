// Large files, in parts that a browser keeps for ever: a part's name is its content's.

/** @typedef {{bytes: number, parts: string[]}} Entry `bytes` when unpacked */

/**
 * A file from its gzipped parts, which are fetched together.
 * @param {Entry} entry @param {(share: number) => void} [tell] how much is there, of 1 @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
export async function whole({ bytes, parts }, tell = () => {}) {
  let there = 0;
  const pieces = await Promise.all(parts.map(async (part) => {
    const response = await fetch(new URL(`../../parts/${part}`, import.meta.url));
    if (!response.ok || !response.body) throw new Error(`${part} is not there (${response.status})`);
    const piece = new Uint8Array(await new Response(response.body.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer());
    tell((there += piece.length) / bytes);
    return piece;
  }));
  const all = new Uint8Array(bytes);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  if (at !== bytes) throw new Error(`${at} bytes came of ${bytes}`);
  return all;
}
