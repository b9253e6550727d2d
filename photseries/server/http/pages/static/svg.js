// An SVG writer with the interface of a canvas context.

/** @param {number} value */
const short = (value) => value.toFixed(2).replace(/\.?0+$/, "");
/** @param {string} text */
const escaped = (text) => text.replace(/[&<>"]/g, (one) => `&#${one.charCodeAt(0)};`);

export class SvgPen {
  /** @param {number} width @param {number} height */
  constructor(width, height) {
    this.head = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`;
    /** @type {string[]} */
    this.parts = [];
    this.path = "";
    this.open = 0;
    this.clips = 0;
    this.fillStyle = this.strokeStyle = "#000";
    this.lineWidth = this.globalAlpha = 1;
    this.font = "";
    this.textAlign = "left";
    this.dash = "";
    this.measure = /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d"));
  }

  text() {
    return `${this.head}${this.parts.join("\n")}</svg>\n`;
  }

  beginPath() { this.path = ""; }

  /** @param {number} x @param {number} y */
  moveTo(x, y) { this.path += `M${short(x)} ${short(y)}`; }

  /** @param {number} x @param {number} y */
  lineTo(x, y) { this.path += `L${short(x)} ${short(y)}`; }

  closePath() { this.path += "Z"; }

  /** @param {number} x @param {number} y @param {number} r */
  arc(x, y, r) {
    this.path += `M${short(x + r)} ${short(y)}a${short(r)} ${short(r)} 0 1 1 ${short(-2 * r)} 0a${short(r)} ${short(r)} 0 1 1 ${short(2 * r)} 0`;
  }

  /** @param {number} x @param {number} y @param {number} w @param {number} h */
  rect(x, y, w, h) { this.path += `M${short(x)} ${short(y)}h${short(w)}v${short(h)}h${short(-w)}Z`; }

  /** @param {number} x @param {number} y @param {number} w @param {number} h */
  fillRect(x, y, w, h) {
    this.path = "";
    this.rect(x, y, w, h);
    this.fill();
  }

  fill() { this.parts.push(`<path d="${this.path}" fill="${this.fillStyle}" opacity="${this.globalAlpha}"/>`); }

  stroke() {
    this.parts.push(`<path d="${this.path}" fill="none" stroke="${this.strokeStyle}" stroke-width="${this.lineWidth}" opacity="${this.globalAlpha}"${this.dash}/>`);
  }

  /** @param {number[]} lengths */
  setLineDash(lengths) { this.dash = lengths.length ? ` stroke-dasharray="${lengths.join(" ")}"` : ""; }

  /** @param {string} content @param {number} x @param {number} y */
  fillText(content, x, y) {
    const anchor = this.textAlign === "center" ? "middle" : this.textAlign === "right" ? "end" : "start";
    this.parts.push(`<text x="${short(x)}" y="${short(y)}" text-anchor="${anchor}" font-family="sans-serif" font-size="12" fill="${this.fillStyle}">${escaped(content)}</text>`);
  }

  /** @param {string} content */
  measureText(content) {
    this.measure.font = this.font;
    return this.measure.measureText(content);
  }

  save() { this.parts.push("<g>"); this.open += 1; }

  restore() { this.parts.push("</g>".repeat(this.open)); this.open = 0; }

  clip() {
    this.clips += 1;
    this.parts.push(`<clipPath id="c${this.clips}"><path d="${this.path}"/></clipPath><g clip-path="url(#c${this.clips})">`);
    this.open += 1;
  }

  /** @param {number} x @param {number} y */
  translate(x, y) { this.parts.push(`<g transform="translate(${short(x)} ${short(y)})">`); this.open += 1; }

  /** @param {number} angle */
  rotate(angle) { this.parts.push(`<g transform="rotate(${short((angle * 180) / Math.PI)})">`); this.open += 1; }
}
