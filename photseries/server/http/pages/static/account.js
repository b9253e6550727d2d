// The account page: creates tokens, shows their secrets once, and revokes tokens.

import { ask, element, say } from "./api.js";
import { equipCopies } from "./curve.js";

const DAY = 86_400_000; // [ms]

// Reloads the table.
async function refresh() {
  const page = new DOMParser().parseFromString(await (await fetch(location.pathname)).text(), "text/html");
  const table = page.getElementById("tokens");
  if (!table) {
    location.assign(`/sign-in?${new URLSearchParams({ next: "/account", ended: "1" })}`); // the token of this session was revoked
    return;
  }
  element("tokens").replaceWith(table);
}

element("make").addEventListener("submit", async (/** @type {SubmitEvent} */ event) => {
  event.preventDefault();
  const form = new FormData(element("make"));
  const days = Number(form.get("lifetime"));
  const body = {
    name: form.get("name"), permissions: form.getAll("permissions"),
    ...(days ? { expires_at: new Date(Date.now() + days * DAY).toISOString() } : {}),
  };
  try {
    const { token } = await ask("/api/tokens", { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
    element("secret").textContent = token;
    element("secret").dataset.copy = token;
    element("made").hidden = false;
    element("make").reset();
    say(null);
    await refresh();
  } catch (error) {
    say(error);
  }
});

document.addEventListener("click", async (event) => {
  const button = /** @type {HTMLElement} */ (event.target).closest("button.revoke");
  if (!(button instanceof HTMLButtonElement)) return;
  const name = document.getElementById(`t-${button.dataset.id}`)?.textContent;
  if (!confirm(`Revoke ${name}? Programs that use this token will be refused.`)) return;
  button.disabled = true;
  try {
    await ask(`/api/tokens/${button.dataset.id}`, { method: "DELETE" });
    element("made").hidden = true;
    say(null);
    await refresh();
  } catch (error) {
    say(error);
    button.disabled = false;
  }
});

equipCopies();
