"""Photo, mask and overlay in a real browser: sliders, legend, what is under the mouse, SAM's answers."""

import re
from itertools import permutations

import numpy as np
import pytest
from browser import View, page_of
from viewed import FOCUSED, SHADOW, at, go_to, near, on_photo, shows

from labkit.classes import VOC
from labkit.evaluation.metrics import innermost
from labkit.figures import colors_of, named_segments, rgb
from labkit.segmentation import Segmentation
from labkit.viewer.viewer import page_part

THRESHOLDS = (0, 0.3, 0.5, 0.7, 0.9, 0.95, 0.97, 0.99, 1)


def share_of(result: Segmentation, segment, threshold: float) -> float:
    """Per cent of the photo where a segment is sure enough: seen, by its pixels; hidden, by its score."""
    sure = np.where(result.ids == segment.id, result.confidence, segment.score) >= threshold
    return 100 * (segment.mask & sure).mean()


def test_all_panels_are_painted(view, semantic, horses):
    """Photo, mask and overlay show what NumPy says: photo as it is, the class's colour, half of each."""
    shown = view(semantic)
    for segment, name in named_segments(horses):
        place = innermost(segment.mask)
        color = np.array(rgb(colors_of(horses)[segment.id]))
        photo, mask, overlay = (at(shown, panel, horses, place) for panel in ("photo", "mask", "overlay"))
        x, y = place
        around = horses.photo.pixels[y - 1 : y + 2, x - 1 : x + 2].reshape(-1, 3).astype(int)
        assert (photo >= around.min(0) - 25).all() and (photo <= around.max(0) + 25).all(), name
        assert np.abs(mask - color).max() <= 2, name
        assert np.abs(overlay - (photo + color) / 2).max() <= 3, name


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
        shown.key(*["ArrowLeft"] * 10)
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
        expected = {name: share_of(result, segment, threshold) for segment, name in named_segments(result)}
        shares = shown.shares
        assert list(shares) == list(expected) and shares == pytest.approx(expected, abs=0.1), threshold
        if which in ("horses", "cat", "person"):  # no segment lies over another
            mask = shown.pixels("mask")
            drawn = {name: 100 * near(mask, colors[segment.id]).mean() for segment, name in named_segments(result)}
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


def test_hiding_uncovers(view, instances, herd):
    """What an object hides of another appears in the other's colour when it is unticked."""
    shown = view(instances)
    names = {segment.id: n for n, (segment, _) in enumerate(named_segments(herd))}
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
    listed = [segment for segment, _ in named_segments(herd)]
    seen = {other.id: herd.ids == other.id for other in listed}
    parts = [
        (lit, other, seen[other.id] & lit.mask, seen[other.id] & ~lit.mask) for lit, other in permutations(listed, 2)
    ]
    lit, other, *regions = max(parts, key=lambda one: min(part.sum() for part in one[2:]))
    places = [innermost(region) for region in regions]
    colors = [np.array(rgb(colors_of(herd)[segment.id])) for segment in (lit, other)]
    row = shown.find(".legend li").nth(listed.index(lit))
    row.hover() if by == "mouse" else row.locator("input").focus()
    assert shows(shown, herd, places[0], colors[0]) and shows(shown, herd, places[1], colors[1] * 56 / 255)
    shown.page.mouse.move(0, 0) if by == "mouse" else shown.find("[name=side]").focus()
    assert all(shows(shown, herd, place, colors[1]) for place in places)


def test_boxes(view, instances, herd):
    """A hovered object has its box on the overlay, and the others none; without outlines there is no box at all."""
    shown = view(instances)
    shown.set("opacity", 0)
    (first, _), (second, _), *_ = named_segments(herd)
    for n, segment in enumerate((first, second)):
        shown.find(".legend li input").nth(n).focus()
        x0, y0, x1, y1 = segment.box
        corner, color = (x0, y1 - 1), colors_of(herd)[segment.id]
        assert not segment.mask[corner[::-1]] and near(at(shown, "overlay", herd, corner), color, 60)
    shown.set("outline", 0)
    assert np.abs(at(shown, "overlay", herd, corner) - at(shown, "photo", herd, corner)).max() <= 8


def test_colours_by_class(view, instances, herd):
    """Of two horses the second has a colour of its own, or the class's: as the choice says; legend and panels agree."""
    shown = view(instances)
    listed = [segment for segment, _ in named_segments(herd)]
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


@pytest.mark.parametrize("panel", ["photo", "mask", "overlay"])
def test_readout(view, semantic, horses, panel):
    """Over a known pixel: its coordinates, class and confidence; over the background that; beside the photo nothing."""
    shown = view(semantic)
    for segment, name in named_segments(horses):
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


def test_readout_by_touch(view, semantic, horses):
    """Who taps a photo reads what is there when the finger has been lifted, until another photo is shown."""
    shown = view(semantic, has_touch=True)
    for segment, name in named_segments(horses):
        shown.page.touchscreen.tap(*on_photo(shown, "overlay", horses, innermost(segment.mask)))
        assert re.fullmatch(rf"x \d+, y \d+: {name}, \d,\d\d", shown.readout)
    go_to(shown, 2, 3, "next")
    assert shown.readout == ""


def test_readout_on_both_sides_of_the_curtain(view, compared, horses, herd):
    """With two models it speaks of the one whose side is under the mouse."""
    shown = view(compared)
    shown.press("curtain")
    label = {name: s.label_id for result in (horses, herd) for s, name in named_segments(result)}
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
