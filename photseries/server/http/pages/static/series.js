// The page of one series. The light curve is requested again whenever another time range comes into view. The URL contains the
// view.

import { element, later, made, say } from "./api.js";
import { figures, fitting, stretch, timeAxis } from "./axes.js";
import { Chart } from "./chart.js";
import { KINDS, pointsIn, covers, equipCopies, equipFigures, fetchView, layerOf, rangeIn } from "./curve.js";
import { counted } from "./words.js";

/** @type {any} */
const series = JSON.parse(document.getElementById("script")?.dataset.series ?? "{}");
const controls = element("controls");
const MARKERS = 2500; // above this number, points are dots without error bars

/** @type {Record<string, any>} */
const LOOKS = {
  detected: { label: "Detections", colour: "--accent", marker: "circle" },
  undetected: { label: "Non-detections", colour: "--soft", marker: "inverted_triangle", hollow: true },
  unknown: { label: "S/N unknown", colour: "--second", marker: "circle", hollow: true },
  flagged: { label: "Flagged", colour: "--third", marker: "x", hollow: true, aside: true },
};

const given = new URLSearchParams(location.search);
const flags = series.columns.find((/** @type {string} */ name) => /qual|flag/i.test(name)) ?? "";
/** @param {string} name @returns {string | null} A value of the URL that the page can select. */
const usable = (name) => [...controls[name]].find(({ value, disabled }) => !disabled && value === given.get(name))?.value ?? null;
const state = {
  unit: usable("unit") ?? series.unit,
  time: usable("time") ?? "mjd",
  window: rangeIn(given),
  hidden: new Set((given.get("hide") ?? "").split(",").filter(Boolean)),
  column: given.get("column") ?? "",
  quality: given.get("quality") ?? flags,
  full: given.get("full") === "1",
};
const curve = new Chart(element("curve"));
/** @type {Chart | null} */
let other = null;
/** @type {import("./curve").View | null} The last answer of the service. */
let view = null;
/** @type {import("./curve").View | null} The whole series. */
let whole = null;
/** @type {import("./curve").View | null} */
let below = null;
/** The pending requests: for the whole series, or for a time range of it. */
let asked = new AbortController();
let reloading = false;

const brightness = () => (state.unit === "mag" ? "mag" : "flux");
const span = () => state.window ?? [series.mjd_first, series.mjd_last];

/** The conversion from the service's values to plotted values, and the axis label. */
function measure() {
  if (!whole || state.unit === "mag") return { factor: 1, label: whole?.label ?? "" };
  if (state.unit === "normalised") return { factor: 1 / (whole.median || 1), label: "flux / median flux" };
  return fitting(whole.label, Math.max(Math.abs(whole.median ?? 0), whole.error ?? 0));
}

/** @param {[number, number] | null} between @param {string} [column] */
function fetched(between, column) {
  const width = Math.max(100, Math.round(element("curve").clientWidth * (between ? 1.5 : 1)));
  return fetchView(series.id, {
    brightness: brightness(), quality: state.quality, column, width, mjdMin: between?.[0], mjdMax: between?.[1],
  }, asked.signal);
}

function draw() {
  if (!view || !whole) return;
  const [from, to] = span();
  const { factor } = measure();
  const inside = pointsIn(view, from, to);
  const few = Boolean(view.points) && inside <= MARKERS;
  const of = view;
  const layers = KINDS.map((name, kind) => ({
    ...layerOf(of, kind, (value) => value * factor, few), ...LOOKS[name], name,
    size: few ? 5 : 3, alpha: of.points ? (few ? 0.85 : 0.6) : 0.45, hollow: few && Boolean(LOOKS[name].hollow), line: !of.points && name === "detected",
  })).filter(({ name, x }) => !state.hidden.has(name) && x.length);
  const range = view.points ? null : /** @type {[number, number] | null} */ ((state.full ? view.full : view.robust)?.map((value) => value * factor) ?? null);
  curve.full = state.full;
  curve.draw(layers, { fit: true, range });
  if (other && below) {
    const shown = below;
    const one = KINDS.map((_, kind) => layerOf(shown, kind, (value) => value, false)).filter(({ x }) => x.length);
    other.draw(one.map((layer, i) => ({ ...layer, colour: i ? "--third" : "--soft", size: 3, alpha: 0.6, line: Boolean(layer.median) && !i })), { fit: true, range: shown.points ? null : shown.robust });
  }
  tell(inside);
}

/** @param {number} inside */
function tell(inside) {
  if (!view || !whole) return;
  const { factor, label } = measure();
  const many = view.points ? "" : ", drawn as the minimum, median and maximum of each column of pixels";
  const error = whole.error === null || (view.points && inside <= MARKERS) ? "" : `; typical error ${figures(Number((whole.error * factor).toPrecision(3)))}${/\[(.*)\]/.exec(label)?.[1].replace(/^/, " ") ?? (state.unit === "mag" ? " mag" : "")}`;
  const outside = !state.full && view.full && view.robust && (view.full[0] < view.robust[0] || view.full[1] > view.robust[1]) ? "; outliers are marked at the edge" : "";
  element("told").textContent = `${stretch(state.time, series.frame, ...span())}: ${inside ? counted(inside, "point") : "no points in this range"}${many}${error}${outside}`;
  for (const name of KINDS) {
    const entry = element(`shows-${name}`);
    entry.hidden = !whole.counts[name];
    /** @type {any} */ (entry.querySelector(".count")).textContent = whole.counts[name].toLocaleString("en");
    const limits = name === "undetected" && state.unit === "mag" ? ` (${series.threshold}σ limits)` : "";
    /** @type {any} */ (entry.querySelector(".name")).textContent = LOOKS[name].label + limits;
  }
}

const refresh = later(async () => {
  remember();
  if (reloading) return; // and refreshes then
  const [from, to] = span();
  asked.abort();
  asked = new AbortController();
  try {
    if (whole?.points || from <= series.mjd_first && to >= series.mjd_last) [view, below] = [whole, state.column ? await fetched(null, state.column) : null];
    else if (!covers(view, from, to)) {
      const margin = (to - from) / 4;
      const wider = /** @type {[number, number]} */ ([from - margin, to + margin]);
      [view, below] = await Promise.all([fetched(wider), state.column ? fetched(wider, state.column) : null]);
    }
    say(null);
    draw();
  } catch (/** @type {any} */ error) {
    if (error.name !== "AbortError") say(error);
  }
}, 40);

// The URL contains the view, so that a link shows the same plot.
function remember() {
  const query = new URLSearchParams();
  const [from, to] = state.window ?? [];
  const values = {
    unit: state.unit === series.unit ? "" : state.unit, time: state.time === "mjd" ? "" : state.time, from: from?.toFixed(6), to: to?.toFixed(6),
    hide: [...state.hidden].join(","), column: state.column, full: state.full ? "1" : "",
  };
  for (const [name, value] of Object.entries(values)) if (value) query.set(name, value);
  if (state.quality !== flags) query.set("quality", state.quality);
  history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
  const drawn = new URLSearchParams({ brightness: brightness(), time: state.time, width: "1200", height: "640" });
  if (state.quality) drawn.set("quality", state.quality);
  if (from !== undefined && to !== undefined) for (const [name, value] of [["mjdMin", from], ["mjdMax", to]]) drawn.set(String(name), String(value));
  element("save-pdf").setAttribute("href", `/series/${series.id}/plot.pdf?${drawn}`);
}

function build() {
  const { label } = measure();
  const time = timeAxis(state.time, series.frame, series.mjd_first);
  curve.configure({ ...time, yLabel: label, inverted: state.unit === "mag", height: innerWidth < 600 ? 300 : 420 });
  curve.dragging = controls.drag.value;
  curve.describe = ({ label: kind, x, y, error }, i) => [`${kind}`, `${series.frame.frame} ${x[i].toFixed(6)}`, `${figures(y[i])}${error?.[i] > 0 ? ` ± ${figures(error[i])}` : ""}`];
  element("other").hidden = !state.column;
  if (state.column) {
    other ??= new Chart(element("other"));
    other.configure({ ...time, yLabel: state.column, height: 180 });
    curve.link(other);
  } else if (other) {
    other.destroy();
    [other, curve.linked] = [null, null];
  }
  draw();
}

async function reload() {
  asked.abort();
  asked = new AbortController();
  reloading = true;
  if (!whole) element("told").textContent = "Loading…";
  try {
    [whole, below] = await Promise.all([fetched(null), state.column ? fetched(null, state.column) : null]);
    view = whole;
    reloading = false;
    say(null);
    build();
    refresh();
  } catch (/** @type {any} */ error) {
    if (error.name === "AbortError") return; // another reload has begun
    reloading = false;
    if (!whole) element("told").textContent = "";
    say(error);
  }
}

function legend() {
  for (const name of KINDS) {
    const box = made("input", { type: "checkbox", checked: !state.hidden.has(name) });
    box.addEventListener("change", () => {
      state.hidden[box.checked ? "delete" : "add"](name);
      remember();
      draw();
    });
    const [title, count] = ["name", "count"].map((className) => made("span", { className }));
    element("legend").append(made("label", { id: `shows-${name}`, className: `entry ${name}`, hidden: true }, box, title, " ", count));
  }
}

curve.setWhole(series.mjd_first, series.mjd_last);
curve.setWindow(...(state.window ?? curve.whole));
curve.onWindow = (from, to) => {
  const all = from <= curve.whole[0] && to >= curve.whole[1];
  state.window = all ? null : [from, to];
  draw();
  refresh();
};
controls.unit.value = state.unit;
controls.time.value = state.time;
controls.addEventListener("change", (/** @type {any} */ { target }) => {
  const before = brightness();
  [state.unit, state.time] = [controls.unit.value, controls.time.value];
  remember();
  if (target.name === "drag") curve.dragging = target.value;
  else if (brightness() !== before) reload();
  else build();
});
element("closer").addEventListener("click", () => curve.move(0, 0.5));
element("wider").addEventListener("click", () => curve.move(0, 2));
element("all").addEventListener("click", () => curve.reset());
element("full").setAttribute("aria-pressed", String(state.full));
element("full").addEventListener("click", () => {
  state.full = !state.full;
  curve.held = false;
  element("full").setAttribute("aria-pressed", String(state.full));
  remember();
  draw();
});
for (const name of /** @type {("column" | "quality")[]} */ (["column", "quality"])) {
  const list = /** @type {HTMLSelectElement | null} */ (document.getElementById(name));
  if (!list) continue;
  list.value = state[name];
  list.addEventListener("change", () => {
    state[name] = list.value;
    remember();
    reload();
  });
}
equipCopies();
equipFigures(() => curve, series.obj_id);

legend();
remember();
reload();
