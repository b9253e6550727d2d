// The period page: the periodogram, its peaks, and the light curve folded on one of their periods. The URL contains the
// settings.

import { ask, element, later, made, say } from "./api.js";
import { figures, fitting } from "./axes.js";
import { Chart } from "./chart.js";
import { equipCopies, equipFigures } from "./curve.js";
import { drawFound, zoomTo } from "./power.js";
import { counted } from "./words.js";

const series = JSON.parse(document.getElementById("script")?.dataset.series ?? "{}");
const [fold, search] = [element("fold"), element("search")];
const quality = element("quality");
const path = `/api/photometric_series/${series.id}`;
const FEW = 1500; // maximum number of points with error bars

/** @type {any} The periodogram. */
let found = null;
/** @type {any} */
let folded = null;
/** @type {any} The spectral window. */
let spectral = null;
/** @type {any} The visible range at higher resolution. */
let fine = null;
const charts = { folded: new Chart(element("folded")), periodogram: new Chart(element("periodogram")) };
/** @type {Record<string, AbortController>} The pending request of each chart. */
const asked = {};

const common = () => ({ brightness: fold.unit.value, quality: quality?.value, detrend: fold.detrend.value.trim() && `${Number(fold.detrend.value)}d`, clip: fold.clip.value.trim() });
const height = () => (innerWidth < 600 ? 280 : 340);

// Formats a period with digits appropriate to its length.
/** @param {number} period */
function written(period) {
  return Number(period.toPrecision(9)).toString();
}

// Requests the data of a chart, showing progress and errors; a later request replaces this one.
/** @param {string} id @param {string} part @param {Record<string, any>} query */
async function answered(id, part, query) {
  asked[id]?.abort();
  const { signal } = (asked[id] = new AbortController());
  element(id).classList.add("waiting");
  try {
    const data = await ask(`${path}/${part}`, { query: { ...common(), ...query }, signal });
    say(null);
    return data;
  } catch (/** @type {any} */ error) {
    if (error.name === "AbortError") return null;
    say(error);
    element("notice").scrollIntoView({ block: "nearest" });
    return null;
  } finally {
    if (asked[id].signal === signal) element(id).classList.remove("waiting");
  }
}

/** The inputs stored in the URL, and their default values. */
const flags = series.columns.find((/** @type {string} */ name) => /qual|flag/i.test(name)) ?? "";
/** @type {[string, () => any, string][]} */
const KEPT = [
  ["period", () => fold.period, ""], ["brightness", () => fold.unit, series.unit], ["bins", () => fold.bins, "50"], ["quality", () => quality, flags],
  ["zero", () => fold.zero, "first"], ["epoch", () => fold.epoch, ""], ["detrend", () => fold.detrend, ""], ["clip", () => fold.clip, ""],
  ["method", () => search.method, "lomb_scargle"], ["minPeriod", () => search.minPeriod, ""], ["maxPeriod", () => search.maxPeriod, ""], ["axis", () => search.axis, "period"],
];

function remember() {
  const query = new URLSearchParams();
  for (const [name, input, usual] of KEPT) if (input() && input().value !== usual) query.set(name, input().value);
  history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
  fold.epoch.hidden = fold.zero.value !== "typed";
  snippets();
}

function recall() {
  const query = new URLSearchParams(location.search);
  for (const [name, input, usual] of KEPT) if (input()) input().value = query.get(name) ?? usual;
}

async function refold() {
  remember();
  const query = { period: fold.period.value.trim() || "none", bins: fold.bins.value };
  const typed = fold.zero.value === "typed" && fold.epoch.value.trim() ? { epoch: fold.epoch.value.trim() } : {};
  let answer = await answered("folded", "folded", { ...query, ...typed });
  if (answer && (fold.zero.value === "bright" || fold.zero.value === "faint")) {
    answer = await answered("folded", "folded", { ...query, epoch: extreme(answer, fold.zero.value === "bright") });
  }
  if (!answer) return;
  folded = answer;
  snippets();
  drawFolded();
}

// The epoch that puts the brightest or faintest bin at phase 0.
/** @param {any} answer @param {boolean} brightest */
function extreme({ bins, brightness, epoch, period }, brightest) {
  const sign = brightest === (brightness === "flux") ? 1 : -1;
  let best = 0;
  bins.mean.forEach((/** @type {number | null} */ mean, /** @type {number} */ i) => {
    if (mean !== null && (bins.mean[best] === null || sign * mean > sign * bins.mean[best])) best = i;
  });
  return epoch + bins.phase[best] * period;
}

function drawFolded() {
  const { brightness, period, bins } = folded;
  const { factor, label } = fitting(folded.label, Math.max(...bins.mean.map(Math.abs)));
  const scaled = (/** @type {(number | null)[]} */ values) => values.map((value) => (value === null ? NaN : value * factor));
  const error = folded.error ? scaled(folded.error) : folded.phase.map(() => NaN);
  const twice = (/** @type {any[]} */ values) => [...values, ...values];
  const next = (/** @type {number[]} */ phases) => [...phases, ...phases.map((phase) => phase + 1)];
  const chart = charts.folded;
  chart.configure({ height: height(), xLabel: `phase (period ${written(period)} d)`, yLabel: label, inverted: brightness === "mag" });
  const few = folded.phase.length <= FEW;
  const values = twice(scaled(folded.value));
  const bars = few && { low: values.map((value, i) => value - error[i % error.length]), high: values.map((value, i) => value + error[i % error.length]) };
  const points = { name: "points", x: next(folded.phase), y: values, ...bars, colour: "--accent", size: few ? 4.5 : 3, alpha: few ? 0.6 : 0.35, mjd: twice(folded.mjd), error: twice(error) };
  const means = twice(scaled(bins.mean));
  const errors = twice(scaled(bins.error));
  const binned = {
    name: "bins", x: next(bins.phase), y: means, low: means.map((mean, i) => mean - errors[i]), high: means.map((mean, i) => mean + errors[i]),
    colour: "--second", size: 6, alpha: 1, error: errors,
  };
  chart.setWhole(0, 2);
  chart.setWindow(...chart.whole);
  chart.describe = ({ x, y, mjd, error: of }, i) => [`phase ${(x[i] % 1).toFixed(4)}${mjd ? `, ${series.frame.frame} ${mjd[i].toFixed(5)}` : ""}`, `${figures(y[i])}${of[i] > 0 ? ` ± ${figures(of[i])}` : ""}`];
  chart.draw([...(element("shows-points").checked ? [points] : []), ...(element("shows-bins").checked ? [binned] : [])], { fit: true });
  const shown = folded.phase.length < folded.num_points ? `${folded.phase.length.toLocaleString("en")} of ` : "";
  element("folded-told").textContent =
    `Period ${written(period)} d (${(period * 24).toPrecision(6)} h), phase 0 at ${series.frame.frame} ${folded.epoch.toFixed(5)}, phases 0 to 2; ${shown}${counted(folded.num_points, "point")}`;
  if (found) show();
  mark();
}

// Highlights the peak of the current period.
function mark() {
  for (const row of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("#peaks tbody tr"))) {
    const now = row.dataset.period === fold.period.value;
    row.classList.toggle("now", now);
    row.querySelector("button")?.setAttribute("aria-pressed", String(now));
  }
}

/** @param {number} period */
function take(period) {
  fold.period.value = written(period);
  return refold();
}

async function research() {
  remember();
  element("searched").textContent = "Computing…";
  const range = { minPeriod: search.minPeriod.value.trim(), maxPeriod: search.maxPeriod.value.trim() };
  const answer = await answered("periodogram", "periodogram", { ...range, method: search.method.value });
  if (answer) [found, spectral, fine] = [answer, null, null];
  tell();
  if (!answer) return;
  list();
  await show(true);
}

function tell() {
  const short = (/** @type {number} */ period) => written(Number(period.toPrecision(4)));
  element("searched").textContent = found
    ? `${counted(found.num_frequencies, "frequency", "frequencies")}, periods from ${short(found.min_period)} to ${short(found.max_period)} d; ${counted(found.num_points, "point")}${found.weighted ? ", weighted by their errors" : ""}`
    : "";
  const warnings = found?.warnings ?? [];
  element("search-warnings").replaceChildren(...warnings.map((/** @type {string} */ textContent) => made("li", { textContent })));
  element("search-warnings").hidden = !warnings.length;
}

function list() {
  const body = element("peaks").tBodies[0];
  body.replaceChildren(...found.peaks.map((/** @type {any} */ { period, period_error: error, frequency, power, false_alarm: chance, at_edge: edge }) => {
    const row = made("tr");
    row.dataset.period = written(period);
    const button = made("button", { type: "button", textContent: written(period) });
    button.setAttribute("aria-label", `Fold on ${written(period)} days`);
    button.addEventListener("click", () => take(period));
    const rare = chance === null ? "" : chance < 1e-300 ? "< 1e-300" : chance.toPrecision(2);
    const uncertain = edge ? "edge of the range" : error?.toPrecision(2) ?? "unknown";
    for (const content of [button, uncertain, frequency.toPrecision(8), power.toFixed(4), rare]) row.insertCell().append(content);
    return row;
  }));
  element("peaks").hidden = !found.peaks.length;
}

async function show(all = false) {
  const shown = /** @param {string} name */ (name) => element(`shows-${name}`).checked;
  if (shown("window") && !spectral) {
    spectral = await answered("periodogram", "periodogram", { method: "window", minPeriod: found.min_period, maxPeriod: found.max_period });
  }
  drawFound(charts.periodogram, found, fine, spectral, {
    shown, all, period: Number(fold.period.value), axis: search.axis.value, height: height(), written,
  });
  mark();
}

// Requests the powers of the visible range after a zoom; the full range contains only the extremes of each interval.
const refine = later(async () => {
  const { xs, whole } = charts.periodogram;
  const isAll = xs.start <= whole[0] && xs.end >= whole[1];
  const [one, other] = search.axis.value === "period" ? [xs.start, xs.end] : [1 / xs.end, 1 / Math.max(xs.start, 1e-9)];
  try {
    fine = isAll ? null : await ask(`${path}/periodogram`, { query: { ...common(), method: search.method.value, minPeriod: one, maxPeriod: other, samplesPerPeak: 20, peaks: 1 } });
  } catch {
    fine = null; // the coarse powers stay
  }
  show();
}, 250);

// The settings of the page as Python code and as a request.
function snippets() {
  const { quality: column, detrend, clip, brightness } = common();
  const given = Object.entries({ min_period: search.minPeriod.value.trim(), max_period: search.maxPeriod.value.trim() }).filter(([, value]) => value);
  const bounds = given.length ? `, SearchOptions(${given.map(([name, value]) => `${name}=${Number(value)}`).join(", ")})` : "";
  const method = search.method.value;
  const code = [...document.querySelectorAll(".snippets code")];
  const python = code[0]?.textContent?.split("\n\n# from here")[0] ?? "";
  const lines = [
    `points = samples(series.data, "${brightness}", calibration_of(series.metadata), good=good_rows(series.data, series.metadata)${column ? `, quality=${JSON.stringify(column)}` : ""})`,
    ...(detrend || clip ? [`points = cleaned(points, detrend=${detrend ? Number(fold.detrend.value) : "None"}, clip=${clip ? Number(clip) : "None"})`] : []),
    method === "lomb_scargle" ? `found = search_periods(points.mjd, points.value, points.error${bounds})`
      : `found = search_by("${method}", points.mjd, ${method === "bls" && brightness === "mag" ? "-" : ""}points.value, points.error${bounds})`,
    "period = found.peaks[0].period  # [d]",
    `phase = (points.mjd - ${folded?.epoch ?? "points.mjd[0]"}) / ${fold.period.value.trim() || "period"} % 1`, "print(period)",
  ];
  if (code[0]) code[0].textContent = `${python}\n\n# from here on as on the page\n${lines.join("\n")}`;
  const query = new URLSearchParams(Object.entries({ ...common(), method, minPeriod: search.minPeriod.value.trim(), maxPeriod: search.maxPeriod.value.trim() }).filter(([, value]) => value));
  if (code[1]) code[1].textContent = String(code[1].textContent).replace(/\/periodogram[^']*/, `/periodogram?${query}`);
}

async function everything() {
  await research();
  if (!fold.period.value && found?.peaks.length) fold.period.value = written(found.peaks[0].period);
  if (fold.period.value) await refold();
}

/** @param {number} factor */
function scale(factor) {
  const period = Number(fold.period.value) * factor;
  if (Number.isFinite(period)) fold.period.value = written(period);
  refold();
}

fold.addEventListener("submit", (/** @type {Event} */ event) => { event.preventDefault(); refold(); });
search.addEventListener("submit", (/** @type {Event} */ event) => { event.preventDefault(); research(); });
element("half").addEventListener("click", () => scale(0.5));
element("double").addEventListener("click", () => scale(2));
for (const input of [fold.bins, fold.zero, fold.epoch]) input.addEventListener("change", refold);
for (const input of [...fold.unit, quality, fold.detrend, fold.clip]) input?.addEventListener("change", everything);
search.method.addEventListener("change", research);
for (const input of search.axis) input.addEventListener("change", () => { remember(); if (found) show(true); });
for (const name of ["points", "bins"]) element(`shows-${name}`).addEventListener("change", () => folded && drawFolded());
for (const name of ["power", "peaks", "window", "aliases"]) element(`shows-${name}`).addEventListener("change", () => found && show());
element("peak").addEventListener("click", () => found && zoomTo(charts.periodogram, found, Number(fold.period.value), search.axis.value));
element("every").addEventListener("click", () => charts.periodogram.reset());
charts.periodogram.onWindow = refine;
charts.periodogram.onPick = ({ name }, index) => {
  if (name !== "peaks") return;
  take(found.peaks[index].period);
  zoomTo(charts.periodogram, found, found.peaks[index].period, search.axis.value);
};
equipFigures(() => charts.folded, `${series.obj_id} folded`);
equipCopies();
recall();
await everything();
