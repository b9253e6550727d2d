// Axis scales: conversion from values to pixels, positions and labels of ticks.

const DAY = 86_400_000; // [ms]
const UNIX = 40587; // MJD of 1970-01-01
const MINUTE = 1 / 1440;
const SECOND = 1 / 86400;
const STEPS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30].map((seconds) => seconds * SECOND)
  .concat([1, 2, 5, 10, 15, 30].map((minutes) => minutes * MINUTE), [1, 2, 3, 6, 12].map((hours) => hours / 24), [1, 2, 5, 10]);

/** @typedef {{ at: number, text: string }} Tick */
/** @typedef {"number" | "date" | "log"} Kind */

/** @param {number} rough */
function nice(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 2, 5].find((factor) => factor * power >= rough * 0.9) ?? 10);
}

// Formats a number with digits appropriate to a step, with thousands separated.
/** @param {number} value @param {number} step @param {boolean} [grouped] */
export function written(value, step, grouped = true) {
  const size = Math.max(Math.abs(value), Math.abs(step));
  if (value && (size >= 1e8 || size < 1e-6)) {
    const power = Math.floor(Math.log10(Math.abs(value)));
    const digits = Math.min(6, Math.max(0, power - Math.floor(Math.log10(step))));
    return `${(value / 10 ** power).toFixed(digits)}×10${superscript(power)}`;
  }
  const digits = Math.min(12, Math.max(0, -Math.floor(Math.log10(step) + 1e-9)));
  const text = value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: grouped && size >= 10_000 });
  return /[1-9]/.test(text) ? text.replace("-", "−") : text.replace("-", "");
}

/** @param {number} power */
function superscript(power) {
  return [...String(power)].map((one) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(one)] ?? "⁻").join("");
}

/** @param {number} mjd */
export function dateOf(mjd) {
  return new Date(Math.round((mjd - UNIX) * DAY));
}

/** @param {number} low @param {number} high @param {number} most @returns {Tick[]} */
function dates(low, high, most) {
  const rough = (high - low) / most;
  const step = STEPS.find((one) => one >= rough);
  if (step !== undefined) {
    const ticks = [];
    let last = "";
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high; i += 1) {
      const [day, time] = dateOf(i * step).toISOString().split("T");
      const clock = time.slice(0, step < SECOND ? 12 : step < MINUTE ? 8 : 5);
      ticks.push({ at: i * step, text: step >= 1 ? day : day === last ? clock : `${clock}\n${day}` });
      last = day;
    }
    return ticks;
  }
  const months = [1, 2, 3, 6].find((one) => one * 30.4 >= rough) ?? 12 * nice(rough / 365.25);
  const first = dateOf(low);
  const ticks = [];
  const start = Math.floor((first.getUTCFullYear() * 12 + first.getUTCMonth()) / months) * months;
  for (let month = start; ; month += months) {
    const date = new Date(Date.UTC(2000, 0, 1));
    date.setUTCFullYear(Math.floor(month / 12), ((month % 12) + 12) % 12, 1);
    const at = date.getTime() / DAY + UNIX;
    if (at > high || Number.isNaN(at)) return ticks;
    if (at >= low) ticks.push({ at, text: date.toISOString().slice(0, months >= 12 ? 4 : 7) });
  }
}

/** @param {number} low @param {number} high @param {number} most @returns {Tick[]} */
function logarithmic(low, high, most) {
  const decades = Math.log10(high / low);
  if (decades < 1) return numbers(low, high, most, 0, true);
  const factors = decades < most / 3 ? [1, 2, 5] : [1];
  const every = Math.max(1, Math.ceil(decades / most));
  const ticks = [];
  for (let power = Math.ceil(Math.log10(low)) - 1; 10 ** power <= high; power += 1) {
    if (power % every) continue;
    for (const factor of factors) {
      const at = factor * 10 ** power;
      if (at >= low && at <= high) ticks.push({ at, text: written(at, Math.min(1, 10 ** power)) });
    }
  }
  return ticks;
}

/** @param {number} low @param {number} high @param {number} most @param {number} offset @param {boolean} grouped @returns {Tick[]} */
function numbers(low, high, most, offset, grouped) {
  const step = nice((high - low) / most);
  const ticks = [];
  for (let i = Math.ceil((low - offset) / step - 1e-9); i * step <= high - offset + step * 1e-9; i += 1) {
    ticks.push({ at: i * step + offset, text: written(i * step, step, grouped) });
  }
  return ticks;
}

/**
 * An axis from one value to another over a range of pixels.
 */
export class Scale {
  /** @param {Kind} kind @param {number} offset subtracted from the value in labels @param {boolean} grouped whether thousands are separated */
  constructor(kind = "number", offset = 0, grouped = true) {
    this.start = 0;
    this.end = 1;
    this.from = 0;
    this.to = 1;
    /** @type {Kind} */
    this.kind = kind;
    this.offset = offset;
    this.grouped = grouped;
  }

  /** @param {number} value */
  pixel(value) {
    const place = this.kind === "log" ? Math.log(value / this.start) / Math.log(this.end / this.start) : (value - this.start) / (this.end - this.start);
    return this.from + place * (this.to - this.from);
  }

  /** @param {number} pixel */
  value(pixel) {
    return this.at((pixel - this.from) / (this.to - this.from));
  }

  // The value at a fraction of the axis.
  /** @param {number} part */
  at(part) {
    if (this.kind === "log") return this.start * (this.end / this.start) ** part;
    return this.start + part * (this.end - this.start);
  }

  // The ticks, at least about as far apart as their labels need, but two where possible.
  /** @param {number} spacing [pixels] @returns {Tick[]} */
  ticks(spacing) {
    const most = Math.max(2, Math.floor(Math.abs(this.to - this.from) / spacing));
    const [low, high] = [Math.min(this.start, this.end), Math.max(this.start, this.end)];
    if (!(high > low)) return [];
    let ticks = this.#ticks(low, high, most);
    for (let more = 1; ticks.length < 2 && more < 8; more += 1) ticks = this.#ticks(low, high, most + more);
    return ticks;
  }

  /** @param {number} low @param {number} high @param {number} most */
  #ticks(low, high, most) {
    if (this.kind === "date") return dates(low, high, most);
    return this.kind === "log" ? logarithmic(low, high, most) : numbers(low, high, most, this.offset, this.grouped);
  }
}

const OUTSIDE = 0.01;
const MARGIN = 0.3;

// The range of values without a few outliers, as the service computes it for long series; full: with outliers.
/** @param {number[]} values @param {boolean} full @returns {[number, number] | null} */
export function range(values, full) {
  const sorted = Float64Array.from(values.filter(Number.isFinite)).sort();
  const count = sorted.length;
  if (!count) return null;
  const [least, most] = [sorted[0], sorted[count - 1]];
  if (full || count < 10) return [least, most];
  const place = Math.max(2, Math.floor(OUTSIDE * count));
  const [low, high] = [sorted[place], sorted[count - 1 - place]];
  return [Math.max(least, low - MARGIN * (high - low)), Math.min(most, high + MARGIN * (high - low))];
}
