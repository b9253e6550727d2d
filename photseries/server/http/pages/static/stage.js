// A place for one chart at a time: a new one takes it over when the one before is gone, however quickly they are asked for.

import { Chart } from "./chart.js";

export class Stage {
  #turn = Promise.resolve();

  constructor(host) {
    this.host = host;
    this.chart = null;
  }

  show(options) {
    this.#turn = this.#turn.then(async () => {
      await this.chart?.destroy();
      this.chart = new Chart(this.host, options);
      return this.chart;
    });
    return this.#turn;
  }
}
