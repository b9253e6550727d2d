// Edits metadata and sharing of a series, and deletes it, if permitted. Each change applies to the displayed revision.

import { ApiError, ask, element, mark, say } from "./api.js";

const form = element("edit");
const { id, revision } = form.dataset;
const path = `/api/photometric_series/${id}`;
const headers = { "If-Match": `"${id}.${revision}.none"`, "Content-Type": "application/json" };
const before = new FormData(form);

/** @param {Record<string, unknown>} changed */
async function change(changed) {
  await ask(path, { method: "PATCH", body: JSON.stringify(changed), headers });
  location.reload();
}

// Shows an error next to its field, or else at the top of the page.
/** @param {any} error */
function tell(error) {
  mark(form, error.fields ?? {});
  const wrong = form.querySelector("[aria-invalid]");
  say(wrong ? null : error);
  if (wrong) wrong.focus();
  else element("notice").scrollIntoView({ block: "nearest" });
}

form.addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
  event.preventDefault();
  /** @type {Record<string, unknown>} */
  const changed = {};
  /** @type {Record<string, string[]>} */
  const fields = {};
  for (const [name, text] of new FormData(form)) {
    if (text === before.get(name)) continue;
    try {
      changed[name] = text === "" ? null : "json" in form.elements[name].dataset ? JSON.parse(String(text)) : text;
    } catch {
      fields[name] = ["Enter a number, or a list or object in JSON."];
    }
  }
  if (Object.keys(fields).length) tell(new ApiError("", { fields }));
  else if (Object.keys(changed).length) change(changed).catch(tell);
  else tell(new Error("No field was changed."));
});

element("share").addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
  event.preventDefault();
  change({ group_ids: new FormData(element("share")).getAll("group").map(Number) }).catch(tell);
});

element("delete").addEventListener("click", () => element("confirm").showModal());
element("confirm").addEventListener("close", async () => {
  if (element("confirm").returnValue !== "yes") return;
  try {
    await ask(path, { method: "DELETE", headers: { "If-Match": headers["If-Match"] } });
    location.reload(); // the page of a deleted series offers to restore it
  } catch (error) {
    tell(error);
  }
});
