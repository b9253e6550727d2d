// The search goes on without loading the page anew; each row gets its light curve, small, when it comes into view.

import { ask, say } from "./api.js";
import { counted } from "./words.js";

const AT_ONCE = 3; // light curves that are asked for at once
const SVG = "http://www.w3.org/2000/svg";
const element = (id) => document.getElementById(id);

let waiting = [];
let working = 0;
let round = 0; // counts the pages of results, so that what belonged to an earlier one is dropped

const observer = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    observer.unobserve(target);
    waiting.push(target);
  }
  work();
}, { rootMargin: "200px" });

function work() {
  while (working < AT_ONCE && waiting.length) {
    working += 1;
    spark(waiting.shift()).catch((error) => {
      if (error.status !== 401) return; // one light curve that cannot be read is no reason to alarm anybody
      waiting = [];
      say(error);
    }).finally(() => {
      working -= 1;
      work();
    });
  }
}

async function spark(cell) {
  const { series, time, brightness } = cell.dataset;
  const { data } = await ask(`/api/photometric_series/${series}`, { query: { columns: time, derive: brightness, maxPoints: 400 } });
  const points = data[time].map((mjd, i) => [mjd, data[brightness][i]]).filter(([mjd, value]) => mjd !== null && value !== null);
  const scale = (index, size) => {
    const values = points.map((point) => point[index]);
    const [least, most] = [Math.min(...values), Math.max(...values)];
    return (value) => 2 + ((value - least) / (most - least || 1)) * (size - 4);
  };
  const [across, up] = [scale(0, 120), scale(1, 32)];
  const path = document.createElementNS(SVG, "path");
  const height = (value) => (brightness === "mag" ? up(value) : 32 - up(value));
  path.setAttribute("d", points.map(([mjd, value]) => `M${across(mjd).toFixed(1)} ${height(value).toFixed(1)}h0`).join(""));
  const picture = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries({ viewBox: "0 0 120 32", width: 120, height: 32, "aria-hidden": "true" })) picture.setAttribute(name, value);
  picture.append(path);
  cell.replaceChildren(picture);
}

// How many series match, and of which filters and instruments; each of them is a link that narrows the search.
async function summarize() {
  const place = element("summary");
  if (!place) return;
  const mine = round;
  const query = new URLSearchParams(location.search);
  for (const name of ["sortBy", "sortOrder", "pageNumber", "numPerPage", "cursor", "includeTotal", "dataFormat"]) query.delete(name);
  try {
    const found = await ask(`/api/photometric_series/summary?${query}`);
    if (mine !== round) return;
    const total = document.createElement("p");
    total.className = "total";
    total.textContent = `${counted(found.series, "series", "series")} of ${counted(found.sources, "source")}`;
    place.replaceChildren(total, chips("filter", found.filter, "filter"), chips("instrumentID", found.instrument_id, "instrument_id"));
  } catch (error) {
    say(error);
  }
}

function chips(parameter, counted, field) {
  const list = document.createElement("ul");
  list.className = "chips";
  for (const one of counted.slice(0, 12)) {
    const query = new URLSearchParams(location.search);
    const value = parameter === "filter" ? quoted(one[field]) : one[field];
    const chosen = query.get(parameter) === String(value);
    query.delete("pageNumber");
    if (chosen) query.delete(parameter);
    else query.set(parameter, value);
    const link = document.createElement("a");
    link.className = "chip";
    link.href = `/?${query}`;
    if (chosen) link.setAttribute("aria-current", "true");
    const number = document.createElement("span");
    number.className = "unit";
    number.textContent = one.series.toLocaleString("en");
    link.append(`${one.name ?? one[field]} `, number);
    const item = document.createElement("li");
    item.append(link);
    list.append(item);
  }
  return list;
}

// One that holds a comma stands in double quotes.
function quoted(text) {
  return /[",]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

async function visit(address, { keep = false } = {}) {
  round += 1;
  const mine = round;
  element("results").setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(address);
    if (new URL(answer.url).pathname !== "/") {
      location.assign(answer.url);
      return;
    }
    if (answer.status >= 500) throw new Error("The service could not answer. Try again in a moment.");
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (mine !== round) return;
    if (!keep) history.pushState(null, "", address);
    const open = element("search").querySelector("details").open;
    const focused = document.activeElement?.id;
    for (const id of ["search", "results"]) element(id).replaceWith(page.getElementById(id));
    element("search").querySelector("details").open ||= open;
    if (focused) element(focused)?.focus();
    say(null);
    begin();
  } catch (error) {
    element("results").removeAttribute("aria-busy");
    say(error.name === "TypeError" ? new Error("The service does not answer. It may be restarting: try again in a moment.") : error);
  }
}

function begin() {
  waiting = [];
  for (const cell of document.querySelectorAll(".spark")) observer.observe(cell);
  summarize();
}

document.addEventListener("submit", (event) => {
  if (event.target.id !== "search") return;
  event.preventDefault();
  const query = new URLSearchParams([...new FormData(event.target)].filter(([, value]) => value.trim()));
  const before = new URLSearchParams(location.search);
  for (const name of ["sortBy", "sortOrder", "numPerPage"]) if (before.has(name)) query.set(name, before.get(name));
  if (query.get("sortBy") === "separation" && !query.has("radius")) query.delete("sortBy");
  visit(query.size ? `/?${query}` : "/");
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || new URL(link.href).pathname !== "/") return;
  if (!link.closest("#results, #search")) return;
  event.preventDefault();
  visit(link.getAttribute("href"));
});

window.addEventListener("popstate", () => visit(location.pathname + location.search, { keep: true }));

begin();
