// The bucket: never leaks through diagonal contacts, and closes small gaps.

/** @typedef {import("./raster.js").Raster} Raster */
/** @typedef {{width: number, height: number}} Size */

/**
 * Fill the region around (x, y), as it is seen. Openings of up to `gap` pixels count as closed.
 * @param {Raster} raster @param {number} id @param {number | null} only
 * @param {number} x @param {number} y @param {number} gap
 */
export function fill(raster, id, only, x, y, gap) {
  const { ids, width, height, seen = ids } = raster;
  const start = Math.floor(y) * width + Math.floor(x);
  if (x < 0 || y < 0 || x >= width || y >= height) return;
  const old = seen[start];
  if (old === id || (only !== null && old !== only)) return;
  const region = Uint8Array.from(seen, (value) => (value === old ? 1 : 0));
  const filled = closedRegion(region, raster, start, Math.ceil(gap / 2));
  for (let i = 0; i < ids.length; i++) if (filled[i]) ids[i] = id;
}

/**
 * The part of `region` around `start` when openings of 2 * reach pixels are closed.
 *
 * Places deeper than `reach` inside the region form rooms; the room of `start` is flooded and grown back to
 * its walls. Slivers that lead to no other room (sharp corners) belong to it too.
 * @param {Uint8Array} region @param {Size} size @param {number} start @param {number} reach
 */
function closedRegion(region, size, start, reach) {
  if (reach === 0) return flood(region, size, [start]);
  const deep = eroded(region, size, reach);
  const entry = nearestDeep(region, deep, size, start, 2 * reach + 1);
  if (entry === null) return flood(region, size, [start]);
  const room = flood(deep, size, [entry]);
  const near = grown(room, size, reach);
  const filled = flood(near.map((value, i) => value & region[i]), size, [entry]);
  return withSlivers(filled, region, deep, size);
}

/** Four neighbours, never diagonal. @param {number} at @param {Size} size @param {(next: number) => void} visit */
function neighbours(at, { width, height }, visit) {
  const x = at % width;
  if (x > 0) visit(at - 1);
  if (x < width - 1) visit(at + 1);
  if (at >= width) visit(at - width);
  if (at < width * (height - 1)) visit(at + width);
}

/** All of `mask` that is connected with the starts. @param {Uint8Array} mask @param {Size} size @param {number[]} starts */
function flood(mask, size, starts) {
  const found = new Uint8Array(mask.length);
  const waiting = starts.filter((at) => mask[at]);
  for (const at of waiting) found[at] = 1;
  while (waiting.length) {
    neighbours(/** @type {number} */ (waiting.pop()), size, (next) => {
      if (mask[next] && !found[next]) {
        found[next] = 1;
        waiting.push(next);
      }
    });
  }
  return found;
}

/** Pixels with no wall within `reach`; the edge of the sheet is no wall. @param {Uint8Array} mask @param {Size} size @param {number} reach */
function eroded(mask, size, reach) {
  const walls = mask.map((value) => 1 - value);
  return grown(walls, size, reach).map((value) => 1 - value);
}

/** Everything within `reach` of the mask, along both axes. @param {Uint8Array} mask @param {Size} size @param {number} reach */
function grown(mask, { width, height }, reach) {
  const rows = swept(mask, width, height, 1, width, reach);
  return swept(rows, height, width, width, 1, reach);
}

/**
 * Dilate along one axis: two passes that count pixels since the last one set.
 * @param {Uint8Array} mask @param {number} length @param {number} lines
 * @param {number} step @param {number} stride @param {number} reach
 */
function swept(mask, length, lines, step, stride, reach) {
  const out = new Uint8Array(mask.length);
  for (let line = 0; line < lines; line++) {
    const origin = line * stride;
    for (const [from, direction] of [[0, 1], [length - 1, -1]]) {
      let since = Infinity;
      for (let n = 0, at = from; n < length; n++, at += direction) {
        const place = origin + at * step;
        since = mask[place] ? 0 : since + 1;
        if (since <= reach) out[place] = 1;
      }
    }
  }
  return out;
}

/**
 * The first deep pixel on a walk from `start` inside the region, or null within `steps`.
 * @param {Uint8Array} region @param {Uint8Array} deep @param {Size} size @param {number} start @param {number} steps
 */
function nearestDeep(region, deep, size, start, steps) {
  const seen = new Set([start]);
  let front = [start];
  for (let step = 0; step <= steps && front.length; step++) {
    const found = front.find((at) => deep[at]);
    if (found !== undefined) return found;
    /** @type {number[]} */
    const next = [];
    for (const at of front) {
      neighbours(at, size, (place) => {
        if (region[place] && !seen.has(place)) {
          seen.add(place);
          next.push(place);
        }
      });
    }
    front = next;
  }
  return null;
}

/** @param {Uint8Array} filled @param {Uint8Array} region @param {Uint8Array} deep @param {Size} size */
function withSlivers(filled, region, deep, size) {
  const rest = region.map((value, i) => value & (1 - filled[i]));
  const seen = new Uint8Array(rest.length);
  const out = filled.slice();
  for (let at = 0; at < filled.length; at++) {
    if (!filled[at]) continue;
    neighbours(at, size, (next) => {
      if (!rest[next] || seen[next]) return;
      const sliver = flood(rest, size, [next]);
      const leadsOn = sliver.some((value, i) => value && deep[i]);
      for (let i = 0; i < sliver.length; i++) {
        if (!sliver[i]) continue;
        seen[i] = 1;
        if (!leadsOn) out[i] = 1;
      }
    });
  }
  return out;
}
