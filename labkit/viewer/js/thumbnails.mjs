// Thumbnails of a set of photos, which lead to them, and the buttons to the next one and the one before.

import { button, make } from "./page.mjs";
import { samePhoto } from "./picture.mjs";

/** The places in `items` that get a thumbnail: of several models' results of one photo the first. */
export function thumbnailed(items) {
  const places = items.map((_, n) => n);
  return places.filter((n) => !items[n].title || !places.slice(0, n).some((m) => samePhoto(items[m], items[n])));
}

export class Thumbnails {
  constructor(viewer) {
    const { pictures, say } = viewer;
    const several = pictures.length > 1;
    this.viewer = viewer;
    this.thumbs = several ? thumbnailed(pictures.map(({ item }) => item)).map((n) => this.thumb(n)) : [];
    const step = (name, sign, by) =>
      button(sign, () => viewer.choose(viewer.index + by), { name, "aria-label": say(name) });
    const buttons = this.thumbs.map(({ thumb }) => thumb);
    const parts = [step("previous", "←", -1), make("div", { class: "thumbs" }, buttons), step("next", "→", 1)];
    this.element = make("div", { class: "set", role: "group", "aria-label": say("photos") }, several && parts);
  }

  /** The button to a photo, seen by the same model as the one that is shown, and what tells its pictures. */
  thumb(n) {
    const { viewer } = this;
    const { item } = viewer.pictures[n];
    const isHere = (other) => other === item || Boolean(item.title && samePhoto(other, item));
    const choose = () => {
      const { title } = viewer.current.item;
      const same = viewer.pictures.findIndex((other) => samePhoto(other.item, item) && other.item.title === title);
      viewer.choose(item.title && same >= 0 ? same : n);
    };
    const image = make("img", { src: item.photo, alt: "", decoding: "async" });
    return { thumb: button(image, choose, { class: "thumb", title: item.name, "aria-label": item.name }), isHere };
  }

  /** Marks the photo that is shown, and brings it into sight. */
  write() {
    for (const { thumb, isHere } of this.thumbs) {
      const here = isHere(this.viewer.current.item);
      thumb.setAttribute("aria-current", String(here));
      if (here) thumb.parentElement.scrollTo({ left: thumb.offsetLeft - thumb.parentElement.offsetLeft - 60 });
    }
  }
}
