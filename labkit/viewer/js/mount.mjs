// Where the viewer stands: in a page that `labkit.show` wrote, and in an anywidget, where Python hears what was clicked.

import { make } from "./page.mjs";
import { Viewer } from "./viewer.mjs";

/** Mounts the viewer in the first element with this mark that has none yet. */
export function mountMarked(mark, data) {
  const host = [...document.querySelectorAll(`[data-labkit="${mark}"]`)].find((element) => !element.shadowRoot);
  return host && new Viewer(host, data);
}

/** For anywidget: `data` comes from Python, `asked` goes back to it. */
export default {
  render({ model, el }) {
    el.classList.add("labkit-live");
    const host = make("div", { "data-lm-suppress-shortcuts": "true" });
    el.append(host);
    let serial = Math.random(); // no other view of the same widget counts so
    const ask = (prompts) => {
      model.set("asked", { ...prompts, serial: ++serial });
      model.save_changes();
    };
    const items = () => model.get("items").map((item, n) => ({ ...item, photo: model.get("photos")[n] }));
    const data = { ...model.get("data"), items: items() };
    const viewer = new Viewer(host, data, { ask: model.get("asks") ? ask : null, asked: model.get("asked") });
    const heard = {
      "change:asked": () => {
        const asked = model.get("asked");
        if (asked.serial !== serial) viewer.prompts.take(asked); // not what was said here
      },
      "change:items": () => viewer.setItems(items()),
      "change:message": () => viewer.message.replaceChildren(model.get("message")),
    };
    for (const [event, act] of Object.entries(heard)) model.on(event, act);
    heard["change:message"]();
    return () => {
      for (const [event, act] of Object.entries(heard)) model.off(event, act);
      viewer.destroy();
    };
  },
};
