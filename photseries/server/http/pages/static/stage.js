// A place for one chart at a time: a new one takes it over when the one before is gone, however quickly they are asked for.

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
