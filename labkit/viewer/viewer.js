// The viewer: photo, mask and overlay that one can play with. No framework, no build step, nothing is fetched.
//
// `mount` draws it into an element: of a page that `labkit.show` wrote, or of an anywidget (the default export), where
// Python hears what was clicked. Data travel as images; everything drawn from names is text, never markup.

const LEVELS = 200; // of confidence: two to a step of the threshold, so that it cuts exactly where it says
const MOST_ZOOM = 16;
const NEAR = 6; // pixels of the screen: a shorter drag is a click
const MOST_DECODED = 24; // results, at some 15 MB each; what was decoded before is decoded again when it is shown

// ---- Pixels -------------------------------------------------------------------------------------------------------

/** The ids (R + 256 G + 65536 B) of RGBA bytes as places in `order`, 1 for its first id; 0 where there is none. */
export function readIds(rgba, order) {
  const place = new Map(order.map((id, n) => [id, n + 1]));
  const places = new Uint16Array(rgba.length / 4);
  let before = -1;
  let at = 0;
  for (let i = 0, j = 0; i < places.length; i++, j += 4) {
    const id = rgba[j] | (rgba[j + 1] << 8) | (rgba[j + 2] << 16);
    if (id !== before) {
      before = id;
      at = place.get(id) ?? 0;
    }
    places[i] = at;
  }
  return places;
}

/** The red byte of each RGBA pixel. */
export function readLevels(rgba) {
  const levels = new Uint8Array(rgba.length / 4);
  for (let i = 0; i < levels.length; i++) levels[i] = rgba[4 * i];
  return levels;
}

/** `#rrggbb` as the number that a little-endian RGBA pixel is. */
export function colorNumber(color, alpha = 255) {
  const [r, g, b] = [1, 3, 5].map((start) => Number.parseInt(color.slice(start, start + 2), 16));
  return ((alpha << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

/**
 * Which segment each pixel shows, and how many pixels of each whole mask are sure enough.
 *
 * `layers` are places (`readIds`), uppermost first; `levels` the confidence of the uppermost layer, 0 to 200; below it
 * a segment has its score, `scores`, throughout. `shown[place]` is 1 for what is not switched off. `top` is written.
 */
export function showSegments({ layers, levels, scores, below }, least, shown, top) {
  const first = layers[0];
  const deep = layers.length > 1;
  const counts = new Float64Array(scores.length);
  for (let i = 0; i < top.length; i++) {
    let place = first[i];
    if (place !== 0) {
      const sure = levels[i] >= least;
      if (sure) counts[place]++;
      if (!sure || shown[place] === 0) {
        place = 0;
        for (let k = 1; deep && k < layers.length; k++) {
          const next = layers[k][i];
          if (next === 0) break;
          if (shown[next] === 1 && scores[next] >= least) {
            place = next;
            break;
          }
        }
      }
    }
    top[i] = place;
  }
  for (let place = 1; place < scores.length; place++) if (scores[place] >= least) counts[place] += below[place];
  return counts;
}

/** Paints the pixels of `top` within `reach` of another segment in their own colour; `edge` (`Uint32Array`) is written. */
export function outline(top, width, height, reach, colors, edge) {
  edge.fill(0);
  if (reach < 1) return;
  const stamp = (x, y) => {
    const y1 = Math.min(height - 1, y + reach - 1);
    const x1 = Math.min(width - 1, x + reach - 1);
    for (let v = Math.max(0, y - reach + 1); v <= y1; v++) {
      for (let u = Math.max(0, x - reach + 1), j = v * width + u; u <= x1; u++, j++) edge[j] = colors[top[j]];
    }
  };
  for (let y = 0, i = 0; y < height; y++) {
    let place = top[i];
    for (let x = 0, under = y + 1 < height ? width : 0; x < width; x++, i++) {
      const next = x + 1 < width ? top[i + 1] : place;
      if (next !== place) {
        stamp(x, y);
        stamp(x + 1, y);
      }
      if (top[i + under] !== place) {
        stamp(x, y);
        stamp(x, y + 1);
      }
      place = next;
    }
  }
}

/** A zoom of at least 1 and a centre (in pixels of the photo) from which the photo fills the panel. */
export function clampView({ zoom, x, y }, width, height) {
  const kept = Math.min(Math.max(zoom, 1), MOST_ZOOM);
  const [halfX, halfY] = [width / kept / 2, height / kept / 2];
  return {
    zoom: kept,
    x: Math.min(Math.max(x, halfX), width - halfX),
    y: Math.min(Math.max(y, halfY), height - halfY),
  };
}

/** The view after zooming by `factor` so that the place (x, y) of the photo stays where it is. */
export function zoomAt(view, factor, x, y, width, height) {
  const zoom = Math.min(Math.max(view.zoom * factor, 1), MOST_ZOOM);
  const kept = view.zoom / zoom;
  return clampView({ zoom, x: x + (view.x - x) * kept, y: y + (view.y - y) * kept }, width, height);
}

/** A share in [0, 1] in words of the language: "12,3 %". */
export function percent(share, language, digits = 1) {
  return new Intl.NumberFormat(language, {
    style: "percent",
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }).format(share);
}

/** A score in [0, 1] with two digits. */
export function decimal(value, language) {
  return new Intl.NumberFormat(language, { minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(value);
}

/** `{name}` in a text replaced by its value. */
export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

async function decode(address) {
  const image = new Image();
  image.src = address;
  await image.decode();
  return image;
}

function canvasOf(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

async function bytesOf(address, width, height) {
  const context = canvasOf(width, height).getContext("2d", { willReadFrequently: true, colorSpace: "srgb" });
  context.drawImage(await decode(address), 0, 0);
  return context.getImageData(0, 0, width, height).data;
}

/** The items, each with its photo: one that an item before has carried travels as that item's number. */
export function withPhotos(items) {
  return items.map((item) => (typeof item.photo === "number" ? { ...item, photo: items[item.photo].photo } : item));
}

/** The places in `items` that get a thumbnail: of several models' results of one photo the first. */
export function thumbnailed(items) {
  const places = items.map((_, n) => n);
  return places.filter((n) => !items[n].title || !places.slice(0, n).some((m) => samePhoto(items[m], items[n])));
}

const samePhoto = (a, b) => a.name === b.name && String(a.size) === String(b.size);

/** One result, decoded: what is asked of it is painted into two canvases, the segments and their outlines. */
class Picture {
  constructor(item) {
    this.item = item;
    this.hidden = new Set();
    this.answer = item.answers ? 0 : null;
  }

  async load() {
    const { item } = this;
    const [width, height] = item.size;
    const order = item.segments.map((segment) => segment.id);
    const [photo, levels, ...layers] = await Promise.all([
      this.photo ?? decode(item.photo),
      bytesOf(item.confidence, width, height),
      ...item.layers.map((layer) => bytesOf(layer, width, height)),
    ]);
    this.photo = photo;
    this.places = {
      levels: readLevels(levels),
      layers: layers.map((layer) => readIds(layer, order)),
      scores: Uint8Array.from([0, ...item.segments.map((segment) => Math.floor(segment.score * LEVELS + 1e-4))]),
      below: new Float64Array(order.length + 1),
    };
    for (const layer of this.places.layers.slice(1)) for (const place of layer) this.places.below[place]++;
    this.places.below[0] = 0;
    this.top = new Uint16Array(width * height);
    [this.mask, this.edge] = [canvasOf(width, height), canvasOf(width, height)];
    [this.maskPixels, this.edgePixels] = [this.mask, this.edge].map((canvas) =>
      canvas.getContext("2d").createImageData(width, height),
    );
    const all = new Uint8Array(order.length + 1).fill(1);
    this.whole = showSegments(this.places, 0, all, this.top);
  }

  /** Forgets what `load` and `paint` made, to free the memory. */
  release() {
    for (const canvas of [this.mask, this.edge]) canvas.width = canvas.height = 0;
    this.places = this.top = this.mask = this.edge = this.maskPixels = this.edgePixels = null;
  }

  /** Paints what the state asks for. */
  paint({ threshold, outline: reach, byClass, lit }) {
    const { item, top } = this;
    const [width, height] = item.size;
    const shown = Uint8Array.from([
      0,
      ...item.segments.map((segment, n) => !this.hidden.has(segment.id) && (this.answer === null || this.answer === n)),
    ]);
    this.counts = showSegments(this.places, Math.round(threshold * LEVELS), shown, top);
    const colors = new Uint32Array(item.segments.length + 1);
    const dims = lit !== null && !this.hidden.has(lit);
    item.segments.forEach((segment, n) => {
      const color = byClass ? segment.class_color : segment.color;
      colors[n + 1] = colorNumber(color, dims && lit !== segment.id ? 56 : 255);
    });
    const pixels = new Uint32Array(this.maskPixels.data.buffer);
    for (let i = 0; i < top.length; i++) pixels[i] = colors[top[i]];
    this.mask.getContext("2d").putImageData(this.maskPixels, 0, 0);
    outline(top, width, height, reach, colors, new Uint32Array(this.edgePixels.data.buffer));
    this.edge.getContext("2d").putImageData(this.edgePixels, 0, 0);
  }

  /** The share of the photo that the threshold leaves of a segment. */
  share(n) {
    const whole = this.whole[n + 1];
    return whole ? (this.item.segments[n].share * this.counts[n + 1]) / whole : 0;
  }

  /** Draws the photo, the mask or the overlay into the context, whose transform is the view. */
  draw(context, kind, opacity) {
    const [width, height] = this.item.size;
    if (kind === "mask") {
      context.fillStyle = "#000";
      context.fillRect(0, 0, width, height);
      context.drawImage(this.mask, 0, 0);
      return;
    }
    context.drawImage(this.photo, 0, 0, width, height);
    if (kind === "photo") return;
    context.globalAlpha = opacity;
    context.drawImage(this.mask, 0, 0);
    context.globalAlpha = 1;
    context.drawImage(this.edge, 0, 0);
  }
}

// ---- The page -----------------------------------------------------------------------------------------------------

/** An element: attributes and listeners (`onclick`), then children; a string is text, never markup. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (typeof value === "boolean") element.toggleAttribute(name, value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Follows the theme of JupyterLab or Colab; elsewhere the page's own. */
function followTheme(host) {
  const body = document.body;
  const root = document.documentElement;
  const apply = () => {
    const light = body.dataset.jpThemeLight;
    const colab = root.getAttribute("theme");
    host.style.colorScheme = light ? (light === "false" ? "dark" : "light") : colab === "dark" ? "dark" : "light";
  };
  apply();
  const observer = new MutationObserver(apply);
  observer.observe(body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  observer.observe(root, { attributes: true, attributeFilter: ["theme"] });
  return () => observer.disconnect();
}

/**
 * Draws the viewer of `data` (`items`, `texts`, `language`, `css`, and `start`, the item shown first) into `host`.
 *
 * Answers `setItems(items)`, which keeps zoom and sliders, `say(message)` and `destroy()`. With `ask` the overlay
 * takes points, boxes and contours, and `ask(prompts)` is called after each.
 */
export function mount(host, data, { ask = null, asked = {} } = {}) {
  const shadow = host.shadowRoot ?? host.attachShadow({ mode: "open" });
  const stopTheme = followTheme(host);
  const state = {
    index: data.start ?? 0,
    mode: "side",
    left: null,
    right: null,
    split: 0.5,
    opacity: 0.5,
    threshold: 0,
    outline: 2,
    byClass: false,
    lit: null,
    language: data.language,
    view: { zoom: 1, x: 0, y: 0 },
    tool: "point",
  };
  let pictures = withPhotos(data.items).map((item) => new Picture(item));
  let actions = asked.points?.map((point, n) => ({ point, label: asked.point_labels[n] })) ?? []; // of SAM by hand
  for (const key of ["box", "polygon"]) if (asked[key]) actions.push({ [key]: asked[key] });
  let message = "";
  let draft = null;
  let cursor = null;
  let dirty = false;
  let frame = 0;
  let parts = { panels: [], rows: [] };

  const say = (key, values = {}) => fill(data.texts[state.language][key], values);
  const current = () => pictures[state.index];
  const named = (segment) => segment[state.language];
  const twins = () => pictures.filter((picture) => samePhoto(picture.item, current().item));

  // -- Drawing --------------------------------------------------------------------------------------------------

  /** Draws in the next frame; `anew` where the segments themselves change, not only how they lie on the photo. */
  const refresh = (anew = false) => {
    dirty ||= anew;
    frame ||= requestAnimationFrame(draw);
  };

  function panels() {
    if (state.mode === "side") return ask ? ["photo", "overlay"] : ["photo", "mask", "overlay"];
    return ["curtain"];
  }

  function paintable() {
    const wanted = state.mode === "curtain" ? [sourceOf(state.left), sourceOf(state.right)] : [];
    return [...new Set([current(), ...wanted.map((source) => source.picture)])].filter((picture) => picture.places);
  }

  function draw() {
    frame = 0;
    if (!current()?.places) return;
    if (dirty) {
      dirty = false;
      for (const picture of paintable()) picture.paint(picture === current() ? state : { ...state, lit: null });
      writeLegend();
    }
    for (const { canvas, kind } of parts.panels) drawPanel(canvas, kind);
  }

  function drawPanel(canvas, kind) {
    const [width, height] = current().item.size;
    const shownWidth = canvas.clientWidth || width;
    const ratio = window.devicePixelRatio || 1;
    const [w, h] = [Math.round(shownWidth * ratio), Math.round((shownWidth * height * ratio) / width)];
    if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
    const context = canvas.getContext("2d");
    const scale = (w / width) * state.view.zoom;
    const place = () =>
      context.setTransform(scale, 0, 0, scale, w / 2 - state.view.x * scale, h / 2 - state.view.y * scale);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, w, h);
    context.imageSmoothingEnabled = scale < 3;
    if (kind !== "curtain") {
      place();
      current().draw(context, kind, state.opacity);
    } else {
      const middle = Math.round(w * state.split);
      for (const [source, from, to] of [
        [state.left, 0, middle],
        [state.right, middle, w],
      ]) {
        const { picture, kind: what } = sourceOf(source);
        if (!picture.places) continue;
        context.save();
        context.beginPath();
        context.rect(from, 0, to - from, h);
        context.clip();
        place();
        picture.draw(context, what, state.opacity);
        context.restore();
      }
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.fillStyle = "#fff";
      context.fillRect(middle - ratio, 0, 2 * ratio, h);
      context.fillStyle = "#000";
      context.fillRect(middle + ratio, 0, ratio, h);
    }
    if (kind !== "photo" && kind !== "mask") {
      place();
      drawPrompts(context, ratio / scale);
    }
  }

  /** Points, box and contour that were asked with; `unit` is the length of a pixel of the screen. */
  function drawPrompts(context, unit) {
    const item = current().item;
    const toItem = item.size[0] / item.photo_size[0];
    const { points = [], point_labels: labels = [], box, polygon } = ask ? prompts(true) : (item.prompts ?? {});
    context.save();
    context.scale(toItem, toItem);
    const thin = unit / toItem;
    const strokes = [
      ["#fff", 4 * thin],
      ["#000", 2 * thin],
    ];
    const line = (path) => {
      for (const [color, lineWidth] of strokes) {
        Object.assign(context, { strokeStyle: color, lineWidth });
        context.setLineDash(color === "#000" ? [6 * thin, 4 * thin] : []);
        context.stroke(path);
      }
      context.setLineDash([]);
    };
    if (box) {
      const path = new Path2D();
      path.rect(box[0], box[1], box[2] - box[0], box[3] - box[1]);
      line(path);
    }
    if (polygon?.length > 1) {
      const path = new Path2D();
      for (const [x, y] of polygon) path.lineTo(x, y); // the first one moves there
      path.closePath();
      line(path);
    }
    points.forEach(([x, y], n) => {
      const radius = 7 * thin;
      context.beginPath();
      context.arc(x + 0.5, y + 0.5, radius, 0, 7);
      context.fillStyle = labels[n] === 0 ? "#d00000" : "#00a020";
      context.fill();
      Object.assign(context, { strokeStyle: "#fff", lineWidth: 2 * thin });
      context.stroke();
      context.beginPath(); // a minus, or a plus: the colour is not the only sign
      context.moveTo(x + 0.5 - radius / 2, y + 0.5);
      context.lineTo(x + 0.5 + radius / 2, y + 0.5);
      if (labels[n] !== 0) {
        context.moveTo(x + 0.5, y + 0.5 - radius / 2);
        context.lineTo(x + 0.5, y + 0.5 + radius / 2);
      }
      context.stroke();
    });
    if (cursor) {
      const path = new Path2D();
      path.moveTo(cursor[0] - 12 * thin, cursor[1]);
      path.lineTo(cursor[0] + 12 * thin, cursor[1]);
      path.moveTo(cursor[0], cursor[1] - 12 * thin);
      path.lineTo(cursor[0], cursor[1] + 12 * thin);
      line(path);
    }
    context.restore();
  }

  // -- Curtain --------------------------------------------------------------------------------------------------

  /** What may stand on a side of the curtain: photo, mask, overlay, and other results of the same photo. */
  function sources() {
    const own = ["photo", "mask", "overlay"].map((kind) => ({ key: kind, name: say(kind), picture: current(), kind }));
    const others = twins()
      .filter((picture) => picture !== current())
      .map((picture) => ({
        key: `item ${pictures.indexOf(picture)}`,
        name: picture.item.title || `${say("overlay")} ${pictures.indexOf(picture) + 1}`,
        picture,
        kind: "overlay",
      }));
    if (others.length && current().item.title) own[2].name = current().item.title;
    return [...own, ...others];
  }

  function sourceOf(key) {
    const all = sources();
    return all.find((source) => source.key === key) ?? all[0];
  }

  /** The two sides stay what they were on the photo before, models too; where that is not to be had, the usual ones. */
  function setCurtain() {
    const all = sources();
    const here = (key) => {
      const title = key?.startsWith("item ") && pictures[Number(key.slice(5))]?.item.title;
      const same = ({ picture, kind }) => title && kind === "overlay" && picture.item.title === title;
      return (all.find((source) => source.key === key) ?? all.find(same))?.key;
    };
    const [left, right] = [here(state.left), here(state.right)];
    const usual = all.length > 3 ? ["overlay", all[3].key] : ["photo", "overlay"];
    const moved = left !== state.left || right !== state.right;
    [state.left, state.right] = !left || !right || (moved && left === right) ? usual : [left, right];
  }

  // -- Going through the set ------------------------------------------------------------------------------------

  let turn = 0;
  async function choose(index, keepView = false) {
    const mine = ++turn;
    const before = current().item.size;
    state.index = (index + pictures.length) % pictures.length;
    state.lit = null;
    cursor = null;
    const [width, height] = current().item.size;
    if (!keepView || String(before) !== String([width, height])) state.view = { zoom: 1, x: width / 2, y: height / 2 };
    setCurtain();
    await Promise.all(twins().map((picture) => picture.places || picture.load()));
    if (mine !== turn) return;
    const decoded = pictures.filter((picture) => picture.places);
    const others = decoded.filter((picture) => !twins().includes(picture));
    for (const picture of others.slice(0, Math.max(decoded.length - MOST_DECODED, 0))) picture.release();
    writePanels();
    refresh(true);
  }

  // -- The parts ------------------------------------------------------------------------------------------------

  function slider(key, low, high, step, shown) {
    const output = make("output", {}, shown(state[key]));
    const input = make("input", {
      type: "range",
      min: low,
      max: high,
      step,
      value: state[key],
      name: key,
      "aria-label": say(key),
      oninput: () => {
        state[key] = Number(input.value);
        output.textContent = shown(state[key]);
        refresh(key !== "opacity" && key !== "split");
      },
    });
    return make("label", { class: "slider" }, make("span", {}, say(key)), input, output);
  }

  function button(label, action, attributes = {}) {
    return make("button", { type: "button", onclick: action, ...attributes }, label);
  }

  function choice(key, options, action) {
    const select = make("select", { name: key, onchange: () => action(select.value) });
    for (const [value, name] of options) select.append(make("option", { value, selected: value === state[key] }, name));
    return make("label", { class: "choice" }, make("span", {}, say(key)), select);
  }

  /** Builds everything; called again when the language changes. */
  function build() {
    parts.resize?.disconnect();
    parts = { panels: [], rows: [] };
    const style = make("style", {}, data.css);
    if (!pictures.length) {
      shadow.replaceChildren(style, make("p", {}, say("none")));
      return;
    }
    const pressed = (mode) => ({ "aria-pressed": String(state.mode === mode), name: mode });
    const setMode = (mode) => {
      state.mode = mode;
      for (const one of [parts.side, parts.curtain]) one.setAttribute("aria-pressed", String(one.name === mode));
      writePanels();
      refresh(true);
    };
    parts.side = button(say("side"), () => setMode("side"), pressed("side"));
    parts.curtain = button(say("curtain"), () => setMode("curtain"), pressed("curtain"));
    parts.zoom = make("output", { "aria-live": "off" }, "100 %");
    const other = state.language === "ru" ? "en" : "ru";
    const bar = make(
      "div",
      { class: "bar" },
      parts.side,
      parts.curtain,
      make("span", { class: "gap" }),
      button("−", () => zoom(1 / 1.5), { "aria-label": say("zoom_out"), title: say("zoom_hint"), name: "zoom_out" }),
      parts.zoom,
      button("+", () => zoom(1.5), { "aria-label": say("zoom_in"), title: say("zoom_hint"), name: "zoom_in" }),
      button(say("whole"), () => zoom(0), { name: "whole" }),
      make("span", { class: "gap" }),
      button(other.toUpperCase(), () => setLanguage(other), {
        name: "language",
        lang: other,
        "aria-label": data.texts[other].language_name,
      }),
    );
    parts.title = make("p", { class: "title", "aria-live": "polite" });
    parts.tools = make("div", { class: "bar tools", role: "group", "aria-label": say("tools") });
    parts.stage = make("div", { class: "stage" });
    parts.message = make("p", { class: "message", role: "status" }, message);
    parts.readout = make("p", { class: "readout" });
    parts.answers = make("div", { class: "bar answers", role: "group", "aria-label": say("answers") });
    const share = (value) => percent(value, state.language, 0);
    parts.controls = make(
      "div",
      { class: "controls" },
      slider("opacity", 0, 1, 0.01, share),
      slider("threshold", 0, 1, 0.01, (value) => decimal(value, state.language)),
      slider("outline", 0, 6, 1, (value) => say("pixels", { value })),
    );
    const repeats = pictures.some(
      ({ item }) => new Set(item.segments.map((s) => s.class_color)).size < item.segments.length,
    );
    if (repeats && pictures.every(({ item }) => item.classes)) {
      parts.controls.append(
        choice(
          "color_by",
          [
            ["object", say("by_object")],
            ["class", say("by_class")],
          ],
          (value) => {
            state.byClass = value === "class";
            state.color_by = value;
            refresh(true);
          },
        ),
      );
    }
    parts.legend = make("ul", { class: "legend", "aria-label": say("legend") });
    parts.set = make("div", { class: "set", role: "group", "aria-label": say("photos") });
    if (pictures.length > 1) writeSet();
    const tree = [
      bar,
      parts.title,
      parts.tools,
      parts.message,
      parts.stage,
      parts.readout,
      parts.answers,
      parts.controls,
      parts.legend,
    ];
    const viewer = make(
      "div", // no landmark: a report holds several viewers, and landmarks of one name cannot be told apart
      { class: "viewer", role: "group", lang: state.language, "aria-label": say("viewer"), onkeydown: onKey },
      ...tree,
      parts.set,
    );
    shadow.replaceChildren(style, viewer);
    parts.resize = new ResizeObserver(() => refresh());
    parts.resize.observe(parts.stage);
    if (ask) writeTools();
  }

  function setLanguage(language) {
    state.language = language;
    build();
    choose(state.index, true).then(() => shadow.querySelector("[name=language]").focus());
  }

  function writeSet() {
    parts.thumbs = thumbnailed(pictures.map((picture) => picture.item)).map((n) => {
      const { item } = pictures[n];
      const shown = () => pictures.findIndex((p) => samePhoto(p.item, item) && p.item.title === current().item.title);
      const attributes = { type: "button", class: "thumb", title: item.name, "aria-label": item.name };
      const thumb = make(
        "button",
        { ...attributes, onclick: () => choose(item.title && shown() >= 0 ? shown() : n) },
        make("img", { src: item.photo, alt: "", decoding: "async" }),
      );
      return { thumb, holds: (other) => other === pictures[n] || (other.item.title && samePhoto(other.item, item)) };
    });
    parts.set.replaceChildren(
      button("←", () => choose(state.index - 1), { name: "previous", "aria-label": say("previous") }),
      make("div", { class: "thumbs" }, ...parts.thumbs.map(({ thumb }) => thumb)),
      button("→", () => choose(state.index + 1), { name: "next", "aria-label": say("next") }),
    );
  }

  function writePanels() {
    const { item } = current();
    const about = item.segments.map(named).join(", ") || say("nothing");
    const number = pictures.length > 1 ? `${state.index + 1}/${pictures.length}. ` : "";
    parts.title.textContent = `${number}${item.name}${item.title ? ` · ${item.title}` : ""}`;
    parts.panels = panels().map((kind) => {
      const canvas = make("canvas", {
        role: "img",
        tabindex: "0",
        "data-panel": kind,
        "aria-label": `${say(kind)}: ${item.name}. ${kind === "photo" ? "" : about}`,
      });
      canvas.style.aspectRatio = `${item.size[0]} / ${item.size[1]}`;
      listen(canvas, kind);
      return { kind, canvas };
    });
    const figures = parts.panels.map(({ kind, canvas }) =>
      make("figure", { class: kind }, canvas, make("figcaption", {}, say(kind === "curtain" ? "curtain_hint" : kind))),
    );
    parts.stage.replaceChildren(...figures);
    parts.stage.className = `stage ${state.mode}`;
    parts.stage.style.setProperty("--ratio", item.size[0] / item.size[1]);
    if (state.mode === "curtain") {
      const set = (side) => (value) => {
        state[side] = value;
        refresh(true);
      };
      const options = sources().map((source) => [source.key, source.name]);
      parts.stage.append(
        make(
          "div",
          { class: "controls" },
          choice("left", options, set("left")),
          slider("split", 0, 1, 0.01, (value) => percent(value, state.language, 0)),
          choice("right", options, set("right")),
        ),
      );
    }
    parts.thumbs?.forEach(({ thumb, holds }) => {
      const here = Boolean(holds(current()));
      thumb.setAttribute("aria-current", String(here));
      if (here) thumb.parentElement.scrollTo({ left: thumb.offsetLeft - thumb.parentElement.offsetLeft - 60 });
    });
    writeAnswers();
    writeLegendRows();
    writeZoom();
  }

  function writeAnswers() {
    const picture = current();
    parts.answers.replaceChildren();
    if (picture.answer === null) return;
    picture.item.segments.forEach((segment, n) => {
      parts.answers.append(
        button(
          say("answer", { number: n + 1, score: decimal(segment.score, state.language) }),
          () => {
            picture.answer = n;
            writeAnswers();
            parts.answers.children[n].focus();
            writeLegendRows();
            refresh(true);
          },
          { "aria-pressed": String(picture.answer === n), name: `answer_${n + 1}` },
        ),
      );
    });
  }

  function writeLegendRows() {
    const picture = current();
    const rows = picture.item.segments
      .map((segment, n) => ({ segment, n }))
      .filter(({ n }) => picture.answer === null || picture.answer === n);
    parts.rows = rows.map(({ segment, n }) => {
      const box = make("input", {
        type: "checkbox",
        checked: !picture.hidden.has(segment.id),
        onchange: () => {
          picture.hidden[box.checked ? "delete" : "add"](segment.id);
          refresh(true);
        },
      });
      const swatch = make("span", { class: "swatch" });
      const share = make("span", { class: "share" });
      const light = (id) => () => {
        state.lit = id;
        refresh(true);
      };
      const row = make(
        "li",
        {
          onpointerenter: light(segment.id),
          onpointerleave: light(null),
          onfocusin: light(segment.id),
          onfocusout: light(null),
        },
        make(
          "label",
          {},
          box,
          swatch,
          make("span", { class: "name" }, named(segment)),
          share,
          make("span", { class: "score" }, decimal(segment.score, state.language)),
        ),
      );
      return { n, segment, row, share, swatch };
    });
    parts.legend.replaceChildren(...parts.rows.map(({ row }) => row));
    if (!parts.rows.length) parts.legend.append(make("li", { class: "empty" }, say("nothing")));
  }

  /** The areas that the threshold leaves, and the colours. */
  function writeLegend() {
    for (const { n, segment, share, swatch, row } of parts.rows) {
      share.textContent = percent(current().share(n), state.language);
      swatch.style.backgroundColor = state.byClass ? segment.class_color : segment.color;
      row.classList.toggle("gone", current().counts[n + 1] === 0);
    }
  }

  function writeZoom() {
    parts.zoom.textContent = percent(state.view.zoom, state.language, 0);
  }

  // -- Mouse, touch, keyboard -----------------------------------------------------------------------------------

  function zoom(factor, x = state.view.x, y = state.view.y) {
    const [width, height] = current().item.size;
    state.view = factor ? zoomAt(state.view, factor, x, y, width, height) : { zoom: 1, x: width / 2, y: height / 2 };
    for (const { canvas } of parts.panels) canvas.classList.toggle("zoomed", state.view.zoom > 1);
    writeZoom();
    refresh();
  }

  function pan(dx, dy) {
    const [width, height] = current().item.size;
    state.view = clampView({ ...state.view, x: state.view.x + dx, y: state.view.y + dy }, width, height);
    refresh();
  }

  /** Where an event is on the photo, in pixels of the picture that travels. */
  function placeOf(event, canvas) {
    const box = canvas.getBoundingClientRect();
    const [width] = current().item.size;
    const scale = (box.width / width) * state.view.zoom;
    return [
      (event.clientX - box.left - box.width / 2) / scale + state.view.x,
      (event.clientY - box.top - box.height / 2) / scale + state.view.y,
    ];
  }

  /** The same in pixels of the photo itself, inside it. */
  function photoPlace([x, y]) {
    const { item } = current();
    const scale = item.photo_size[0] / item.size[0];
    return [x, y].map((value, n) => Math.min(Math.max(Math.floor(value * scale), 0), item.photo_size[n] - 1));
  }

  /** Writes what is under the mouse, of the picture on that side of the curtain; nothing while it is being decoded. */
  function readOut(event, canvas) {
    const place = placeOf(event, canvas);
    const box = canvas.getBoundingClientRect();
    const side = event.clientX - box.left < state.split * box.width ? state.left : state.right;
    const { item, top, places } = state.mode === "curtain" ? sourceOf(side).picture : current();
    const [x, y] = place.map(Math.floor);
    if (!places || x < 0 || y < 0 || x >= item.size[0] || y >= item.size[1]) {
      parts.readout.textContent = "";
      return;
    }
    const i = y * item.size[0] + x;
    const at = top[i];
    const sure = at === places.layers[0][i] ? places.levels[i] : places.scores[at];
    const what = at
      ? `${named(item.segments[at - 1])}, ${decimal(Math.ceil(sure / 2) / 100, state.language)}`
      : say("background");
    const [px, py] = photoPlace(place);
    parts.readout.textContent = `x ${px}, y ${py}: ${what}`;
  }

  function listen(canvas, kind) {
    const pointers = new Map();
    let start = null;
    const asks = ask && kind === "overlay";
    canvas.classList.toggle("asks", Boolean(asks));
    canvas.classList.toggle("zoomed", state.view.zoom > 1);
    canvas.addEventListener("pointerdown", (event) => {
      pointers.set(event.pointerId, event);
      canvas.setPointerCapture(event.pointerId);
      start = { event, view: state.view, place: placeOf(event, canvas) };
      if (asks && state.tool !== "point" && event.button === 0)
        draft = { tool: state.tool, places: [photoPlace(start.place)] };
      else if (kind === "curtain" && state.view.zoom === 1) moveCurtain(event, canvas);
    });
    const follow = (event) => {
      if (!pointers.has(event.pointerId)) return;
      if (pointers.size === 2) {
        const gap = () => {
          const [a, b] = [...pointers.values()];
          return Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY) || 1;
        };
        const before = gap();
        pointers.set(event.pointerId, event);
        zoom(gap() / before, ...placeOf(event, canvas));
        draft = null;
        return;
      }
      pointers.set(event.pointerId, event);
      if (draft) {
        draft.places.push(photoPlace(placeOf(event, canvas)));
        refresh();
      } else if (kind === "curtain" && start.view.zoom === 1) moveCurtain(event, canvas);
      else if (state.view.zoom > 1) {
        const scale = (canvas.getBoundingClientRect().width / current().item.size[0]) * state.view.zoom;
        state.view = start.view;
        pan((start.event.clientX - event.clientX) / scale, (start.event.clientY - event.clientY) / scale);
      }
    };
    canvas.addEventListener("pointermove", (event) => {
      follow(event);
      readOut(event, canvas);
    });
    const up = (event) => {
      pointers.delete(event.pointerId);
      if (!start) return;
      const moved = Math.hypot(event.clientX - start.event.clientX, event.clientY - start.event.clientY);
      if (draft) finishDraft();
      else if (asks && event.type === "pointerup" && moved < NEAR) {
        if (state.tool === "point")
          addPoint(photoPlace(start.place), start.event.button === 2 || start.event.shiftKey ? 0 : 1);
      }
      start = null;
    };
    canvas.addEventListener("pointerup", up);
    canvas.addEventListener("pointercancel", up);
    canvas.addEventListener("pointerleave", () => {
      parts.readout.textContent = "";
    });
    canvas.addEventListener("contextmenu", (event) => asks && event.preventDefault());
    canvas.addEventListener("dblclick", (event) => !asks && zoom(2, ...placeOf(event, canvas)));
    canvas.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey && shadow.activeElement !== canvas) return; // a page that scrolls goes on scrolling
        event.preventDefault();
        zoom(1.0015 ** -event.deltaY, ...placeOf(event, canvas));
      },
      { passive: false },
    );
  }

  function moveCurtain(event, canvas) {
    const box = canvas.getBoundingClientRect();
    state.split = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    const input = parts.stage.querySelector("[name=split]");
    input.value = state.split;
    input.nextElementSibling.textContent = percent(state.split, state.language, 0);
    refresh();
  }

  function onKey(event) {
    const target = event.composedPath()[0];
    event.stopPropagation(); // the notebook's own shortcuts
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (target.matches("input[type=range], select") || !current()) return;
    const step = 0.05 / state.view.zoom;
    const [width, height] = current().item.size;
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const arrow = arrows[event.key];
    const onPanel = target.matches("canvas");
    if (arrow && onPanel && ask && target.dataset.panel === "overlay") {
      const by = event.shiftKey ? 0.1 : 0.02;
      const size = current().item.photo_size;
      cursor = (cursor ?? size.map((side) => side / 2)).map((value, n) =>
        Math.min(Math.max(Math.round(value + arrow[n] * by * size[n]), 0), size[n] - 1),
      );
      refresh();
    } else if (arrow && onPanel && (state.view.zoom > 1 || event.shiftKey))
      pan(arrow[0] * step * width, arrow[1] * step * height);
    else if (arrow?.[0] && pictures.length > 1) choose(state.index + arrow[0]).then(() => keepFocus(target));
    else if (event.key === "+" || event.key === "=") zoom(1.5);
    else if (event.key === "-") zoom(1 / 1.5);
    else if (event.key === "0") zoom(0);
    else if (ask && onPanel && cursor && event.key === "Enter") addPoint(cursor, event.shiftKey ? 0 : 1);
    else if (ask && event.key === "Backspace") undo();
    else return;
    event.preventDefault();
  }

  /** The focus stays inside when a photo is changed by keyboard: on the new canvas or thumbnail, or the first panel. */
  function keepFocus(target) {
    if (target.matches("canvas")) shadow.querySelector(`canvas[data-panel=${target.dataset.panel}]`)?.focus();
    else if (target.matches(".thumb")) parts.thumbs.find(({ holds }) => holds(current())).thumb.focus();
    else if (!target.isConnected) parts.panels[0].canvas.focus();
  }

  // -- SAM by hand ----------------------------------------------------------------------------------------------

  function writeTools() {
    const tool = (name) =>
      button(
        say(`tool_${name}`),
        () => {
          state.tool = name;
          writeTools();
          parts.tools.querySelector(`[data-tool=${name}]`).focus();
        },
        { "aria-pressed": String(state.tool === name), "data-tool": name, title: say(`hint_${name}`) },
      );
    parts.tools.replaceChildren(
      ...["point", "box", "contour"].map(tool),
      make("span", { class: "gap" }),
      button(say("undo"), undo, { name: "undo" }),
      button(say("clear"), clear, { name: "clear" }),
      make("span", { class: "hint" }, say(`hint_${state.tool}`)),
    );
  }

  /** What was asked so far: points add up, of boxes and contours the last counts. */
  function prompts(withDraft = false) {
    const all = { points: [], point_labels: [], box: null, polygon: null };
    for (const action of actions) {
      if (action.point) {
        all.points.push(action.point);
        all.point_labels.push(action.label);
      } else Object.assign(all, { box: null, polygon: null }, action);
    }
    if (withDraft && draft?.places.length > 1) {
      if (draft.tool === "box") all.box = boxOf(draft.places);
      else all.polygon = draft.places;
    }
    return all;
  }

  const boxOf = (places) => {
    const [first, last] = [places[0], places.at(-1)];
    return [0, 1].map((n) => Math.min(first[n], last[n])).concat([0, 1].map((n) => Math.max(first[n], last[n]) + 1));
  };

  const act = (action) => {
    actions.push(action);
    refresh();
    ask(prompts());
  };

  function addPoint(point, label) {
    act({ point, label });
  }

  function finishDraft() {
    const { tool, places } = draft;
    draft = null;
    const box = boxOf(places);
    if (box[2] - box[0] < 3 || box[3] - box[1] < 3) refresh();
    else if (tool === "box") act({ box });
    else act({ polygon: places });
  }

  function undo() {
    if (actions.pop()) ask(prompts());
    refresh();
  }

  function clear() {
    actions = [];
    ask(prompts());
    refresh();
  }

  // -- What the outside may do ----------------------------------------------------------------------------------

  async function setItems(items) {
    const before = pictures;
    const fresh = items.map((item, n) => {
      const old = before[n];
      const picture = new Picture(item);
      if (old?.item.photo === picture.item.photo) picture.photo = old.photo;
      return picture;
    });
    const same =
      fresh.length === before.length && fresh.every((picture, n) => picture.item.name === before[n].item.name);
    pictures = fresh;
    if (same && pictures.length) {
      await choose(state.index, true);
      return;
    }
    state.index = Math.min(state.index, Math.max(pictures.length - 1, 0));
    await start();
  }

  async function start() {
    build();
    if (pictures.length) await choose(state.index, true);
  }

  const [width, height] = pictures[state.index]?.item.size ?? [1, 1];
  state.view = { zoom: 1, x: width / 2, y: height / 2 };
  const ready = start();
  return {
    ready,
    setItems,
    say(words) {
      message = words;
      if (parts.message) parts.message.textContent = words;
    },
    destroy() {
      stopTheme();
      parts.resize?.disconnect();
      cancelAnimationFrame(frame);
    },
  };
}

/** Mounts the viewer in the first element with this mark that has none yet; for pages that `labkit.show` wrote. */
export function mountMarked(mark, data) {
  const host = [...document.querySelectorAll(`[data-labkit="${mark}"]`)].find((element) => !element.shadowRoot);
  return host && mount(host, data);
}

/** For anywidget: `data` comes from Python, `asked` goes back to it. */
export default {
  render({ model, el }) {
    const host = make("div", { "data-lm-suppress-shortcuts": "true" });
    el.append(host);
    let serial = 0;
    const ask = model.get("asks")
      ? (prompts) => {
          model.set("asked", { ...prompts, serial: ++serial });
          model.save_changes();
        }
      : null;
    const items = () => model.get("items").map((item, n) => ({ ...item, photo: model.get("photos")[n] }));
    const viewer = mount(host, { ...model.get("data"), items: items() }, { ask, asked: model.get("asked") });
    const follow = () => viewer.setItems(items());
    const say = () => viewer.say(model.get("message"));
    model.on("change:items", follow);
    model.on("change:message", say);
    say();
    return () => {
      model.off("change:items", follow);
      model.off("change:message", say);
      viewer.destroy();
    };
  },
};
