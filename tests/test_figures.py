"""Figures for print: text that stays text, the same bytes at every run, and a table that lines up."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from IPython.utils.capture import capture_output
from PIL import Image

from labkit.classes import VOC
from labkit.figures import colors_of, display_comparison, display_figures, figure, legend_rows, note, rgb, summary, svg
from labkit.locale import use_language
from labkit.photos import Photo
from labkit.segmentation import Segment, Segmentation


@pytest.fixture(scope="module")
def two_classes(default_photos):
    """A dog over a quarter of a photo and a cat over a tenth of it."""
    photo = default_photos["dog_shepherd"]
    labels = np.zeros(photo.pixels.shape[:2], np.uint8)
    labels[:300, :400], labels[540:, :] = VOC.id("dog"), VOC.id("cat")
    return Segmentation.from_labels(photo, labels, np.full(labels.shape, 0.875, np.float32))


@pytest.fixture(scope="module")
def two_cats(default_photos):
    """A cat, a dog below it and a larger cat that lies under the first."""
    photo = default_photos["dog_shepherd"]
    size = photo.pixels.shape[:2]
    masks = [np.zeros(size, bool) for _ in range(3)]
    masks[0][:300, :200], masks[1][540:], masks[2][:300, :400] = True, True, True
    labels = ["cat", "dog", "cat"]
    segments = [
        Segment(n, VOC.id(label), label, 1 - n / 8, mask)
        for n, (label, mask) in enumerate(zip(labels, masks, strict=True), start=1)
    ]
    ids = np.select(masks, [1, 2, 3]).astype(np.int32)
    confidence = np.select(masks, [0.875, 0.75, 0.625]).astype(np.float32)
    return Segmentation(photo, ids, confidence, segments)


def nothing(name="x", pixels=None) -> Segmentation:
    """A result without a segment."""
    photo = Photo.from_pixels(name, np.full((60, 80, 3), 90, np.uint8) if pixels is None else pixels)
    return Segmentation.from_labels(photo, np.zeros(photo.pixels.shape[:2], np.uint8))


def words(drawn: str) -> list[str]:
    """What a reader can read in an SVG (and search, and copy)."""
    return [
        "".join(node.itertext()).strip()
        for node in ElementTree.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")
    ]


def pictures(drawn: str) -> list[Image.Image]:
    """The pictures in an SVG."""
    found = re.findall(r'href="data:image/(\w+);base64,([^"]+)"', drawn)
    assert all(kind == "webp" for kind, _ in found)
    return [Image.open(io.BytesIO(base64.b64decode(data))) for _, data in found]


def test_legend_rows(two_classes):
    """Largest first: colour, name, share of the photo's area, score."""
    dog, cat = legend_rows(two_classes)
    assert dog == (VOC.colors[VOC.id("dog")], "собака", 0.25, 0.875)
    assert cat == (VOC.colors[VOC.id("cat")], "кошка", 0.1, 0.875)
    with use_language("en"):
        assert [row[1] for row in legend_rows(two_classes)] == ["dog", "cat"]


def test_legend_rows_above_a_threshold(outlined):
    """The share is of the pixels that the threshold leaves, as the pictures show them."""
    cat = outlined.mask_of("cat")
    for threshold in (0, 0.5, 1):
        ((_, _, share, score),) = legend_rows(outlined, threshold=threshold)
        assert share == pytest.approx((cat & (outlined.confidence >= threshold)).mean())
        assert score == outlined.segments[0].score


def test_legend_rows_without_classes(outlined):
    """Objects of no class are numbered."""
    result = replace(outlined, classes=None)
    assert legend_rows(result)[0][1] == "объект 1"
    with use_language("en"):
        assert legend_rows(result)[0][1] == "object 1"


def test_legend_rows_of_several_objects(two_cats):
    """A class that occurs more than once is numbered, from its largest on; each share is that of the whole mask."""
    rows = legend_rows(two_cats)
    assert [row[1:] for row in rows] == [("кошка 1", 0.25, 0.625), ("кошка 2", 0.125, 0.875), ("собака", 0.1, 0.75)]
    with use_language("en"):
        assert [row[1] for row in legend_rows(two_cats)] == ["cat 1", "cat 2", "dog"]
    assert [row[0] for row in rows] == [colors_of(two_cats)[number] for number in (3, 1, 2)]
    assert [row[1] for row in legend_rows(two_cats, threshold=0.99)] == ["кошка 1", "кошка 2", "собака"]


def test_objects_in_figure_and_table(two_cats):
    """Both say which object is which; where one lies over another each is seen in its colour."""
    drawn = svg(figure(two_cats))
    assert words(drawn)[3:] == ["кошка 1: 25%, 0.62", "кошка 2: 12%, 0.88", "собака: 10%, 0.75"]
    assert [line.split()[-4:-2] for line in summary([two_cats]).splitlines()[3:4]] == [["кошка", "2"]]
    mask = np.asarray(pictures(drawn)[1]).astype(int)
    for number, share in ((1, 0.125), (2, 0.1), (3, 0.125)):
        near = np.abs(mask - rgb(colors_of(two_cats)[number])).max(2) < 12
        assert near.mean() == pytest.approx(share, abs=0.01)


def test_objects_that_mask_rcnn_finds(load, default_photos):
    """On a real photo every object has a row of its own, and a name of its own."""
    result = load(6).segment(default_photos["horses"], score_threshold=0.05, max_detections=12)
    rows = legend_rows(result)
    assert len(rows) == len(result.segments) == len({row[1] for row in rows}) == len({row[0] for row in rows}) > 1
    assert any(row[1].endswith(" 1") for row in rows)


def test_svg(two_classes):
    """Well-formed, with the legend and the titles as text, and three photos."""
    drawn = svg(figure(two_classes))
    assert words(drawn) == ["dog_shepherd", "маска", "наложение", "собака: 25%, 0.88", "кошка: 10%, 0.88"]
    assert "image/png" not in drawn
    photo, mask, _ = pictures(drawn)
    assert max(photo.size) <= 2 * 420 and photo.size == mask.size
    blue = np.abs(np.asarray(mask).astype(int) - (0x00, 0x72, 0xB2)).max(2) < 12
    assert blue.mean() == pytest.approx(0.25, abs=0.01)
    assert len(drawn) < 300_000


def test_svg_in_english(two_classes):
    """Every word is in the language that was asked for."""
    with use_language("en"):
        assert words(svg(figure(two_classes)))[1:] == ["mask", "overlay", "dog: 25%, 0.88", "cat: 10%, 0.88"]


def test_same_bytes_at_every_run(two_classes):
    """Made twice, a figure does not differ, so that a notebook's diff shows only what changed."""
    assert svg(figure(two_classes)) == svg(figure(two_classes))
    assert svg(figure(two_classes)) != svg(figure(two_classes, opacity=0.6))


@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>", "$x_1$", "a & b", "$\\frac{", "_x", 'кот "Барсик"'])
def test_names_are_text(two_classes, name):
    """Markup and formulas in a photo's name are shown as they are written."""
    result = replace(two_classes, photo=Photo(name, two_classes.photo.pixels))
    assert words(svg(figure(result)))[0] == name


def test_long_names_leave_their_neighbours_alone(two_classes):
    """A name that is wider than its panel is cut, visibly."""
    title = words(svg(figure(replace(two_classes, photo=Photo("ш" * 120, two_classes.photo.pixels)))))[0]
    assert title.startswith("шшш") and title.endswith("…") and len(title) < 40


def test_nothing_found():
    """It is said in words, under the pictures, with what may help, and in the table; SAM has no classes to miss."""
    assert "Помогут другое фото, вариант или веса." in words(svg(figure(nothing())))[-1]
    assert words(svg(figure(Segmentation.nothing(nothing().photo))))[-1] == "ничего не найдено"
    with use_language("en"):
        assert summary([nothing()]).splitlines()[-1] == "x      nothing found"


def test_legend_says_what_it_leaves_out(default_photos):
    """Of many segments the largest are listed, and the number of the others."""
    photo = default_photos["sheep"]
    masks = [np.zeros(photo.pixels.shape[:2], bool) for _ in range(40)]
    for n, mask in enumerate(masks):
        mask[n] = True
    segments = [Segment(n, 0, "", 0.5, mask) for n, mask in enumerate(masks, start=1)]
    ids = sum(s.id * s.mask.astype(np.int32) for s in segments)
    listed = words(svg(figure(Segmentation(photo, ids, np.ones(ids.shape, np.float32), segments, None))))[3:]
    assert len(listed) == 13 and listed[-1] == "… и ещё 28" and listed[0].startswith("объект 1:")


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (2000, 3)])
def test_odd_shapes(shape):
    """A photo of one pixel, of one row or a narrow one still makes a figure."""
    drawn = svg(figure(nothing(pixels=np.full((*shape, 3), 90, np.uint8))))
    assert words(drawn)[0] == "x" and pictures(drawn)


def test_summary(two_classes, outlined):
    """A row a class, the photo's name at its first; every column starts at one place in all lines."""
    lines = summary([two_classes, nothing("очень длинное имя фото"), outlined]).splitlines()
    assert len(lines) == 2 + 2 + 1 + 1
    assert lines[0].split() == ["фото", "найдено", "площадь", "увер."]
    starts = [match.start() for match in re.finditer("─+", lines[1])]
    rows = [[line[a:b].strip() for a, b in zip(starts, [*starts[1:], None], strict=True)] for line in lines]
    assert rows[2:5] == [
        ["dog_shepherd", "собака", "25%", "0.88"],
        ["", "кошка", "10%", "0.88"],
        ["очень длинное имя фото", "ничего не найдено", "", ""],
    ]
    assert all(line == line.rstrip() for line in lines)
    assert all(line[start - 2 : start].strip() == "" for line in lines for start in starts[1:])


def test_display_figures(shell, two_classes):
    """In a notebook every result is an SVG."""
    with capture_output() as captured:
        display_figures([two_classes, nothing()])
    drawn = [output.data["image/svg+xml"] for output in captured.outputs]
    assert [words(one)[0] for one in drawn] == ["dog_shepherd", "x"]


def test_display_comparison(shell, two_classes):
    """Several results of one photo, each under its title; too few titles are an error."""
    with capture_output() as captured:
        display_comparison([two_classes, two_classes], ["FCN-8s", "<b>$x$"])
    (output,) = captured.outputs
    assert words(output.data["image/svg+xml"]) == ["FCN-8s", "<b>$x$"]
    assert len(pictures(output.data["image/svg+xml"])) == 2
    with pytest.raises(ValueError):
        display_comparison([two_classes, two_classes], ["one"])


def test_no_results(capsys):
    """With nothing to show a sentence says so."""
    display_figures([])
    display_comparison([], [])
    assert capsys.readouterr().out == "Показывать нечего: нет ни одного результата.\n" * 2


def test_a_cell_that_ends_in_a_drawing_shows_it(shell):
    """As SVG alone, whatever else knows how to show figures; a note is a figure of one sentence."""
    from IPython.display import display

    with capture_output() as captured:
        display(note("Показывать нечего: " + "нет ни одного результата " * 8))
    (output,) = captured.outputs
    assert "image/png" not in output.data and "Показывать нечего" in output.data["image/svg+xml"]
