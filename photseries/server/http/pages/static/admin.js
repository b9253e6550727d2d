// The admin page: every change is a request to the API, after which the page is reloaded.

import { ask, element, say } from "./api.js";

const headers = { "Content-Type": "application/json" };

/** @param {string} path @param {string} method @param {Record<string, unknown>} [body] */
async function change(path, method, body) {
  try {
    const made = await ask(path, { method, headers, body: body && JSON.stringify(body) });
    say(null);
    if (!made?.token) location.reload();
    else {
      element("secret").textContent = made.token;
      element("made").hidden = false;
    }
  } catch (error) {
    say(error);
    element("notice").scrollIntoView({ block: "nearest" });
  }
}

document.addEventListener("click", ({ target }) => {
  if (!(target instanceof HTMLElement)) return;
  const { remove, path } = target.dataset;
  if (remove && confirm(`${target.textContent}?`)) change(remove, "DELETE");
  else if (path) change(path, "PATCH", { active: true });
});

document.addEventListener("submit", (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target);
  const { kind } = form.dataset;
  if (!kind) return;
  event.preventDefault();
  const given = new FormData(form);
  if (form.classList.contains("members")) {
    const { value } = /** @type {HTMLButtonElement} */ (event.submitter);
    change(`/api/${kind}/${given.get("of")}`, "PATCH", { [value]: [Number(given.get("user"))] });
    return;
  }
  const body = Object.fromEntries([...given].filter(([name, text]) => text !== "" && name !== "permissions").map(([name, text]) => [name, name === "user_id" ? Number(text) : text]));
  change(`/api/${kind}`, "POST", kind === "tokens" ? { ...body, permissions: given.getAll("permissions") } : body);
});

ask("/readyz").then(() => "ready", ({ message }) => message).then((health) => { element("health").textContent = `Health: ${health}`; });
