// A plot: layers of points on one pair of axes, which can be panned and zoomed by pointer, wheel and keyboard.
//
//   const chart = new Chart(host, { x: "number" | "date", xLabel, yLabel, inverted, height });
//   chart.draw([{ name, x, y, low, high, colour, marker, size, alpha, line, columns: {...} }], { fit: true });
//   chart.onWindow = (from, to) => ...;          // the visible stretch of x has changed
//
// `low` and `high` are the ends of error bars. `colour` is the name of a custom property of the style sheet.

const { Plotting } = Bokeh;

// Dates as ISO 8601 has them, and the time of day where that tells ticks apart.
const DATES = {
  years: "%Y", months: "%Y-%m", days: "%Y-%m-%d", hours: "%Y-%m-%d\n%H:%M", hourmin: "%Y-%m-%d\n%H:%M", minutes: "%Y-%m-%d\n%H:%M",
  minsec: "%H:%M:%S", seconds: "%H:%M:%S", milliseconds: "%H:%M:%S.%3N",
};
const RIGHT = 12; // what is left free beside the frame [pixels]

export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// Breaks a line where there is nothing for long.
function broken(x, y) {
  const steps = x.slice(1).map((value, i) => value - x[i]).sort((one, other) => one - other);
  const long = 12 * (steps[Math.floor(steps.length * 0.75)] ?? Infinity);
  const line = { x: [], y: [] };
  x.forEach((value, i) => {
    if (i && value - x[i - 1] > long) {
      line.x.push(value);
      line.y.push(NaN);
    }
    line.x.push(value);
    line.y.push(y[i]);
  });
  return line;
}

export class Chart {
  constructor(host, { x = "number", xLabel = "", yLabel = "", inverted = false, height = 380, tooltips = [] } = {}) {
    this.host = host;
    this.inverted = inverted;
    this.onWindow = () => {};
    this.layers = new Map();
    this.xRange = new Bokeh.Range1d({ start: 0, end: 1 });
    this.yRange = new Bokeh.Range1d({ start: 0, end: 1 });
    this.figure = Plotting.figure({
      x_range: this.xRange, y_range: this.yRange, x_axis_type: x === "date" ? "datetime" : "linear",
      height, sizing_mode: "stretch_width", tools: [], toolbar_location: null, lod_threshold: null,
      min_border_left: 64, min_border_right: RIGHT, min_border_top: 8,
      background_fill_color: colour("--plot"), border_fill_color: colour("--plot"), outline_line_color: colour("--line"),
    });
    this.#dress(xLabel, yLabel, x);
    this.#equip(tooltips);
    this.xRange.change.connect(() => {
      const { start, end } = this.xRange;
      this.linked?.setWindow(start, end);
      this.onWindow(start, end);
    });
    this.yRange.change.connect(() => { this.held ||= !this.fitting; }); // somebody has chosen a stretch of y
    this.shown = Plotting.show(this.figure, host);
    this.#keys();
  }

  #dress(xLabel, yLabel, x) {
    const font = "system-ui, sans-serif";
    for (const [axes, label] of [[this.figure.below, xLabel], [this.figure.left, yLabel]]) {
      for (const axis of axes) {
        axis.axis_label = new Bokeh.PlainText({ text: label });
        axis.axis_label_text_font = axis.major_label_text_font = font;
        axis.axis_label_text_font_style = "normal";
        axis.axis_label_text_font_size = axis.major_label_text_font_size = "12px";
        axis.axis_label_text_color = axis.major_label_text_color = colour("--soft");
        axis.axis_line_color = axis.major_tick_line_color = colour("--line");
        axis.minor_tick_line_color = null;
      }
    }
    for (const axis of this.figure.below) {
      axis.formatter = x === "date" ? new Bokeh.DatetimeTickFormatter(DATES) : new Bokeh.BasicTickFormatter({ use_scientific: false });
      axis.major_label_policy = new Bokeh.NoOverlap({ min_distance: 6 });
    }
    for (const grid of this.figure.center) if ("grid_line_color" in grid) grid.grid_line_color = colour("--grid");
  }

  #equip(tooltips) {
    const pan = new Bokeh.PanTool({ dimensions: "width" });
    const box = new Bokeh.BoxZoomTool({ dimensions: "auto" });
    this.tools = { pan, box };
    const wheel = new Bokeh.WheelZoomTool({ dimensions: "width" });
    const hover = new Bokeh.HoverTool({ tooltips, renderers: [], mode: "mouse", attachment: "vertical" });
    this.hover = hover;
    this.figure.toolbar.tools = tooltips.length ? [pan, box, wheel, hover] : [pan, box, wheel];
    this.figure.toolbar.active_drag = pan;
    this.figure.toolbar.active_scroll = wheel;
  }

  // Calls an action with the number of the point of a layer that is tapped.
  onTap(name, action) {
    const { points, sources: [source] } = this.layers.get(name);
    points.nonselection_glyph = null;
    this.figure.add_tools(new Bokeh.TapTool({ renderers: [points] }));
    source.selected.change.connect(() => {
      const [index] = source.selected.indices;
      if (index === undefined) return;
      source.selected.indices = [];
      action(index);
    });
  }

  // "pan" or "box": what dragging does.
  set dragging(name) {
    for (const [other, tool] of Object.entries(this.tools)) tool.active = other === name;
  }

  #keys() {
    this.host.tabIndex = 0;
    this.listening = new AbortController();
    const { signal } = this.listening;
    this.host.addEventListener("keydown", (event) => {
      const action = { ArrowLeft: [-0.2, 1], ArrowRight: [0.2, 1], "+": [0, 0.6], "=": [0, 0.6], "-": [0, 1 / 0.6] }[event.key];
      if (action) this.move(...action);
      else if (event.key === "0") this.reset();
      else return;
      event.preventDefault();
    }, { signal });
    this.host.addEventListener("dblclick", () => this.reset(), { signal });
  }

  // Shifts the window by a part of its width, and scales it.
  move(shift, scale) {
    const { start, end } = this.xRange;
    const middle = (start + end) / 2 + shift * (end - start);
    const half = ((end - start) / 2) * scale;
    this.setWindow(middle - half, middle + half);
  }

  setWindow(from, to) {
    this.xRange.setv({ start: from, end: to });
  }

  // Lets another plot and this one show the same window in frames that stand one below the other; Bokeh's documents cannot
  // share a range or a layout.
  link(other) {
    const figures = [this.figure, other.figure];
    const borders = new Map();
    for (const figure of figures) {
      figure.properties.inner_width.change.connect(() => {
        borders.set(figure, figure.outer_width - figure.inner_width - RIGHT);
        for (const one of figures) one.min_border_left = Math.max(...borders.values());
      });
    }
    [this.linked, other.linked] = [other, this];
    other.whole = this.whole;
    other.setWindow(this.xRange.start, this.xRange.end);
  }

  setWhole(from, to) {
    const margin = 0.02 * (to - from || 1);
    this.whole = [from - margin, to + margin];
  }

  reset() {
    this.held = false;
    this.setWindow(...this.whole);
    this.fit();
  }

  draw(layers, { fit = false } = {}) {
    const names = new Set(layers.map((layer) => layer.name));
    for (const [name, { points, bars, line }] of this.layers) {
      if (!names.has(name)) for (const one of [points, bars, line]) one.visible = false;
    }
    for (const layer of layers) this.#layer(layer);
    this.drawn = layers;
    if (fit) this.fit();
  }

  #layer({ name, x, y, low, high, colour: property, marker = "circle", size = 5, alpha = 0.85, hollow = false, line = false, columns = {} }) {
    const paint = colour(property);
    const nothing = [];
    const data = { x, y, ...columns, low: low ?? nothing, high: high ?? nothing };
    const bars = low ? { x, low, high } : { x: nothing, low: nothing, high: nothing };
    const stroke = line ? broken(x, y) : { x: nothing, y: nothing };
    delete data.low;
    delete data.high;
    let parts = this.layers.get(name);
    if (!parts) {
      const field = (of) => ({ field: of });
      const sources = [data, bars, stroke].map((one) => new Bokeh.ColumnDataSource({ data: one }));
      parts = {
        sources,
        line: this.figure.line(field("x"), field("y"), { source: sources[2], line_width: 1 }),
        bars: this.figure.segment(field("x"), field("low"), field("x"), field("high"), { source: sources[1], line_width: 1 }),
        points: this.figure.scatter(field("x"), field("y"), { source: sources[0] }),
      };
      this.layers.set(name, parts);
      this.hover.renderers = [...this.layers.values()].map((one) => one.points);
    } else {
      [data, bars, stroke].forEach((one, index) => { parts.sources[index].data = one; });
    }
    for (const one of [parts.points, parts.bars, parts.line]) one.visible = true;
    parts.points.glyph.setv({
      marker: { value: marker }, size: { value: size }, line_color: { value: paint }, line_alpha: { value: hollow ? alpha : 0 },
      fill_color: { value: paint }, fill_alpha: { value: hollow ? 0 : alpha },
    });
    parts.bars.glyph.setv({ line_color: { value: paint }, line_alpha: { value: alpha * 0.45 } });
    parts.line.glyph.setv({ line_color: paint, line_alpha: alpha * 0.6 });
  }

  // Makes the y axis span what is visible, unless somebody has chosen otherwise.
  fit() {
    if (this.held) return;
    const { start, end } = this.xRange;
    let least = Infinity;
    let greatest = -Infinity;
    for (const { x, y, low, high } of this.drawn ?? []) {
      for (let i = 0; i < x.length; i += 1) {
        if (x[i] < start || x[i] > end || !Number.isFinite(y[i])) continue;
        const down = low && Number.isFinite(low[i]) ? low[i] : y[i];
        const up = high && Number.isFinite(high[i]) ? high[i] : y[i];
        if (down < least) least = down;
        if (up > greatest) greatest = up;
      }
    }
    if (least > greatest) return;
    const margin = (greatest - least || Math.abs(greatest) * 0.01 || 1) * 0.06;
    const ends = [least - margin, greatest + margin];
    if (this.inverted) ends.reverse();
    this.fitting = true;
    this.yRange.setv({ start: ends[0], end: ends[1] });
    this.fitting = false;
  }

  async destroy() {
    this.listening.abort();
    const view = await this.shown;
    view.remove();
    this.host.replaceChildren();
  }
}
