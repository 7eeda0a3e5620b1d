"""Going through photos, the curtain and the zoom in a real browser, by mouse and keyboard."""

import numpy as np
import pytest
from browser import View
from viewed import FOCUSED, SHADOW, blended, go_to, place_read, ready_to_compare, zoom_of

from labkit.figures import named_segments
from labkit.viewer.items import items_of
from labkit.viewer.viewer import page_part


def test_next_and_previous(view, semantic):
    """Buttons go through the set and around its ends, a thumbnail leads to its photo; all follows, sliders stay."""
    shown = ready_to_compare(view(semantic))
    shown.set("threshold", 0.9)
    seen = [shown.pixels("photo")]
    for number, name in ((2, "cat_chelsea"), (3, "astronaut"), (1, "horses")):
        go_to(shown, number, 3, "next")
        assert shown.title == f"{number}/3. {name}"
        seen.append(shown.pixels("photo"))
    assert seen[0].shape != seen[1].shape and np.array_equal(seen[0], seen[3])
    assert list(shown.shares) == ["лошадь"]
    go_to(shown, 3, 3, "previous")
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
        shown.key(*["ArrowLeft"] * 20)
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
    go_to(shown, 3, 3, "previous")  # a photo that only one model has seen: the two sides are not the same thing
    assert [shown.find(f"select[name={side}]").input_value() for side in ("left", "right")] == ["photo", "overlay"]
    go_to(shown, 1, 3, "next")
    sides(shown, "overlay", "item 1")
    options = shown.find("select[name=right] option").all_inner_texts()
    assert options == ["фото", "маска", "U-Net", "Mask R-CNN"]
    both = shown.pixels("curtain")
    unet, mask_rcnn = sides(shown, "overlay", "overlay"), sides(shown, "item 1", "item 1")
    middle = both.shape[1] // 2
    assert np.array_equal(both[:, : middle - 8], unet[:, : middle - 8])
    assert np.array_equal(both[:, middle + 8 :], mask_rcnn[:, middle + 8 :])
    assert np.abs(unet - mask_rcnn).mean() > 2
    go_to(shown, 2, 3, "next")
    assert shown.title == "2/3. horses · Mask R-CNN"
    assert np.array_equal(sides(shown, "overlay", "overlay"), mask_rcnn)


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
    """Ctrl with the wheel, or a double click, zooms at the mouse; the wheel alone does not; the readout still tells."""
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
    names = {segment.id: name for segment, name in named_segments(horses)} | {0: "фон"}
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
    shown.key("ArrowRight", "ArrowDown")
    assert shown.title.startswith("1/3. ") and blended(shown) < 3
    assert np.abs(shown.pixels("photo") - dragged).mean() > 2
    shown.key("ArrowLeft", "ArrowUp")
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
