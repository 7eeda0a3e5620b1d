// The curtain: two of photo, mask, overlay and other models' results in one panel, each on its side of a border.

import { choice, slider } from "./controls.mjs";
import { make, percent } from "./page.mjs";
import { clamp } from "./pixels.mjs";

export class Curtain {
  constructor(viewer) {
    this.viewer = viewer;
  }

  /** What may stand on a side: photo, mask, overlay, and other results of the same photo. */
  get sources() {
    const { current, pictures, say, twins } = this.viewer;
    const others = twins.filter((picture) => picture !== current);
    const own = ["photo", "mask", "overlay"].map((kind) => ({ key: kind, name: say(kind), picture: current, kind }));
    if (others.length && current.item.title) own[2].name = current.item.title;
    for (const picture of others) {
      const n = pictures.indexOf(picture);
      const name = picture.item.title || `${say("overlay")} ${n + 1}`;
      own.push({ key: `item ${n}`, name, picture, kind: "overlay" });
    }
    return own;
  }

  /** What stands on a side, left or right. */
  source(side) {
    const all = this.sources;
    return all.find(({ key }) => key === this.viewer.settings[side]) ?? all[0];
  }

  /** The two sides stay what they were on the photo before, models too; where that is not to be had, the usual ones. */
  settle() {
    const { pictures, settings } = this.viewer;
    const all = this.sources;
    const here = (key) => {
      const title = key?.startsWith("item ") && pictures[Number(key.slice(5))]?.item.title;
      const same = ({ picture, kind }) => title && kind === "overlay" && picture.item.title === title;
      return (all.find((source) => source.key === key) ?? all.find(same))?.key;
    };
    const [left, right] = [here(settings.left), here(settings.right)];
    const usual = all.length > 3 ? ["overlay", all[3].key] : ["photo", "overlay"];
    const moved = left !== settings.left || right !== settings.right;
    [settings.left, settings.right] = !left || !right || (moved && left === right) ? usual : [left, right];
  }

  /** The choices of the sides and the slider of the border. */
  controls() {
    const { viewer } = this;
    const options = this.sources.map(({ key, name }) => [key, name]);
    this.slider = slider(viewer, "split", 1, 0.01, (value) => percent(value, viewer.language, 0));
    const [left, right] = ["left", "right"].map((side) => choice(viewer, side, options));
    return make("div", { class: "controls" }, left, this.slider, right);
  }

  /** Moves the border to a share of the panel's width. */
  move(share) {
    const { slider, viewer } = this;
    const split = clamp(share, 0, 1);
    viewer.settings.split = split;
    slider.control.value = split;
    slider.lastChild.textContent = percent(split, viewer.language, 0);
    viewer.refresh();
  }

  /** Draws both sides and the border; `place` puts the view into the context, `pixel` is one of the screen. */
  draw(context, place, pixel) {
    const { split } = this.viewer.settings;
    const { width, height } = context.canvas;
    const border = Math.round(width * split);
    const drawSide = (side, from, to) => {
      const { picture, kind } = this.source(side);
      if (!picture.places) return;
      context.save();
      context.beginPath();
      context.rect(from, 0, to - from, height);
      context.clip();
      place();
      picture.draw(context, kind, this.viewer);
      context.restore();
    };
    drawSide("left", 0, border);
    drawSide("right", border, width);
    context.fillStyle = "#fff";
    context.fillRect(border - pixel, 0, 2 * pixel, height);
    context.fillStyle = "#000";
    context.fillRect(border + pixel, 0, pixel, height);
  }
}
