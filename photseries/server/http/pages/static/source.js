// The page of one source: all its series, coloured by filter; what was thinned out is asked for again when one looks closer.

import { ask, later, say } from "./api.js";
import { labelOfTime, timeAxis } from "./axes.js";
import { Stage } from "./stage.js";
import { counted } from "./words.js";

const { series, threshold, axes } = JSON.parse(document.getElementById("script").dataset.series);
const element = (id) => document.getElementById(id);
const controls = element("controls");
const AT_ONCE = 3; // requests under way
const MOST = 20000; // points on the page
const FEW = 3000; // points that are drawn with error bars

const bands = new Map(series.map((one) => [one.filter, one.band]));
const filters = [...bands.keys()];
const first = Math.min(...series.map((one) => one.mjd_first));
const last = Math.max(...series.map((one) => one.mjd_last));
const hidden = new Set();
let rows = new Map(); // of each series by its id
const stage = new Stage(element("curve"));
let chart = null;
let span = null; // the times in view
let unseen = false; // whether points have no place in magnitudes

const brightness = () => axes[controls.unit.value];
const isShown = (one) => one.axes.includes(controls.unit.value);
const axis = () => timeAxis(controls.time.value, first);

async function fetched(one, from, to) {
  const { data, data_rows: count } = await ask(`/api/photometric_series/${one.id}`, {
    query: {
      columns: one.time, derive: [...one.axes.flatMap((name) => [axes[name].brightness, `${axes[name].brightness}err`]), "snr"].join(","), mjdMin: from, mjdMax: to,
      maxPoints: Math.max(200, Math.round(MOST / series.length)),
    },
  });
  const mjd = data[one.time];
  return { ...data, mjd, complete: mjd.length === count, from: from ?? -Infinity, to: to ?? Infinity };
}

// Calls an action for each, a few at a time; the first failure is told when all are done.
async function each(many, action) {
  const waiting = [...many];
  let failure = null;
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (waiting.length) {
      try {
        await action(waiting.shift());
      } catch (error) {
        if (!/No row/.test(error.message)) failure ??= error; // a stretch without a row is no failure
      }
    }
  }));
  say(failure);
}

function points(filter, few) {
  const { position } = axis();
  const unit = brightness().brightness;
  const layer = { x: [], y: [], low: [], high: [], columns: { mjd: [], error: [], id: [] } };
  for (const one of series) {
    const of = rows.get(one.id);
    if (one.filter !== filter || !of || !isShown(one)) continue;
    of[unit].forEach((value, i) => {
      const error = of[`${unit}err`][i];
      const faint = of.snr[i] !== null && of.snr[i] <= threshold;
      if (value === null || (unit === "mag" && faint)) {
        unseen ||= unit === "mag" && (of.flux ?? of.mag)[i] !== null;
        return;
      }
      layer.x.push(position(of.mjd[i]));
      layer.y.push(value);
      layer.low.push(value - (error ?? NaN));
      layer.high.push(value + (error ?? NaN));
      layer.columns.mjd.push(of.mjd[i]);
      layer.columns.error.push(error ?? NaN);
      layer.columns.id.push(one.id);
    });
  }
  return few ? layer : { ...layer, low: undefined, high: undefined };
}

function inView() {
  const [from, to] = span ?? [-Infinity, Infinity];
  const shown = series.filter(isShown).map((one) => rows.get(one.id)).filter(Boolean);
  return shown.reduce((sum, { mjd }) => sum + mjd.filter((time) => time >= from && time <= to).length, 0);
}

function draw(fit) {
  const few = inView() <= FEW;
  unseen = false;
  const layers = filters.filter((name) => !hidden.has(name)).map((name) => ({
    name, ...points(name, few), colour: `--band-${bands.get(name)}`, size: few ? 5 : 2.5, alpha: few ? 0.85 : 0.6,
  }));
  chart.draw(layers, { fit });
  const thinned = [...rows.values()].some(({ complete }) => !complete) ? ", the extremes of more" : "";
  const left = unseen ? "; points that are not detected are not shown in magnitudes" : "";
  const others = series.filter((one) => !isShown(one)).length;
  const apart = others ? `; ${counted(others, "series", "series")} in another unit or system` : "";
  element("told").textContent = `${counted(inView(), "point")}${thinned}${left}${apart}`;
}

const closer = later(async () => {
  const [from, to] = span;
  const margin = (to - from) / 4;
  const wanted = series.filter((one) => {
    const of = rows.get(one.id);
    return of && isShown(one) && !hidden.has(one.filter) && !(of.complete && of.from <= from && of.to >= to) && one.mjd_first <= to && one.mjd_last >= from;
  });
  await each(wanted, async (one) => rows.set(one.id, await fetched(one, from - margin, to + margin)));
  draw(true);
}, 90);

async function build() {
  const { kind, position, mjd } = axis();
  const { brightness: unit, label } = brightness();
  chart = await stage.show({
    x: kind, xLabel: labelOfTime(controls.time.value, first), yLabel: label, inverted: unit === "mag",
    height: innerWidth < 600 ? 320 : 440,
    tooltips: [["MJD", "@mjd{0.00000}"], [unit, "@y{0.0000}"], ["±", "@error{0.0000}"], ["series", "@id"]],
  });
  chart.setWhole(position(first), position(last));
  chart.setWindow(...(span ? span.map(position) : chart.whole));
  draw(true);
  chart.onWindow = (from, to) => {
    span = [mjd(from), mjd(to)];
    closer();
  };
}

function legend() {
  for (const [name, number] of bands) {
    const entry = Object.assign(document.createElement("label"), { className: `entry band-${number}` });
    const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: true });
    const dot = Object.assign(document.createElement("span"), { className: "dot" });
    box.addEventListener("change", () => {
      if (box.checked) hidden.delete(name);
      else hidden.add(name);
      draw(true);
    });
    entry.append(box, dot, name);
    element("legend").append(entry);
  }
}

controls.addEventListener("change", build);
controls.addEventListener("submit", (event) => event.preventDefault());
element("closer").addEventListener("click", () => chart?.move(0, 0.5));
element("wider").addEventListener("click", () => chart?.move(0, 2));
element("all").addEventListener("click", () => chart?.reset());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", build);

legend();
await each(series, async (one) => rows.set(one.id, await fetched(one)));
await build();
