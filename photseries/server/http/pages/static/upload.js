// A dry run of an upload after every change, until it is stored.

import { ask, later, say } from "./api.js";
import { Stage } from "./stage.js";
import { columnsOf, object } from "./table.js";

const HDF5 = "\x89HDF\r\n\x1a\n"; // how such a file begins
const element = (id) => document.getElementById(id);
const fields = element("fields");
let file = null;
let table = null; // of a text file
let running = null;
const stage = new Stage(element("curve"));
const soon = later(dry, 500);

// What is typed into a form, by name, as JSON: where JSON is meant, with all the digits that it has.
function values(form) {
  const given = {};
  for (const input of form.elements) {
    if (!input.name || input.type === "checkbox" || !input.value.trim()) continue;
    const text = input.value.trim();
    given[input.name] = "json" in input.dataset && isJson(text) ? text : JSON.stringify(text);
  }
  const shared = [...form.querySelectorAll("[name=group_ids]:checked")].map((box) => Number(box.value));
  if (shared.length) given.group_ids = JSON.stringify(shared);
  return given;
}

function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function send(query, signal) {
  const given = Object.entries(values(fields));
  const to = { method: "POST", signal };
  if (table) return ask("/api/photometric_series", { ...to, query, body: object([...given, ["data", table.json]]) });
  const texts = given.map(([name, json]) => [name, json.startsWith('"') ? JSON.parse(json) : json]);
  return ask("/api/photometric_series", {
    ...to, query: { ...Object.fromEntries(texts), ...query }, body: file, headers: { "Content-Type": "application/x-hdf5" },
  });
}

// Says at each field what is wrong with it, or from where its value comes.
function mark(problems, found = {}, sources = {}) {
  for (const place of fields.querySelectorAll("[data-field]")) {
    const name = place.dataset.field;
    const input = place.querySelector("input, select");
    const [why, from] = place.querySelectorAll(".why, .from");
    why.textContent = problems[name]?.join(" ") ?? "";
    why.hidden = !why.textContent;
    if (why.hidden) input.removeAttribute("aria-invalid");
    else input.setAttribute("aria-invalid", "true");
    const said = { inferred: "from the columns", file: "from the file" }[sources[name]];
    from.textContent = said && !input.value ? `${typeof found[name] === "object" ? JSON.stringify(found[name]) : found[name]}, ${said}` : "";
    from.hidden = !from.textContent;
  }
}

function fact(label, value) {
  const row = document.createElement("div");
  for (const [tag, text] of [["dt", label], ["dd", value]]) row.append(Object.assign(document.createElement(tag), { textContent: text }));
  return row;
}

async function preview({ warnings, statistics, columns: types, metadata, sources, light_curve: curve, brightness: unit, label }) {
  mark({}, metadata, sources);
  element("preview").hidden = false;
  element("warnings").replaceChildren(...[...(table?.warnings ?? []), ...warnings].map((text) => Object.assign(document.createElement("li"), { textContent: text })));
  const short = (value) => (typeof value === "number" ? Number(value.toPrecision(6)).toLocaleString("en", { maximumFractionDigits: 6 }) : String(value));
  const shown = ["num_exp", "num_detected", "mjd_first", "mjd_last", "mean_mag", "rms_mag", "median_snr"];
  element("facts").replaceChildren(
    ...shown.filter((name) => statistics[name] !== null).map((name) => fact(name, name.startsWith("mjd") ? statistics[name].toFixed(5) : short(statistics[name]))),
    fact("columns", Object.entries(types).map(([name, type]) => `${name} (${type})`).join(", ")),
  );
  const chart = await stage.show({ xLabel: "MJD [d]", yLabel: label, inverted: unit === "mag", height: 260 });
  chart.setWhole(Math.min(...curve.mjd), Math.max(...curve.mjd));
  chart.setWindow(...chart.whole);
  chart.draw([{ name: "all", x: curve.mjd, y: curve[unit].map((value) => value ?? NaN), colour: "--accent", size: 3, line: curve.mjd.length < 0.9 * statistics.num_detected }], { fit: true });
}

// No dry run, under way or waiting for the typing to end, changes the page after this.
function settle() {
  soon.cancel();
  running?.abort();
}

async function dry() {
  if (!file) return;
  settle();
  const mine = new AbortController();
  running = mine;
  element("store").disabled = true;
  element("state").textContent = "Looking at it…";
  try {
    const found = await send({ dryRun: "true", maxPoints: 2000 }, mine.signal);
    if (mine.signal.aborted) return;
    await preview(found);
    if (mine.signal.aborted) return;
    say(null);
    element("store").disabled = found.exists !== null;
    element("state").textContent = found.exists === null ? "Nothing is stored yet." : "A series with these names exists already.";
  } catch (error) {
    if (error.name === "AbortError") return;
    mark(error.fields ?? {});
    const elsewhere = Object.keys(error.fields ?? {}).some((name) => !fields.querySelector(`[data-field="${CSS.escape(name)}"]`));
    say(!error.fields || !Object.keys(error.fields).length || elsewhere ? error : null);
    element("state").textContent = "Something is missing or wrong; see above.";
  }
}

// Takes another file; nothing on the page speaks of the one before, nor can that be stored.
async function choose(given) {
  if (!given) return;
  settle();
  const mine = new AbortController();
  running = mine;
  file = table = null;
  say(null);
  mark({});
  element("preview").hidden = true;
  element("store").disabled = true;
  element("state").textContent = "Reading it…";
  element("chosen").textContent = `${given.name}, ${(given.size / 1024).toLocaleString("en", { maximumFractionDigits: 0 })} KiB`;
  try {
    const read = await taken(given);
    if (mine.signal.aborted) return;
    [file, table] = [given, read];
    await dry();
  } catch (error) {
    if (mine.signal.aborted) return;
    say(error);
    element("state").textContent = "Choose another file.";
  }
}

// The table of a text file, or null where it is HDF5, which the service reads.
async function taken(given) {
  const begin = String.fromCharCode(...new Uint8Array(await given.slice(0, HDF5.length).arrayBuffer()));
  if (begin === HDF5) return null;
  const endings = element("file").accept.split(",").filter((ending) => !/^\.h/.test(ending));
  if (endings.some((ending) => given.name.toLowerCase().endsWith(ending))) return columnsOf(given);
  throw new Error(`${given.name} is no HDF5, nor text by its name. The command photseries upload reads more: FITS, Parquet, ECSV, VOTable, gzip.`);
}

async function store() {
  settle();
  element("store").disabled = true;
  element("state").textContent = "Storing…";
  try {
    const { id } = await send({});
    location.assign(`/series/${id}`);
  } catch (error) {
    mark(error.fields ?? {});
    say(error);
    element("state").textContent = "Nothing was stored.";
    element("store").disabled = false;
  }
}

async function make(event) {
  event.preventDefault();
  const form = event.target;
  const said = form.querySelector("output");
  try {
    const { id } = await ask(`/api/${form.dataset.kind}`, { method: "POST", body: object(Object.entries(values(form))) });
    element(form.dataset.list).append(new Option(form.elements.name?.value.trim() ?? id, id));
    element(form.dataset.kind === "sources" ? "f-obj_id" : "f-instrument_id").value = id;
    said.textContent = "Made, and chosen above.";
    form.reset();
    dry();
  } catch (error) {
    said.textContent = error.message;
  }
}

element("file").addEventListener("change", ({ target }) => choose(target.files[0]));
for (const name of ["dragover", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    if (name === "drop") choose(event.dataTransfer.files[0]);
  });
}
fields.addEventListener("input", soon);
fields.addEventListener("submit", (event) => event.preventDefault());
element("store").addEventListener("click", store);
for (const form of document.querySelectorAll(".make")) form.addEventListener("submit", make);
