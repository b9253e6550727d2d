// Gestures of a plot: drag, wheel, pinch, tap, and keys while the plot has the focus.

/** @typedef {import("./chart").Chart} Chart */

const SLIP = 5; // maximum movement of a tap [pixels]

/** @param {Chart} chart @param {AbortSignal} signal */
export function listen(chart, signal) {
  const { host } = chart;
  /** @type {Map<number, { x: number, y: number }>} */
  const fingers = new Map();
  /** @type {{ x: number, y: number, start: number, end: number, moved: boolean } | null} */
  let drag = null;
  let spread = 0;

  /** @param {MouseEvent} event */
  const place = (event) => {
    const box = host.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  /** @param {number} x */
  const part = (x) => (x - chart.xs.from) / (chart.xs.to - chart.xs.from);

  host.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    host.focus({ preventScroll: true });
    fingers.set(event.pointerId, place(event));
    if (fingers.size === 2) {
      const [one, other] = [...fingers.values()];
      spread = Math.abs(one.x - other.x);
      drag = null;
      return;
    }
    host.setPointerCapture(event.pointerId);
    drag = { ...place(event), start: chart.xs.start, end: chart.xs.end, moved: false };
  }, { signal });

  host.addEventListener("pointermove", (event) => {
    const now = place(event);
    if (!fingers.has(event.pointerId)) {
      hover(chart, now);
      return;
    }
    fingers.set(event.pointerId, now);
    if (fingers.size === 2) {
      const [one, other] = [...fingers.values()];
      const apart = Math.abs(one.x - other.x);
      if (spread > 10 && apart > 10) chart.move(0, spread / apart, part((one.x + other.x) / 2));
      spread = apart;
      return;
    }
    if (!drag) return;
    drag.moved ||= Math.hypot(now.x - drag.x, now.y - drag.y) > SLIP;
    if (!drag.moved) return;
    chart.tip.hidden = true;
    if (chart.dragging === "box" || event.shiftKey) rubber(chart, drag, now);
    else {
      const shift = part(drag.x) - part(now.x);
      const size = drag.end - drag.start;
      if (chart.xs.kind === "log") {
        chart.move(shift, 1);
        drag.x = now.x;
      } else chart.setWindow(drag.start + shift * size, drag.end + shift * size);
    }
  }, { signal });

  /** @param {PointerEvent} event */
  const up = (event) => {
    const now = place(event);
    const was = drag;
    fingers.delete(event.pointerId);
    drag = null;
    if (!was || event.type !== "pointerup") {
      chart.band.hidden = true;
      return;
    }
    if (!was.moved) {
      const found = chart.nearest(now.x, now.y);
      if (found) chart.onPick(...found);
    } else if (!chart.band.hidden) select(chart, was, now);
    chart.band.hidden = true;
  };
  host.addEventListener("pointerup", up, { signal });
  host.addEventListener("pointercancel", up, { signal });
  host.addEventListener("pointerleave", () => { chart.tip.hidden = true; }, { signal });

  // The wheel scrolls the page unless the plot has the focus or Ctrl is held.
  host.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !host.contains(document.activeElement)) return;
    event.preventDefault();
    const { x } = place(event);
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) chart.move(event.deltaX / (chart.xs.to - chart.xs.from), 1);
    else chart.move(0, Math.exp(Math.max(-0.5, Math.min(0.5, event.deltaY / 400))), part(x));
  }, { signal, passive: false });

  host.addEventListener("keydown", (event) => {
    /** @type {Record<string, [number, number]>} */
    const moves = { ArrowLeft: [-0.2, 1], ArrowRight: [0.2, 1], PageUp: [-0.8, 1], PageDown: [0.8, 1], Home: [-1e9, 1], End: [1e9, 1], "+": [0, 0.6], "=": [0, 0.6], "-": [0, 1 / 0.6] };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in moves) chart.move(...moves[event.key]);
    else if (event.key === "0") chart.reset();
    else return;
    event.preventDefault();
  }, { signal });
  host.addEventListener("dblclick", () => chart.reset(), { signal });
}

/** @param {Chart} chart @param {{ x: number, y: number }} at */
function hover(chart, { x, y }) {
  const found = chart.nearest(x, y);
  const lines = found ? chart.describe(...found) : [];
  chart.tip.hidden = !lines.length;
  chart.host.classList.toggle("near", Boolean(lines.length));
  if (!lines.length) return;
  chart.tip.replaceChildren(...lines.flatMap((text) => [document.createElement("br"), text]).slice(1));
  const left = x > chart.host.clientWidth / 2 ? x - chart.tip.offsetWidth - 14 : x + 14;
  Object.assign(chart.tip.style, { left: `${Math.max(0, left)}px`, top: `${Math.max(0, y - chart.tip.offsetHeight - 10)}px` });
}

/** @param {Chart} chart @param {{ x: number, y: number }} from @param {{ x: number, y: number }} to */
function rubber(chart, from, to) {
  chart.band.hidden = false;
  const [left, right] = [Math.min(from.x, to.x), Math.max(from.x, to.x)];
  const tall = Math.abs(from.y - to.y) > 24;
  const [top, bottom] = tall ? [Math.min(from.y, to.y), Math.max(from.y, to.y)] : [chart.ys.to, chart.ys.from];
  Object.assign(chart.band.style, { left: `${left}px`, top: `${top}px`, width: `${right - left}px`, height: `${bottom - top}px` });
}

/** @param {Chart} chart @param {{ x: number, y: number }} from @param {{ x: number, y: number }} to */
function select(chart, from, to) {
  if (Math.abs(from.x - to.x) < SLIP) return;
  if (Math.abs(from.y - to.y) > 24) {
    const ends = [chart.ys.value(Math.max(from.y, to.y)), chart.ys.value(Math.min(from.y, to.y))];
    [chart.ys.start, chart.ys.end] = ends;
    chart.held = true;
  }
  chart.setWindow(chart.xs.value(Math.min(from.x, to.x)), chart.xs.value(Math.max(from.x, to.x)));
}
