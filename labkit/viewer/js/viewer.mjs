// The viewer: photo, mask and overlay that one can play with. No framework, no build step, nothing is fetched.
//
// It holds what is shown and the parts that show it; each part reads the viewer and tells it what was asked for. Data
// travel as images.

import { Bar, controls } from "./controls.mjs";
import { Curtain } from "./curtain.mjs";
import { onKey } from "./keyboard.mjs";
import { Legend } from "./legend.mjs";
import { fill, followTheme, make } from "./page.mjs";
import { Panel } from "./panel.mjs";
import { Picture, samePhoto, withPhotos } from "./picture.mjs";
import { clampView, zoomAt } from "./pixels.mjs";
import { Prompts } from "./prompts.mjs";
import { Thumbnails } from "./thumbnails.mjs";

const MOST_DECODED = 24; // results, at some 15 MB each; what was decoded before is decoded again when it is shown

export class Viewer {
  settings = { mode: "side", split: 0.5, opacity: 0.5, threshold: 0, outline: 2, color_by: "object" };
  lit = null; // the id of the segment whose row of the legend is under the mouse
  view = { zoom: 1, x: 0, y: 0 };
  message = make("p", { class: "message", role: "status" });
  panels = [];
  title = make("p", { class: "title", "aria-live": "polite" });
  stage = make("div", { class: "stage" });
  readout = make("p", { class: "readout" });
  curtain = new Curtain(this);
  resized = new ResizeObserver(() => this.refresh());
  turn = 0; // of choosing a photo
  frame = 0; // that has been asked for
  anew = false; // whether the segments themselves have changed, not only how they lie on the photo

  /**
   * Draws the viewer of `data` (`items`, `texts`, `language`, `css`, and `start`, the item shown first) into `host`.
   *
   * With `ask` the overlay takes points, boxes and contours, and `ask(prompts)` is called after each.
   */
  constructor(host, data, { ask = null, asked = {} } = {}) {
    this.shadow = host.shadowRoot ?? host.attachShadow({ mode: "open" });
    this.stopTheme = followTheme(host);
    this.data = data;
    this.language = data.language;
    this.pictures = withPhotos(data.items).map((item) => new Picture(item));
    this.index = data.start ?? 0;
    this.prompts = new Prompts(this, ask, asked);
    this.build();
    this.choose(this.index);
  }

  destroy() {
    this.stopTheme();
    this.resized.disconnect();
    cancelAnimationFrame(this.frame);
  }

  // ---- What is shown ----------------------------------------------------------------------------------------------

  say = (key, values = {}) => fill(this.data.texts[this.language][key], values);
  nameOf = (segment) => segment[this.language];

  get current() {
    return this.pictures[this.index];
  }

  /** All results of the photo that is shown. */
  get twins() {
    return this.pictures.filter((picture) => samePhoto(picture.item, this.current.item));
  }

  /** Shows other items; zoom and settings stay. */
  async setItems(items) {
    const before = this.pictures;
    const isSame = (item, n) => item.name === before[n]?.item.name;
    const decoded = (item, n) => (item.photo === before[n]?.item.photo ? before[n].photo : null);
    this.pictures = items.map((item, n) => new Picture(item, decoded(item, n)));
    this.index = Math.min(this.index, Math.max(items.length - 1, 0));
    if (items.length !== before.length || !items.every(isSame)) this.build();
    await this.choose(this.index, true);
  }

  /** Shows the picture of that number, around the ends of the set, as soon as it is decoded. */
  async choose(index, keepView = false) {
    if (!this.pictures.length) return;
    const turn = ++this.turn;
    this.index = (index + this.pictures.length) % this.pictures.length;
    this.lit = null;
    if (!keepView) this.prompts.cursor = null;
    const { size } = this.current.item;
    if (!keepView || String(size) !== String(this.size)) this.view = clampView({ zoom: 1, x: 0, y: 0 }, ...size);
    this.size = size;
    this.curtain.settle();
    await Promise.all(this.twins.map((picture) => picture.places || picture.load()));
    if (turn !== this.turn) return;
    this.forget();
    this.write();
  }

  /** Frees what other photos' pictures hold, where there are too many. */
  forget() {
    const others = this.pictures.filter((picture) => picture.places && !this.twins.includes(picture));
    const many = others.length + this.twins.length - MOST_DECODED;
    for (const picture of others.slice(0, Math.max(many, 0))) picture.release();
  }

  setMode(mode) {
    this.settings.mode = mode;
    this.write();
  }

  async setLanguage(language) {
    this.language = language;
    this.build();
    await this.choose(this.index, true);
    this.shadow.querySelector("[name=language]").focus();
  }

  // ---- Zoom -------------------------------------------------------------------------------------------------------

  zoom(factor, x = this.view.x, y = this.view.y) {
    this.look(zoomAt(this.view, factor, x, y, ...this.size));
  }

  pan(dx, dy, { zoom, x, y } = this.view) {
    this.look(clampView({ zoom, x: x + dx, y: y + dy }, ...this.size));
  }

  look(view) {
    this.view = view;
    this.bar.write();
    this.refresh();
  }

  // ---- The parts --------------------------------------------------------------------------------------------------

  /** Builds everything; called again when the language or the set changes. */
  build() {
    const { data, language, message, prompts, readout, say, shadow, title } = this;
    const style = make("style", {}, data.css);
    this.resized.disconnect();
    if (!this.pictures.length) {
      shadow.replaceChildren(style, make("p", {}, say("none")));
      return;
    }
    this.panels = [];
    this.bar = new Bar(this);
    this.legend = new Legend(this);
    this.thumbnails = new Thumbnails(this);
    const about = { class: "viewer", role: "group", lang: language, "aria-label": say("viewer") };
    const above = [this.bar.element, title, prompts.toolbar(), message, this.stage, readout];
    const below = [this.legend.answers, controls(this), this.legend.list, this.thumbnails.element];
    // No landmark: a report holds several viewers, and landmarks of one name cannot be told apart
    const viewer = make("div", { ...about, onkeydown: (event) => onKey(this, event) }, above, below);
    shadow.replaceChildren(style, viewer);
    this.resized.observe(this.stage);
  }

  /** Writes what depends on the photo or the mode. */
  write() {
    const { index, pictures, current } = this;
    const { name, title } = current.item;
    const number = pictures.length > 1 ? `${index + 1}/${pictures.length}. ` : "";
    this.title.textContent = `${number}${name}${title ? ` · ${title}` : ""}`;
    this.readout.textContent = ""; // it was said of another picture
    this.writePanels();
    for (const part of [this.bar, this.legend, this.thumbnails]) part.write();
    this.refresh(true);
  }

  /**
   * The panels anew; the one that had the focus has it again, or the next key would go to the notebook.
   *
   * Where prompts are asked they stay as they are: the answer to one may come while the next is being drawn.
   */
  writePanels() {
    const { current, curtain, prompts, settings, shadow, stage } = this;
    const held = shadow.activeElement?.dataset.panel;
    const [width, height] = current.item.size;
    const side = prompts.ask ? ["photo", "overlay"] : ["photo", "mask", "overlay"];
    const kinds = settings.mode === "side" ? side : ["curtain"];
    stage.className = `stage ${settings.mode}`;
    stage.style.setProperty("--ratio", width / height);
    if (prompts.ask && String(this.panels.map(({ kind }) => kind)) === String(kinds)) {
      for (const panel of this.panels) panel.take();
      return;
    }
    this.panels = kinds.map((kind) => new Panel(this, kind));
    stage.replaceChildren(...this.panels.map(({ figure }) => figure));
    if (settings.mode === "curtain") stage.append(curtain.controls());
    if (held) stage.querySelector(`[data-panel=${held}]`)?.focus({ preventScroll: true });
  }

  /** Draws in the next frame; `anew` where the segments themselves change, not only how they lie on the photo. */
  refresh = (anew = false) => {
    this.anew ||= anew;
    this.frame ||= requestAnimationFrame(() => this.draw());
  };

  draw() {
    const { current, curtain, settings } = this;
    this.frame = 0;
    if (!current?.places) return;
    if (this.anew) {
      this.anew = false;
      const sides = settings.mode === "curtain" ? ["left", "right"].map((side) => curtain.source(side).picture) : [];
      for (const picture of new Set([current, ...sides]))
        if (picture.places) picture.paint(settings, picture === current ? this.lit : null);
      this.legend.update();
    }
    for (const panel of this.panels) panel.draw();
  }
}
