// A panel: a canvas with the photo, the mask, the overlay or the curtain, and what mouse and fingers do on it.

import { decimal, make } from "./page.mjs";

const NEAR = 6; // pixels of the screen: a shorter drag is a click
const gap = (a, b) => Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
const EVENTS = ["down", "move", "up", "cancel", "leave"].map((name) => `pointer${name}`);

export class Panel {
  pointers = new Map();
  start = null; // of a drag: the event, the view and the place then
  pointercancel = this.pointerup;

  constructor(viewer, kind) {
    const { say, prompts } = viewer;
    Object.assign(this, { viewer, kind, asks: Boolean(prompts.ask && kind === "overlay") });
    this.canvas = make("canvas", { role: "img", tabindex: "0", "data-panel": kind });
    this.take();
    this.canvas.classList.toggle("asks", this.asks);
    for (const name of [...EVENTS, "contextmenu", "dblclick", "wheel"])
      this.canvas.addEventListener(name, this, { passive: false });
    const caption = make("figcaption", {}, say(kind === "curtain" ? "curtain_hint" : kind));
    this.figure = make("figure", { class: kind }, this.canvas, caption);
  }

  /** Takes the shape of what the viewer shows, and says it for those who do not see it. */
  take() {
    const { canvas, kind, viewer } = this;
    const { name, size, segments } = viewer.current.item;
    const about = segments.map(viewer.nameOf).join(", ") || viewer.say("nothing");
    canvas.setAttribute("aria-label", `${viewer.say(kind)}: ${name}${kind === "photo" ? "" : `. ${about}`}`);
    canvas.style.aspectRatio = `${size[0]} / ${size[1]}`;
  }

  draw() {
    const { canvas, kind, viewer } = this;
    const { current, curtain, prompts, view } = viewer;
    const [width, height] = current.item.size;
    const pixel = window.devicePixelRatio || 1;
    const shown = canvas.clientWidth || width;
    const [w, h] = [Math.round(shown * pixel), Math.round((shown * height * pixel) / width)];
    if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
    canvas.classList.toggle("zoomed", view.zoom > 1);
    const context = canvas.getContext("2d");
    const scale = (w / width) * view.zoom;
    const place = () => context.setTransform(scale, 0, 0, scale, w / 2 - view.x * scale, h / 2 - view.y * scale);
    context.resetTransform();
    context.clearRect(0, 0, w, h);
    context.imageSmoothingEnabled = scale < 3;
    if (kind === "curtain") curtain.draw(context, place, pixel);
    place();
    if (kind !== "curtain") current.draw(context, kind, viewer);
    if (kind === "curtain" || kind === "overlay") prompts.draw(context, pixel / scale);
  }

  // ---- Where an event is ------------------------------------------------------------------------------------------

  /** Pixels of the screen to one of the picture that travels. */
  get scale() {
    const { current, view } = this.viewer;
    return (this.canvas.getBoundingClientRect().width / current.item.size[0]) * view.zoom;
  }

  /** In pixels of the picture that travels. */
  placeOf({ clientX, clientY }) {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    const { x, y } = this.viewer.view;
    return [(clientX - left - width / 2) / this.scale + x, (clientY - top - height / 2) / this.scale + y];
  }

  /** In pixels of the photo itself, inside it. */
  onPhoto(event) {
    return this.viewer.current.onPhoto(this.placeOf(event));
  }

  /** From the left, as a share of the panel's width. */
  shareOf({ clientX }) {
    const { left, width } = this.canvas.getBoundingClientRect();
    return (clientX - left) / width;
  }

  /** Writes what is under the mouse or the finger, of the picture on that side of the curtain; nothing while it is being decoded. */
  readOut(event) {
    const { current, curtain, language, nameOf, readout, say, settings } = this.viewer;
    const side = this.shareOf(event) < settings.split ? "left" : "right";
    const picture = this.kind === "curtain" ? curtain.source(side).picture : current;
    const found = picture.at(...this.placeOf(event).map(Math.floor));
    const [x, y] = this.onPhoto(event);
    const named = ({ segment, confidence }) =>
      segment ? `${nameOf(segment)}, ${decimal(confidence, language)}` : say("background");
    readout.textContent = found ? `x ${x}, y ${y}: ${named(found)}` : "";
  }

  // ---- What the mouse, a pen or fingers do ------------------------------------------------------------------------

  handleEvent(event) {
    this[event.type](event);
  }

  pointerdown(event) {
    const { canvas, kind, pointers, viewer } = this;
    const { curtain, prompts, view } = viewer;
    pointers.set(event.pointerId, event);
    canvas.setPointerCapture(event.pointerId);
    this.start = { event, view, place: this.onPhoto(event) };
    prompts.draft = null;
    if (this.asks && !prompts.points && event.button === 0) prompts.extend(this.start.place);
    else if (kind === "curtain" && view.zoom === 1) curtain.move(this.shareOf(event));
    this.readOut(event);
  }

  pointermove(event) {
    if (this.pointers.has(event.pointerId)) this.drag(event);
    this.readOut(event);
  }

  drag(event) {
    const { kind, pointers, start, viewer } = this;
    const { curtain, prompts, view } = viewer;
    const former = [...pointers.values()];
    pointers.set(event.pointerId, event);
    if (pointers.size === 2) {
      viewer.zoom(gap(...pointers.values()) / gap(...former), ...this.placeOf(event));
      prompts.draft = null;
    } else if (prompts.draft) prompts.extend(this.onPhoto(event));
    else if (kind === "curtain" && start?.view.zoom === 1) curtain.move(this.shareOf(event));
    else if (start && view.zoom > 1) {
      const [dx, dy] = [start.event.clientX - event.clientX, start.event.clientY - event.clientY];
      viewer.pan(dx / this.scale, dy / this.scale, start.view);
    }
  }

  pointerup(event) {
    const { asks, pointers, start } = this;
    const { prompts } = this.viewer;
    pointers.delete(event.pointerId);
    this.start = null;
    if (!start) return;
    if (prompts.draft) prompts.finish();
    else if (asks && prompts.points && event.type === "pointerup" && gap(event, start.event) < NEAR)
      prompts.addPoint(start.place, start.event.button === 2 || start.event.shiftKey);
  }

  pointerleave({ pointerType }) {
    if (pointerType !== "touch") this.viewer.readout.textContent = ""; // a finger that was lifted has left, too
  }

  contextmenu(event) {
    if (!this.asks) return;
    event.preventDefault();
    event.stopPropagation(); // JupyterLab would open its own menu over the photo
  }

  dblclick(event) {
    if (!this.asks) this.viewer.zoom(2, ...this.placeOf(event));
  }

  wheel(event) {
    if (!event.ctrlKey && this.viewer.shadow.activeElement !== this.canvas) return; // a page that scrolls goes on scrolling
    event.preventDefault();
    this.viewer.zoom(1.0015 ** -event.deltaY, ...this.placeOf(event));
  }
}
