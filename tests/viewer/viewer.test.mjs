// The viewer's arithmetic, without a browser: node --test tests/viewer/viewer.test.mjs

import assert from "node:assert/strict";
import test from "node:test";
import { decimal, fill, percent } from "../../labkit/viewer/js/page.mjs";
import { Picture, withPhotos } from "../../labkit/viewer/js/picture.mjs";
import {
  clampView,
  colorNumber,
  lift,
  outline,
  readIds,
  readLevels,
  showSegments,
  zoomAt,
} from "../../labkit/viewer/js/pixels.mjs";
import { Prompts } from "../../labkit/viewer/js/prompts.mjs";
import { thumbnailed } from "../../labkit/viewer/js/thumbnails.mjs";

/** Numbers in [0, 1) that are the same at every run (mulberry32). */
function randomNumbers(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The RGBA bytes of a layer with these ids. */
const pixelsOf = (ids) => new Uint8Array(Uint32Array.from(ids, (id) => (id | (255 << 24)) >>> 0).buffer);

/** Rows of what `value(x, y)` gives. */
const grid = (width, height, value) =>
  Array.from({ length: height }, (_, y) => Array.from({ length: width }, (_, x) => value(x, y)));

/** Spaces that do not break as plain ones. */
const plain = (text) => text.replace(/[\u00a0\u202f]/g, " ");

const near = (value, expected) => assert.ok(Math.abs(value - expected) < 1e-9, `${value} is not ${expected}`);

// ---- Reading images -----------------------------------------------------------------------------------------------

test("ids become places in the list of segments, from 1 on; 0 is none", () => {
  const places = readIds(pixelsOf([0, 7, 7, 3, 0, 3, 7]), [7, 3]);
  assert.ok(places instanceof Uint16Array);
  assert.deepEqual([...places], [0, 1, 1, 2, 0, 2, 1]);
});

test("ids of two and three bytes are told apart", () => {
  const ids = [1, 256, 257, 65535, 65536, 65537, 2 ** 24 - 1];
  assert.deepEqual([...readIds(pixelsOf(ids), ids)], [1, 2, 3, 4, 5, 6, 7]);
});

test("an id that no segment has is background", () => {
  assert.deepEqual([...readIds(pixelsOf([5, 9, 5]), [5])], [1, 0, 1]);
  assert.deepEqual([...readIds(pixelsOf([5, 9]), [])], [0, 0]);
});

test("three hundred segments have places of their own", () => {
  const ids = Array.from({ length: 300 }, (_, n) => 3 * n + 1);
  assert.deepEqual(
    [...readIds(pixelsOf(ids), ids)],
    ids.map((_, n) => n + 1),
  );
});

test("confidence is the red byte", () => {
  const levels = readLevels(Uint8ClampedArray.from([0, 9, 9, 255, 128, 9, 9, 255, 255, 9, 9, 255]));
  assert.ok(levels instanceof Uint8Array);
  assert.deepEqual([...levels], [0, 128, 255]);
});

test("a colour is the number that paints it into little-endian RGBA", () => {
  const bytes = (...given) => [...new Uint8Array(Uint32Array.of(colorNumber(...given)).buffer)];
  assert.deepEqual(bytes("#e69f00"), [0xe6, 0x9f, 0x00, 255]);
  assert.deepEqual(bytes("#0172B2", 56), [0x01, 0x72, 0xb2, 56]);
  assert.equal(colorNumber("#ffffff"), 0xffffffff); // positive, though its highest bit is set
  assert.equal(colorNumber("#010000", 0), 1);
});

// ---- Which segment a pixel shows ----------------------------------------------------------------------------------

// Six pixels; segment 1 (score 200) lies over 2 (score 100), which lies over 3 (score 250)
const stack = {
  layers: [Uint16Array.of(0, 1, 1, 1, 2, 3), Uint16Array.of(0, 0, 2, 2, 3, 0), Uint16Array.of(0, 0, 0, 3, 0, 0)],
  levels: Uint8Array.of(0, 255, 180, 50, 90, 250),
  scores: Uint8Array.of(0, 200, 100, 250),
  below: Float64Array.of(0, 0, 2, 2),
};

function shows(places, least, shown) {
  const top = new Uint16Array(places.layers[0].length).fill(9);
  const counts = showSegments(places, least, Uint8Array.from([0, ...shown]), top);
  return [[...top], [...counts]];
}

test("at threshold 0 the uppermost layer is shown, and whole masks are counted", () => {
  assert.deepEqual(shows(stack, 0, [1, 1, 1]), [
    [0, 1, 1, 1, 2, 3],
    [0, 3, 3, 3],
  ]);
});

test("a segment that is switched off uncovers what lies below it, layer by layer", () => {
  assert.deepEqual(shows(stack, 0, [0, 1, 1])[0], [0, 0, 2, 2, 2, 3]);
  assert.deepEqual(shows(stack, 0, [1, 0, 1])[0], [0, 1, 1, 1, 3, 3]);
  assert.deepEqual(shows(stack, 0, [0, 0, 1])[0], [0, 0, 0, 3, 3, 3]);
  assert.deepEqual(shows(stack, 0, [0, 0, 0])[0], [0, 0, 0, 0, 0, 0]);
});

test("switching off changes no count", () => {
  for (const shown of [
    [0, 1, 1],
    [1, 0, 0],
    [0, 0, 0],
  ])
    assert.deepEqual(shows(stack, 0, shown)[1], [0, 3, 3, 3]);
});

test("the threshold takes the pixel's confidence above, the segment's score below", () => {
  // Pixel 3 of segment 1 is unsure (50), and so is 2 below it from 101 on, but 3, deeper still, is not
  assert.deepEqual(shows(stack, 60, [1, 1, 1])[0], [0, 1, 1, 2, 2, 3]);
  assert.deepEqual(shows(stack, 95, [1, 1, 1])[0], [0, 1, 1, 2, 3, 3]);
  assert.deepEqual(shows(stack, 101, [1, 1, 1])[0], [0, 1, 1, 3, 3, 3]);
  assert.deepEqual(shows(stack, 251, [1, 1, 1])[0], [0, 1, 0, 0, 0, 0]);
});

test("a count is of sure pixels above and, where the score suffices, of all that is hidden", () => {
  assert.deepEqual(shows(stack, 60, [1, 1, 1])[1], [0, 2, 3, 3]);
  assert.deepEqual(shows(stack, 95, [1, 1, 1])[1], [0, 2, 2, 3]);
  assert.deepEqual(shows(stack, 101, [1, 1, 1])[1], [0, 2, 0, 3]);
  assert.deepEqual(shows(stack, 251, [1, 1, 1])[1], [0, 1, 0, 0]);
});

test("a pixel whose confidence is the threshold itself stays, and at 255 what is wholly sure", () => {
  const one = {
    layers: [Uint16Array.of(1, 1, 1)],
    levels: Uint8Array.of(127, 128, 255),
    scores: Uint8Array.of(0, 170),
    below: Float64Array.of(0, 0),
  };
  assert.deepEqual(shows(one, 128, [1]), [
    [0, 1, 1],
    [0, 2],
  ]);
  assert.deepEqual(shows(one, 255, [1]), [
    [0, 0, 1],
    [0, 1],
  ]);
});

test("a segment that is lifted is whole, above what lies over it, where it is sure enough", () => {
  const lifted = (place, least) => {
    const top = Uint16Array.of(0, 1, 1, 1, 2, 3);
    lift(stack, least, place, top);
    return [...top];
  };
  assert.deepEqual(lifted(2, 0), [0, 1, 2, 2, 2, 3]);
  assert.deepEqual(lifted(2, 101), [0, 1, 1, 1, 2, 3]);
  assert.deepEqual(lifted(3, 101), [0, 1, 1, 3, 3, 3]);
});

test("without segments nothing is shown", () => {
  const none = {
    layers: [new Uint16Array(3)],
    levels: new Uint8Array(3),
    scores: new Uint8Array(1),
    below: new Float64Array(1),
  };
  assert.deepEqual(shows(none, 0, []), [[0, 0, 0], [0]]);
});

// ---- Outlines -----------------------------------------------------------------------------------------------------

const COLORS = Uint32Array.of(0, 11, 22, 33);

function outlined(rows, reach) {
  const [height, width] = [rows.length, rows[0].length];
  const edge = new Uint32Array(width * height).fill(99);
  outline(Uint16Array.from(rows.flat()), width, height, reach, COLORS, edge);
  return Array.from({ length: height }, (_, y) => [...edge.subarray(y * width, (y + 1) * width)]);
}

test("reach 0 draws nothing and wipes what was drawn", () => {
  assert.deepEqual(
    outlined(
      [
        [1, 1, 0],
        [2, 2, 0],
      ],
      0,
    ),
    [
      [0, 0, 0],
      [0, 0, 0],
    ],
  );
});

test("reach 1 is one pixel on each side, each in its own colour, the background in none", () => {
  assert.deepEqual(outlined([[1, 1, 1, 2, 2, 0, 0]], 1), [[0, 0, 11, 22, 22, 0, 0]]);
  assert.deepEqual(outlined([[1], [1], [3], [3]], 1), [[0], [11], [33], [0]]);
});

test("on random masks it is what the definition says", () => {
  const random = randomNumbers(5);
  const [width, height] = [13, 11];
  for (let round = 0; round < 20; round++) {
    const reach = 1 + (round % 4);
    const rows = grid(width, height, () => (random() < 0.06 ? Math.floor(random() * 4) : 1));
    const at = (x, y) => rows[y]?.[x];
    const beside = (x, y) => [at(x, y + 1), at(x + 1, y), at(x, y - 1), at(x - 1, y)];
    const border = (x, y) => beside(x, y).some((place) => place !== undefined && place !== at(x, y));
    const drawn = outlined(rows, reach);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        let close = false;
        for (let v = y - reach + 1; v < y + reach; v++) {
          for (let u = x - reach + 1; u < x + reach; u++) close ||= at(u, v) !== undefined && border(u, v);
        }
        assert.equal(drawn[y][x], close ? COLORS[at(x, y)] : 0, `round ${round}: ${x}, ${y}`);
      }
    }
  }
});

// ---- Zooming ------------------------------------------------------------------------------------------------------

test("unzoomed, the photo stands in the middle", () => {
  assert.deepEqual(clampView({ zoom: 1, x: 5, y: 999 }, 400, 300), { zoom: 1, x: 200, y: 150 });
  assert.deepEqual(clampView({ zoom: 0.2, x: 0, y: 0 }, 400, 300), { zoom: 1, x: 200, y: 150 });
});

test("zoomed, no place outside the photo comes into view", () => {
  assert.deepEqual(clampView({ zoom: 4, x: -50, y: 290 }, 400, 300), { zoom: 4, x: 50, y: 262.5 });
  assert.deepEqual(clampView({ zoom: 4, x: 399, y: 0 }, 400, 300), { zoom: 4, x: 350, y: 37.5 });
  assert.deepEqual(clampView({ zoom: 4, x: 120, y: 130 }, 400, 300), { zoom: 4, x: 120, y: 130 });
});

test("the zoom ends at 16", () => {
  assert.deepEqual(clampView({ zoom: 99, x: 200, y: 150 }, 400, 300), { zoom: 16, x: 200, y: 150 });
});

test("the place under the mouse stays where it is", () => {
  const random = randomNumbers(8);
  for (let round = 0; round < 50; round++) {
    const view = { zoom: 4 + 2 * random(), x: 180 + 40 * random(), y: 140 + 20 * random() };
    const [x, y] = [view.x + 30 * (random() - 0.5), view.y + 30 * (random() - 0.5)];
    const factor = 0.8 + random();
    const after = zoomAt(view, factor, x, y, 400, 300);
    near(after.zoom, view.zoom * factor);
    near((x - after.x) * after.zoom, (x - view.x) * view.zoom);
    near((y - after.y) * after.zoom, (y - view.y) * view.zoom);
  }
});

test("at the limits of the zoom nothing moves", () => {
  const near16 = { zoom: 16, x: 100, y: 80 };
  assert.deepEqual(zoomAt(near16, 1.5, 104, 83, 400, 300), near16);
  const whole = { zoom: 1, x: 200, y: 150 };
  assert.deepEqual(zoomAt(whole, 0.5, 30, 40, 400, 300), whole);
});

test("a step across a limit zooms up to it, about the same place", () => {
  const after = zoomAt({ zoom: 10, x: 200, y: 150 }, 3, 205, 152, 400, 300);
  assert.equal(after.zoom, 16);
  near((205 - after.x) * 16, 50);
  near((152 - after.y) * 16, 20);
  assert.deepEqual(zoomAt({ zoom: 1.2, x: 180, y: 140 }, 0.1, 0, 0, 400, 300), { zoom: 1, x: 200, y: 150 });
});

// ---- Words --------------------------------------------------------------------------------------------------------

test("shares follow the language, with one digit unless another number is asked for", () => {
  assert.equal(plain(percent(0.1234, "ru")), "12,3 %");
  assert.equal(plain(percent(0.1234, "en")), "12.3%");
  assert.equal(percent(0, "en"), "0.0%");
  assert.equal(percent(1, "en"), "100.0%");
  assert.equal(plain(percent(0.574, "ru", 0)), "57 %");
  assert.equal(percent(16, "en", 0), "1,600%");
});

test("a share that is less than half a per cent is not told as half a per cent", () => {
  assert.equal(plain(percent(0.00497, "ru", 1, { roundingMode: "floor" })), "0,4 %");
  assert.equal(plain(percent(0.29, "ru", 1, { roundingMode: "floor" })), "29,0 %");
});

test("a whole mask has its own share: 6240 pixels of 800 x 600 are 1.3 %", () => {
  const area = 6240;
  const picture = new Picture({ segments: [{ share: area / 480_000 }] });
  Object.assign(picture, { whole: [0, area], counts: [0, area] });
  assert.equal(percent(picture.share(0), "en", 1, { roundingMode: "floor" }), "1.3%");
  picture.counts[1] = area / 2;
  assert.equal(picture.share(0), area / 960_000);
});

test("scores have two digits", () => {
  assert.equal(decimal(0.5, "ru"), "0,50");
  assert.equal(decimal(0.987, "en"), "0.99");
  assert.equal(decimal(1, "en"), "1.00");
});

test("values go into a text as they are", () => {
  assert.equal(fill("answer {number}: {score}", { number: 2, score: "0.98" }), "answer 2: 0.98");
  assert.equal(fill("{value} px, {value}", { value: 0 }), "0 px, 0");
  assert.equal(fill("{a}", { a: "$& {b} <b>", b: 1 }), "$& {b} <b>");
  assert.equal(fill("no {braces here", {}), "no {braces here");
});

// ---- SAM by hand --------------------------------------------------------------------------------------------------

/** Prompts on a photo of 100x50, with the last that was asked of Python in `asked`. */
function asking(tool) {
  const viewer = { refresh() {}, current: { item: { photo_size: [100, 50] } } };
  const prompts = new Prompts(viewer, (all) => Object.assign(prompts, { asked: all }), {});
  return Object.assign(prompts, { tool });
}

test("a point is the object's, the background's with its tool or with Shift", () => {
  for (const [tool, shift, label] of [
    ["point", false, 1],
    ["point", true, 0],
    ["background", false, 0],
  ]) {
    const prompts = asking(tool);
    prompts.addPoint([1, 2], shift);
    assert.deepEqual(prompts.asked, { points: [[1, 2]], point_labels: [label], box: null, polygon: null });
  }
});

test("a box ends where it was led last; a contour that ends where it began is one", () => {
  const draw = (tool, places) => {
    const prompts = asking(tool);
    for (const place of places) prompts.extend(place);
    prompts.finish();
    return prompts.asked;
  };
  const around = [
    [10, 10],
    [40, 10],
    [40, 30],
    [10, 10],
  ];
  assert.deepEqual(draw("contour", around).polygon, around);
  assert.equal(draw("box", around), undefined);
  assert.deepEqual(draw("box", around.slice(0, 3)).box, [10, 10, 41, 31]);
});

test("keys draw a box from Enter to Enter; Escape's drop forgets it", () => {
  const prompts = asking("box");
  prompts.moveCursor(-0.1, -0.1);
  prompts.enter();
  prompts.moveCursor(0.3, 0.2);
  prompts.drop();
  prompts.enter();
  prompts.moveCursor(-0.2, 0.2);
  prompts.enter();
  assert.deepEqual(prompts.asked.box, [50, 30, 71, 41]);
});

// ---- Several models on one photo ----------------------------------------------------------------------------------

test("a photo that travels as a number is that item's", () => {
  const items = withPhotos([{ photo: "a" }, { photo: "b", name: "x" }, { photo: 0 }, { photo: 1, name: "y" }]);
  assert.deepEqual(items, [{ photo: "a" }, { photo: "b", name: "x" }, { photo: "a" }, { photo: "b", name: "y" }]);
  assert.deepEqual(withPhotos([{ photo: null }]), [{ photo: null }]); // a widget's, which comes besides
});

test("a photo has one thumbnail, however many models have seen it", () => {
  const item = (name, title, size = [4, 3]) => ({ name, title, size });
  const places = (...items) => thumbnailed(items);
  assert.deepEqual(places(item("a", "FCN"), item("a", "SAM"), item("b", "FCN"), item("b", "SAM")), [0, 2]);
  assert.deepEqual(places(item("a", "FCN"), item("b", "FCN"), item("a", "SAM"), item("b", "SAM")), [0, 1]);
  assert.deepEqual(places(item("a", "FCN"), item("a", "SAM", [3, 4])), [0, 1]);
  assert.deepEqual(places(item("a", ""), item("a", ""), item("b", "")), [0, 1, 2]); // one model: each stands for itself
});
