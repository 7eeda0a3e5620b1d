"""Masks as colours over the photo, figures for print, and the table in plain text."""

import re
from dataclasses import replace

import numpy as np
import pytest
from annotated import block
from drawn import found, grey, pictures, words
from IPython.utils.capture import capture_output
from PIL import Image
from scipy import ndimage

import labkit
from labkit.classes import VOC
from labkit.figures import colors_of, figure, legend_rows, mask_image, model_titles, overlay_image, rgb, tinted
from labkit.io.drawing import svg
from labkit.locale import text, use_language
from labkit.photos import Photo
from labkit.segmentation import Segmentation

CAT, DOG = VOC.id("cat"), VOC.id("dog")
ORANGE = np.array(rgb(VOC.colors[CAT]))


@pytest.fixture(scope="module")
def two_classes(default_photos):
    """A dog over a quarter of a photo and a cat over a tenth of it."""
    photo = default_photos["dog_shepherd"]
    labels = np.zeros(photo.pixels.shape[:2], np.uint8)
    labels[:300, :400], labels[540:, :] = DOG, CAT
    return Segmentation.from_labels(photo, labels, np.full(labels.shape, 0.875, np.float32))


@pytest.fixture(scope="module")
def two_cats():
    """A cat, a dog below it and a larger cat that lies under the first, as Mask R-CNN says it."""
    masks = [block(*box, (600, 800)) for box in ((0, 0, 200, 300), (0, 540, 800, 600), (0, 0, 400, 300))]
    return found(masks, [CAT, DOG, CAT], [0.875, 0.75, 0.625], made_by={"variant": "mask_rcnn"})


def objects(labels: list[int], size: tuple[int, int] = (40, 60)) -> Segmentation:
    """An object a label, best first; each begins ten pixels further to the right and lies under the one before."""
    return found([block(10 * n, 0, 10 * n + 20, size[0], size) for n in range(len(labels))], labels)


def nothing(name="x", shape=(60, 80)) -> Segmentation:
    """A result without a segment."""
    return Segmentation.from_labels(grey(*shape, name), np.zeros(shape, np.uint8))


@pytest.mark.parametrize("opacity", [0, 0.25, 0.5, 0.9, 1])
def test_tinted(outlined, opacity):
    """Inside the mask what Pillow blends, up to rounding; outside, and in the photo itself, nothing changes."""
    cat, pixels = outlined.mask_of("cat"), outlined.photo.pixels
    before = pixels.copy()
    for colors in (ORANGE, mask_image(outlined)):
        image = tinted(pixels, colors, cat, opacity)
        expected = Image.blend(Image.fromarray(pixels), Image.fromarray(mask_image(outlined)), opacity)
        assert np.abs(image[cat].astype(int) - np.asarray(expected)[cat]).max() <= 1
        assert np.array_equal(image[~cat], pixels[~cat]) and np.array_equal(pixels, before)
    assert np.array_equal(overlay_image(outlined, opacity, outline=0), image)


@pytest.mark.parametrize("outline", [1, 2, 5])
def test_outline(outlined, outline):
    """At opacity 0 only a band of the object's own pixels along its border differs, in the object's colour."""
    cat = outlined.mask_of("cat")
    image = overlay_image(outlined, 0, outline=outline)
    line = np.ones((1, 2 * outline + 1))
    inner = ndimage.binary_erosion(cat, line, border_value=1) & ndimage.binary_erosion(cat, line.T, border_value=1)
    edge, drawn = cat & ~inner, (image != outlined.photo.pixels).any(2)
    assert (image[edge] == ORANGE).all() and not drawn[~edge].any() and drawn.any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2)])
def test_tiny_photos(shape):
    """The smallest photos are drawn, outlines included; one pixel alone has no border."""
    photo, labels = grey(*shape), np.zeros(shape, np.uint8)
    labels.flat[0] = CAT
    expected = photo.pixels.copy()
    if labels.size > 1:
        expected[0, 0] = ORANGE
    assert np.array_equal(overlay_image(Segmentation.from_labels(photo, labels), 0), expected)


def test_colors_without_classes():
    """Without classes neighbours in the list differ, the colours start over after the palette's end, none is black."""
    colors = list(colors_of(replace(objects([0] * 42), classes=None)).values())
    assert "#000000" not in colors and len(set(colors[:20])) == 20 and colors[20:40] == colors[:20]


def test_objects_of_one_class_have_colors_of_their_own():
    """The first keeps its class's colour; the others' are nobody else's here, not even those of classes found later."""
    plane = VOC.id("aeroplane")
    result = objects([CAT, CAT, DOG, CAT, DOG, plane])
    assert colors_of(replace(result, segments=[replace(result.segments[0], id=7)])) == {7: VOC.colors[CAT]}
    colors = colors_of(result)
    assert [colors[n] for n in (1, 3, 6)] == [VOC.colors[label_id] for label_id in (CAT, DOG, plane)]
    assert len(set(colors.values())) == 6 and set(colors.values()) <= set(VOC.colors[1:])


@pytest.mark.parametrize("kinds", [1, 2, 19, 20])
def test_more_objects_than_colors(kinds):
    """Of 200 objects no two neighbours have one colour, and as long as there are colours none is used twice."""
    labels = [1 + n % kinds for n in range(100)] + [1 + n // 5 % kinds for n in range(100)]
    colors = list(colors_of(objects(labels)).values())
    assert len(colors) == 200 and len(set(colors[:20])) == 20
    assert all(one != other for one, other in zip(colors, colors[1:], strict=False))


def test_objects_that_overlap_are_drawn_best_first():
    """Where two cats overlap the better one's colour is drawn, and both colours are seen."""
    result = objects([CAT, CAT])
    one, two = map(rgb, colors_of(result).values())
    image = mask_image(result)
    assert (image[:, :20] == one).all() and (image[:, 20:30] == two).all() and not image[:, 30:].any()
    overlay = overlay_image(result, 0, outline=1)
    assert (overlay[:, 19] == one).all() and (overlay[:, 20] == two).all() and (overlay[:, 24] == 90).all()


def test_legend_rows(two_classes):
    """Largest first: colour, name in the language of the context, share of the photo's area, score."""
    dog, cat = legend_rows(two_classes)
    assert dog == (VOC.colors[DOG], "собака", 0.25, 0.875) and cat == (VOC.colors[CAT], "кошка", 0.1, 0.875)
    with use_language("en"):
        assert [row[1] for row in legend_rows(two_classes)] == ["dog", "cat"]
        assert [row[1] for row in legend_rows(replace(two_classes, classes=None))] == ["object 2", "object 1"]


def test_legend_rows_of_several_objects(two_cats):
    """A class that occurs more than once is numbered, from its largest on; each share is that of the whole mask."""
    rows = legend_rows(two_cats)
    assert [row[1:] for row in rows] == [("кошка 1", 0.25, 0.625), ("кошка 2", 0.125, 0.875), ("собака", 0.1, 0.75)]
    assert [row[0] for row in rows] == [colors_of(two_cats)[number] for number in (3, 1, 2)]


@pytest.mark.parametrize(
    "language, expected",
    {
        "ru": ["dog_shepherd", "маска", "наложение", "собака: 25\xa0%; 0,88", "кошка: 10\xa0%; 0,88"],
        "en": ["dog_shepherd", "mask", "overlay", "dog: 25%; 0.88", "cat: 10%; 0.88"],
    }.items(),
)
def test_figure(two_classes, language, expected):
    """Well-formed SVG, the same twice, with titles and legend as text in the reader's language, and three photos."""
    with use_language(language):
        drawn, again = svg(figure(two_classes)), svg(figure(two_classes))
    assert drawn == again
    assert words(drawn) == expected and "image/png" not in drawn and len(drawn) < 300_000
    photo, mask, _ = pictures(drawn)
    assert max(photo.shape) <= 2 * 420 and photo.shape == mask.shape
    assert (np.abs(mask - rgb("#0072B2")).max(2) < 12).mean() == pytest.approx(0.25, abs=0.01)


def test_titles_where_models_are_compared(outlined, two_classes):
    """Models are named only where one photo occurs with several of them."""
    first, second, other = (replace(outlined, made_by={"variant": name}) for name in ("deeplab", "mask_rcnn", "unet"))
    other = replace(other, photo=two_classes.photo)
    assert model_titles([]) == [] and model_titles([first]) == [""]
    assert model_titles([first, other]) == model_titles([first, first]) == ["", ""]
    assert model_titles([first, second]) == ["DeepLabV3+", "Mask R-CNN"]
    assert model_titles([first, outlined]) == ["DeepLabV3+", ""]


def test_box_class_and_score_stand_on_mask_rcnn_s_objects(two_cats, two_classes):
    """Each object's box and its own name and score, in its colour; a class's pixels have none."""
    drawn = figure(two_cats).axes[2]
    assert [told.get_text() for told in drawn.texts] == ["кошка 1: 0,62", "кошка 2: 0,88", "собака: 0,75"]
    assert [tuple(box.get_bbox().extents) for box in drawn.patches] == [two_cats.segments[n].box for n in (2, 0, 1)]
    assert len({box.get_edgecolor() for box in drawn.patches}) == 3
    assert [told.get_position() for told in drawn.texts] == [(0, 0), (0, 40), (0, 500)], "none lies on another"
    small = block(760, 200, 800, 240, (600, 800))
    (told,) = figure(found([small], [CAT], [0.9], made_by={"variant": "mask_rcnn"})).axes[2].texts
    assert told.get_position() == (624, 160), "above a small object, and in the photo"
    plain = figure(two_classes).axes[2]
    assert not plain.texts and not plain.patches


@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>", "$x_1$", "a & b", "$\\frac{", "_x", 'кот "Барсик"'])
def test_names_are_text(two_classes, name):
    """Markup and formulas in a photo's name are shown as they are written."""
    result = replace(two_classes, photo=Photo(name, two_classes.photo.pixels))
    assert words(figure(result))[0] == name


def test_long_names_leave_their_neighbours_alone(two_classes):
    """A name that is wider than its panel is cut, visibly, and not at its end, which tells a phone's photos apart."""
    name = f"{'ш' * 120} at 10.15.30 (2)"
    title = words(figure(replace(two_classes, photo=Photo(name, two_classes.photo.pixels))))[0]
    assert title.startswith("шшш") and "…" in title and title.endswith(" at 10.15.30 (2)") and len(title) < 40


def test_every_colour_to_be_seen_is_in_the_legend(two_classes):
    """A class of 0.4 % of the photo has a colour in the mask and so a row, with a decimal; in the table it has none."""
    labels = two_classes.labels.copy()
    labels[300:340, 400:448] = VOC.id("person")
    result = Segmentation.from_labels(two_classes.photo, labels)
    assert words(figure(result))[-1] == "человек: 0,40\xa0%; 1,00" and "человек" not in labkit.summary([result])


def test_legend_says_what_it_leaves_out():
    """Of many segments the largest are listed, and the number of the others."""
    listed = words(figure(replace(objects([0] * 40, (40, 400)), classes=None)))[3:]
    assert len(listed) == 13 and listed[-1] == "… и ещё 28" and listed[0].startswith("объект 1:")


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (2000, 3)])
def test_nothing_found_on_odd_shapes(shape):
    """A photo of one pixel, of one row or a narrow one still makes a figure, which says that nothing was found."""
    result = nothing(shape=shape)
    assert colors_of(result) == {} and not mask_image(result).any()
    assert np.array_equal(overlay_image(result), result.photo.pixels)
    drawn = svg(figure(result))
    assert words(drawn)[0] == "x" and "помогут другое фото, вариант или веса" in words(drawn)[-1] and pictures(drawn)
    assert words(figure(Segmentation.nothing(nothing().photo)))[-1] == "ничего не найдено"


def test_summary(two_classes, outlined):
    """A row a class, the photo's name at its first, of several models theirs; columns start at one place."""
    lines = labkit.summary([two_classes, nothing("очень длинное имя фото"), outlined]).splitlines()
    assert len(lines) == 2 + 2 + 1 + 1 and lines[0].split() == ["фото", "найдено", "площадь", "увер."]
    starts = [match.start() for match in re.finditer("─+", lines[1])]
    rows = [[line[a:b].strip() for a, b in zip(starts, [*starts[1:], None], strict=True)] for line in lines]
    assert rows[2:5] == [
        ["dog_shepherd", "собака", "25\xa0%", "0,88"],
        ["", "кошка", "10\xa0%", "0,88"],
        ["очень длинное имя фото", "ничего не найдено", "", ""],
    ]
    with use_language("en"):
        assert labkit.summary([two_classes]).splitlines()[-1].split() == ["cat", "10%", "0.88"]
    both = labkit.summary([replace(outlined, made_by={"variant": name}) for name in ("deeplab", "unet")]).splitlines()
    assert [line.split("  ")[0] for line in both[2:]] == ["cat_chelsea · DeepLabV3+", "cat_chelsea · U-Net"]


def test_one_result_for_several(two_classes):
    """One result, or what can be gone through once, is taken for a list of results."""
    assert labkit.summary(two_classes) == labkit.summary(iter([two_classes])) == labkit.summary([two_classes])
    assert len(labkit.figures.figures(two_classes)) == len(labkit.figures.figures(iter([two_classes]))) == 1


def test_summary_is_short(outlined):
    """Of many objects the six largest have a row, the others one together."""
    masks = [block(0, row, 100, row + 1, (60, 100)) for row in range(9)]
    lines = labkit.summary([found(masks, scores=[0.5] * 9, classes=None, name="кухня"), outlined]).splitlines()
    assert lines[2].split() == ["кухня", "объект", "1", "2", "%", "0,50"] and lines[7].split()[:2] == ["объект", "6"]
    assert lines[8].strip() == text("photos.more", count=3) and lines[9].startswith(outlined.photo.name)


def test_figures_and_compared_show_themselves(shell, two_classes):
    """A figure a result; several results of one photo beside each other, each under its title."""
    from IPython.display import display

    with capture_output() as captured:
        display(labkit.figures.figures([two_classes, nothing()]))
        display(labkit.figures.compared([two_classes, two_classes], ["FCN-8s", "<b>$x$"]))
    *each, both = [output.data["image/svg+xml"] for output in captured.outputs]
    assert [words(one)[0] for one in each] == ["dog_shepherd", "x"]
    assert words(both) == ["FCN-8s", "<b>$x$"] and len(pictures(both)) == 2
    assert "нет ни одного результата" in svg(labkit.figures.compared([], []))
