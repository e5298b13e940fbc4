// Hard-edged painting on class ids: every pixel is one class, nothing is ever blended.

/** @typedef {{ids: Uint8Array, width: number, height: number, seen?: Uint8Array}} Raster `seen`: what is seen of all layers, if `ids` is one of several */
/** @typedef {{x: number, y: number, r: number}} Spot a place in pixels with a radius */
/** @typedef {number | null} Only paint over this class only, or over all */

/**
 * Paint every pixel of a box whose centre satisfies `inside`.
 * @param {Raster} raster @param {number} id @param {Only} only
 * @param {[number, number, number, number]} box left, top, right, bottom
 * @param {(x: number, y: number) => boolean} inside
 */
function paintWhere(raster, id, only, [left, top, right, bottom], inside) {
  const { ids, width, height, seen = ids } = raster;
  const x0 = Math.max(0, Math.floor(left));
  const x1 = Math.min(width - 1, Math.ceil(right));
  const y1 = Math.min(height - 1, Math.ceil(bottom));
  for (let y = Math.max(0, Math.floor(top)); y <= y1; y++) {
    for (let x = x0; x <= x1; x++) {
      const at = y * width + x;
      if ((only === null || seen[at] === only) && inside(x + 0.5, y + 0.5)) ids[at] = id;
    }
  }
}

/** At this radius even a single dab covers the centre of a pixel. */
const THINNEST = 0.71;

/**
 * The way of a round brush from a to b, its radius changing evenly.
 * @param {Raster} raster @param {number} id @param {Only} only @param {Spot} a @param {Spot} b
 */
export function roundSegment(raster, id, only, a, b) {
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const length2 = dx * dx + dy * dy || 1;
  paintWhere(raster, id, only, segmentBox(a, b), (x, y) => {
    const t = Math.min(1, Math.max(0, ((x - a.x) * dx + (y - a.y) * dy) / length2));
    const r = Math.max(THINNEST, a.r + t * (b.r - a.r));
    return (x - a.x - t * dx) ** 2 + (y - a.y - t * dy) ** 2 <= r * r;
  });
}

/**
 * The way of a square brush from a to b: all points that some square on the way covers.
 * @param {Raster} raster @param {number} id @param {Only} only @param {Spot} a @param {Spot} b
 */
export function squareSegment(raster, id, only, a, b) {
  const r = Math.max(0.5, a.r, b.r);
  paintWhere(raster, id, only, segmentBox(a, b), (x, y) => {
    const [x0, x1] = reach(x - a.x, b.x - a.x, r);
    const [y0, y1] = reach(y - a.y, b.y - a.y, r);
    return Math.max(x0, y0, 0) <= Math.min(x1, y1, 1);
  });
}

/** @param {Spot} a @param {Spot} b @returns {[number, number, number, number]} */
function segmentBox(a, b) {
  const r = Math.max(1, a.r, b.r) + 1;
  return [Math.min(a.x, b.x) - r, Math.min(a.y, b.y) - r, Math.max(a.x, b.x) + r, Math.max(a.y, b.y) + r];
}

/** The t for which |offset - t * step| <= r. @param {number} offset @param {number} step @param {number} r */
function reach(offset, step, r) {
  if (step === 0) return Math.abs(offset) <= r ? [-Infinity, Infinity] : [Infinity, -Infinity];
  const [p, q] = [(offset - r) / step, (offset + r) / step];
  return p < q ? [p, q] : [q, p];
}

/** @param {Raster} raster @param {number} id @param {Only} only @param {number[]} points x, y, x, y... */
export function rectangle(raster, id, only, [x0, y0, x1, y1]) {
  const box = /** @type {[number, number, number, number]} */ (sorted(x0, y0, x1, y1));
  const [left, top, right, bottom] = box;
  paintWhere(raster, id, only, box, (x, y) => x >= left && x <= right && y >= top && y <= bottom);
}

/** @param {Raster} raster @param {number} id @param {Only} only @param {number[]} points */
export function ellipse(raster, id, only, [x0, y0, x1, y1]) {
  const [left, top, right, bottom] = sorted(x0, y0, x1, y1);
  const [cx, cy] = [(left + right) / 2, (top + bottom) / 2];
  const [rx, ry] = [Math.max(0.5, right - cx), Math.max(0.5, bottom - cy)];
  const inside = (/** @type {number} */ x, /** @type {number} */ y) => ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 <= 1;
  paintWhere(raster, id, only, [left, top, right, bottom], inside);
}

/** @param {number} x0 @param {number} y0 @param {number} x1 @param {number} y1 */
function sorted(x0, y0, x1, y1) {
  return [Math.min(x0, x1), Math.min(y0, y1), Math.max(x0, x1), Math.max(y0, y1)];
}

/** Even-odd filled polygon. @param {Raster} raster @param {number} id @param {Only} only @param {number[]} points */
export function polygon(raster, id, only, points) {
  const xs = points.filter((_, i) => i % 2 === 0);
  const ys = points.filter((_, i) => i % 2 === 1);
  const box = /** @type {[number, number, number, number]} */ (
    [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)]);
  paintWhere(raster, id, only, box, (x, y) => {
    let odd = false;
    for (let i = 0, j = xs.length - 1; i < xs.length; j = i++) {
      const crosses = ys[i] > y !== ys[j] > y;
      if (crosses && x < ((xs[j] - xs[i]) * (y - ys[i])) / (ys[j] - ys[i]) + xs[i]) odd = !odd;
    }
    return odd;
  });
}
