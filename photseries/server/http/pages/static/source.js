// The page of one source: all its series in one plot, over time or folded, with a colour per filter and a marker per origin.
// Summarized series are requested again after a zoom.

import { ask, element, later, made, say } from "./api.js";
import { figures, fitting, stretch, timeAxis } from "./axes.js";
import { Chart } from "./chart.js";
import { equipColour } from "./colour.js";
import { pointsIn, covers, equipCopies, equipFigures, fetchView, foldLayer, layerOf, rangeIn } from "./curve.js";
import { SHAPES } from "./draw.js";
import { counted } from "./words.js";

const { source, series, sets, threshold, axes } = JSON.parse(document.getElementById("script")?.dataset.series ?? "{}");
const [controls, folding] = [element("controls"), element("folding")];
const AT_ONCE = 3; // maximum number of simultaneous requests
const MAX_POINTS = 20000; // maximum number of points on the page
const FEW = 3000; // maximum number of points with error bars
const DETAIL = 5000; // maximum number of folded points per series

/** @type {Map<string, number>} */
const bands = new Map(series.map((/** @type {any} */ one) => [one.filter, one.band]));
const filters = [...bands.keys()];
const first = Math.min(...series.map((/** @type {any} */ one) => one.mjd_first));
const last = Math.max(...series.map((/** @type {any} */ one) => one.mjd_last));
const { frame } = series[0];
const frames = new Set(series.map((/** @type {any} */ one) => one.frame.frame));
const given = new URLSearchParams(location.search);
/** @type {Set<string>} Names of legend entries; older links separate them by commas, which names can contain. */
const hidden = new Set((given.has("hide") ? given.getAll("hide") : ["Flagged"]).flatMap((text) => (sets.includes(text) ? text : text.split(","))).filter(Boolean));
/** @type {Map<string, import("./curve").View>} The visible range and the full range, by series and brightness. */
const views = new Map();
/** @type {Map<string, import("./curve").View>} */
const wholes = new Map();
const chart = new Chart(element("curve"));
/** @type {[number, number] | null} The visible time range. */
let span = null;

const axis = () => axes[controls.unit.value];
const isShown = (/** @type {any} */ one) => one.axes.includes(controls.unit.value);
const isMag = () => axis().brightness === "mag" && !controls.normalise.checked;
const unitOf = () => (controls.normalise.checked && axes[controls.unit.value].brightness === "mag" && series.some((/** @type {any} */ one) => one.axes.includes("flux")) ? "flux" : axis().brightness);
const key = (/** @type {any} */ one) => `${one.id} ${unitOf()}`;
const isFolded = () => folding.fold.checked && period() > 0;
const period = () => Number(folding.period.value) * (1 + Number(folding.tune.value) / 100 * fine());
// The range of the slider shifts the phase by up to a quarter at the end of the data.
const fine = () => Math.min(0.2, (0.25 * Number(folding.period.value)) / Math.max(last - first, 1e-6));

/** @param {any} one @param {number} [from] @param {number} [to] */
function fetched(one, from, to) {
  const most = Math.max(200, Math.round(MAX_POINTS / series.length));
  return fetchView(one.id, {
    brightness: unitOf(), quality: one.quality ?? "", mjdMin: from, mjdMax: to, width: 800, maxPoints: isFolded() ? 20000 : most,
  });
}

// Calls an action for each item, a few at a time; throws the first error after all are done.
/** @param {any[]} many @param {(one: any) => Promise<void>} action */
async function each(many, action) {
  const waiting = [...many];
  /** @type {any} */
  let failure = null;
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (waiting.length) {
      try {
        await action(waiting.shift());
      } catch (error) {
        failure ??= error;
      }
    }
  }));
  say(failure);
}

async function load() {
  const missing = series.filter((/** @type {any} */ one) => isShown(one) && !wholes.has(key(one)));
  let done = 0;
  if (!wholes.size) element("told").textContent = "Loading…";
  await each(missing, async (one) => {
    const view = await fetched(one);
    wholes.set(key(one), view);
    views.set(key(one), view);
    done += 1;
    if (done >= 16 && done < missing.length && Number.isInteger(Math.log2(done))) show(missing.length - done);
  });
}

// Converts a value: unchanged, to the display unit, or divided by the median of its series; plus the offset of its filter.
/** @param {any} one */
function changeOf(one) {
  const whole = wholes.get(key(one));
  const factor = controls.normalise.checked ? 1 / (whole?.median || 1) : unitOf() === "mag" ? 1 : shownUnit().factor;
  const shift = Number(controls.offset.value) * filters.indexOf(one.filter) || 0;
  return (/** @type {number} */ value) => value * factor + shift;
}

function shownUnit() {
  if (controls.normalise.checked) return { factor: 1, label: unitOf() === "mag" ? "magnitude / median" : "flux / median flux" };
  const sizes = series.filter(isShown).map((/** @type {any} */ one) => Math.abs(wholes.get(key(one))?.median ?? 0));
  return fitting(axis().label, Math.max(0, ...sizes));
}

// The marker of a series: of its origin or, if there is one origin, of its filter among those with the same colour.
/** @param {any} one */
function shapeOf(one) {
  const alike = sets.length > 1 ? sets : filters.filter((name) => bands.get(name) === one.band);
  return alike.indexOf(sets.length > 1 ? one.set : one.filter) % SHAPES.length;
}

// The legend entries of the kinds of points.
const KIND_NAMES = { 1: "Non-detections", 2: "S/N unknown", 3: "Flagged" };

function layers() {
  const few = inView() <= FEW;
  const drawn = [];
  for (const one of series) {
    const view = (isFolded() ? wholes : views).get(key(one));
    if (!view || !isShown(one) || hidden.has(one.filter) || (sets.length > 1 && hidden.has(one.set))) continue;
    for (const kind of [3, 1, 2, 0]) {
      if (hidden.has(/** @type {any} */ (KIND_NAMES)[kind])) continue;
      const layer = layerOf(view, kind, changeOf(one), few);
      if (!layer.x.length) continue;
      const own = {
        ...layer, one, colour: `--band-${one.band}`, size: few ? 5.5 : 3, alpha: view.points ? (few ? 0.85 : 0.6) : 0.4, aside: kind === 3,
        marker: kind === 3 ? "x" : kind === 1 ? "inverted_triangle" : SHAPES[shapeOf(one)], hollow: kind === 1 || kind === 2,
      };
      drawn.push(isFolded() ? foldLayer(own, first, period()) : own);
    }
  }
  return drawn;
}

function inView() {
  const [from, to] = isFolded() || !span ? [-Infinity, Infinity] : span;
  return series.filter(isShown).reduce((/** @type {number} */ sum, /** @type {any} */ one) => {
    const view = (isFolded() ? wholes : views).get(key(one));
    return sum + (view && !hidden.has(one.filter) && !hidden.has(one.set) ? pointsIn(view, from, to) : 0);
  }, 0);
}

/** @param {number} left the number of series that are not loaded yet */
function draw(left = 0) {
  chart.draw(layers(), { fit: true });
  element("told").textContent = "";
  if (!series.some((/** @type {any} */ one) => wholes.has(key(one)))) return; // no request has succeeded
  const others = series.filter((/** @type {any} */ one) => !isShown(one)).length;
  const apart = others ? `; ${counted(others, "series", "series")} in another unit or system` : "";
  const mixed = frames.size > 1 ? `; times are in ${[...frames].join(" and ")}` : "";
  const limits = isMag() && series.some((/** @type {any} */ one) => wholes.get(key(one))?.counts.undetected) ? `; non-detections are ${threshold}σ limits` : "";
  const where = isFolded() ? `Folded on ${figures(period())} d, phase 0 at ${frame.frame} ${first.toFixed(5)}` : stretch(controls.time.value, frame, ...(span ?? /** @type {[number, number]} */ ([first, last])));
  element("told").textContent = `${where}: ${counted(inView(), "point")}${limits}${apart}${mixed}${left ? `; loading ${counted(left, "more series", "more series")}` : ""}`;
}

function configure() {
  const time = isFolded() ? { x: /** @type {const} */ ("number"), xLabel: `phase (period ${figures(period())} d)`, offset: 0 } : timeAxis(controls.time.value, frame, first);
  chart.configure({ ...time, yLabel: shownUnit().label, inverted: isMag(), height: innerWidth < 600 ? 300 : 440 });
}

async function build() {
  await load();
  show();
}

/** @param {number} left */
function show(left = 0) {
  configure();
  const from = isFolded() ? 0 : first;
  chart.setWhole(from, isFolded() ? 2 : last);
  const onWindow = chart.onWindow;
  chart.onWindow = () => {};
  chart.setWindow(...(isFolded() || !span ? chart.whole : span));
  chart.onWindow = onWindow;
  legend();
  draw(left);
}

const closer = later(async () => {
  if (!span || isFolded()) return;
  const [from, to] = span;
  const margin = (to - from) / 4;
  const wanted = series.filter((/** @type {any} */ one) => isShown(one) && !hidden.has(one.filter) && !wholes.get(key(one))?.points && !covers(views.get(key(one)) ?? null, from, to) && one.mjd_first <= to && one.mjd_last >= from);
  await each(wanted, async (one) => { views.set(key(one), await fetched(one, from - margin, to + margin)); });
  draw();
}, 90);

function legend() {
  const count = (/** @type {string} */ kind) => series.some((/** @type {any} */ one) => isShown(one) && wholes.get(key(one))?.counts[kind]);
  const kinds = [count("undetected") && "Non-detections", count("unknown") && "S/N unknown", count("flagged") && "Flagged"].filter(Boolean);
  const entries = [...filters.filter((name) => series.some((/** @type {any} */ one) => one.filter === name && isShown(one))), ...(sets.length > 1 ? sets : []), ...kinds];
  element("legend").replaceChildren(...entries.map((name) => {
    const band = bands.get(name);
    const box = made("input", { type: "checkbox", checked: !hidden.has(name) });
    box.addEventListener("change", () => {
      hidden[box.checked ? "delete" : "add"](name);
      remember();
      draw();
    });
    const shown = series.find((/** @type {any} */ one) => (band === undefined ? one.set : sets.length < 2 && one.filter) === name);
    const isDot = band !== undefined && !(shown && shapeOf(shown));
    const sign = made("span", { className: isDot ? "dot" : "symbol", textContent: isDot || !shown ? "" : "●■◆▲+×"[shapeOf(shown)] });
    sign.setAttribute("aria-hidden", "true");
    return made("label", { className: `entry${band === undefined ? "" : ` band-${band}`}` }, box, sign, String(name));
  }));
}

// The URL contains the view, so that a link shows the same plot.
function remember() {
  const values = {
    unit: controls.unit.value, time: controls.time.value, normalise: controls.normalise.checked ? "1" : "", offset: Number(controls.offset.value) || "",
    fold: isFolded() ? "1" : "", period: folding.period.value, from: span?.[0].toFixed(6), to: span?.[1].toFixed(6),
  };
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value) query.set(name, String(value));
  for (const name of hidden.size ? hidden : [""]) query.append("hide", name);
  history.replaceState(null, "", `?${query}`);
  element("period-page").href = `/series/${longest().id}/period${folding.period.value ? `?${new URLSearchParams({ period: folding.period.value })}` : ""}`;
}

function recall() {
  if (axes[given.get("unit") ?? ""]) controls.unit.value = given.get("unit");
  controls.time.value = given.get("time") ?? "mjd";
  if (!controls.time.value) controls.time.value = "mjd";
  controls.normalise.checked = given.get("normalise") === "1";
  controls.offset.value = given.get("offset") ?? 0;
  folding.period.value = given.get("period") ?? "";
  folding.fold.checked = given.get("fold") === "1";
  span = rangeIn(given);
}

function longest() {
  const shown = series.filter((/** @type {any} */ one) => isShown(one) && !hidden.has(one.filter));
  return (shown.length ? shown : series).reduce((/** @type {any} */ most, /** @type {any} */ one) => (one.num_exp > most.num_exp ? one : most));
}

// A browser takes the names . and .. in a path as steps.
const isMultiBand = filters.length > 1 && !/^[.]{1,2}$/.test(source);

// Finds the period that all filters share, where there are several.
async function findPeriod() {
  element("find-period").disabled = true;
  try {
    const one = longest();
    const query = { maxPoints: 4, peaks: 1 };
    const found = isMultiBand
      ? await ask(`/api/sources/${encodeURIComponent(source)}/periodogram`, { query })
      : await ask(`/api/photometric_series/${one.id}/periodogram`, { query: { ...query, quality: one.quality ?? "" } });
    if (!found.peaks.length) throw new Error(`${source} has no peak in its periodogram.`);
    folding.period.value = String(Number(found.peaks[0].period.toPrecision(9)));
    folding.tune.value = 0;
    folding.fold.checked = true;
    remember();
    await refold();
  } catch (error) {
    say(error);
  }
  element("find-period").disabled = false;
}

// A folded plot shows single points, so long series are requested with a limited number of points.
async function refold() {
  if (isFolded()) {
    await each(series.filter((/** @type {any} */ one) => isShown(one) && !wholes.get(key(one))?.points), async (one) => {
      const thin = await ask(`/api/photometric_series/${one.id}/folded`, { query: { period: 1, brightness: unitOf(), quality: one.quality ?? "", maxPoints: DETAIL, bins: 1 } });
      const view = /** @type {any} */ (wholes.get(key(one)));
      wholes.set(key(one), { ...view, columns: [], points: { mjd: thin.mjd, value: thin.value, error: thin.error ?? thin.mjd.map(() => null), kind: thin.mjd.map(() => 0) } });
    });
  }
  await build();
}

chart.describe = ({ one, x, y, mjd, error }, i) => [`${one.filter}, ${one.set}`, `${one.frame.frame} ${(mjd ?? x)[i].toFixed(6)}`, `${figures(y[i])}${error?.[i] > 0 ? ` ± ${figures(error[i])}` : ""}`];
chart.onWindow = (from, to) => {
  if (isFolded()) return;
  span = from <= chart.whole[0] && to >= chart.whole[1] ? null : [from, to];
  remember();
  draw();
  closer();
};
for (const form of [controls, folding]) form.addEventListener("submit", (/** @type {Event} */ event) => event.preventDefault());
controls.addEventListener("change", async () => { remember(); await build(); });
folding.addEventListener("change", async () => { remember(); await refold(); });
folding.tune.addEventListener("input", () => { if (isFolded()) { configure(); draw(); } });
element("find-period").addEventListener("click", findPeriod);
element("closer").addEventListener("click", () => chart.move(0, 0.5));
element("wider").addEventListener("click", () => chart.move(0, 2));
element("all").addEventListener("click", () => chart.reset());
element("full").addEventListener("click", () => {
  [chart.full, chart.held] = [!chart.full, false];
  element("full").setAttribute("aria-pressed", String(chart.full));
  draw();
});
equipCopies();
equipFigures(() => chart, source);
equipColour(async (filter) => {
  /** @type {import("./colour").Point[]} */
  const points = [];
  await each(series.filter((/** @type {any} */ one) => one.filter === filter && one.axes.includes("mag")), async (one) => {
    const { points: of } = await fetchView(one.id, { brightness: "mag", quality: one.quality ?? "", maxPoints: 20000 });
    of?.mjd.forEach((mjd, i) => { if (of.kind[i] === 0) points.push({ mjd, value: of.value[i], error: of.error[i] ?? NaN }); });
  });
  return points.sort((one, other) => one.mjd - other.mjd);
}, frame);

recall();
build().then(() => { if (folding.fold.checked) refold(); closer(); });
