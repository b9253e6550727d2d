// Searches without reloading the page, and suggests names while the user types.

import { ask, element, later, made, say } from "./api.js";
import { equipCopies } from "./curve.js";
import { showArchive } from "./sky.js";
import { beginSparks } from "./spark.js";
import { counted } from "./words.js";

const HIDDEN = "photseries-hidden-columns";

let round = 0; // the number of the current page of results, so that late answers for an earlier page are dropped

// The number of matches, by filter and instrument; each is a link that narrows the search.
async function summarize() {
  const place = element("summary");
  if (!place) return;
  const mine = round;
  try {
    const found = await ask(`/find/summary?${element("results").dataset.asked}`);
    if (mine !== round) return;
    const textContent = `${counted(found.series, "series", "series")} of ${counted(found.sources, "source")}`;
    const total = made("p", { className: "total", textContent });
    place.replaceChildren(total, chips("filter", found.filter, "filter"), chips("instrumentID", found.instrument_id, "instrument_id"));
  } catch (error) {
    say(error);
  }
}

/** @param {string} parameter @param {any[]} values @param {string} field */
function chips(parameter, values, field) {
  const list = made("ul", { className: "chips" });
  for (const one of values.slice(0, 12)) {
    const query = new URLSearchParams(location.search);
    const value = parameter === "filter" ? quoted(one[field]) : one[field];
    const chosen = query.get(parameter) === String(value);
    query.delete("pageNumber");
    if (chosen) query.delete(parameter);
    else query.set(parameter, value);
    const number = made("span", { className: "unit", textContent: one.series.toLocaleString("en") });
    const link = made("a", { className: "chip", href: `/?${query}` }, `${one.name ?? one[field]} `, number);
    if (chosen) link.setAttribute("aria-current", "true");
    list.append(made("li", {}, link));
  }
  return list;
}

// Quotes a value that contains a comma.
/** @param {string} text */
function quoted(text) {
  return /[",]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** @param {string} address @param {{ keep?: boolean }} how */
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
    if (!page.getElementById("results")) {
      location.assign(address); // an error page
      return;
    }
    if (!keep) history.pushState(null, "", address);
    const open = element("more").open;
    const focused = document.activeElement?.id;
    for (const id of ["search", "results"]) element(id).replaceWith(/** @type {any} */ (page.getElementById(id)));
    element("more").open ||= open;
    if (focused) element(focused)?.focus();
    say(null);
    begin();
  } catch (/** @type {any} */ error) {
    element("results").removeAttribute("aria-busy");
    say(error.name === "TypeError" ? new Error("The service does not answer. It may be restarting: try again in a moment.") : error);
  }
}

const suggest = later(async (/** @type {string} */ text) => {
  const place = element("names");
  try {
    const names = text.trim().length < 2 || /^[\d\s.,:+-]+$/.test(text) ? [] : await ask("/find/names", { query: { q: text } });
    if (element("in-q").value !== text) return;
    place.replaceChildren(...names.map((/** @type {string} */ name) => made("a", { href: `/?${new URLSearchParams({ q: name })}`, textContent: name })));
    place.hidden = !names.length;
  } catch {
    place.hidden = true; // the search itself reports the error
  }
}, 120);

// The hidden columns, remembered for the next visit.
function equipColumns() {
  const hidden = new Set((localStorage.getItem(HIDDEN) ?? "").split(",").filter(Boolean));
  const show = () => {
    for (const cell of document.querySelectorAll('[class*="c-"]')) {
      const name = /\bc-(\w+)/.exec(cell.className)?.[1];
      if (name) /** @type {HTMLElement} */ (cell).hidden = hidden.has(name);
    }
  };
  for (const box of /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll(".choice input"))) {
    box.checked = !hidden.has(box.value);
    box.addEventListener("change", () => {
      hidden[box.checked ? "delete" : "add"](box.value);
      localStorage.setItem(HIDDEN, [...hidden].join(","));
      show();
    });
  }
  show();
}

function begin() {
  beginSparks();
  summarize();
  equipCopies();
  equipColumns();
  showArchive().catch(say);
}

document.addEventListener("submit", (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target);
  if (form.id !== "search") return;
  event.preventDefault();
  suggest.cancel();
  element("names").hidden = true;
  const query = new URLSearchParams(/** @type {any} */ ([...new FormData(form)].filter(([, value]) => String(value).trim())));
  const before = new URLSearchParams(location.search);
  for (const name of ["sortBy", "sortOrder", "numPerPage"]) if (before.has(name)) query.set(name, String(before.get(name)));
  if (query.get("sortBy") === "separation") query.delete("sortBy");
  visit(query.size ? `/?${query}` : "/");
});

document.addEventListener("input", (event) => {
  if (/** @type {HTMLElement} */ (event.target).id === "in-q") suggest(element("in-q").value);
});

// The arrow keys move between the box and the suggestions.
document.addEventListener("keydown", (event) => {
  const links = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("#names a")]);
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const at = links.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  if (event.key === "Escape") element("names").hidden = true;
  if (!step || element("names").hidden || (at < 0 && document.activeElement !== element("in-q"))) return;
  event.preventDefault();
  (links[at + step] ?? element("in-q")).focus();
});

document.addEventListener("click", (event) => {
  const target = /** @type {HTMLElement} */ (event.target);
  if (!target.closest(".box")) element("names").hidden = true;
  const link = target.closest("a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || new URL(link.href).pathname !== "/") return;
  if (!link.closest("#results, #search")) return;
  event.preventDefault();
  suggest.cancel();
  visit(String(link.getAttribute("href")));
});

window.addEventListener("popstate", () => visit(location.pathname + location.search, { keep: true }));

begin();
