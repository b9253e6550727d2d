// The page on which a period is found: the periodogram, its peaks, and the light curve folded on one of them. The address
// holds what is looked at.

import { ask, say } from "./api.js";
import { Stage } from "./stage.js";
import { counted } from "./words.js";

const series = JSON.parse(document.getElementById("script").dataset.series);
const element = (id) => document.getElementById(id);
const fold = element("fold");
const search = element("search");
const quality = element("quality");
const path = `/api/photometric_series/${series.id}`;
const FEW = 1500; // points that are drawn with error bars

let found = null; // the periodogram
let folded = null;
const stages = { folded: new Stage(element("folded")), periodogram: new Stage(element("periodogram")) };
const asked = {}; // the request under way for each chart

const common = () => ({ brightness: fold.unit.value, quality: quality?.value });
const height = () => (innerWidth < 600 ? 280 : 340);

// As many digits as a period of some length deserves.
function written(period) {
  return Number(period.toPrecision(9)).toString();
}

// Asks for what a chart shows, which says that it waits, and tells what went wrong; a later question replaces it.
async function answered(id, part, query) {
  asked[id]?.abort();
  const { signal } = (asked[id] = new AbortController());
  element(id).classList.add("waiting");
  try {
    const data = await ask(`${path}/${part}`, { query: { ...common(), ...query }, signal });
    say(null);
    return data;
  } catch (error) {
    if (error.name === "AbortError") return null;
    say(error);
    element("notice").scrollIntoView({ block: "nearest" });
    return null;
  } finally {
    if (asked[id].signal === signal) element(id).classList.remove("waiting");
  }
}

function remember() {
  const now = { period: fold.period.value, brightness: fold.unit.value, bins: fold.bins.value, quality: quality?.value };
  const query = new URLSearchParams({ ...now, minPeriod: search.minPeriod.value, maxPeriod: search.maxPeriod.value });
  for (const [name, value] of [...query]) if (value === "undefined" || (!value && name !== "quality")) query.delete(name);
  history.replaceState(null, "", `?${query}`);
}

function recall() {
  const query = new URLSearchParams(location.search);
  fold.period.value = query.get("period") ?? "";
  fold.unit.value = query.get("brightness") ?? series.unit;
  fold.bins.value = query.get("bins") ?? 50;
  search.minPeriod.value = query.get("minPeriod") ?? "";
  search.maxPeriod.value = query.get("maxPeriod") ?? "";
  if (quality) quality.value = query.get("quality") ?? series.columns.find((name) => /qual|flag/i.test(name)) ?? "";
}

async function refold() {
  remember();
  const answer = await answered("folded", "folded", { period: fold.period.value.trim() || "none", bins: fold.bins.value });
  if (answer) await drawFolded((folded = answer));
}

async function drawFolded() {
  const { brightness, label, period, bins } = folded;
  const error = folded.error ?? folded.phase.map(() => NaN);
  const twice = (values) => [...values, ...values];
  const next = (phases) => [...phases, ...phases.map((phase) => phase + 1)];
  const chart = await stages.folded.show({
    height: height(),
    xLabel: "phase", yLabel: label, inverted: brightness === "mag",
    tooltips: [["MJD", "@mjd{0.00000}"], ["phase", "@x{0.0000}"], [brightness, "@y{0.0000}"], ["±", "@error{0.0000}"]],
  });
  const few = folded.phase.length <= FEW;
  const values = twice(folded.value);
  const bars = few && { low: values.map((value, i) => value - error[i % error.length]), high: values.map((value, i) => value + error[i % error.length]) };
  const points = {
    name: "points", x: next(folded.phase), y: values, ...bars, colour: "--accent", size: few ? 4 : 2.5, alpha: few ? 0.6 : 0.3,
    columns: { mjd: twice(folded.mjd), error: twice(error) },
  };
  const means = twice(bins.mean.map((mean) => mean ?? NaN));
  const errors = twice(bins.error.map((one) => one ?? NaN));
  const binned = {
    name: "bins", x: next(bins.phase), y: means, low: means.map((mean, i) => mean - errors[i]), high: means.map((mean, i) => mean + errors[i]),
    colour: "--second", size: 6, alpha: 1, columns: { mjd: means.map(() => NaN), error: errors },
  };
  chart.setWhole(0, 2);
  chart.setWindow(...chart.whole);
  chart.draw([...(element("shows-points").checked ? [points] : []), ...(element("shows-bins").checked ? [binned] : [])], { fit: true });
  const shown = folded.phase.length < folded.num_points ? `${folded.phase.length.toLocaleString("en")} of ` : "";
  element("folded-told").textContent =
    `Period ${written(period)} d (${(period * 24).toPrecision(6)} h), phase 0 at MJD ${folded.epoch.toFixed(5)}; ${shown}${counted(folded.num_points, "point")}`;
  mark();
}

// Shows which peak the period is that of.
function mark() {
  for (const row of document.querySelectorAll("#peaks tbody tr")) {
    const now = row.dataset.period === fold.period.value;
    row.classList.toggle("now", now);
    row.querySelector("button").setAttribute("aria-pressed", now);
  }
}

function take(period) {
  fold.period.value = written(period);
  return refold();
}

async function research() {
  remember();
  element("searched").textContent = "Computing…";
  const answer = await answered("periodogram", "periodogram", {
    minPeriod: search.minPeriod.value.trim(), maxPeriod: search.maxPeriod.value.trim(),
  });
  if (answer) found = answer;
  tell();
  if (!answer) return;
  list();
  await drawFound();
}

function tell() {
  const short = (period) => written(Number(period.toPrecision(4)));
  element("searched").textContent = found
    ? `${counted(found.num_frequencies, "frequency", "frequencies")}, periods from ${short(found.min_period)} to ${short(found.max_period)} d; ${counted(found.num_points, "point")}${found.weighted ? ", weighted by their errors" : ""}`
    : "";
  const warnings = found?.warnings ?? [];
  element("search-warnings").replaceChildren(...warnings.map((textContent) => Object.assign(document.createElement("li"), { textContent })));
  element("search-warnings").hidden = !warnings.length;
}

function list() {
  const body = element("peaks").tBodies[0];
  body.replaceChildren(...found.peaks.map(({ period, period_error: error, frequency, power, false_alarm: chance, at_edge: edge }) => {
    const row = document.createElement("tr");
    row.dataset.period = written(period);
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: written(period) });
    button.setAttribute("aria-label", `Fold on ${written(period)} days`);
    button.addEventListener("click", () => take(period));
    const rare = chance < 1e-300 ? "< 1e-300" : chance.toPrecision(2);
    const uncertain = edge ? "edge of the range" : error?.toPrecision(2) ?? "unknown";
    for (const content of [button, uncertain, frequency.toPrecision(8), power.toFixed(4), rare]) row.insertCell().append(content);
    return row;
  }));
  element("peaks").hidden = !found.peaks.length;
}

async function drawFound() {
  const chart = await stages.periodogram.show({
    height: height(),
    xLabel: "frequency [1/d]", yLabel: "power", tooltips: [["period", "@period{0.000000} d"], ["frequency", "@x{0.000000} 1/d"], ["power", "@y{0.0000}"]],
  });
  const { frequency, power, peaks } = found;
  chart.setWhole(frequency[0], frequency.at(-1));
  chart.setWindow(...chart.whole);
  chart.draw([
    { name: "power", x: frequency, y: power, line: true, size: 0.1, colour: "--accent", columns: { period: frequency.map((one) => 1 / one) } },
    {
      name: "peaks", x: peaks.map((peak) => peak.frequency), y: peaks.map((peak) => peak.power), size: 11, marker: "inverted_triangle",
      colour: "--second", columns: { period: peaks.map((peak) => peak.period) },
    },
  ], { fit: true });
  chart.onTap("peaks", (index) => take(peaks[index].period));
  mark();
}

async function everything() {
  await research();
  if (!fold.period.value && found?.peaks.length) fold.period.value = written(found.peaks[0].period);
  if (fold.period.value) await refold();
}

function scale(factor) {
  const period = Number(fold.period.value) * factor;
  if (Number.isFinite(period)) fold.period.value = written(period);
  refold();
}

fold.addEventListener("submit", (event) => { event.preventDefault(); refold(); });
search.addEventListener("submit", (event) => { event.preventDefault(); research(); });
element("half").addEventListener("click", () => scale(0.5));
element("double").addEventListener("click", () => scale(2));
fold.bins.addEventListener("change", refold);
for (const input of [...fold.unit, quality]) input?.addEventListener("change", everything);
for (const id of ["shows-points", "shows-bins"]) element(id).addEventListener("change", () => folded && drawFolded());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { if (found) drawFound(); if (folded) drawFolded(); });

recall();
await everything();
