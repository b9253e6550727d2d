// Buttons that restore a deleted series or an earlier revision and then load the page of the series.

import { ask, say } from "./api.js";

for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("button.restore"))) {
  button.addEventListener("click", async () => {
    const { id, revision } = button.dataset;
    button.disabled = true;
    try {
      await ask(`/api/photometric_series/${id}/restore`, {
        method: "POST", body: JSON.stringify(revision ? { revision: Number(revision) } : {}), headers: { "Content-Type": "application/json" },
      });
      location.assign(`/series/${id}`);
    } catch (error) {
      say(error);
      button.disabled = false;
    }
  });
}
