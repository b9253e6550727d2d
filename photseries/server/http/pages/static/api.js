// What the scripts of all pages share. Requests to the API carry the CSRF token, and every failure becomes an Error with a readable
// message. Parts of a page are inert until its scripts run.

const page = document.documentElement.dataset;

// A click before the script that handles it would be lost.
addEventListener("DOMContentLoaded", () => {
  for (const part of document.querySelectorAll("[inert]")) part.removeAttribute("inert");
});

// The element with an id, of the type that the script expects.
/** @param {string} id */
export const element = (id) => /** @type {any} */ (document.getElementById(id));

// A new element with properties and children.
/** @param {string} tag @param {Record<string, unknown>} properties @param {(Node | string)[]} children @returns {any} */
export function made(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

export class ApiError extends Error {
  /** @param {string} message @param {{ status?: number, fields?: Record<string, string[]>, data?: Record<string, unknown> }} more */
  constructor(message, { status = 0, fields = {}, data = {} } = {}) {
    super(message);
    this.status = status;
    this.fields = fields;
    this.data = data;
  }
}

/** @param {string} path @param {{ method?: string, query?: Record<string, any>, body?: BodyInit, headers?: Record<string, string>, signal?: AbortSignal }} how @returns {Promise<any>} */
export async function ask(path, { method = "GET", query = {}, body, headers = {}, signal } = {}) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined && value !== "") parameters.append(name, value);
  const text = parameters.toString();
  let answer;
  let envelope;
  try {
    answer = await fetch(text ? `${path}?${text}` : path, {
      method, body, signal, headers: { "X-CSRF-Token": page.csrf ?? "", ...headers },
    });
    envelope = await answer.json();
  } catch (/** @type {any} */ error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The service does not answer. It may be restarting: try again in a moment.");
  }
  if (answer.ok) return envelope.data;
  const { fields, ...data } = envelope.data ?? {};
  throw new ApiError(envelope.message, { status: answer.status, fields, data });
}

// Shows a message in the status area of the page; without an error the area is cleared.
/** @param {any} error */
export function say(error) {
  const place = /** @type {HTMLElement} */ (document.getElementById("notice"));
  place.replaceChildren();
  place.hidden = !error;
  if (!error) return;
  place.append(error.message ?? String(error));
  if (error.status === 401) {
    const href = `/sign-in?${new URLSearchParams({ next: location.pathname + location.search })}`;
    place.append(" ", made("a", { href, textContent: "Sign in" }));
  }
}

// Shows errors next to the fields of a form, which they name by their labels.
/** @param {HTMLElement} form @param {Record<string, string[]>} problems */
export function mark(form, problems) {
  for (const place of /** @type {NodeListOf<HTMLElement>} */ (form.querySelectorAll("[data-field]"))) {
    const name = place.dataset.field ?? "";
    const [label, input, why] = /** @type {any[]} */ (["label", "input, select", ".why"].map((one) => place.querySelector(one)));
    const text = problems[name]?.join(" ") ?? "";
    why.textContent = text.replace(new RegExp(`\\b${name}\\b`, "g"), `“${label.firstChild.textContent.trim()}”`);
    why.hidden = !text;
    why.id = `why-${name}`;
    for (const [attribute, value] of [["aria-invalid", "true"], ["aria-describedby", why.id]]) {
      if (text) input.setAttribute(attribute, value);
      else input.removeAttribute(attribute);
    }
  }
}

/** @template {any[]} T @param {(...values: T) => void} action @param {number} milliseconds */
export function later(action, milliseconds) {
  let timer = 0;
  const asked = (/** @type {T} */ ...values) => {
    clearTimeout(timer);
    timer = window.setTimeout(() => action(...values), milliseconds);
  };
  asked.cancel = () => clearTimeout(timer);
  return asked;
}
