"""Words, focus, themes and sizes in a real browser; results without segments, hostile names, frames."""

import html
import re
from dataclasses import replace

import numpy as np
import pytest
from browser import View, page_of
from viewed import FOCUSED, SHADOW, go_to, on_photo, place_read

from labkit.classes import VOC
from labkit.figures import colors_of, named_segments, rgb
from labkit.photos import Photo
from labkit.segmentation import Segmentation
from labkit.viewer.viewer import page_part

MARKUP = "<img src=x onerror=alert(1)>.png"


def test_language(view, semantic):
    """Another language and back: every word changes, focus and settings stay."""
    shown = view(semantic)
    go_to(shown, 2, 3, "next")
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
    for name in ("language", "curtain"):
        shown.press(name)
    go_to(shown, 2, 2, "next")
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


def test_contrast_theme(view, semantic, horses):
    """With the colours of a contrast theme the legend has those of the mask, and what is chosen is told apart."""
    shown = view(semantic, forced_colors="active")
    color = "(part) => getComputedStyle(part).backgroundColor"
    colors = [f"rgb{rgb(colors_of(horses)[segment.id])}" for segment, _ in named_segments(horses)]
    assert [swatch.evaluate(color) for swatch in shown.find(".swatch").all()] == colors
    assert len({shown.find(f"[name={mode}]").evaluate(color) for mode in ("side", "curtain")}) == 2
    shadows = [thumb.evaluate("(thumb) => getComputedStyle(thumb).boxShadow") for thumb in shown.find(".thumb").all()]
    assert shadows[0] != "none" and set(shadows[1:]) == {"none"}


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


@pytest.mark.parametrize("size", [(1024, 256), (1024, 576), (512, 512), (256, 1024)])
def test_tall_photos(view, size):
    """On a laptop a photo is seen together with its sliders, however tall; the curtain's have their width."""
    height, width = size
    photo = Photo("фото", np.full((height, width, 3), 99, np.uint8))
    shown = view(page_part([Segmentation.nothing(photo)]), viewport={"width": 1366, "height": 650})
    boxes = [shown.canvas(panel).bounding_box() for panel in ("photo", "mask", "overlay")]
    assert boxes[0]["y"] == boxes[2]["y"] and boxes[0]["x"] < boxes[1]["x"] < boxes[2]["x"]
    assert all(box["width"] / box["height"] == pytest.approx(width / height, rel=0.02) for box in boxes)
    assert max(box["width"] for box in boxes) > 360 or boxes[0]["height"] == pytest.approx(0.75 * 650, abs=2)
    slider = shown.find("input[name=opacity]").bounding_box()
    assert slider["y"] + slider["height"] - boxes[0]["y"] < 600
    shown.press("curtain")
    assert shown.canvas("curtain").bounding_box()["height"] <= 0.75 * 650 + 2
    assert all(choice.bounding_box()["width"] > 80 for choice in shown.find(".stage select").all())


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


def test_nothing_found(view, default_photos):
    """A result without segments says so in words, beside its photo; so does an empty list."""
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
    shown = view(page_part([]))
    assert "Показывать нечего" in shown.find("style + p").last.inner_text()
    assert shown.find("canvas, button").count() == 0


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
        go_to(shown, 2, 3 if root is frames[0] else 2, "next")
