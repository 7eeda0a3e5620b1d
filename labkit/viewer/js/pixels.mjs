// The arithmetic of pixels: which segment each shows, where one ends, and which pixels are in view.

/** The ids (R + 256 G + 65536 B) of RGBA bytes as places in `order`, 1 for its first id; 0 where there is none. */
export function readIds(rgba, order) {
  const place = new Map(order.map((id, n) => [id, n + 1]));
  const pixels = new Uint32Array(rgba.buffer);
  const places = new Uint16Array(pixels.length);
  let [before, at] = [0, 0];
  for (let i = 0; i < pixels.length; i++) {
    const id = pixels[i] & 0xffffff;
    if (id !== before) at = place.get(id) ?? 0;
    places[i] = at;
    before = id;
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
  const rgb = Number.parseInt(color.slice(1), 16);
  return ((alpha << 24) | ((rgb & 0xff) << 16) | (rgb & 0xff00) | (rgb >> 16)) >>> 0;
}

/**
 * Which segment each pixel shows, and how many pixels of each whole mask are sure enough.
 *
 * `layers` are places (`readIds`), uppermost first; `levels` the confidence of the uppermost layer, 0 to 200; below it
 * a segment has its score, `scores`, throughout. `shown[place]` is 1 for what is not switched off. `top` is written.
 */
export function showSegments({ layers, levels, scores, below }, least, shown, top) {
  const first = layers[0];
  const counts = new Float64Array(scores.length);
  for (let i = 0; i < top.length; i++) {
    let place = first[i];
    if (place !== 0) {
      const sure = levels[i] >= least;
      if (sure) counts[place]++;
      if (!sure || shown[place] === 0) {
        place = 0;
        for (let k = 1; k < layers.length && layers[k][i] !== 0; k++) {
          const next = layers[k][i];
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

/** Brings one segment to the top wherever its mask is sure enough, also where others lie over it. */
export function lift({ layers, levels, scores }, least, place, top) {
  for (const layer of layers) {
    for (let i = 0; i < top.length; i++)
      if (layer[i] === place && (layer === layers[0] ? levels[i] : scores[place]) >= least) top[i] = place;
  }
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

const MAX_ZOOM = 16;

export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** A zoom of at least 1 and a centre (in pixels of the photo) from which the photo fills the panel. */
export function clampView({ zoom, x, y }, width, height) {
  const kept = clamp(zoom, 1, MAX_ZOOM);
  const [halfX, halfY] = [width / kept / 2, height / kept / 2];
  return { zoom: kept, x: clamp(x, halfX, width - halfX), y: clamp(y, halfY, height - halfY) };
}

/** The view after zooming by `factor`, 0 for the whole photo, so that the place (x, y) of the photo stays where it is. */
export function zoomAt(view, factor, x, y, width, height) {
  const zoom = clamp(view.zoom * factor, 1, MAX_ZOOM);
  const kept = view.zoom / zoom;
  return clampView({ zoom, x: x + (view.x - x) * kept, y: y + (view.y - y) * kept }, width, height);
}
