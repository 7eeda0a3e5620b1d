// The bar of modes, zoom and language, and the sliders and choices, each of which writes one of the viewer's settings.

import { button, decimal, make, percent, span } from "./page.mjs";

/** A slider of a setting from 0 on, whose value stands behind it as `shown` writes it. */
export function slider(viewer, key, max, step, shown) {
  const { settings, say } = viewer;
  const output = make("output", {}, shown(settings[key]));
  const oninput = () => {
    settings[key] = Number(input.value);
    output.textContent = shown(settings[key]);
    viewer.refresh(key !== "opacity" && key !== "split");
  };
  const range = { type: "range", min: 0, max, step, value: settings[key] };
  const input = make("input", { ...range, name: key, "aria-label": say(key), oninput });
  return make("label", { class: "slider" }, make("span", {}, say(key)), input, output);
}

/** A choice of a setting; `options` are pairs of value and name. */
export function choice(viewer, key, options) {
  const { settings, say } = viewer;
  const onchange = () => {
    settings[key] = select.value;
    viewer.refresh(true);
  };
  const made = options.map(([value, name]) => make("option", { value, selected: value === settings[key] }, name));
  const select = make("select", { name: key, onchange }, made);
  return make("label", { class: "choice" }, make("span", {}, say(key)), select);
}

/** What says how masks are painted; by class only where objects of one class are told apart. */
export function controls(viewer) {
  const { say, language, pictures } = viewer;
  const items = pictures.map(({ item }) => item);
  const repeats = ({ segments }) => new Set(segments.map((segment) => segment.class_color)).size < segments.length;
  const colors = Object.entries({ object: say("by_object"), class: say("by_class") });
  return make(
    "div",
    { class: "controls" },
    slider(viewer, "opacity", 1, 0.01, (value) => percent(value, language, 0)),
    slider(viewer, "threshold", 1, 0.01, (value) => decimal(value, language)),
    slider(viewer, "outline", 6, 1, (value) => say("pixels", { value })),
    items.some(repeats) && items.every((item) => item.classes) && choice(viewer, "color_by", colors),
  );
}

export class Bar {
  constructor(viewer) {
    const { data, language, say } = viewer;
    this.viewer = viewer;
    this.modes = ["side", "curtain"].map((mode) => button(say(mode), () => viewer.setMode(mode), { name: mode }));
    this.zoom = make("output", { "aria-live": "off" });
    const step = (sign, name, factor) =>
      button(sign, () => viewer.zoom(factor), { "aria-label": say(name), title: say("zoom_hint"), name });
    const zooms = [step("−", "zoom_out", 1 / 1.5), this.zoom, step("+", "zoom_in", 1.5)];
    const whole = button(say("whole"), () => viewer.zoom(0), { name: "whole" });
    const lang = language === "ru" ? "en" : "ru";
    const named = { name: "language", lang, "aria-label": data.texts[lang].language_name };
    const other = button(lang.toUpperCase(), () => viewer.setLanguage(lang), named);
    this.element = make("div", { class: "bar" }, this.modes, span("gap"), zooms, whole, span("gap"), other);
    this.write();
  }

  write() {
    const { settings, language, view } = this.viewer;
    for (const mode of this.modes) mode.setAttribute("aria-pressed", String(mode.name === settings.mode));
    this.zoom.textContent = percent(view.zoom, language, 0);
  }
}
