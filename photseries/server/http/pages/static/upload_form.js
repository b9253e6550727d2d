// The two forms of the upload page: read options, and fields of the series. Values from the file are displayed in the fields
// but not sent; only values that the user typed are sent, for all files.

const fields = document.getElementById("fields");
const reading = document.getElementById("reading");

// The values of a form by name; checkboxes with one name are a list.
export function typed(form) {
  const given = {};
  for (const input of form.elements) {
    if (!input.name || input.type === "checkbox" || input.dataset.told !== undefined || !input.value.trim()) continue;
    given[input.name] = input.value.trim();
  }
  const groups = [...form.querySelectorAll("[name=group_ids]:checked")].map((box) => Number(box.value));
  if (groups.length) given.group_ids = JSON.stringify(groups);
  return given;
}

export const given = () => ({ fields: typed(fields), options: typed(reading) });

function say(place, text) {
  place.textContent = text ?? "";
  place.hidden = !text;
}

const plain = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));

// Shows the file's metadata in fields where nothing was typed.
export function fill(told, filter, suggestion) {
  for (const place of fields.querySelectorAll("[data-field]")) {
    const name = place.dataset.field;
    const input = place.querySelector("input, select");
    if (input.dataset.told === undefined && input.value) continue;
    const value = told[name];
    const known = value !== undefined && value !== null;
    input.value = known ? plain(value) : "";
    if (known) input.dataset.told = "";
    else delete input.dataset.told;
    const hint = name === "filter" && !known && filter ? `“${filter}” in the file${suggestion ? `: perhaps ${suggestion}` : ""}` : "";
    say(place.querySelector(".from"), known ? "from the file" : hint);
  }
}

// Shows the role of each column and the reason, in a form to change it.
export function showRoles({ columns, names, filters, filter }) {
  reading.hidden = false;
  document.getElementById("l-columns").replaceChildren(...names.map((name) => new Option(name, name)));
  const found = Object.fromEntries(columns.map((one) => [one.role, one]));
  for (const place of reading.querySelectorAll("[data-role]")) {
    const one = found[place.dataset.role];
    const counts = place.dataset.role === "filter" && filter ? Object.entries(filters).map(([name, rows]) => `${name} (${rows})`).join(", ") : "";
    place.querySelector("input").placeholder = one?.column ?? "";
    say(place.querySelector(".from"), one?.why ?? counts);
  }
}

// A field keeps what the user typed.
fields.addEventListener("input", ({ target }) => {
  if (target.dataset.told === undefined) return;
  delete target.dataset.told;
  say(target.closest("[data-field]")?.querySelector(".from"), "");
});

// The label of a field or option on the page.
export function labelOf(name) {
  const input = fields.elements[name] ?? reading.elements[name];
  return input?.labels?.[0]?.firstChild.textContent.trim() ?? name;
}

// A reader's message, with option names replaced by the labels on the page.
export function worded(message) {
  const names = [...reading.elements].map((input) => input.name).filter(Boolean).concat("flux_unit");
  return message.replaceAll(new RegExp(`\\b(${names.filter((name) => name.includes("_")).join("|")})\\b`, "g"), (name) => `“${labelOf(name)}”`);
}
