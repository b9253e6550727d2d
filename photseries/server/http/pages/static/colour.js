// The colour of a source over time: the difference of two filters, pairing points that are nearest in time.

import { Chart } from "./chart.js";
import { timeAxis } from "./axes.js";
import { counted } from "./words.js";

/** @typedef {{ mjd: number, value: number, error: number }} Point */

// Pairs the points that are nearest in time, within a tolerance. Both lists are sorted by time.
/** @param {Point[]} first @param {Point[]} second @param {number} tolerance [d] */
export function pairs(first, second, tolerance) {
  const found = [];
  let place = 0;
  for (const one of first) {
    while (place + 1 < second.length && Math.abs(second[place + 1].mjd - one.mjd) <= Math.abs(second[place].mjd - one.mjd)) place += 1;
    const other = second[place];
    if (!other || Math.abs(other.mjd - one.mjd) > tolerance) continue;
    found.push({ mjd: (one.mjd + other.mjd) / 2, value: one.value - other.value, error: Math.hypot(one.error, other.error) });
  }
  return found;
}

// Connects the colour form to its plot; `points` returns the detections of a filter in magnitudes.
/** @param {(filter: string) => Promise<Point[]>} points @param {import("./axes").Time} frame */
export function equipColour(points, frame) {
  const form = /** @type {any} */ (document.getElementById("colour"));
  if (!form) return;
  const host = /** @type {HTMLElement} */ (document.getElementById("colours"));
  const told = /** @type {HTMLElement} */ (document.getElementById("colour-told"));
  /** @type {Chart | null} */
  let chart = null;
  form.addEventListener("submit", async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const { first, second, tolerance } = form;
    const found = pairs(await points(first.value), await points(second.value), Number(tolerance.value));
    told.textContent = `${first.value} − ${second.value}: ${counted(found.length, "pair")} within ${tolerance.value} d`;
    host.hidden = !found.length;
    if (!found.length) return;
    const [x, y, error] = [found.map(({ mjd }) => mjd), found.map(({ value }) => value), found.map((one) => one.error)];
    chart ??= new Chart(host);
    chart.configure({ ...timeAxis("mjd", frame, x[0]), yLabel: `${first.value} − ${second.value} [mag]`, height: 260 });
    chart.setWhole(x[0], x[x.length - 1]);
    chart.setWindow(...chart.whole);
    chart.draw([{ name: "colour", x, y, low: y.map((value, i) => value - error[i]), high: y.map((value, i) => value + error[i]), colour: "--accent", size: 5 }], { fit: true });
  });
}
