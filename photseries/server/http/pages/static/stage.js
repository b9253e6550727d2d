// A host element that shows one chart at a time: a new chart waits until the previous one is removed, even for rapid requests.

import { Chart } from "./chart.js";

export class Stage {
  #turn = Promise.resolve();

  /** @param {HTMLElement} host */
  constructor(host) {
    this.host = host;
    /** @type {Chart | null} */
    this.chart = null;
  }

  /** @param {import("./chart").Options} options */
  show(options) {
    const shown = this.#turn.then(async () => {
      await this.chart?.destroy();
      this.chart = new Chart(this.host, options);
      return this.chart;
    });
    this.#turn = shown.then(() => undefined);
    return shown;
  }
}
