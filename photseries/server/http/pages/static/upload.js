// The service inspects files as soon as they are chosen, makes a dry run when nothing is missing, and stores them on request.
// Each entry of the queue is a series; a file with several filters has several entries.

import { ask, element, later, made, mark, say } from "./api.js";
import { fill, given, labelOf, showRoles, typed, worded } from "./upload_form.js";
import { Chart } from "./chart.js";

const chart = new Chart(element("curve"));
let files = [];
let queue = []; // { file, about, cell, row, id }
let shown = null;
let unread = null; // the reason why some files cannot be read
let running = null;

const SERIES = "/api/photometric_series";

function send(path, file, { fields, options }, more, signal) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({ filename: file.name, ...options, ...fields, ...more })) {
    for (const one of Array.isArray(value) ? value : [value]) query.append(name, typeof one === "object" ? JSON.stringify(one) : one);
  }
  return ask(`${SERIES}/${path}?${query}`, { method: "POST", body: file, signal, headers: { "Content-Type": "application/octet-stream" } });
}

// The read options of one entry of the queue, and the fields entered for all entries.
const asked = (entry) => ({ fields: given().fields, options: entry.about.options });

const lacking = ({ about }) => {
  const { fields } = given();
  return about.missing.filter((name) => !(name in fields));
};

function setState(entry, text, link) {
  entry.cell.replaceChildren(link ? made("a", { href: link, textContent: text }) : text);
}

function fact(label, value) {
  return made("div", {}, made("dt", { textContent: label }), made("dd", { textContent: value }));
}

function show(entry) {
  shown = entry;
  const { about } = entry;
  for (const one of queue) one.row.ariaCurrent = one === entry ? "true" : null;
  element("preview").hidden = false;
  element("warnings").replaceChildren(...about.warnings.map((text) => made("li", { textContent: worded(text) })));
  const filters = Object.entries(about.filters).map(([name, rows]) => `${name} (${rows.toLocaleString("en")})`).join(", ");
  element("facts").replaceChildren(
    fact("Survey", about.survey ?? "not recognised"),
    fact("Rows", about.rows.toLocaleString("en")),
    fact("First time", about.first.replace("T", " ")),
    fact("Last time", about.last.replace("T", " ")),
    ...(filters ? [fact("Filters in the file", filters)] : []),
    fact("Columns", about.names.join(", ")),
  );
  showRoles(about);
  fill(about.fields, about.filter, about.filter_map?.split("=")[1].replace("FILTER", ""));
  mark(element("fields"), {});
  const { light_curve: curve, brightness: unit, label } = about;
  chart.configure({ xLabel: "MJD [d]", yLabel: label, inverted: unit === "mag", height: 260 });
  chart.setWhole(Math.min(...curve.mjd), Math.max(...curve.mjd));
  chart.draw([{ name: "all", x: curve.mjd, y: curve[unit].map((value) => value ?? NaN), colour: "--accent", size: 3 }]);
  chart.reset();
}

// Aborts pending requests, so that they no longer change the page.
function begin() {
  soon.cancel();
  again.cancel();
  running?.abort();
  running = new AbortController();
  element("store").disabled = true;
  return running.signal;
}

// Requests the inspection of all files with the current options.
async function inspect() {
  const signal = begin();
  queue = [];
  element("files").replaceChildren();
  element("queue").hidden = files.length < 2;
  element("preview").hidden = true;
  say(null);
  mark(element("fields"), {});
  const refused = [];
  for (const [number, file] of files.entries()) {
    element("state").textContent = files.length > 1 ? `Reading file ${number + 1} of ${files.length}…` : "Reading…";
    try {
      const { series, more } = await send("inspect", file, given(), { maxPoints: 2000 }, signal);
      if (signal.aborted) return;
      for (const about of series) add(file, about);
      if (more) refused.push(`${file.name} has ${more} more series. Upload it with the command photseries upload.`);
    } catch (error) {
      if (signal.aborted) return;
      refused.push(worded(error.message));
      const row = made("tr", {}, made("th", { textContent: file.name, scope: "row" }), made("td"), made("td"), made("td", { textContent: "cannot be read" }));
      element("files").append(row);
      element("reading").hidden = false;
    }
  }
  unread = refused.length ? new Error(refused.join(" ")) : null;
  say(unread);
  if (!queue.length) {
    element("state").textContent = "Change the reading options, or choose another file.";
    return;
  }
  show(queue[0]);
  if (!signal.aborted) await dry();
}

function add(file, about) {
  const cell = made("td", { textContent: "not stored" });
  const open = made("button", { type: "button", className: "quiet", textContent: file.name });
  const row = made("tr", {}, made("th", { scope: "row" }, open), made("td", { textContent: about.filter ?? "" }), made("td", { textContent: about.rows.toLocaleString("en") }), cell);
  const entry = { file, about, cell, row, id: null };
  open.addEventListener("click", () => {
    show(entry);
    dry();
  });
  element("files").append(row);
  queue.push(entry);
  element("queue").hidden = queue.length < 2 && files.length < 2;
}

// Makes a dry run of the current series when nothing is missing.
async function dry() {
  if (!shown) return;
  const signal = begin();
  mark(element("fields"), {});
  const left = lacking(shown);
  if (left.length) {
    element("state").textContent = `Missing: ${left.map(labelOf).join(", ")}.`;
    return;
  }
  element("state").textContent = "Checking…";
  try {
    const found = await send("file", shown.file, asked(shown), { dryRun: true }, signal);
    if (signal.aborted) return;
    say(unread);
    element("warnings").replaceChildren(...found.warnings.map((text) => made("li", { textContent: worded(text) })));
    ready(found.exists === null ? "Nothing is stored yet." : "This series exists already.", found.exists === null || queue.length > 1);
  } catch (error) {
    if (signal.aborted) return;
    refuse(error);
  }
}

function ready(text, can) {
  element("state").textContent = text;
  element("store").disabled = !can;
}

function refuse(error) {
  const problems = error.fields ?? {};
  const names = Object.keys(problems);
  if (names.length === 1 && names[0] === "obj_id" && element("make-sources").checked) {
    ready("Nothing is stored yet. The source will be created.", true);
    return;
  }
  mark(element("fields"), problems);
  const elsewhere = names.some((name) => !element("fields").querySelector(`[data-field="${CSS.escape(name)}"]`));
  say(!names.length || elsewhere ? new Error(worded(error.message)) : null);
  element("state").textContent = "Some fields are missing or invalid; see above.";
}

async function storeOne(entry) {
  const wanted = asked(entry);
  const all = { ...entry.about.fields, ...wanted.fields };
  try {
    return await send("file", entry.file, wanted, {});
  } catch (error) {
    if (!error.fields?.obj_id || !element("make-sources").checked) throw error;
    await ask("/api/sources", { method: "POST", body: JSON.stringify({ id: all.obj_id, ra: Number(all.ra), dec: Number(all.dec) }) });
    return send("file", entry.file, wanted, {});
  }
}

async function store() {
  begin();
  const left = queue.filter((entry) => entry.id === null);
  const bar = element("progress");
  Object.assign(bar, { max: left.length, value: 0, hidden: left.length < 2 });
  let failed = null;
  for (const [number, entry] of left.entries()) {
    element("state").textContent = left.length > 1 ? `Storing ${number + 1} of ${left.length}…` : "Storing…";
    try {
      entry.id = (await storeOne(entry)).id;
      setState(entry, "stored", `/series/${entry.id}`);
    } catch (error) {
      failed = { entry, error };
      setState(entry, worded(error.message));
    }
    bar.value = number + 1;
  }
  const stored = queue.filter((entry) => entry.id !== null);
  if (!failed && queue.length === 1) {
    location.assign(`/series/${queue[0].id}`);
    return;
  }
  if (!failed) {
    element("state").textContent = `All ${stored.length} series are stored.`;
    return;
  }
  show(failed.entry);
  refuse(failed.error);
  say(new Error(worded(failed.error.message)));
  ready(stored.length ? `${stored.length} of ${queue.length} series are stored.` : "Nothing was stored.", true);
}

async function make(event) {
  event.preventDefault();
  const form = event.target;
  const said = form.querySelector("output");
  const values = typed(form);
  for (const name of ["ra", "dec"]) if (name in values && !Number.isNaN(Number(values[name]))) values[name] = Number(values[name]);
  try {
    const { id } = await ask(`/api/${form.dataset.kind}`, { method: "POST", body: JSON.stringify(values) });
    const chosen = element(form.dataset.chosen);
    (chosen.list ?? chosen).append(new Option(values.name ?? id, id));
    chosen.value = id;
    chosen.dispatchEvent(new Event("input", { bubbles: true }));
    said.textContent = "Created, and selected above.";
    form.reset();
  } catch (error) {
    said.textContent = error.message;
  }
}

function choose(list) {
  files = [...list];
  if (!files.length) return;
  shown = null;
  const size = files.reduce((sum, file) => sum + file.size, 0) / 1024;
  const name = files.length === 1 ? files[0].name : `${files.length} files`;
  element("chosen").textContent = `${name}, ${size.toLocaleString("en", { maximumSignificantDigits: 3 })} KiB`;
  inspect();
}

// Prefills the new source with the values of the series.
function propose(form) {
  for (const [name, field] of [["id", "obj_id"], ["ra", "ra"], ["dec", "dec"]]) {
    const input = form.elements[name];
    if (input && !input.value) input.value = element(`f-${field}`).value;
  }
}

const soon = later(dry, 500);
const again = later(inspect, 700);
element("file").addEventListener("change", ({ target }) => choose(target.files));
for (const name of ["dragover", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    if (name === "drop") choose(event.dataTransfer.files);
  });
}
element("fields").addEventListener("input", ({ target }) => {
  const reads = ["flux_unit", "magsys", "time_scale", "time_refpos"].includes(target.name);
  if (files.length) (reads ? again : soon)();
});
element("reading").addEventListener("input", () => again());
for (const form of document.querySelectorAll("form:not(.make)")) form.addEventListener("submit", (event) => event.preventDefault());
element("store").addEventListener("click", store);
for (const form of document.querySelectorAll(".make")) {
  form.addEventListener("submit", make);
  form.closest("details").addEventListener("toggle", () => propose(form));
}
