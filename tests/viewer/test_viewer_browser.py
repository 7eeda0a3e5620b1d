"""The viewer in a real browser: pages opened from disk, without kernel and network, driven by mouse and keyboard."""

import html
import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from browser import View, page_of

from labkit.classes import VOC
from labkit.evaluation.metrics import innermost
from labkit.figures import colors_of, named_segments, rgb
from labkit.locale import use_language
from labkit.photos import Photo
from labkit.segmentation import Segmentation
from labkit.viewer.items import items_of
from labkit.viewer.viewer import page_part

MARKUP = "<img src=x onerror=alert(1)>.png"
THRESHOLDS = (0, 0.3, 0.5, 0.7, 0.9, 0.95, 0.97, 0.99, 1)
SHADOW = "document.querySelector('[data-labkit]').shadowRoot"

# What has the focus, as deep as it goes: its kind, its name, what a screen reader calls it and how it is outlined
FOCUSED = """() => {
  let at = document.activeElement;
  while (at.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  const named = at.getAttribute("aria-label") ?? ([...(at.labels ?? [])].map((l) => l.textContent).join(" "));
  const what = at.name || at.dataset.panel || at.className || "";
  const { outlineStyle, outlineWidth } = getComputedStyle(at);
  return [at.tagName.toLowerCase(), what, (named || at.textContent).trim(), outlineStyle, parseFloat(outlineWidth)];
}"""


def result_of(variant: int, photo: str, **settings):
    """A fixture: a variant's result of one of the kit's photos."""
    return pytest.fixture(scope="session")(
        lambda load, default_photos: load(variant).segment(default_photos[photo], **settings)
    )


def page_with(*results: str):
    """A fixture: the viewer of the results of these fixtures."""
    return pytest.fixture(scope="session")(lambda request: page_part([request.getfixturevalue(n) for n in results]))


horses = result_of(2, "horses")  # horse and cow
cat = result_of(1, "cat_chelsea")  # of which it is very sure
person = result_of(1, "astronaut")
herd = result_of(6, "horses", score_threshold=0.3)  # some lie over others
two_cats = result_of(6, "cat_yarn")  # one nearly hidden below the other
semantic, instances = page_with("horses", "cat", "person"), page_with("herd", "two_cats")
compared = page_with("horses", "herd", "cat")  # two models on one photo, and a photo that only one has seen
asked = page_with("answers")


@pytest.fixture(scope="session")
def answers(load, default_photos) -> Segmentation:
    """SAM's three answers to one point."""
    load(4).set_photo(default_photos["cat_chelsea"])
    return load(4).prompt(points=[(220, 150)])


@pytest.fixture
def view(open_page):
    """Opens a piece of HTML as a page and answers its viewer."""
    return lambda part, **options: View(open_page(page_of(part), **options))


def rows(result: Segmentation, language: str = "ru") -> list[tuple[str, object]]:
    """What the legend lists, in its order: name and segment."""
    with use_language(language):
        return [(name, segment) for segment, name in named_segments(result)]


def share_of(result: Segmentation, segment, threshold: float) -> float:
    """Per cent of the photo where a segment is sure enough: seen, by its pixels; hidden, by its score."""
    sure = np.where(result.ids == segment.id, result.confidence, segment.score) >= threshold
    return 100 * (segment.mask & sure).mean()


def near(pixels: np.ndarray, color: str, most: int = 12) -> np.ndarray:
    """Which pixels have a colour."""
    return np.abs(pixels - rgb(color)).max(-1) <= most


def on_photo(view: View, panel: str, result: Segmentation, place: Sequence[float]) -> tuple[float, float]:
    """Where the middle of a photo's pixel is on the page, the whole photo being shown."""
    height, width = result.ids.shape
    return view.point(panel, (place[0] + 0.5) / width, (place[1] + 0.5) / height)


def at(view: View, panel: str, result: Segmentation, place: Sequence[float]) -> np.ndarray:
    """The colour that a panel has at a photo's pixel, the whole photo being shown."""
    pixels = view.pixels(panel)
    (height, width), (h, w) = result.ids.shape, pixels.shape[:2]
    return pixels[int((place[1] + 0.5) / height * h), int((place[0] + 0.5) / width * w)]


def shows(view: View, result: Segmentation, place: Sequence[float], color: str | np.ndarray) -> bool:
    """Whether the mask has a colour at a photo's pixel, but for rounding."""
    wanted = rgb(color) if isinstance(color, str) else color
    return np.abs(at(view, "mask", result, place) - wanted).max() <= 3


def place_read(view: View) -> tuple[int, int]:
    """The coordinates below the panels."""
    return tuple(map(int, re.match(r"x (\d+), y (\d+): ", view.readout).groups()))


def blended(view: View) -> float:
    """How far the overlay is from the mask drawn over the photo; opacity must be 1, the outline 0."""
    photo, mask, overlay = (view.pixels(panel) for panel in ("photo", "mask", "overlay"))
    inside = mask.max(-1) > 0
    return float(np.abs(overlay - np.where(inside[..., None], mask, photo)).mean())


def go_to(view: View, number: int, of: int) -> None:
    """Waits until the title says so."""
    view.root.wait_for_function(f"() => {SHADOW}.querySelector('.title').textContent.startsWith('{number}/{of}. ')")
    view.settle()


# ---- The page -----------------------------------------------------------------------------------------------------


def test_all_panels_are_painted(view, semantic, horses):
    """Photo, mask and overlay show what NumPy says: photo as it is, the class's colour, half of each."""
    shown = view(semantic)
    for name, segment in rows(horses):
        place = innermost(segment.mask)
        color = np.array(rgb(colors_of(horses)[segment.id]))
        photo, mask, overlay = (at(shown, panel, horses, place) for panel in ("photo", "mask", "overlay"))
        x, y = place
        around = horses.photo.pixels[y - 1 : y + 2, x - 1 : x + 2].reshape(-1, 3).astype(int)
        assert (photo >= around.min(0) - 25).all() and (photo <= around.max(0) + 25).all(), name
        assert np.abs(mask - color).max() <= 2, name
        assert np.abs(overlay - (photo + color) / 2).max() <= 3, name


# ---- Sliders ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by, wanted", [("mouse", 0.9), ("keyboard", 0.4)])
def test_opacity(view, semantic, by, wanted):
    """Dragging the slider's knob, or the arrow keys, draw the overlay anew; the mask and the photo shown stay."""
    shown = view(semantic)
    mask, overlay = shown.pixels("mask"), shown.pixels("overlay")
    slider = shown.find("input[name=opacity]")
    box = slider.bounding_box()
    middle = box["y"] + box["height"] / 2
    if by == "mouse":
        shown.drag((box["x"] + box["width"] / 2, middle), (box["x"] + 0.9 * box["width"], middle))
    else:
        slider.focus()
        for _ in range(10):
            shown.key("ArrowLeft")
        assert "40" in shown.find("label:has(input[name=opacity]) output").inner_text()
    assert shown.value("opacity") == pytest.approx(wanted, abs=0.1) and shown.title.startswith("1/3. ")
    assert np.array_equal(shown.pixels("mask"), mask)
    assert np.abs(shown.pixels("overlay") - overlay).mean() > 1


@pytest.mark.parametrize("which", ["horses", "cat", "person", "herd", "two_cats"])
def test_threshold_and_areas(request, view, which):
    """At each threshold the legend has the areas that NumPy counts in the result, to 0.1 %, and the mask has them."""
    result = request.getfixturevalue(which)
    shown, colors = view(page_part([result])), colors_of(result)
    for threshold in THRESHOLDS:
        shown.set("threshold", threshold)
        expected = {name: share_of(result, segment, threshold) for name, segment in rows(result)}
        shares = shown.shares
        assert list(shares) == list(expected) and shares == pytest.approx(expected, abs=0.1), threshold
        if which in ("horses", "cat", "person"):  # no segment lies over another
            mask = shown.pixels("mask")
            drawn = {name: 100 * near(mask, colors[segment.id]).mean() for name, segment in rows(result)}
            assert drawn == pytest.approx(shares, abs=1.2), threshold


def test_outline(view, semantic, horses):
    """Without opacity only outlines are drawn: the wider the more pixels, in the class's colour, and none at 0."""
    shown = view(semantic)
    shown.set("opacity", 0)
    drawn = []
    for width in (0, 2, 6):
        shown.set("outline", width)
        overlay = shown.pixels("overlay")
        changed = np.abs(overlay - shown.pixels("photo")).max(-1) > 20
        drawn.append(changed.mean())
    assert drawn[0] == 0 and 0 < 1.5 * drawn[1] < drawn[2]
    inside = np.logical_or.reduce([near(overlay, color, 40) for color in colors_of(horses).values()])
    assert inside[changed].mean() > 0.7


# ---- Legend -------------------------------------------------------------------------------------------------------


def test_hiding_uncovers(view, instances, herd):
    """What an object hides of another appears in the other's colour when it is unticked."""
    shown = view(instances)
    names = {segment.id: n for n, (_, segment) in enumerate(rows(herd))}
    below = max(herd.segments, key=lambda s: np.count_nonzero(s.mask & (herd.ids != s.id)))
    hidden = below.mask & (herd.ids != below.id)
    upper = np.bincount(herd.ids[hidden]).argmax()
    others = [s.mask for s in herd.segments if s.id not in (below.id, upper)]
    x, y = innermost(hidden & (herd.ids == upper) & ~np.logical_or.reduce(others))
    colors = colors_of(herd)
    box = shown.find(".legend li input").nth(names[upper])
    for ticked, seen in ((True, upper), (False, below.id), (True, upper), (False, below.id)):
        box.set_checked(ticked)
        shown.page.mouse.move(0, 0)
        shown.find("[name=side]").focus()
        assert shows(shown, herd, (x, y), colors[seen])
        assert (near(shown.pixels("mask"), colors[upper]).sum() == 0) == (seen != upper)
    shown.set("threshold", min(below.score + 0.02, 1))  # hidden parts have no more than their object's score
    assert shows(shown, herd, (x, y), "#000000")


@pytest.mark.parametrize("by", ["mouse", "keyboard"])
def test_legend_lights_up(view, instances, herd, by):
    """Over a row of the legend, or with the focus in it, its segment is whole and keeps its colour, the others dim."""
    shown = view(instances)
    (_, lit), (_, other), *_ = rows(herd)
    covered = lit.mask & (herd.ids == other.id)
    places = [innermost(region) for region in (covered, (herd.ids == other.id) & ~covered)]
    colors = [np.array(rgb(colors_of(herd)[segment.id])) for segment in (lit, other)]
    row = shown.find(".legend li").nth(0)
    row.hover() if by == "mouse" else row.locator("input").focus()
    assert shows(shown, herd, places[0], colors[0]) and shows(shown, herd, places[1], colors[1] * 56 / 255)
    shown.page.mouse.move(0, 0) if by == "mouse" else shown.find("[name=side]").focus()
    assert all(shows(shown, herd, place, colors[1]) for place in places)


def test_boxes(view, instances, herd):
    """A hovered object has its box on the overlay, and the others none; without outlines there is no box at all."""
    shown = view(instances)
    shown.set("opacity", 0)
    (_, first), (_, second), *_ = rows(herd)
    for n, segment in enumerate((first, second)):
        shown.find(".legend li input").nth(n).focus()
        x0, y0, x1, y1 = segment.box
        corner, color = (x0, y1 - 1), colors_of(herd)[segment.id]
        assert not segment.mask[corner[::-1]] and near(at(shown, "overlay", herd, corner), color, 60)
    shown.set("outline", 0)
    assert not near(at(shown, "overlay", herd, corner), color, 60)


def test_colours_by_class(view, instances, herd):
    """Of two horses the second has a colour of its own, or the class's: as the choice says; legend and panels agree."""
    shown = view(instances)
    listed = [segment for _, segment in rows(herd)]
    own = [s for s in listed if colors_of(herd)[s.id] != VOC.colors[s.label_id]]
    second = max(own, key=lambda s: np.count_nonzero(herd.ids == s.id))
    place = innermost(herd.ids == second.id)
    swatch = shown.find(".legend .swatch").nth(listed.index(second))
    colors = {"object": colors_of(herd)[second.id], "class": VOC.colors[second.label_id]}
    for value in ("object", "class", "object"):
        color = colors[value]
        shown.find("select[name=color_by]").select_option(value)
        assert shows(shown, herd, place, color)
        assert swatch.evaluate("(s) => getComputedStyle(s).backgroundColor") == f"rgb{rgb(color)}"


# ---- Under the mouse ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("panel", ["photo", "mask", "overlay"])
def test_readout(view, semantic, horses, panel):
    """Over a known pixel: its coordinates, class and confidence; over the background that; beside the photo nothing."""
    shown = view(semantic)
    for name, segment in rows(horses):
        x, y = innermost(segment.mask)
        shown.page.mouse.move(*on_photo(shown, panel, horses, (x, y)))
        said = re.fullmatch(r"x (\d+), y (\d+): (.+), (\d,\d\d)", shown.readout)
        got_x, got_y, got_name, got_sure = said.groups()
        assert abs(int(got_x) - x) <= 1 and abs(int(got_y) - y) <= 1 and got_name == name
        sure = horses.confidence[int(got_y), int(got_x)]
        assert float(got_sure.replace(",", ".")) == pytest.approx(float(sure), abs=0.0075)
    shown.page.mouse.move(*on_photo(shown, panel, horses, innermost(horses.ids == 0)))
    assert shown.readout.endswith(": фон")
    shown.page.mouse.move(1, 1)
    assert shown.readout == ""


def test_readout_on_both_sides_of_the_curtain(view, compared, horses, herd):
    """With two models it speaks of the one whose side is under the mouse."""
    shown = view(compared)
    shown.press("curtain")
    label = {name: s.label_id for result in (horses, herd) for name, s in rows(result)}
    differs = (horses.labels != herd.labels) & (horses.labels > 0) & (herd.labels > 0)
    width = differs.shape[1]
    left = np.arange(width) < width // 2 - 5
    for result, side in ((horses, left), (herd, left[::-1])):
        assert (differs & side).any()
        x, y = innermost(differs & side)
        shown.page.mouse.move(*on_photo(shown, "curtain", result, (x, y)))
        name = re.fullmatch(r"x \d+, y \d+: (.+), \d,\d\d", shown.readout)[1]
        assert label[name] == result.labels[y, x]


def test_mouse_over_a_photo_that_is_being_decoded(view, semantic):
    """Moving the mouse right after the photo was changed raises nothing."""
    shown = view(semantic)
    shown.root.evaluate(
        f"""() => {{
          const shadow = {SHADOW};
          const canvas = shadow.querySelector("canvas");
          const box = canvas.getBoundingClientRect();
          shadow.querySelector("[name=next]").click();
          const place = {{ clientX: box.left + 50, clientY: box.top + 50, bubbles: true }};
          canvas.dispatchEvent(new PointerEvent("pointermove", place));
          shadow.querySelector("[name=zoom_in]").click();
        }}"""
    )
    go_to(shown, 2, 3)


def test_buttons_before_the_first_photo(open_page, semantic):
    """Whoever presses a button before the first photo is decoded gets no error."""
    early = f"""<script type="module">
      const shadow = {SHADOW};
      window.early = shadow.querySelectorAll("canvas").length;
      for (const name of ["zoom_in", "curtain", "side", "language"]) shadow.querySelector(`[name=${{name}}]`).click();
    </script>"""
    page = open_page(page_of(semantic, early))
    shown = View(page)
    assert page.evaluate("early") == 0 and shown.find("canvas").count() == 3


# ---- Going through the set ----------------------------------------------------------------------------------------


def test_next_and_previous(view, semantic):
    """Buttons go through the set and around its ends, a thumbnail leads to its photo; all follows, sliders stay."""
    shown = ready_to_compare(view(semantic))
    shown.set("threshold", 0.9)
    seen = [shown.pixels("photo")]
    for number, name in ((2, "cat_chelsea"), (3, "astronaut"), (1, "horses")):
        shown.press("next")
        go_to(shown, number, 3)
        assert shown.title == f"{number}/3. {name}"
        seen.append(shown.pixels("photo"))
    assert seen[0].shape != seen[1].shape and np.array_equal(seen[0], seen[3])
    assert list(shown.shares) == ["лошадь"]
    shown.press("previous")
    go_to(shown, 3, 3)
    assert "человек" in shown.shares
    shown.find(".thumb").nth(1).click()
    go_to(shown, 2, 3)
    current = [thumb.get_attribute("aria-current") for thumb in shown.find(".thumb").all()]
    assert current == ["false", "true", "false"] and list(shown.shares) == ["кошка"]
    assert [shown.value(name) for name in ("opacity", "threshold", "outline")] == [1, 0.9, 0]
    assert blended(shown) < 3


@pytest.mark.parametrize("start", ["canvas[data-panel=overlay]", ".thumb", "[name=next]", ".legend input"])
def test_arrow_keys(view, semantic, start):
    """They go through the set from wherever the focus is, and it stays inside the viewer."""
    shown = view(semantic)
    shown.find(start).nth(0).focus()
    for key, number in (("ArrowRight", 2), ("ArrowRight", 3), ("ArrowRight", 1), ("ArrowLeft", 3)):
        shown.key(key)
        go_to(shown, number, 3)
    assert shown.root.evaluate(FOCUSED)[0] in ("canvas", "button", "input")


# ---- Curtain ------------------------------------------------------------------------------------------------------


def sides(view: View, left: str, right: str) -> np.ndarray:
    """The curtain with these two on its sides."""
    view.find("select[name=left]").select_option(left)
    view.find("select[name=right]").select_option(right)
    return view.pixels("curtain")


@pytest.mark.parametrize("by", ["mouse", "keyboard"])
def test_curtain(view, semantic, by):
    """Left of the border is the photo, right of it the overlay; dragging or the slider's keys move it."""
    shown = view(semantic)
    shown.press("curtain")
    assert shown.find("canvas").count() == 1 and shown.value("split") == 0.5
    assert [shown.find(f"select[name={side}]").input_value() for side in ("left", "right")] == ["photo", "overlay"]
    shown.set("split", 1)
    photo, overlay = sides(shown, "photo", "photo"), sides(shown, "overlay", "overlay")
    shown.set("split", 0.5)
    middle = sides(shown, "photo", "overlay")
    if by == "mouse":
        shown.drag(shown.point("curtain", 0.5, 0.5), shown.point("curtain", 0.3, 0.6))
        assert "30" in shown.find("label:has(input[name=split]) output").inner_text()
    else:
        shown.find("input[name=split]").focus()
        for _ in range(20):
            shown.key("ArrowLeft")
    assert shown.value("split") == pytest.approx(0.3, abs=0.011)
    for split, pixels in ((0.5, middle), (shown.value("split"), shown.pixels("curtain"))):
        border = round(pixels.shape[1] * split)
        assert np.array_equal(pixels[:, : border - 8], photo[:, : border - 8])
        assert np.array_equal(pixels[:, border + 8 : -8], overlay[:, border + 8 : -8])
        assert (pixels[:, border - 1 : border + 1] == 255).all() and (pixels[:, border + 1] == 0).all()
    assert not np.array_equal(photo, overlay)


def test_curtain_of_two_models(view, compared):
    """Two models' results of one photo stand on its two sides, each with its own colours."""
    shown = view(compared)
    shown.press("curtain")
    shown.press("previous")
    go_to(shown, 3, 3)  # a photo that only one model has seen: the two sides are not the same thing
    assert [shown.find(f"select[name={side}]").input_value() for side in ("left", "right")] == ["photo", "overlay"]
    shown.press("next")
    go_to(shown, 1, 3)
    sides(shown, "overlay", "item 1")
    options = shown.find("select[name=right] option").all_inner_texts()
    assert options == ["фото", "маска", "U-Net", "Mask R-CNN"]
    both = shown.pixels("curtain")
    unet, mask_rcnn = sides(shown, "overlay", "overlay"), sides(shown, "item 1", "item 1")
    middle = both.shape[1] // 2
    assert np.array_equal(both[:, : middle - 8], unet[:, : middle - 8])
    assert np.array_equal(both[:, middle + 8 :], mask_rcnn[:, middle + 8 :])
    assert np.abs(unet - mask_rcnn).mean() > 2
    shown.press("next")
    go_to(shown, 2, 3)
    assert shown.title == "2/3. horses · Mask R-CNN"
    assert np.array_equal(sides(shown, "overlay", "overlay"), mask_rcnn)


# ---- Zoom ---------------------------------------------------------------------------------------------------------


def ready_to_compare(view: View) -> View:
    """Opacity 1 and no outlines, so that `blended` tells whether the panels show the same place."""
    view.set("opacity", 1)
    view.set("outline", 0)
    return view


def zoom_of(view: View) -> float:
    """The zoom in per cent."""
    view.settle()
    return float(re.sub(r"\D", "", view.find(".bar > output").inner_text()))


@pytest.mark.parametrize("closer, farther, whole", [("zoom_in", "zoom_out", "whole"), ("+", "-", "0")])
def test_zoom(view, semantic, closer, farther, whole):
    """Buttons and keys: closer, up to the highest zoom, farther, whole; all panels show the same place."""
    shown = ready_to_compare(view(semantic))
    photo = shown.pixels("photo")
    shown.canvas("mask").focus()
    press = shown.key if closer == "+" else shown.press
    press(closer)
    press(closer)
    assert zoom_of(shown) == 225 and blended(shown) < 3
    assert np.abs(shown.pixels("photo") - photo).mean() > 5
    press(farther)
    assert zoom_of(shown) == 150 and blended(shown) < 3
    for _ in range(8):
        press(closer)
    assert zoom_of(shown) == 1600
    press(whole)
    assert zoom_of(shown) == 100 and np.array_equal(shown.pixels("photo"), photo)


@pytest.mark.parametrize("by", ["wheel", "double click"])
def test_zoom_at_the_mouse(view, semantic, horses, by):
    """With Ctrl the wheel zooms at the place under the mouse, without it the page scrolls; so does a double click.

    Zoomed in, the readout still tells the class of the pixel under the mouse.
    """
    shown = ready_to_compare(view(semantic))
    point = shown.point("photo", 0.7, 0.3)
    shown.page.mouse.move(*point)
    place = place_read(shown)
    if by == "wheel":
        shown.page.mouse.wheel(0, -300)
        assert zoom_of(shown) == 100
        shown.page.keyboard.down("Control")
        shown.page.mouse.wheel(0, -600)
        shown.page.keyboard.up("Control")
    else:
        shown.page.mouse.dblclick(*point)
    shown.root.wait_for_function(f"() => !{SHADOW}.querySelector('.bar > output').textContent.startsWith('100')")
    assert zoom_of(shown) >= 200 and blended(shown) < 3
    shown.page.mouse.move(point[0], point[1] + 1)
    assert np.abs(np.subtract(place_read(shown), place)).max() <= 2
    names = {segment.id: name for name, segment in rows(horses)} | {0: "фон"}
    for x, y in ((0.1, 0.1), (0.5, 0.5), (0.9, 0.7), (0.3, 0.95)):
        shown.page.mouse.move(*shown.point("overlay", x, y))
        column, row = place_read(shown)
        assert names[horses.ids[row, column]] in shown.readout


def test_pan(view, semantic):
    """A dragged photo follows the mouse in all panels; arrow keys move it, and do not change the photo then."""
    shown = ready_to_compare(view(semantic))
    for _ in range(3):
        shown.press("zoom_in")
    start, end = shown.point("overlay", 0.4, 0.4), shown.point("overlay", 0.6, 0.55)
    shown.page.mouse.move(*start)
    place, photo = place_read(shown), shown.pixels("photo")
    shown.drag(start, end)
    assert np.abs(np.subtract(place_read(shown), place)).max() <= 1
    assert np.abs(shown.pixels("photo") - photo).mean() > 3 and blended(shown) < 3
    dragged = shown.pixels("photo")
    shown.canvas("photo").focus()
    for key in ("ArrowRight", "ArrowDown"):
        shown.key(key)
    assert shown.title.startswith("1/3. ") and blended(shown) < 3
    assert np.abs(shown.pixels("photo") - dragged).mean() > 2
    for key in ("ArrowLeft", "ArrowUp"):
        shown.key(key)
    assert np.abs(shown.pixels("photo") - dragged).mean() < 0.5


def test_two_fingers(view, semantic):
    """Two fingers that part zoom in; one that goes on after the other is lifted raises nothing."""
    shown = view(semantic)
    shown.canvas("photo").evaluate(
        """(canvas) => {
          canvas.setPointerCapture = () => {};
          const say = (type, pointerId, clientX) =>
            canvas.dispatchEvent(new PointerEvent(type, { pointerId, clientX, clientY: 90 }));
          say("pointerdown", 1, 100);
          say("pointerdown", 2, 150);
          say("pointermove", 2, 200);
          say("pointerup", 2, 200);
          say("pointermove", 1, 90);
        }"""
    )
    assert zoom_of(shown) == 200


def test_another_photo_is_whole(view, horses, cat):
    """A viewer that is given a photo of another size, as a widget is, shows all of it."""
    shown = view(page_part([horses]).replace("\nmountMarked(", "\nwindow.viewer = mountMarked("))
    shown.page.evaluate("(items) => viewer.setItems(items)", items_of([cat]))
    assert np.array_equal(shown.pixels("photo"), view(page_part([cat])).pixels("photo"))


# ---- SAM's answers ------------------------------------------------------------------------------------------------


def test_answers(view, asked, answers):
    """One button an answer, best first, with its score; each shows its own mask and its own row of the legend."""
    assert [s.score for s in answers.segments] == sorted((s.score for s in answers.segments), reverse=True)
    shown = view(asked)
    assert shown.find("[name=answer_1]").get_attribute("aria-pressed") == "true"
    assert shown.find("[name^=answer_]").count() == 3
    masks = []
    for n, segment in enumerate(answers.segments):
        shown.press(f"answer_{n + 1}")
        button = shown.find(f"[name=answer_{n + 1}]")
        assert button.get_attribute("aria-pressed") == "true"
        assert f"{n + 1}" in button.inner_text() and f"{segment.score:.2f}".replace(".", ",") in button.inner_text()
        assert shown.shares == {f"объект {n + 1}": pytest.approx(100 * segment.mask.mean(), abs=0.1)}
        masks.append(shown.pixels("mask"))
        color = colors_of(answers)[segment.id]
        assert near(masks[-1], color).mean() == pytest.approx(segment.mask.mean(), abs=0.02)
    assert not np.array_equal(masks[0], masks[1]) and not np.array_equal(masks[1], masks[2])
    assert shown.root.evaluate(FOCUSED)[1] == "answer_3"
    shown.set("opacity", 0)  # and where the point was, is a plus
    shown.set("outline", 0)
    (x, y) = answers.made_by["prompts"]["points"][0]
    assert tuple(at(shown, "overlay", answers, (x, y))) == (255, 255, 255)
    pixels = shown.pixels("overlay")
    changed = np.argwhere(np.abs(pixels - shown.pixels("photo")).max(-1) > 60)
    middle = changed.mean(0) / pixels.shape[:2]
    assert middle == pytest.approx([(y + 0.5) / answers.ids.shape[0], (x + 0.5) / answers.ids.shape[1]], abs=0.02)


# ---- Words, keyboard, looks ---------------------------------------------------------------------------------------


def test_language(view, semantic):
    """Another language and back: every word changes, focus and settings stay."""
    shown = view(semantic)
    shown.press("next")
    go_to(shown, 2, 3)
    shown.set("opacity", 0.8)
    shown.set("threshold", 0.6)
    shown.find(".legend input").uncheck()
    shown.page.mouse.move(0, 0)
    before = shown.pixels("overlay")

    def switch(language: str) -> None:
        shown.key("Enter")
        spoken = f"{SHADOW}.querySelector('.viewer').lang === '{language}'"
        shown.root.wait_for_function(f"() => {spoken} && {SHADOW}.activeElement")
        shown.settle()

    shown.find("[name=language]").focus()
    switch("en")
    words = shown.find(".viewer").inner_text() + " ".join(
        shown.find("[aria-label]").evaluate_all("(all) => all.map((e) => e.getAttribute('aria-label'))")
    )
    assert "Confidence threshold" in words and "cat" in shown.shares
    assert re.findall(r"[а-яё]+", words.replace("Русский", ""), re.IGNORECASE) == []
    assert shown.value("opacity") == 0.8 and shown.value("threshold") == 0.6
    assert shown.title == "2/3. cat_chelsea" and not shown.find(".legend input").is_checked()
    assert np.array_equal(shown.pixels("overlay"), before)
    switch("ru")
    assert shown.root.evaluate(FOCUSED)[1] == "language" and "кошка" in shown.shares
    assert shown.value("opacity") == 0.8 and np.array_equal(shown.pixels("overlay"), before)


@pytest.mark.parametrize("mode", ["side", "curtain"])
def test_tab_reaches_everything(view, compared, mode):
    """Tab goes once through all controls in the order in which they stand; each has a name, and an outline then."""
    shown = view(compared)
    shown.press(mode)
    wanted = shown.find("button, input, select, canvas").evaluate_all(
        "(all) => all.map((e) => e.name || e.dataset.panel || e.className || '')"
    )
    shown.page.evaluate("document.activeElement.blur()")
    shown.find(".viewer").evaluate("() => getSelection().removeAllRanges()")
    shown.page.evaluate("() => { document.body.tabIndex = -1; document.body.focus(); }")
    seen = []
    for _ in wanted:
        shown.page.keyboard.press("Tab")
        seen.append(shown.root.evaluate(FOCUSED))
    assert [name for _, name, *_ in seen] == wanted
    assert [row for row in seen if not row[2] or row[3] == "none" or row[4] < 2] == []
    assert {"opacity", "threshold", "outline", "language", "next"} <= set(wanted)


def test_hostile_names(open_page, outlined, person):
    """Markup in the names of photos and classes is shown as it is written, and never run."""
    classes = replace(
        VOC,
        names=tuple(f"</script><script>alert('{name}')</script>" for name in VOC.names),
        names_ru=tuple(f"""</script>"'{MARKUP} {name}""" for name in VOC.names_ru),
    )
    hostile = replace(outlined, photo=Photo(MARKUP, outlined.photo.pixels), classes=classes)
    other = replace(person, photo=Photo('"><svg onload=alert(2)> {name} $& ', person.photo.pixels))
    page = open_page(page_of("<script>alert = () => { window.alarm = true; };</script>", page_part([hostile, other])))
    shown = View(page)
    assert shown.title == f"1/2. {MARKUP}"
    assert list(shown.shares) == [f"""</script>"'{MARKUP} кошка"""]
    shown.page.mouse.move(*shown.point("photo", 0.5, 0.5))
    assert MARKUP in shown.readout
    assert shown.find("img").count() == 2 and page.locator("img[src=x]").count() == 0
    assert MARKUP in shown.canvas("mask").get_attribute("aria-label")
    for name in ("language", "next", "curtain"):
        shown.press(name)
    go_to(shown, 2, 2)
    assert shown.title.startswith('2/2. "><svg onload=alert(2)> {name} $&')
    assert page.evaluate("window.alarm") is None


THEMES = {
    "light": "document.body.dataset.jpThemeLight = 'true'",
    "dark": "document.body.dataset.jpThemeLight = 'false'",
    "colab": "document.documentElement.setAttribute('theme', 'dark')",
}


@pytest.mark.parametrize("theme", THEMES)
def test_themes(view, compared, theme):
    """JupyterLab's dark theme and Colab's make the viewer dark; axe finds every text's contrast high enough."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    shown = view(compared)
    shown.page.evaluate(THEMES[theme])
    shown.settle()
    color = shown.find(".viewer").evaluate("(viewer) => getComputedStyle(viewer).backgroundColor")
    brightness = np.mean(list(map(int, re.findall(r"\d+", color)[:3])))
    assert brightness > 220 if theme == "light" else brightness < 50
    for mode, threshold in (("side", 0), ("curtain", 0), ("side", 1)):
        shown.press(mode)
        shown.set("threshold", threshold)
        shown.page.mouse.move(0, 0)
        found = axe.run(shown.page, options={"runOnly": ["color-contrast"]}).response
        assert found["passes"] and found["violations"] == []


def test_narrow_page(view, compared, asked, herd, width=320):
    """A page as narrow as a phone is not wider than that in any mode, and its panels stand below each other."""
    for part in (compared, asked, page_part([replace(herd, photo=Photo("x" * 200, herd.photo.pixels))])):
        shown = view(part, viewport={"width": width, "height": 900})
        for mode in ("side", "curtain"):
            shown.press(mode)
            assert shown.page.evaluate("document.documentElement.scrollWidth") <= width
        shown.press("side")
        boxes = [shown.canvas(panel).bounding_box() for panel in ("photo", "mask", "overlay")]
        assert len({box["x"] for box in boxes}) == 1 and boxes[0]["y"] < boxes[1]["y"] < boxes[2]["y"]
        assert all(box["width"] > 0.8 * width for box in boxes)
        knob, value = (
            shown.find(f".slider:has([name=threshold]) {part}").bounding_box() for part in ("input", "output")
        )
        assert knob["y"] < value["y"] + value["height"] / 2 < knob["y"] + knob["height"], "on one line"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_print(view, compared, theme):
    """On paper the panels and the legend are left, black on white; what can only be clicked is not."""
    shown = view(compared)
    shown.page.evaluate(THEMES[theme])
    names = list(shown.shares)
    shown.page.emulate_media(media="print")
    shown.settle()
    for selector in ("button", "input", "select", ".readout"):
        assert not any(part.is_visible() for part in shown.find(selector).all()), selector
    assert all(canvas.is_visible() for canvas in shown.find("canvas").all()) and shown.find("canvas").count() == 3
    assert shown.find(".title").is_visible() and shown.find("figcaption").nth(0).is_visible()
    rows_shown = shown.find(".legend li").all_inner_texts()
    assert all(name in row for name, row in zip(names, rows_shown, strict=True))
    assert shown.find(".swatch").nth(0).is_visible()
    tops = {round(shown.canvas(panel).bounding_box()["y"]) for panel in ("photo", "mask", "overlay")}
    assert len(tops) == 1


# ---- Little and much ----------------------------------------------------------------------------------------------


def test_nothing_found(view, default_photos):
    """A result without segments says so in words, beside its photo."""
    photo = default_photos["horses"]
    shown = view(page_part([Segmentation.from_labels(photo, np.zeros(photo.pixels.shape[:2], np.uint8))]))
    assert shown.find(".legend").inner_text() == "ничего не найдено"
    assert "ничего не найдено" in shown.canvas("mask").get_attribute("aria-label")
    assert np.array_equal(shown.pixels("overlay"), shown.pixels("photo")) and shown.pixels("mask").max() == 0
    shown.page.mouse.move(*shown.point("photo", 0.5, 0.5))
    assert shown.readout.endswith(": фон")
    shown.set("threshold", 1)
    shown.press("curtain")
    assert shown.find(".set *").count() == 0


def test_no_results(view):
    """So does an empty list."""
    shown = view(page_part([]))
    assert (
        "Показывать нечего" in shown.find("style + p").last.inner_text() and shown.find("canvas, button").count() == 0
    )


def test_the_same_viewer_twice(open_page, cat):
    """A cell that was run twice: both viewers are there, and each is moved by itself."""
    page = open_page(page_of(page_part([cat]), page_part([cat])))
    first, second = View(page), View(page, 1)
    assert first.find("canvas").count() == second.find("canvas").count() == 3
    before = second.pixels("overlay")
    first.set("opacity", 1)
    assert np.abs(first.pixels("overlay") - before).mean() > 3 and np.array_equal(second.pixels("overlay"), before)


def test_large_photo(view, default_photos):
    """A photo of more than 1024 pixels travels smaller; coordinates and areas are still its own."""
    photo = Photo.from_pixels("large", np.tile(default_photos["sheep"].pixels, (2, 2, 1)))
    labels = np.zeros(photo.pixels.shape[:2], np.uint8)
    labels[:, 1200:] = VOC.id("sheep")
    result = Segmentation.from_labels(photo, labels)
    shown = view(page_part([result]))
    assert shown.shares == {"овца": 25.0}
    shown.page.mouse.move(*on_photo(shown, "photo", result, (1400, 1000)))
    x, y = place_read(shown)
    assert abs(x - 1400) <= 4 and abs(y - 1000) <= 4 and "овца, 1,00" in shown.readout


def test_in_frames_as_in_colab(open_page, semantic, instances):
    """Each output in a frame of its own: both viewers work."""
    frame = '<iframe sandbox="allow-scripts allow-same-origin" width="1000" height="560" srcdoc="{}"></iframe>'
    page = open_page(page_of(*(frame.format(html.escape(page_of(part))) for part in (semantic, instances))))
    frames = [page.locator("iframe").nth(n).element_handle().content_frame() for n in range(2)]
    for root in frames:
        shown = View(page, root=root)
        before = shown.pixels("overlay")
        shown.set("opacity", 0.9)
        assert np.abs(shown.pixels("overlay") - before).mean() > 2
        shown.press("next")
        go_to(shown, 2, 3 if root is frames[0] else 2)
