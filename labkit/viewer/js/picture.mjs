// One result, decoded: what is asked of it is painted into two canvases, the segments and their outlines.

import { decimal } from "./page.mjs";
import { clamp, colorNumber, lift, outline, readIds, readLevels, showSegments } from "./pixels.mjs";

const LEVELS = 200; // of confidence: two to a step of the threshold, so that it cuts exactly where it says
const LEAST = 0.005; // of the photo: a smaller object has no box, as in the figures
const LINE = 16; // pixels of the screen that words on the photo take

/** The items, each with its photo: one that an item before has carried travels as that item's number. */
export function withPhotos(items) {
  return items.map((item) => (typeof item.photo === "number" ? { ...item, photo: items[item.photo].photo } : item));
}

export const samePhoto = (a, b) => a.name === b.name && String(a.size) === String(b.size);

export const colorOf = (segment, by) => (by === "class" ? segment.class_color : segment.color);

/** Whether white is read on `#rrggbb`. */
const isDark = (color) => {
  const [red, green, blue] = [1, 3, 5].map((n) => Number.parseInt(color.slice(n, n + 2), 16));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue < 128;
};

async function decode(address) {
  const image = new Image();
  image.src = address;
  await image.decode();
  return image;
}

function contextOf([width, height], options) {
  return Object.assign(document.createElement("canvas"), { width, height }).getContext("2d", options);
}

async function bytesOf(address, size) {
  const context = contextOf(size, { willReadFrequently: true, colorSpace: "srgb" });
  context.drawImage(await decode(address), 0, 0);
  return context.getImageData(0, 0, ...size).data;
}

/** A canvas and the pixels, as numbers, that `put` shows in it. */
function surface(size) {
  const context = contextOf(size);
  const image = context.createImageData(...size);
  const put = () => context.putImageData(image, 0, 0);
  return { canvas: context.canvas, pixels: new Uint32Array(image.data.buffer), put };
}

export class Picture {
  hidden = new Set();

  /** `photo` where it has been decoded for another result. */
  constructor(item, photo = null) {
    Object.assign(this, { item, photo, answer: item.answers ? 0 : null });
  }

  async load() {
    const { photo, confidence, layers, segments, size } = this.item;
    const order = segments.map((segment) => segment.id);
    const [decoded, levels, ...ids] = await Promise.all([
      this.photo ?? decode(photo),
      bytesOf(confidence, size),
      ...layers.map((layer) => bytesOf(layer, size)),
    ]);
    this.photo = decoded;
    this.places = {
      levels: readLevels(levels),
      layers: ids.map((layer) => readIds(layer, order)),
      scores: Uint8Array.from([0, ...segments.map((segment) => Math.floor(segment.score * LEVELS + 1e-4))]),
      below: new Float64Array(order.length + 1),
    };
    for (const layer of this.places.layers.slice(1)) for (const place of layer) this.places.below[place]++;
    this.top = new Uint16Array(size[0] * size[1]);
    [this.mask, this.edge] = [surface(size), surface(size)];
    this.whole = showSegments(this.places, 0, new Uint8Array(order.length + 1).fill(1), this.top);
  }

  /** Forgets what `load` and `paint` made, to free the memory. */
  release() {
    for (const { canvas } of [this.mask, this.edge]) canvas.width = canvas.height = 0;
    this.places = this.top = this.mask = this.edge = null;
  }

  /** Paints what the settings ask for; a segment that is lit up is whole, the others are dimmed. */
  paint({ threshold, outline: reach, color_by }, lit) {
    const { top, mask, edge, hidden, answer } = this;
    const { segments, size } = this.item;
    const shown = segments.map(({ id }, n) => !hidden.has(id) && (answer === null || answer === n));
    const least = Math.round(threshold * LEVELS);
    this.counts = showSegments(this.places, least, Uint8Array.from([0, ...shown]), top);
    const place = segments.findIndex(({ id }, n) => id === lit && shown[n]) + 1;
    if (place) lift(this.places, least, place, top);
    const alpha = (id) => (place && lit !== id ? 56 : 255);
    const colors = segments.map((segment) => colorNumber(colorOf(segment, color_by), alpha(segment.id)));
    const palette = Uint32Array.from([0, ...colors]);
    const { pixels } = mask;
    for (let i = 0; i < top.length; i++) pixels[i] = palette[top[i]];
    outline(top, ...size, reach, palette, edge.pixels);
    mask.put();
    edge.put();
  }

  /** The share of the photo that the threshold leaves of a segment. */
  share(n) {
    const whole = this.whole[n + 1];
    return whole ? this.item.segments[n].share * (this.counts[n + 1] / whole) : 0;
  }

  /** The segment that the pixel (x, y) shows, null for the background, and its confidence; nothing beside the photo. */
  at(x, y) {
    const [width, height] = this.item.size;
    if (!this.places || x < 0 || y < 0 || x >= width || y >= height) return null;
    const { layers, levels, scores } = this.places;
    const i = y * width + x;
    const place = this.top[i];
    const level = place === layers[0][i] ? levels[i] : scores[place];
    return { segment: place ? this.item.segments[place - 1] : null, confidence: Math.ceil(level / 2) / 100 };
  }

  /** A place of the picture that travels in pixels of the photo itself, inside it. */
  onPhoto(place) {
    const { size, photo_size } = this.item;
    const scale = photo_size[0] / size[0];
    return place.map((value, n) => clamp(Math.floor(value * scale), 0, photo_size[n] - 1));
  }

  /** Draws the photo, the mask or the overlay into the context, whose transform is the view. */
  draw(context, kind, viewer) {
    const { opacity, outline } = viewer.settings;
    context.fillStyle = "#000";
    if (kind === "mask") context.fillRect(0, 0, ...this.item.size);
    else context.drawImage(this.photo, 0, 0, ...this.item.size);
    if (kind === "overlay") context.globalAlpha = opacity;
    if (kind !== "photo") context.drawImage(this.mask.canvas, 0, 0);
    context.globalAlpha = 1;
    if (kind !== "overlay") return;
    context.drawImage(this.edge.canvas, 0, 0);
    if (outline) this.drawBoxes(context, viewer);
  }

  /** Draws the box of each object that has one and is seen, and above it, or below others' words, what and how sure. */
  drawBoxes(context, { language, lit, nameOf, settings }) {
    const { photo_size, segments, size } = this.item;
    const unit = (window.devicePixelRatio || 1) / context.getTransform().a;
    const line = LINE * unit;
    const taken = [];
    for (const [n, segment] of segments.entries()) {
      const isSeen = this.counts?.[n + 1] && (lit === null || lit === segment.id);
      if (!segment.box || segment.share < LEAST || !isSeen) continue;
      const [x0, y0, x1, y1] = segment.box.map((side) => (side * size[0]) / photo_size[0]);
      const color = colorOf(segment, settings.color_by);
      Object.assign(context, { fillStyle: color, strokeStyle: color, lineWidth: 2 * unit });
      Object.assign(context, { font: `${0.75 * line}px sans-serif`, textBaseline: "middle" });
      context.strokeRect(x0, y0, x1 - x0, y1 - y0);
      const told = `${nameOf(segment)}: ${decimal(segment.score, language)}`;
      const width = context.measureText(told).width + line / 2;
      const x = clamp(x0, 0, Math.max(0, size[0] - width));
      let y = Math.max(0, y0 - line);
      while (taken.some(([left, right, top]) => x < right && left < x + width && Math.abs(y - top) < line)) y += line;
      taken.push([x, x + width, y]);
      context.fillRect(x, y, width, line);
      context.fillStyle = isDark(color) ? "#fff" : "#000";
      context.fillText(told, x + line / 4, y + line / 2);
    }
  }
}
