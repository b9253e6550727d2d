// Plots the periodogram over periods or frequencies, and marks harmonics and aliases of the period.

/** @typedef {import("./chart").Chart} Chart */

const ALIASES = [1, -1, 2, -2]; // offset from the frequency [1/d], for observations from one site
const AROUND = 12; // peak widths shown on each side of a peak

// The frequencies related to a period: of half and twice the period, and of its daily aliases.
/** @param {number} period [d] @returns {[string, number][]} */
export function relatives(period) {
  const frequency = 1 / period;
  /** @type {[string, number][]} */
  const found = [["½", 2 * frequency], ["×2", frequency / 2]];
  for (const shift of ALIASES) {
    const alias = Math.abs(frequency + shift);
    if (alias > 0) found.push([`${shift > 0 ? "+" : "−"}${Math.abs(shift)}/d`, alias]);
  }
  return found;
}

/**
 * @param {Chart} chart
 * @param {any} found
 * @param {any} fine the powers in view, or null
 * @param {any} spectral the spectral window, or null
 * @param {{ shown: (name: string) => boolean, all: boolean, period: number, axis: string, height: number, written: (period: number) => string }} how
 */
export function drawFound(chart, found, fine, spectral, { shown, all, period, axis, height, written }) {
  const byPeriod = axis === "period";
  const place = (/** @type {number} */ frequency) => (byPeriod ? 1 / frequency : frequency);
  const line = (/** @type {string} */ name, /** @type {any} */ of, /** @type {string} */ colour, /** @type {number} */ alpha) => {
    const order = byPeriod ? [...of.frequency.keys()].reverse() : [...of.frequency.keys()];
    return { name, x: order.map((i) => place(of.frequency[i])), y: order.map((i) => of.power[i]), joined: true, size: 1, colour, alpha };
  };
  chart.configure({ x: byPeriod ? "log" : "number", height, xLabel: byPeriod ? "period [d]" : "frequency [1/d]", yLabel: "power" });
  const ends = [place(found.frequency[0]), place(found.frequency[found.frequency.length - 1])].sort((one, other) => one - other);
  chart.setWhole(ends[0], ends[1]);
  if (all) chart.setWindow(...chart.whole);
  chart.lines = shown("aliases") && period > 0 ? [{ x: period && place(1 / period), text: "", colour: "--second" }, ...relatives(period).map(([text, frequency]) => ({ x: place(frequency), text }))] : [];
  const { peaks } = found;
  chart.describe = (layer, i) => [`period ${written(byPeriod ? layer.x[i] : 1 / layer.x[i])} d`, `power ${layer.y[i].toFixed(4)}`];
  chart.full = true;
  chart.draw([
    ...(spectral && shown("window") ? [line("window", spectral, "--soft", 0.7)] : []),
    ...(shown("power") ? [line("power", fine ?? found, "--accent", 1)] : []),
    ...(shown("peaks") ? [{ name: "peaks", x: peaks.map((/** @type {any} */ peak) => place(peak.frequency)), y: peaks.map((/** @type {any} */ peak) => peak.power), size: 11, marker: "inverted_triangle", colour: "--second" }] : []),
  ], { fit: true });
}

// Zooms to the neighbourhood of a period.
/** @param {Chart} chart @param {any} found @param {number} period @param {string} axis */
export function zoomTo(chart, found, period, axis) {
  if (!(period > 0)) return;
  const width = AROUND * (found.frequency[found.frequency.length - 1] - found.frequency[0]) / Math.max(found.num_frequencies / 5, 40);
  const [low, high] = [Math.max(1 / period - width, found.frequency[0]), 1 / period + width];
  if (axis === "period") chart.setWindow(1 / high, 1 / low);
  else chart.setWindow(low, high);
  chart.fit();
}
