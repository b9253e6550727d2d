// Converts light curves from the service to plot layers.

import { ask } from "./api.js";

/**
 * @typedef {{ kind: number, column: number[], low: number[], median: number[], high: number[], count: number[] }} Columns
 * @typedef {{
 *   num_points: number, counts: Record<string, number>, start: number, step: number, median: number | null, error: number | null,
 *   robust: [number, number] | null, full: [number, number] | null, columns: Columns[],
 *   points: { mjd: number[], value: number[], error: (number | null)[], kind: number[] } | null
 * }} Envelope
 * @typedef {Envelope & { label: string, unit: string, from: number, to: number }} View
 */

export const KINDS = ["detected", "undetected", "unknown", "flagged"];

// Requests a series between two times.
/** @param {number} id @param {Record<string, string | number | undefined>} query @param {AbortSignal} [signal] @returns {Promise<View>} */
export async function fetchView(id, query, signal) {
  const { envelope, ...about } = await ask(`/api/photometric_series/${id}/envelope`, { query, signal });
  return { ...about, ...envelope, from: query.mjdMin ?? -Infinity, to: query.mjdMax ?? Infinity };
}

// Whether a view shows a time range at full resolution.
/** @param {View | null} view @param {number} from @param {number} to */
export function covers(view, from, to) {
  return Boolean(view && view.from <= from && view.to >= to && view.points);
}

/** @typedef {(value: number) => number} Change */

// The layer of one kind of points of a view; few: whether to draw error bars.
/** @param {View} view @param {number} kind @param {Change} change @param {boolean} few @returns {import("./draw").Layer} */
export function layerOf(view, kind, change, few) {
  const { points } = view;
  if (!points) {
    const of = view.columns.find((one) => one.kind === kind);
    const x = (of?.column ?? []).map((column) => view.start + (column + 0.5) * view.step);
    const [low, median, high] = [of?.low, of?.median, of?.high].map((values) => (values ?? []).map(change));
    return { name: KINDS[kind], colour: "", x, y: median, low, high, median: true, width: view.step, line: kind === 0, count: of?.count };
  }
  const at = [...points.kind.keys()].filter((i) => points.kind[i] === kind);
  const y = at.map((i) => change(points.value[i]));
  const error = at.map((i) => (points.error[i] === null ? NaN : Math.abs(change(points.value[i] + Number(points.error[i])) - change(points.value[i]))));
  const bars = few ? { low: y.map((value, i) => value - error[i]), high: y.map((value, i) => value + error[i]) } : {};
  return { name: KINDS[kind], colour: "", x: at.map((i) => points.mjd[i]), y, error, ...bars };
}

// The time range in the query of a URL, if it has a valid one.
/** @param {URLSearchParams} query @returns {[number, number] | null} */
export function rangeIn(query) {
  const [from, to] = ["from", "to"].map((name) => Number(query.get(name) ?? NaN));
  return to > from && Number.isFinite(to - from) ? [from, to] : null;
}

// The number of points of a view between two times.
/** @param {View} view @param {number} from @param {number} to */
export function pointsIn(view, from, to) {
  if (view.points) return view.points.mjd.filter((mjd) => mjd >= from && mjd <= to).length;
  const shown = view.columns.flatMap(({ column, count }) => column.map((one, i) => {
    const middle = view.start + (one + 0.5) * view.step;
    return middle >= from && middle <= to ? count[i] : 0;
  }));
  return shown.reduce((sum, one) => sum + one, 0);
}

// Copies texts and saves figures.
export function equipCopies() {
  for (const button of document.querySelectorAll("button.copy")) {
    button.addEventListener("click", async () => {
      const code = button.parentElement?.querySelector("code, [data-copy]");
      await navigator.clipboard.writeText(code?.getAttribute("data-copy") ?? code?.textContent ?? "");
      const before = [...button.childNodes];
      button.textContent = "Copied";
      setTimeout(() => button.replaceChildren(...before), 2000);
    });
  }
}

/** @param {Blob} blob @param {string} name */
export function save(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// Folds a layer: phases in place of times, repeated over two periods.
/** @param {import("./draw").Layer} layer @param {number} epoch @param {number} period @returns {import("./draw").Layer} */
export function foldLayer(layer, epoch, period) {
  const phase = Array.from(layer.x, (mjd) => ((((mjd - epoch) / period) % 1) + 1) % 1);
  const twice = (/** @type {ArrayLike<number>} */ values) => [...Array.from(values), ...Array.from(values)];
  const { low, high, y, x, error, median } = layer;
  const bars = low && high && !median ? { low: twice(low), high: twice(high) } : { low: undefined, high: undefined };
  return { ...layer, x: [...phase, ...phase.map((one) => one + 1)], y: twice(y), mjd: twice(x), error: error && twice(error), line: false, median: false, ...bars };
}

// Connects the buttons that save the figure of a chart and copy its URL.
/** @param {() => import("./chart").Chart | null | undefined} chart @param {string} name */
export function equipFigures(chart, name) {
  document.getElementById("save-png")?.addEventListener("click", async () => {
    const shown = chart();
    if (shown) save(await shown.png(), `${name}.png`);
  });
  const link = document.getElementById("copy-link");
  link?.addEventListener("click", async () => {
    await navigator.clipboard.writeText(location.href);
    link.textContent = "Link copied";
  });
  document.getElementById("save-svg")?.addEventListener("click", () => {
    const shown = chart();
    if (shown) save(new Blob([shown.svg()], { type: "image/svg+xml" }), `${name}.svg`);
  });
}
