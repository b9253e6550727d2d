// The page of one series: the light curve, which asks the service again whenever another stretch of time comes into view.

import { ask, later, say } from "./api.js";
import { Chart } from "./chart.js";
import { labelOfTime, timeAxis } from "./axes.js";
import { counted } from "./words.js";

const series = JSON.parse(document.getElementById("script").dataset.series);
const element = (id) => document.getElementById(id);
const controls = element("controls");
const DERIVED = [...Object.keys(series.labels).flatMap((name) => [name, `${name}err`]), "snr"].join(",");
const MARKERS = 2500; // more points than these are dots without error bars

const state = {
  unit: series.unit, time: "mjd", window: null, shown: { seen: true, unseen: true, unknown: true, flagged: true },
  column: "", quality: series.columns.find((name) => /qual|flag/i.test(name)) ?? "",
};
let charts = {};
let rows = null; // what the service gave last
let asked = null; // the request under way
let whole = null; // the rows of the whole series, decimated

const axis = () => timeAxis(state.time, series.mjd_first);

async function fetchRows(from, to) {
  asked?.abort();
  asked = new AbortController();
  const most = Math.round(Math.min(6000, Math.max(1000, element("curve").clientWidth * 4)));
  const names = [...new Set([series.time, state.column, state.quality].filter(Boolean))];
  const { data, data_rows: count } = await ask(`/api/photometric_series/${series.id}`, {
    signal: asked.signal,
    query: {
      columns: names.map((name) => `"${name.replaceAll('"', '""')}"`).join(","), derive: DERIVED,
      maxPoints: most, mjdMin: from, mjdMax: to,
    },
  });
  return { ...data, mjd: data[series.time], count, complete: data[series.time].length === count, from: from ?? -Infinity, to: to ?? Infinity };
}

// What each row is: flagged, detected, not detected, or without an S/N; null where there is no brightness.
function kinds({ snr, ...columns }) {
  const flags = state.quality && columns[state.quality];
  return snr.map((value, i) => {
    if (flags && flags[i]) return "flagged";
    if (value === null) return columns[series.unit][i] === null ? null : "unknown";
    return value > series.threshold ? "seen" : "unseen";
  });
}

const LAYERS = {
  seen: { label: "Detections", colour: "--accent", marker: "circle" },
  unseen: { label: "Non-detections", colour: "--soft", marker: "inverted_triangle", hollow: true },
  unknown: { label: "S/N unknown", colour: "--second", marker: "circle", hollow: true },
  flagged: { label: "Flagged", colour: "--third", marker: "x", hollow: true },
};

function layers(few) {
  const { position } = axis();
  const values = rows[state.unit];
  const errors = rows[`${state.unit}err`];
  const kind = rows.kinds;
  return Object.entries(LAYERS).map(([name, { label, ...look }]) => {
    const at = state.shown[name] ? [...kind.keys()].filter((i) => kind[i] === name && values[i] !== null) : [];
    const y = at.map((i) => values[i]);
    return {
      name, ...look, x: at.map((i) => position(rows.mjd[i])), y,
      low: few ? at.map((i, n) => y[n] - (errors[i] ?? NaN)) : undefined,
      high: few ? at.map((i, n) => y[n] + (errors[i] ?? NaN)) : undefined,
      line: name === "seen" && !rows.complete, size: few ? 5 : 2.5, alpha: few ? 0.85 : 0.6, hollow: few && Boolean(look.hollow),
      columns: { mjd: at.map((i) => rows.mjd[i]), error: at.map((i) => errors[i] ?? NaN) },
    };
  });
}

function draw(fit) {
  const inside = rows.mjd.filter((mjd) => !state.window || (mjd >= state.window[0] && mjd <= state.window[1])).length;
  const few = rows.complete ? inside <= MARKERS : false;
  charts.curve.draw(layers(few), { fit });
  if (charts.other && rows[state.column]) {
    const { position } = axis();
    const y = rows[state.column].map((value) => value ?? NaN);
    const x = rows.mjd.map(position);
    charts.other.draw([{ name: "other", x, y, colour: "--soft", size: few ? 4 : 2.5, alpha: 0.7 }], { fit: true });
  }
  tell(inside);
}

function tell(inside) {
  const [from, to] = state.window ?? [series.mjd_first, series.mjd_last];
  const points = inside ? counted(inside, "point") : "no point here; Show all, or the key 0, leads back";
  const thinned = inside && !rows.complete ? `, the extremes among ${rows.count.toLocaleString("en")}` : "";
  const lost = inside && state.unit === "mag" ? rows.flux?.filter((value) => value !== null && value <= 0).length : 0;
  const without = lost ? `; ${lost.toLocaleString("en")} without a magnitude, as their flux is not positive` : "";
  element("told").textContent = `MJD ${from.toFixed(4)} to ${to.toFixed(4)}: ${points}${thinned}${without}`;
  const total = (name) => rows.kinds.filter((kind) => kind === name).length;
  for (const [name] of Object.entries(LAYERS)) {
    const entry = element(`shows-${name}`);
    entry.hidden = !total(name) && state.shown[name];
    entry.querySelector(".count").textContent = rows.complete ? total(name).toLocaleString("en") : "";
  }
}

const refresh = later(async () => {
  const [from, to] = state.window;
  try {
    if (!(rows.complete && rows.from <= from && rows.to >= to)) {
      const margin = (to - from) / 4;
      const isOutside = to < series.mjd_first || from > series.mjd_last;
      const whole_ = whole.complete || isOutside || (from <= series.mjd_first && to >= series.mjd_last);
      rows = whole_ ? whole : taken(await fetchRows(from - margin, to + margin));
    }
    say(null);
    draw(true);
  } catch (error) {
    if (error.name === "AbortError") return;
    // A stretch without a single row is no error to somebody who looks around.
    if (error.status === 400 && /No row/.test(error.message)) draw(true);
    else say(error);
  }
}, 40);

function taken(given) {
  return { ...given, kinds: kinds(given) };
}

async function build() {
  const keep = state.window;
  await Promise.all(Object.values(charts).map((chart) => chart.destroy()));
  const { kind, position, mjd } = axis();
  const tooltips = [["MJD", "@mjd{0.00000}"], [state.unit === "mag" ? "mag" : "flux", "@y{0.0000}"], ["±", "@error{0.0000}"]];
  const curve = new Chart(element("curve"), {
    x: kind, xLabel: labelOfTime(state.time, series.mjd_first), yLabel: series.labels[state.unit],
    inverted: state.unit === "mag", height: innerWidth < 600 ? 300 : 420, tooltips,
  });
  charts = { curve };
  curve.setWhole(position(series.mjd_first), position(series.mjd_last));
  curve.setWindow(...(keep ? keep.map(position) : curve.whole));
  curve.dragging = controls.drag.value;
  curve.onWindow = (from, to) => {
    state.window = [mjd(from), mjd(to)];
    refresh();
  };
  element("other").hidden = !state.column;
  if (state.column) {
    charts.other = new Chart(element("other"), { x: kind, yLabel: state.column, height: 180 });
    curve.link(charts.other);
    charts.other.dragging = controls.drag.value;
  }
  draw(true);
}

async function reload() {
  try {
    whole = rows = taken(await fetchRows());
    say(null);
    await build();
    if (state.window && !whole.complete) refresh();
  } catch (error) {
    if (error.name !== "AbortError") say(error);
  }
}

function legend() {
  const place = element("legend");
  for (const [name, { label }] of Object.entries(LAYERS)) {
    const entry = document.createElement("label");
    entry.id = `shows-${name}`;
    entry.className = `entry ${name}`;
    entry.hidden = true;
    const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: true });
    box.addEventListener("change", () => {
      state.shown[name] = box.checked;
      draw(true);
    });
    const count = Object.assign(document.createElement("span"), { className: "count" });
    entry.append(box, `${label} `, count);
    place.append(entry);
  }
}

controls.unit.value = state.unit;
controls.addEventListener("change", ({ target }) => {
  state.unit = controls.unit.value;
  state.time = controls.time.value;
  if (target.name === "drag") for (const chart of Object.values(charts)) chart.dragging = target.value;
  else if (rows) build();
});
element("closer").addEventListener("click", () => charts.curve?.move(0, 0.5));
element("wider").addEventListener("click", () => charts.curve?.move(0, 2));
element("all").addEventListener("click", () => charts.curve?.reset());
element("column").addEventListener("change", ({ target }) => { state.column = target.value; reload(); });
element("quality").value = state.quality;
element("quality").addEventListener("change", ({ target }) => { state.quality = target.value; reload(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => rows && build());
for (const button of document.querySelectorAll(".copy")) {
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
    button.textContent = "Copied";
  });
}

legend();
reload();
