// The overview of the archive: counts, sky map and uploads per day.

import { ask } from "./api.js";
import { DARK, colour } from "./draw.js";
import { counted } from "./words.js";

/** @typedef {{ series: number, points: number, sources: number, sky: [number, number, number][], days: [string, number][] }} Overview */

const HALF = Math.PI / 180 / 2;

// The Hammer projection of a position [deg], east to the left; both coordinates are from -1 to 1.
/** @param {number} ra @param {number} dec */
function projected(ra, dec) {
  const east = ((ra + 180) % 360) - 180;
  const [across, up] = [east * HALF, dec * 2 * HALF];
  const depth = Math.sqrt(1 + Math.cos(up) * Math.cos(across));
  return [-(Math.cos(up) * Math.sin(across)) / depth, -Math.sin(up) / depth];
}

/** @param {HTMLCanvasElement} canvas @param {Overview} overview */
function drawSky(canvas, { sky }) {
  const ratio = devicePixelRatio || 1;
  const [wide, tall] = [canvas.clientWidth, canvas.clientWidth / 2];
  Object.assign(canvas, { width: wide * ratio, height: tall * ratio });
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  pen.scale(ratio, ratio);
  const place = (/** @type {number} */ ra, /** @type {number} */ dec) => {
    const [x, y] = projected(ra, dec);
    return [(0.5 + 0.49 * x) * wide, (0.5 + 0.49 * y) * tall];
  };
  pen.strokeStyle = colour("--line");
  /** @param {(i: number) => number[]} at */
  const line = (at) => {
    pen.beginPath();
    for (let i = 0; i <= 90; i += 1) pen.lineTo(.../** @type {[number, number]} */ (at(i)));
    pen.stroke();
  };
  for (let dec = -60; dec <= 60; dec += 30) line((i) => place(180.001 + i * 3.9999, dec));
  for (let ra = 0; ra <= 360; ra += 60) line((i) => place(ra === 180 ? 180.001 : ra, -90 + 2 * i));
  line((i) => place(179.999, -90 + 2 * i));
  const most = Math.max(1, ...sky.map(([, , count]) => count));
  pen.fillStyle = colour("--accent");
  for (const [ra, dec, count] of sky) {
    pen.globalAlpha = 0.35 + 0.5 * (Math.log1p(count) / Math.log1p(most));
    pen.beginPath();
    pen.arc(.../** @type {[number, number]} */ (place(ra, dec)), 2.5 + 3.5 * (Math.log1p(count) / Math.log1p(most)), 0, 2 * Math.PI);
    pen.fill();
  }
}

// A bar for each day, on a linear time axis.
/** @param {HTMLCanvasElement} canvas @param {Overview} overview */
function drawDays(canvas, { days }) {
  const ratio = devicePixelRatio || 1;
  const [wide, tall] = [canvas.clientWidth, 70];
  Object.assign(canvas, { width: wide * ratio, height: tall * ratio });
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  pen.scale(ratio, ratio);
  const times = days.map(([day]) => Date.parse(day));
  const span = Math.max(86_400_000 * 30, times[times.length - 1] - times[0] + 86_400_000);
  const most = Math.max(...days.map(([, count]) => count));
  const width = Math.max(2, (wide / span) * 86_400_000 - 1);
  pen.fillStyle = colour("--accent");
  days.forEach(([, count], i) => {
    const height = Math.max(2, (count / most) * (tall - 4));
    pen.fillRect(((times[i] - times[times.length - 1] + span - 86_400_000) / span) * (wide - width), tall - height, width, height);
  });
}

// Fills the overview section, if the page has one.
export async function showArchive() {
  const place = document.getElementById("archive");
  if (!place) return;
  /** @type {Overview} */
  const overview = await ask("/find/archive");
  if (!overview.series || !place.isConnected) return;
  place.hidden = false;
  const [first, last] = [overview.days[0]?.[0], overview.days[overview.days.length - 1]?.[0]];
  const told = /** @type {HTMLElement} */ (place.querySelector(".told"));
  told.textContent = `${counted(overview.points, "point")} in ${counted(overview.series, "series", "series")}, ${counted(overview.sources, "source")}`;
  const [sky, days] = /** @type {NodeListOf<HTMLCanvasElement>} */ (place.querySelectorAll("canvas"));
  sky.setAttribute("aria-label", `Sky map: series in ${counted(overview.sky.length, "field")}, right ascension to the left`);
  const caption = `Uploads by day, ${first === last ? first : `${first} to ${last}`}: at most ${Math.max(...overview.days.map(([, count]) => count)).toLocaleString("en")} series`;
  days.setAttribute("aria-label", caption);
  /** @type {HTMLElement} */ (place.querySelector(".days")).textContent = caption;
  const draw = () => { drawSky(sky, overview); drawDays(days, overview); };
  draw();
  matchMedia(DARK).addEventListener("change", draw);
}
