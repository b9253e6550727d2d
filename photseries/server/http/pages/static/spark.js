// Small light curves, requested when they come into view.

import { say } from "./api.js";
import { fetchView } from "./curve.js";

const AT_ONCE = 3; // maximum number of simultaneous requests
const FEW = 50; // up to this number, points are larger
const SVG = "http://www.w3.org/2000/svg";
const [WIDE, TALL] = [120, 32];

/** @type {HTMLElement[]} */
let waiting = [];
let working = 0;

const observer = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    observer.unobserve(target);
    waiting.push(/** @type {HTMLElement} */ (target));
  }
  work();
}, { rootMargin: "200px" });

// Draws the light curves of a page of results, and drops those of the previous page.
export function beginSparks() {
  waiting = [];
  for (const cell of document.querySelectorAll(".spark")) observer.observe(cell);
}

function work() {
  while (working < AT_ONCE && waiting.length) {
    working += 1;
    spark(/** @type {HTMLElement} */ (waiting.shift())).catch((error) => {
      if (error.status !== 401) return; // a single unreadable light curve is not reported
      waiting = [];
      say(error);
    }).finally(() => {
      working -= 1;
      work();
    });
  }
}

/** @param {HTMLElement} cell */
async function spark(cell) {
  const view = await fetchView(Number(cell.dataset.series), { width: WIDE, maxPoints: 500 });
  const { points, columns, robust } = view;
  if (!robust) return;
  const first = points ? points.mjd[0] : view.start;
  const last = points ? points.mjd[points.mjd.length - 1] : view.start + WIDE * view.step;
  const upward = view.unit !== "mag";
  const across = (/** @type {number} */ mjd) => (3 + (last > first ? (mjd - first) / (last - first) : 0.5) * (WIDE - 6)).toFixed(1);
  const height = (/** @type {number} */ value) => {
    const part = robust[1] > robust[0] ? Math.min(1, Math.max(0, (value - robust[0]) / (robust[1] - robust[0]))) : 0.5;
    return Number((3 + (upward ? 1 - part : part) * (TALL - 6)).toFixed(1));
  };
  const picture = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries({ viewBox: `0 0 ${WIDE} ${TALL}`, width: WIDE, height: TALL, "aria-hidden": "true" })) picture.setAttribute(name, String(value));
  /** @param {string} kind @param {string[]} steps */
  const path = (kind, steps) => {
    const drawn = document.createElementNS(SVG, "path");
    drawn.setAttribute("class", kind);
    drawn.setAttribute("d", steps.join(""));
    picture.append(drawn);
  };
  if (points) path(points.mjd.length > FEW ? "dots" : "dots few", points.mjd.flatMap((mjd, i) => (points.kind[i] === 3 ? [] : [`M${across(mjd)} ${height(points.value[i])}h0`])));
  for (const { kind, column, low, median, high } of columns) {
    if (kind === 3) continue;
    const x = column.map((one) => across(view.start + (one + 0.5) * view.step));
    path("reach", x.map((one, i) => `M${one} ${height(low[i])}V${height(high[i]) + 0.01}`));
    path("middle", x.map((one, i) => `${i && column[i] - column[i - 1] < 3 ? "L" : "M"}${one} ${height(median[i])}`));
  }
  cell.replaceChildren(picture);
}
