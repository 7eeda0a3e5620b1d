"""The viewer: the controls and what they change, without a browser."""

from __future__ import annotations

import ast
import io
import re
import warnings
from dataclasses import replace

import ipywidgets
import numpy as np
import pytest
from IPython.utils.capture import capture_output
from PIL import Image

from labkit.classes import VOC
from labkit.drawing import colors_of, rgb
from labkit.images import Photo
from labkit.segmentation import Segmentation
from labkit.viewer import show
from labkit.viewer.viewer import picture, view

# What ipywidgets 7.7 and 8 both have (Colab comes with 7.7)
SHARED_TRAITS = {
    "Dropdown": {"options", "value", "description"},
    "FloatSlider": {"value", "min", "max", "step", "description", "style"},
    "Image": {"value", "format"},
    "HTML": {"value"},
    "HBox": {"children"},
    "VBox": {"children"},
}
MARKUP = "<img src=x onerror=alert(1)>"


@pytest.fixture
def results(outlined, default_photos):
    """The cat, and a photo on which nothing was found."""
    horses = default_photos["horses"]
    return [outlined, Segmentation.from_labels(horses, np.zeros(horses.pixels.shape[:2], np.uint8))]


def parts(widget):
    """Chooser, opacity, threshold, image and legend of a viewer."""
    controls, image, legend = widget.children
    return (*controls.children, image, legend)


def share(legend) -> float:
    """The first percentage in a legend."""
    return float(re.search(r"([\d.]+)%", legend.value)[1])


def test_the_tree(results):
    """A chooser, two sliders from 0 to 1, the picture and its legend, in Russian."""
    widget = view(results)
    kinds = ["Dropdown", "FloatSlider", "FloatSlider", "Image", "HTML"]
    assert [type(part).__name__ for part in parts(widget)] == kinds
    chooser, opacity, threshold, image, legend = parts(widget)
    assert [label for label, _ in chooser.options] == ["1. cat_chelsea", "2. horses"]
    assert (chooser.description, opacity.description, threshold.description) == (
        "Фото",
        "Непрозрачность",
        "Порог уверенности",
    )
    assert (opacity.min, opacity.max, opacity.value) == (0, 1, 0.5)
    assert (threshold.min, threshold.max, threshold.value) == (0, 1, 0)
    assert Image.open(io.BytesIO(image.value)).format == "JPEG" and "кошка" in legend.value
    assert VOC.colors[VOC.id("cat")] in legend.value


def test_opacity_changes_the_picture(results):
    """Moving it draws anew and leaves the shares as they are; moved back, the picture is the same again."""
    _, opacity, _, image, legend = parts(view(results))
    first = image.value, legend.value
    opacity.value = 0.9
    assert image.value != first[0] and legend.value == first[1]
    opacity.value = 0.5
    assert (image.value, legend.value) == first


def test_threshold_changes_picture_and_shares(results):
    """The higher the threshold, the smaller the share; the confidence of this cat rises evenly from left to right."""
    _, _, threshold, image, legend = parts(view(results))
    cat, confidence = results[0].mask_of("cat"), results[0].confidence
    pictures = set()
    for value in (0, 0.25, 0.5, 0.75, 1):
        threshold.value = value
        assert share(legend) == pytest.approx(100 * (cat & (confidence >= value)).mean(), abs=0.06)
        pictures.add(image.value)
    assert len(pictures) == 5


def test_chooser(results):
    """Another photo: its picture and legend, at the sliders' present values."""
    chooser, opacity, _, image, legend = parts(view(results))
    opacity.value = 0.2
    first = image.value
    chooser.value = 1
    assert image.value != first and image.value == picture(results[1], 0.2, 0)
    assert legend.value == "ничего не найдено"
    chooser.value = 0
    assert image.value == first and "кошка" in legend.value


def test_objects_of_one_class(outlined):
    """The legend numbers them, each in the colour that the picture has for it; the hidden part of one counts too."""
    (cat,) = outlined.segments
    front = cat.mask.copy()
    front[:, : front.shape[1] // 2] = False
    ids = np.where(front, 1, np.where(cat.mask, 2, 0)).astype(np.int32)
    result = replace(outlined, ids=ids, segments=[replace(cat, id=1, mask=front), replace(cat, id=2)])
    *_, image, legend = parts(view(result))
    first, second = (colors_of(result)[number] for number in (1, 2))
    assert re.findall(r"background:(#\w+).*?кошка (\d)", legend.value) == [(second, "1"), (first, "2")]
    assert share(legend) == pytest.approx(100 * cat.mask.mean(), abs=0.06)
    pixels = np.asarray(Image.open(io.BytesIO(image.value))).astype(int)
    mask = pixels[:, outlined.ids.shape[1] + 8 :][:, : outlined.ids.shape[1]]
    assert np.abs(mask[front] - rgb(first)).mean() < 6 and np.abs(mask[cat.mask & ~front] - rgb(second)).mean() < 6


def test_picture_shows_photo_mask_and_overlay(outlined):
    """Three panels beside each other, white between them; at opacity 1 the overlay repeats the mask inside it."""
    pixels = np.asarray(Image.open(io.BytesIO(picture(outlined, 1, 0)))).astype(int)
    height, width = outlined.ids.shape
    assert pixels.shape == (height, 3 * width + 16, 3)
    photo, mask, overlay = (pixels[:, start : start + width] for start in (0, width + 8, 2 * width + 16))
    assert np.abs(photo - outlined.photo.pixels).mean() < 4
    assert (pixels[:, width + 3 : width + 5] > 240).all()
    cat = outlined.mask_of("cat")
    assert np.abs(mask[cat] - overlay[cat]).mean() < 4 < np.abs(mask[~cat] - overlay[~cat]).mean()


def test_large_photos_are_drawn_small(default_photos):
    """A step of a slider costs a picture of the panels' size, whatever the photo's."""
    pixels = np.tile(default_photos["sheep"].pixels, (2, 2, 1))
    labels = np.zeros(pixels.shape[:2], np.uint8)
    labels[:, :800] = VOC.id("sheep")
    data = picture(Segmentation.from_labels(Photo.from_pixels("x", pixels), labels), 0.5, 0)
    width, height = Image.open(io.BytesIO(data)).size
    assert height <= 840 and width <= 3 * 840 + 16


def test_one_result_and_none(outlined):
    """A result by itself is a list of one; an empty list is said in words."""
    assert len(parts(view(outlined))[0].options) == 1
    (note,) = view([], "en").children
    assert note.value == "Nothing to show: there is no result."


def test_english(results):
    """Every word follows the language."""
    chooser, opacity, threshold, _, legend = parts(view(results, "en"))
    assert [w.description for w in (chooser, opacity, threshold)] == ["Photo", "Opacity", "Confidence threshold"]
    assert "cat: " in legend.value


def test_markup_is_escaped(outlined):
    """A name is never HTML: not the photo's, not a class's."""
    classes = replace(VOC, names_ru=tuple(MARKUP for _ in VOC.names))
    result = replace(outlined, photo=Photo(MARKUP, outlined.photo.pixels), classes=classes)
    chooser, _, _, _, legend = parts(view([result]))
    assert chooser.options[0][0] == f"1. {MARKUP}"  # the front end shows options as text
    assert "<img" not in legend.value and "&lt;img src=x onerror=alert(1)&gt;" in legend.value


def test_show_leaves_a_note_for_pages(shell, results):
    """One bundle: the widget for a notebook, a sentence for a page where no kernel runs."""
    with capture_output() as captured:
        show(results)
    (output,) = captured.outputs
    widget = output.data["application/vnd.jupyter.widget-view+json"]
    assert widget["version_major"] == 2 and len(widget["model_id"]) == 32
    if not ipywidgets.__version__.startswith("7."):  # 7 displays itself, and says only what it is
        assert output.data["text/html"].startswith("<p><em>Ползунки") and "Ползунки" in output.data["text/plain"]


def test_only_what_both_ipywidgets_have(root, results):
    """Nothing is used that Colab's ipywidgets 7.7 lacks, and nothing that the installed one warns of."""
    tree = ast.parse((root / "labkit" / "viewer" / "viewer.py").read_text(encoding="utf-8"))
    made = [
        (node.func.attr, {keyword.arg for keyword in node.keywords if keyword.arg})
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("ipywidgets.")
    ]
    assert {kind for kind, _ in made} == SHARED_TRAITS.keys()
    assert all(traits <= SHARED_TRAITS[kind] for kind, traits in made)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        view(results)
