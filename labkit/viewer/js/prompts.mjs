// SAM by hand: points, a box or a contour that are asked of Python, the tools that make them, and how they are drawn.

import { button, make, span } from "./page.mjs";
import { clamp } from "./pixels.mjs";

export class Prompts {
  tool = "point";
  draft = null; // the tool and the places of a box or a contour that is being drawn
  cursor = null; // a place of the photo that keys move

  /** `ask` hears all prompts after each change; null where nothing is asked. */
  constructor(viewer, ask, asked) {
    Object.assign(this, { viewer, ask });
    this.take(asked);
  }

  /** Takes prompts in place of what there was, as the steps that lead to them, for undo. */
  take({ points = [], point_labels, box, polygon }) {
    this.steps = points.map((point, n) => ({ point, label: point_labels[n] }));
    if (box) this.steps.push({ box });
    if (polygon) this.steps.push({ polygon });
    this.viewer.refresh();
  }

  /** What was asked so far: points add up, of boxes and contours the last counts. */
  get all() {
    const points = this.steps.filter((step) => step.point);
    const area = this.steps.findLast((step) => !step.point);
    const [places, labels] = [points.map(({ point }) => point), points.map(({ label }) => label)];
    return { points: places, point_labels: labels, box: null, polygon: null, ...area };
  }

  /** Asks with other steps than before. */
  change(steps) {
    this.steps = steps;
    this.viewer.refresh();
    this.ask(this.all);
  }

  add(step) {
    this.change([...this.steps, step]);
  }

  /** Whether the tool sets points, and does not draw an area. */
  get points() {
    return this.tool === "point" || this.tool === "background";
  }

  addPoint(point, background) {
    this.add({ point, label: background || this.tool === "background" ? 0 : 1 });
  }

  undo() {
    if (this.steps.length) this.change(this.steps.slice(0, -1));
  }

  clear() {
    this.change([]);
  }

  /** Begins a box or a contour at this place, or leads it there. */
  extend(place) {
    this.draft ??= { tool: this.tool, places: [] };
    if (this.draft.tool === "box") this.draft.places.splice(1);
    this.draft.places.push(place);
    this.viewer.refresh();
  }

  /** Forgets what is being drawn. */
  drop() {
    this.draft = null;
    this.viewer.refresh();
  }

  finish() {
    const { draft } = this;
    const [x0, y0, x1, y1] = boxOf(draft.places);
    this.drop();
    if (x1 - x0 >= 3 && y1 - y0 >= 3) this.add(areaOf(draft));
  }

  /** A point at the cursor; the first end of a box or a contour, which then follows the cursor, or its last one. */
  enter(background) {
    if (this.points) this.addPoint(this.cursor, background);
    else if (this.draft) this.finish();
    else this.extend(this.cursor);
  }

  /** Moves the cursor by shares of the photo's width and height. */
  moveCursor(...by) {
    const { photo_size } = this.viewer.current.item;
    const move = (side, n) => clamp(Math.round((this.cursor?.[n] ?? side / 2) + by[n] * side), 0, side - 1);
    this.cursor = photo_size.map(move);
    if (this.draft) this.extend(this.cursor);
    this.viewer.refresh();
  }

  /** The group of buttons; it is empty where nothing is asked. */
  toolbar() {
    const { say } = this.viewer;
    this.bar = make("div", { class: "bar tools", role: "group", "aria-label": say("tools") });
    if (this.ask) this.writeTools();
    return this.bar;
  }

  writeTools() {
    const { bar, viewer } = this;
    const { say } = viewer;
    const choose = (tool) => {
      this.tool = tool;
      this.writeTools();
      bar.querySelector(`[data-tool=${tool}]`).focus();
    };
    const buttons = ["point", "background", "box", "contour"].map((tool) => {
      const pressed = { "aria-pressed": String(this.tool === tool), "data-tool": tool };
      return button(say(`tool_${tool}`), () => choose(tool), { ...pressed, title: say(`hint_${tool}`) });
    });
    const hint = `${say(`hint_${this.tool}`)}. ${say(this.points ? "keys_point" : "keys_area")}`;
    const others = ["undo", "clear"].map((name) => button(say(name), () => this[name](), { name }));
    bar.replaceChildren(...buttons, span("gap"), ...others, span("hint", hint));
  }

  /** Draws all into the context, whose transform is the view; `pixel` is the length of one of the screen. */
  draw(context, pixel) {
    const { size, photo_size, prompts } = this.viewer.current.item;
    const drawn = this.draft?.places.length > 1 ? areaOf(this.draft) : {};
    const { points = [], point_labels, box, polygon } = this.ask ? { ...this.all, ...drawn } : prompts;
    const scale = size[0] / photo_size[0];
    const unit = pixel / scale;
    context.scale(scale, scale);
    if (box) {
      const [x0, y0, x1, y1] = box;
      drawDashes(context, new Path2D(`M${x0} ${y0}H${x1}V${y1}H${x0}Z`), unit);
    }
    if (polygon?.length > 1) drawDashes(context, new Path2D(`M${polygon.join("L")}Z`), unit);
    for (const [n, [x, y]] of points.entries()) drawPoint(context, x + 0.5, y + 0.5, point_labels[n], unit);
    if (this.cursor) drawDashes(context, new Path2D(plus(...this.cursor, 12 * unit)), unit);
  }
}

/** The box around all these places. */
function boxOf(places) {
  const [xs, ys] = [0, 1].map((n) => places.map((place) => place[n]));
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs) + 1, Math.max(...ys) + 1];
}

const areaOf = ({ tool, places }) => (tool === "box" ? { box: boxOf(places) } : { polygon: places });

const minus = (x, y, arm) => `M${x - arm} ${y}h${2 * arm}`;
const plus = (x, y, arm) => `${minus(x, y, arm)}M${x} ${y - arm}v${2 * arm}`;

/** A line that is seen on any ground: white, with black dashes. `unit` is the length of a pixel of the screen. */
function drawDashes(context, path, unit) {
  Object.assign(context, { strokeStyle: "#fff", lineWidth: 4 * unit });
  context.stroke(path);
  Object.assign(context, { strokeStyle: "#000", lineWidth: 2 * unit });
  context.setLineDash([6 * unit, 4 * unit]);
  context.stroke(path);
  context.setLineDash([]);
}

/** A disc with a plus or, for label 0, a minus: the colour is not the only sign. */
function drawPoint(context, x, y, label, unit) {
  const [color, sign] = label === 0 ? ["#d00000", minus] : ["#00a020", plus];
  Object.assign(context, { fillStyle: color, strokeStyle: "#fff", lineWidth: 2 * unit });
  context.beginPath();
  context.arc(x, y, 7 * unit, 0, 7);
  context.fill();
  context.stroke();
  context.stroke(new Path2D(sign(x, y, 3.5 * unit)));
}
