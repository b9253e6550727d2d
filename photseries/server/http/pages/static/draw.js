// Paints a plot on a canvas or a compatible object: grid, axes, and layers of points and columns.

/**
 * Points with a marker; with `median`, columns of width `width` from `low` to `high`.
 * @typedef {{
 *   name: string, x: ArrayLike<number>, y: ArrayLike<number>, low?: ArrayLike<number>, high?: ArrayLike<number>,
 *   median?: boolean, width?: number, colour: string, marker?: string, size?: number, alpha?: number, hollow?: boolean,
 *   line?: boolean, joined?: boolean, aside?: boolean, [more: string]: any
 * }} Layer
 */
/** @typedef {import("./scale").Scale} Scale */
/** @typedef {{ x: number, text: string, colour?: string }} Line A vertical line with a label. */
/** @typedef {{ left: number, right: number, top: number, bottom: number }} Frame */

export const DARK = "screen and (prefers-color-scheme: dark)"; // paper is white
export const FONT = "12px system-ui, sans-serif";
const TAU = 2 * Math.PI;

/** @param {string} name */
export function colour(name) {
  return name.startsWith("--") ? getComputedStyle(document.documentElement).getPropertyValue(name).trim() : name;
}

/** @type {Record<string, (pen: any, x: number, y: number, r: number) => void>} */
const MARKERS = {
  circle: (pen, x, y, r) => { pen.moveTo(x + r, y); pen.arc(x, y, r, 0, TAU); },
  square: (pen, x, y, r) => pen.rect(x - r * 0.85, y - r * 0.85, r * 1.7, r * 1.7),
  diamond: (pen, x, y, r) => polygon(pen, [x, y - r * 1.2, x + r * 1.2, y, x, y + r * 1.2, x - r * 1.2, y]),
  triangle: (pen, x, y, r) => polygon(pen, [x, y - r * 1.1, x + r, y + r * 0.8, x - r, y + r * 0.8]),
  inverted_triangle: (pen, x, y, r) => polygon(pen, [x, y + r * 1.1, x + r, y - r * 0.8, x - r, y - r * 0.8]),
  x: (pen, x, y, r) => { pen.moveTo(x - r, y - r); pen.lineTo(x + r, y + r); pen.moveTo(x - r, y + r); pen.lineTo(x + r, y - r); },
  plus: (pen, x, y, r) => { pen.moveTo(x - r, y); pen.lineTo(x + r, y); pen.moveTo(x, y - r); pen.lineTo(x, y + r); },
};
const OPEN = new Set(["x", "plus"]);

/** The markers that distinguish sets of points. */
export const SHAPES = ["circle", "square", "diamond", "triangle", "plus", "x"];

/** @param {any} pen @param {number[]} corners */
function polygon(pen, corners) {
  pen.moveTo(corners[0], corners[1]);
  for (let i = 2; i < corners.length; i += 2) pen.lineTo(corners[i], corners[i + 1]);
  pen.closePath();
}

/** @param {any} pen @param {Layer} layer @param {number} x @param {number} y */
export function mark(pen, { marker = "circle", size = 5, hollow = false }, x, y) {
  pen.beginPath();
  (MARKERS[marker] ?? MARKERS.circle)(pen, x, y, size / 2);
  if (hollow || OPEN.has(marker)) pen.stroke();
  else pen.fill();
}

/** @param {any} pen @param {Layer} layer @param {Scale} xs @param {Scale} ys @param {Frame} frame */
export function paintLayer(pen, layer, xs, ys, frame) {
  const paint = colour(layer.colour);
  Object.assign(pen, { fillStyle: paint, strokeStyle: paint });
  if (layer.median) paintColumns(pen, layer, xs, ys);
  else paintPoints(pen, layer, xs, ys, frame);
  paintOutside(pen, layer, xs, ys, frame);
  pen.globalAlpha = 1;
}

/** @param {any} pen @param {Layer} layer @param {Scale} xs @param {Scale} ys @param {Frame} frame */
function paintPoints(pen, layer, xs, ys, frame) {
  const { x, y, low, high, alpha = 0.85 } = layer;
  const inside = (/** @type {number} */ i) => y[i] === y[i] && x[i] >= xs.start && x[i] <= xs.end;
  if (layer.line || layer.joined) {
    Object.assign(pen, { globalAlpha: alpha, lineWidth: 1 });
    polyline(pen, x, y, xs, ys, layer.joined ? Infinity : undefined);
  }
  if (layer.joined) return;
  if (low && high) {
    Object.assign(pen, { globalAlpha: alpha * 0.45, lineWidth: 1 });
    pen.beginPath();
    for (let i = 0; i < x.length; i += 1) {
      if (!inside(i) || !(high[i] > low[i])) continue;
      pen.moveTo(xs.pixel(x[i]), ys.pixel(low[i]));
      pen.lineTo(xs.pixel(x[i]), ys.pixel(high[i]));
    }
    pen.stroke();
  }
  Object.assign(pen, { globalAlpha: alpha, lineWidth: 1.2 });
  for (let i = 0; i < x.length; i += 1) {
    if (!inside(i)) continue;
    const height = ys.pixel(y[i]);
    if (height >= frame.top - 1 && height <= frame.bottom + 1) mark(pen, layer, xs.pixel(x[i]), height);
  }
}

// A line through points, interrupted at long gaps.
/** @param {any} pen @param {ArrayLike<number>} x @param {ArrayLike<number>} y @param {Scale} xs @param {Scale} ys @param {number} [longest] */
function polyline(pen, x, y, xs, ys, longest) {
  const steps = longest === undefined ? Float64Array.from(x).map((one, i) => one - x[i - 1]).filter(Number.isFinite).sort() : new Float64Array();
  const gap = longest ?? 12 * (steps[Math.floor(steps.length * 0.75)] ?? Infinity);
  pen.beginPath();
  for (let i = 0; i < x.length; i += 1) {
    if (i && x[i] - x[i - 1] <= gap && y[i - 1] === y[i - 1]) pen.lineTo(xs.pixel(x[i]), ys.pixel(y[i]));
    else pen.moveTo(xs.pixel(x[i]), ys.pixel(y[i]));
  }
  pen.stroke();
}

/** @param {any} pen @param {Layer} layer @param {Scale} xs @param {Scale} ys */
function paintColumns(pen, { x, y, low = y, high = y, width = 0, line = true, alpha = 0.4 }, xs, ys) {
  const wide = Math.max(1, xs.pixel(xs.start + width) - xs.from);
  pen.globalAlpha = line ? alpha : 0.9;
  for (let i = 0; i < x.length; i += 1) {
    const [one, other] = [ys.pixel(low[i]), ys.pixel(high[i])];
    const across = xs.pixel(x[i]);
    if (line) {
      const tall = Math.max(1.5, Math.abs(other - one));
      pen.fillRect(across - wide / 2, (one + other) / 2 - tall / 2, wide, tall);
    } else for (const end of Math.abs(other - one) < 3 ? [one] : [one, other]) pen.fillRect(across - 1.5, end - 1.5, 3, 3);
  }
  if (!line) return;
  Object.assign(pen, { globalAlpha: 1, lineWidth: 1.4 });
  polyline(pen, x, y, xs, ys, width * 1.6);
}

// Marks points beyond the range at the edges.
/** @param {any} pen @param {Layer} layer @param {Scale} xs @param {Scale} ys @param {Frame} frame */
function paintOutside(pen, { x, y, low, high, median }, xs, ys, frame) {
  const seen = new Set();
  pen.globalAlpha = 0.9;
  for (let i = 0; i < x.length; i += 1) {
    if (!(x[i] >= xs.start && x[i] <= xs.end) || y[i] !== y[i]) continue;
    const across = Math.round(xs.pixel(x[i]));
    const ends = median && low && high ? [ys.pixel(low[i]), ys.pixel(high[i])] : [ys.pixel(y[i])];
    for (const [isOut, edge, turn] of /** @type {[boolean, number, number][]} */ ([[Math.min(...ends) < frame.top - 1, frame.top, 1], [Math.max(...ends) > frame.bottom + 1, frame.bottom, -1]])) {
      if (!isOut) continue;
      const key = `${Math.round(across / 3)}${turn}`;
      if (seen.has(key)) continue;
      seen.add(key);
      pen.beginPath();
      polygon(pen, [across, edge, across - 4, edge + turn * 7, across + 4, edge + turn * 7]);
      pen.fill();
    }
  }
}

/**
 * Paints grid, frame, ticks and labels.
 * @param {any} pen
 * @param {Frame} frame
 * @param {Scale} xs
 * @param {Scale} ys
 * @param {{ xLabel: string, yLabel: string }} labels
 * @param {{ x: import("./scale").Tick[], y: import("./scale").Tick[] }} ticks
 */
export function paintAxes(pen, frame, xs, ys, { xLabel, yLabel }, ticks) {
  const [soft, line, grid] = ["--soft", "--line", "--grid"].map(colour);
  Object.assign(pen, { font: FONT, lineWidth: 1, strokeStyle: grid, fillStyle: soft });
  pen.beginPath();
  for (const { at } of ticks.x) { pen.moveTo(xs.pixel(at), frame.top); pen.lineTo(xs.pixel(at), frame.bottom); }
  for (const { at } of ticks.y) { pen.moveTo(frame.left, ys.pixel(at)); pen.lineTo(frame.right, ys.pixel(at)); }
  pen.stroke();
  pen.strokeStyle = line;
  pen.beginPath();
  pen.rect(frame.left, frame.top, frame.right - frame.left, frame.bottom - frame.top);
  pen.stroke();
  Object.assign(pen, { textAlign: "center", textBaseline: "alphabetic" });
  let free = -Infinity;
  for (const { at, text } of ticks.x) {
    const half = Math.max(...text.split("\n").map((/** @type {string} */ part) => pen.measureText(part).width)) / 2;
    const middle = Math.min(Math.max(xs.pixel(at), frame.left - 30 + half), frame.right + 10 - half);
    if (middle - half < free) continue;
    text.split("\n").forEach((/** @type {string} */ part, /** @type {number} */ row) => pen.fillText(part, middle, frame.bottom + 16 + 14 * row));
    free = middle + half + 8;
  }
  pen.fillText(xLabel, (frame.left + frame.right) / 2, frame.bottom + (xs.kind === "date" ? 46 : 36));
  pen.textAlign = "right";
  for (const { at, text } of ticks.y) pen.fillText(text, frame.left - 7, ys.pixel(at) + 4);
  pen.save();
  pen.translate(13, (frame.top + frame.bottom) / 2);
  pen.rotate(-Math.PI / 2);
  pen.textAlign = "center";
  pen.fillText(yLabel, 0, 0);
  pen.restore();
}

// Texts that would overlap are in different rows.
/** @param {any} pen @param {Line[]} lines @param {Scale} xs @param {Frame} frame */
export function paintLines(pen, lines, xs, frame) {
  /** @type {number[]} The right end of the last text in each row. */
  const ends = [];
  for (const { x, text, colour: paint = "--soft" } of [...lines].sort((one, other) => one.x - other.x)) {
    if (x < xs.start || x > xs.end) continue;
    const across = xs.pixel(x);
    Object.assign(pen, { strokeStyle: colour(paint), fillStyle: colour(paint), lineWidth: 1, globalAlpha: 0.8, font: FONT, textAlign: "left" });
    pen.setLineDash([3, 4]);
    pen.beginPath();
    pen.moveTo(across, frame.top);
    pen.lineTo(across, frame.bottom);
    pen.stroke();
    pen.setLineDash([]);
    if (!text) continue;
    const { width } = pen.measureText(text);
    const start = Math.min(across + 3, frame.right - width);
    const row = [...ends, -Infinity].findIndex((end) => end < start);
    ends[row] = start + width + 4;
    pen.fillText(text, start, frame.top + 12 + 13 * row);
  }
  pen.globalAlpha = 1;
}
