// A plot: layers on one pair of axes in a canvas, with pan and zoom by pointer, wheel, touch and keyboard.
//
//   const chart = new Chart(host, { x: "number" | "date" | "log", xLabel, yLabel, inverted, height, offset });
//   chart.setWhole(from, to);
//   chart.draw([{ name, x, y, low, high, colour, marker, size, alpha, line }], { fit: true });
//   chart.onWindow = (from, to) => ...;          // the visible x range has changed
//
// `low` and `high` are the ends of error bars or, with `median`, of columns. `colour` is the name of a CSS custom property.

import { DARK, FONT, colour, paintAxes, paintLayer, paintLines } from "./draw.js";
import { listen } from "./gestures.js";
import { Scale, range } from "./scale.js";
import { SvgPen } from "./svg.js";

export { colour };

/** @typedef {import("./draw").Layer} Layer */
/**
 * @typedef {{
 *   x?: import("./scale").Kind, xLabel?: string, yLabel?: string, inverted?: boolean, height?: number, offset?: number,
 *   grouped?: boolean, background?: string
 * }} Options
 */

const MIN_LEFT = 58;
const CLOSE = 14; // maximum distance from the pointer to a point [pixels]
const MIN_FRACTION = 1e-9; // smallest visible fraction of the full range

export class Chart {
  /** @param {HTMLElement} host @param {Options} options */
  constructor(host, options = {}) {
    this.host = host;
    /** @type {(from: number, to: number) => void} */
    this.onWindow = () => {};
    /** @type {(layer: Layer, index: number) => void} */
    this.onPick = () => {};
    /** @type {(layer: Layer, index: number) => string[]} */
    this.describe = () => [];
    /** @type {Layer[]} */
    this.drawn = [];
    /** @type {[number, number]} */
    this.whole = [0, 1];
    /** @type {[number, number] | null} The y range given by the page. */
    this.range = null;
    /** @type {import("./draw").Line[]} */
    this.lines = [];
    this.full = false;
    this.fitted = false; // whether the y axis has a meaning
    this.xs = new Scale();
    this.ys = new Scale();
    this.labels = { xLabel: "", yLabel: "" };
    this.height = 0;
    this.inverted = false;
    this.frame = { left: 0, right: 0, top: 0, bottom: 0 };
    this.needed = 0;
    this.waiting = 0;
    this.held = false;
    this.dragging = "pan";
    /** @type {Chart | null} */
    this.linked = null;
    Object.assign(host, { chart: this }); // for browser tests
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("aria-hidden", "true");
    this.tip = Object.assign(document.createElement("div"), { className: "tip", hidden: true });
    host.classList.add("plot");
    host.tabIndex = 0;
    this.band = Object.assign(document.createElement("div"), { className: "rubber", hidden: true });
    host.replaceChildren(this.canvas, this.tip, this.band);
    this.listening = new AbortController();
    this.configure(options);
    listen(this, this.listening.signal);
    const redraw = () => this.redraw();
    this.watching = new ResizeObserver(redraw);
    this.watching.observe(host);
    const paint = () => this.#paint(); // at once: no frame follows before a page is printed
    for (const query of [DARK, "print"]) matchMedia(query).addEventListener("change", paint, { signal: this.listening.signal });
  }

  /** @param {Options} options */
  configure({ x = "number", xLabel = "", yLabel = "", inverted = false, height = 380, offset = 0, grouped = false } = {}) {
    this.inverted = inverted;
    this.height = height;
    this.labels = { xLabel, yLabel };
    Object.assign(this.xs, { kind: x, offset, grouped });
    this.host.style.height = `${height}px`;
    this.redraw();
  }

  redraw() {
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = 0;
      this.#paint();
    });
  }

  #paint() {
    const ratio = devicePixelRatio || 1;
    const { clientWidth: width } = this.host;
    if (!width) return;
    const [wide, tall] = [Math.round(width * ratio), Math.round(this.height * ratio)];
    if (this.canvas.width !== wide || this.canvas.height !== tall) Object.assign(this.canvas, { width: wide, height: tall });
    const pen = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.#paintOn(pen, width);
  }

  /** @param {any} pen @param {number} width */
  #paintOn(pen, width) {
    pen.fillStyle = colour("--plot");
    pen.fillRect(0, 0, width, this.height);
    const frame = this.#layout(pen, width);
    if (!this.fitted) return;
    const ticks = { x: this.xs.ticks(this.xs.kind === "date" ? 92 : 84), y: this.ys.ticks(38) };
    paintAxes(pen, frame, this.xs, this.ys, this.labels, ticks);
    pen.save();
    pen.beginPath();
    pen.rect(frame.left, frame.top, frame.right - frame.left, frame.bottom - frame.top);
    pen.clip();
    for (const layer of this.drawn) paintLayer(pen, layer, this.xs, this.ys, frame);
    paintLines(pen, this.lines, this.xs, frame);
    pen.restore();
  }

  /** @param {any} pen @param {number} width */
  #layout(pen, width) {
    pen.font = FONT;
    this.frame = { left: 0, right: width - 14, top: 8, bottom: this.height - (this.xs.kind === "date" ? 54 : 44) };
    Object.assign(this.ys, { from: this.frame.bottom, to: this.frame.top });
    const widths = this.ys.ticks(38).map((/** @type {import("./scale").Tick} */ { text }) => pen.measureText(text).width);
    const needed = Math.max(MIN_LEFT, 30 + Math.max(0, ...widths));
    if (this.linked && needed !== this.needed) this.linked.redraw();
    this.needed = needed;
    this.frame.left = Math.max(needed, this.linked?.needed ?? 0);
    Object.assign(this.xs, { from: this.frame.left, to: this.frame.right });
    return this.frame;
  }

  // Shifts the window by a fraction of its width, and scales it around a point given as a fraction.
  /** @param {number} shift @param {number} scale @param {number} around */
  move(shift, scale, around = 0.5) {
    const begin = around + shift - around * scale;
    this.setWindow(this.xs.at(begin), this.xs.at(begin + scale));
  }

  // Shows an x range, limited to the data.
  /** @param {number} from @param {number} to */
  setWindow(from, to) {
    const [least, most] = this.whole;
    const size = Math.min(Math.max(to - from, (most - least) * MIN_FRACTION), most - least);
    const middle = Math.min(Math.max((from + to) / 2, least + size / 2), most - size / 2);
    const [start, end] = size >= most - least ? this.whole : [middle - size / 2, middle + size / 2];
    if (start === this.xs.start && end === this.xs.end) return;
    Object.assign(this.xs, { start, end });
    this.redraw();
    if (this.linked && (this.linked.xs.start !== start || this.linked.xs.end !== end)) {
      Object.assign(this.linked.xs, { start, end });
      this.linked.fit();
    }
    this.onWindow(start, end);
  }

  // Links another plot, below or above, to the same window.
  /** @param {Chart} other */
  link(other) {
    [this.linked, other.linked] = [other, this];
    other.whole = this.whole;
    other.onWindow = (from, to) => this.onWindow(from, to);
    other.setWindow(this.xs.start, this.xs.end);
  }

  /** @param {number} from @param {number} to */
  setWhole(from, to) {
    const margin = this.xs.kind === "log" ? 0 : 0.02 * (to - from || 1);
    this.whole = [from - margin, to + margin];
  }

  reset() {
    this.held = false;
    this.setWindow(...this.whole);
    this.fit();
  }

  /** @param {Layer[]} layers @param {{ fit?: boolean, range?: [number, number] | null }} [how] */
  draw(layers, { fit = false, range: known = null } = {}) {
    this.drawn = layers;
    this.range = known;
    if (fit) this.fit();
    this.redraw();
  }

  // Fits the y axis to the visible data without a few outliers, unless the user has chosen a range.
  fit() {
    this.redraw();
    if (this.held) return;
    const found = this.range ?? this.#visible();
    if (!found) return;
    this.fitted = true;
    const [least, greatest] = found;
    const margin = (greatest - least || Math.abs(greatest) * 0.01 || 1) * 0.07;
    const ends = [least - margin, greatest + margin];
    if (this.inverted) ends.reverse();
    [this.ys.start, this.ys.end] = ends;
  }

  // The range of the visible values, and of the error bars of those within it up to its own width.
  #visible() {
    /** @type {number[]} */
    const values = [];
    /** @type {[number, number, number][]} */
    const bars = [];
    for (const { x, y, low, high, median, aside } of this.drawn) {
      if (aside && !this.full) continue;
      for (let i = 0; i < x.length; i += 1) {
        if (x[i] < this.xs.start || x[i] > this.xs.end) continue;
        if (median && low && high) values.push(low[i], high[i]);
        else values.push(y[i]);
        if (!median && low && high) bars.push([y[i], low[i], high[i]]);
      }
    }
    const found = range(values, this.full);
    if (!found) return this.full ? null : range(this.drawn.flatMap(({ y }) => Array.from(y)), true);
    const [least, most] = found;
    const limit = most - least || Infinity;
    const ends = bars.filter(([value, low, high]) => value >= least && value <= most && Number.isFinite(high - low));
    for (const [, low, high] of ends) {
      found[0] = Math.min(found[0], Math.max(low, least - limit));
      found[1] = Math.max(found[1], Math.min(high, most + limit));
    }
    return found;
  }

  // The layer and index of the point nearest to a position, if one is close.
  /** @param {number} across @param {number} down @returns {[Layer, number] | null} */
  nearest(across, down) {
    /** @type {[Layer, number] | null} */
    let found = null;
    let best = CLOSE ** 2;
    for (const layer of this.drawn) {
      for (let i = 0; i < layer.x.length; i += 1) {
        const dx = this.xs.pixel(layer.x[i]) - across;
        if (Math.abs(dx) > CLOSE) continue;
        const distance = dx ** 2 + (this.ys.pixel(layer.y[i]) - down) ** 2;
        if (distance < best) [best, found] = [distance, [layer, i]];
      }
    }
    return found;
  }

  // Returns the figure as SVG.
  svg() {
    const width = this.host.clientWidth;
    const pen = new SvgPen(width, this.height);
    this.#paintOn(pen, width);
    this.redraw();
    return pen.text();
  }

  // Returns the figure as PNG.
  /** @returns {Promise<Blob>} */
  png() {
    this.#paint();
    return new Promise((resolve) => { this.canvas.toBlob((blob) => resolve(/** @type {Blob} */ (blob)), "image/png"); });
  }

  destroy() {
    this.listening.abort();
    this.watching.disconnect();
    if (this.waiting) cancelAnimationFrame(this.waiting);
    this.host.replaceChildren();
  }
}
