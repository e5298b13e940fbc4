// A stroke is data; painting it is a function of the raster before and of the stroke alone.

import { fill } from "./fill.js";
import { ellipse, polygon, rectangle, roundSegment, squareSegment } from "./raster.js";

/** @typedef {import("./raster.js").Raster} Raster */
/**
 * @typedef {object} Stroke
 * @property {"brush" | "line" | "polygon" | "rectangle" | "ellipse" | "fill"} tool
 * @property {number} id the class it paints
 * @property {number | null} only the class it may paint over; null: any
 * @property {number[]} points brush and line: x, y, radius, ...; fill: x, y; others: x, y, ...
 * @property {boolean} [square] brush and line
 * @property {number} [gap] fill: openings of so many pixels are closed
 * @property {boolean} [mirror] also on the other side of the sheet's upright middle
 * @property {number} [layer] the key of the layer that it is on; without it the first
 */

const SHAPES = { polygon, rectangle, ellipse };

/** Coordinates are kept to a hundredth of a pixel, and painted as kept. @param {number} value */
export const exact = (value) => Math.round(value * 100) / 100;

/** @typedef {[number, number, number, number]} Box left, top, right, bottom */

/** All pixels that a stroke may touch, or that a part of it may; null: any pixel. @param {Stroke} stroke @param {number} width of the sheet @param {number[]} [part] of its points @returns {Box | null} */
export function reachOf(stroke, width, part = stroke.points) {
  if (stroke.tool === "fill") return null;
  const box = around(part, stepOf(stroke));
  return stroke.mirror ? joined(box, [width - box[2], box[1], width - box[0], box[3]]) : box;
}

/** @param {number[]} part @param {number} step @returns {Box} */
function around(part, step) {
  /** @type {Box} */
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  for (let n = 0; n < part.length; n += step) {
    const r = 2 + (step === 3 ? part[n + 2] : 0);
    box[0] = Math.min(box[0], part[n] - r);
    box[1] = Math.min(box[1], part[n + 1] - r);
    box[2] = Math.max(box[2], part[n] + r);
    box[3] = Math.max(box[3], part[n + 1] + r);
  }
  return box;
}

/** @param {Box | null} a @param {Box | null} b @returns {Box | null} */
export function joined(a, b) {
  return a && b && [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])];
}

/** @param {Raster} raster @param {Stroke} stroke */
export function paintStroke(raster, stroke) {
  paintSide(raster, stroke);
  if (stroke.mirror) paintSide(raster, mirrored(stroke, raster.width));
}

/** The way to point n of a brush or line. @param {Raster} raster @param {Stroke} stroke @param {number} n */
export function paintSegment(raster, stroke, n) {
  paintWay(raster, stroke, n);
  if (stroke.mirror) paintWay(raster, mirrored(stroke, raster.width), n);
}

/** @param {Stroke} stroke @param {number} width @returns {Stroke} */
function mirrored(stroke, width) {
  const step = stepOf(stroke);
  return { ...stroke, points: stroke.points.map((value, i) => (i % step ? value : exact(width - value))) };
}

/** Numbers per point. @param {{tool: string}} stroke */
const stepOf = ({ tool }) => (tool === "brush" || tool === "line" ? 3 : 2);

/** @param {Raster} raster @param {Stroke} stroke */
function paintSide(raster, stroke) {
  const { tool, id, only, points } = stroke;
  if (tool === "fill") fill(raster, id, only, points[0], points[1], stroke.gap ?? 0);
  else if (tool === "brush" || tool === "line") {
    for (let n = 0; n < points.length / 3; n++) paintWay(raster, stroke, n);
  } else SHAPES[tool](raster, id, only, points);
}

/** @param {Raster} raster @param {Stroke} stroke @param {number} n */
function paintWay(raster, { id, only, points, square }, n) {
  const [from, to] = [spot(points, Math.max(0, n - 1)), spot(points, n)];
  (square ? squareSegment : roundSegment)(raster, id, only, from, to);
}

/** @param {number[]} points @param {number} n */
function spot(points, n) {
  return { x: points[3 * n], y: points[3 * n + 1], r: points[3 * n + 2] };
}

/** Whether a stroke from a file can be painted. @param {any} stroke @param {Set<number>} classes */
export function isStroke(stroke, classes) {
  const step = stepOf(stroke ?? {});
  const known = ["brush", "line", "polygon", "rectangle", "ellipse", "fill"].includes(stroke?.tool);
  const numbers = Array.isArray(stroke?.points) && stroke.points.every(Number.isFinite);
  const whole = numbers && stroke.points.length > 0 && stroke.points.length % step === 0;
  const over = stroke?.only === null || classes.has(stroke?.only);
  return known && whole && over && classes.has(stroke.id) && [undefined, true, false].includes(stroke.mirror) && Number.isInteger(stroke.layer ?? 0);
}
