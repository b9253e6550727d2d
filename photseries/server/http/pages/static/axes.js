// Labels of light curve axes, and the display unit of fluxes.

import { dateOf, written } from "./scale.js";

/** @typedef {{ frame: string, scale: string }} Time Such as "BJD (TDB)" and "TDB". */

// The options of a time axis.
/** @param {string} way mjd, days or date @param {Time} time @param {number} first [MJD] @returns {{ x: import("./scale").Kind, xLabel: string, offset: number }} */
export function timeAxis(way, { frame, scale }, first) {
  const start = Math.floor(first);
  if (way === "date") return { x: "date", xLabel: `date (${scale})`, offset: 0 };
  if (way === "days") return { x: "number", xLabel: `days since MJD ${start}, ${frame}`, offset: start };
  return { x: "number", xLabel: frame.startsWith("MJD") ? `${frame} [d]` : `${frame} − 2400000.5 [d]`, offset: 0 };
}

// A time range as text: the axis label and both limits.
/** @param {string} way @param {Time} time @param {number} from @param {number} to */
export function stretch(way, { frame }, from, to) {
  const digits = Math.min(7, Math.max(1, 3 - Math.floor(Math.log10(Math.max(to - from, 1e-6)))));
  const minus = frame.startsWith("MJD") ? "" : " − 2400000.5";
  const dates = way === "date" ? ` (${[...new Set([from, to].map((mjd) => dateOf(mjd).toISOString().slice(0, 10)))].join(" to ")})` : "";
  const limits = new Set([from, to].map((mjd) => mjd.toFixed(digits)));
  return `${frame}${minus} ${[...limits].join(" to ")}${dates}`;
}

// The scale factor and the label for fluxes of a typical size.
/** @param {string} label @param {number} size @returns {{ factor: number, label: string }} */
export function fitting(label, size) {
  if (!label.includes("[µJy]") || !(size > 0)) return { factor: 1, label };
  const [factor, unit] = [[1e-6, "Jy"], [1e-3, "mJy"], [1, "µJy"]].find(([one]) => size * Number(one) >= 1) ?? [1e3, "nJy"];
  return { factor: Number(factor), label: label.replace("µJy", String(unit)) };
}

/** @param {number} value */
export function figures(value) {
  return written(Number(value.toPrecision(6)), 10 ** (Math.floor(Math.log10(Math.abs(value) || 1)) - 5)).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
}
