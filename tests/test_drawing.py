"""Masks as colours: what opacity, threshold and outline do to the pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from labkit.classes import VOC
from labkit.figures import colors_of, mask_image, overlay_image, rgb, visible_ids
from labkit.photos import Photo
from labkit.segmentation import Segment, Segmentation

ORANGE = np.array(rgb(VOC.colors[VOC.id("cat")]))


def test_rgb():
    """Hexadecimal digits as numbers."""
    assert rgb("#01aBff") == (1, 171, 255)


def test_mask_image(outlined):
    """The class's colour inside the mask, black outside."""
    image = mask_image(outlined)
    cat = outlined.mask_of("cat")
    assert image.dtype == np.uint8 and (image[cat] == ORANGE).all() and not image[~cat].any()


def test_opacity_zero_is_the_photo(outlined):
    """Without outlines nothing of the mask is left; the photo itself is not touched."""
    before = outlined.photo.pixels.copy()
    assert np.array_equal(overlay_image(outlined, 0, outline=0), before)
    overlay_image(outlined, 1)
    assert np.array_equal(outlined.photo.pixels, before)


def test_opacity_one_is_the_palette(outlined):
    """Inside the mask nothing of the photo is left, outside nothing else."""
    cat = outlined.mask_of("cat")
    image = overlay_image(outlined, 1, outline=0)
    assert (image[cat] == ORANGE).all() and np.array_equal(image[~cat], outlined.photo.pixels[~cat])


@pytest.mark.parametrize("opacity", [0.25, 0.5, 0.9])
def test_opacity_blends(outlined, opacity):
    """In between it is what Pillow blends, up to rounding."""
    cat = outlined.mask_of("cat")
    photo, mask = Image.fromarray(outlined.photo.pixels), Image.fromarray(mask_image(outlined))
    expected = np.asarray(Image.blend(photo, mask, opacity)).astype(int)
    assert np.abs(overlay_image(outlined, opacity, outline=0)[cat] - expected[cat]).max() <= 1


@pytest.mark.parametrize("outline", [1, 2, 5])
def test_outline(outlined, outline):
    """At opacity 0 only a band of the object's own pixels along its border differs, in the object's colour."""
    cat = outlined.mask_of("cat")
    image = overlay_image(outlined, 0, outline=outline)
    drawn = (image != outlined.photo.pixels).any(2)
    padded = np.pad(cat, outline, mode="edge")
    rows, columns = cat.shape
    inner = cat.copy()
    for step in range(2 * outline + 1):
        inner &= padded[step : step + rows, outline : outline + columns]
        inner &= padded[outline : outline + rows, step : step + columns]
    edge = cat & ~inner
    assert (image[edge] == ORANGE).all() and not drawn[~edge].any() and drawn.any()


def test_threshold(outlined):
    """0 leaves everything, 1 only what is wholly sure, a half the half that the confidence names."""
    cat = outlined.mask_of("cat")
    assert np.array_equal(visible_ids(outlined, 0) > 0, cat)
    assert np.array_equal(visible_ids(outlined, 0.5) > 0, cat & (outlined.confidence >= 0.5))
    assert visible_ids(outlined, 0.5).dtype == np.int32
    last = np.zeros_like(cat)
    last[:, -1] = cat[:, -1]
    assert np.array_equal(visible_ids(outlined, 1.0) > 0, last)
    assert np.array_equal(mask_image(outlined, 0.5).any(2), cat & (outlined.confidence >= 0.5))


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2)])
def test_tiny_photos(shape):
    """The smallest photos are drawn, outlines included."""
    photo = Photo.from_pixels("x", np.full((*shape, 3), 90, np.uint8))
    labels = np.zeros(shape, np.uint8)
    labels.flat[0] = VOC.id("cat")
    result = Segmentation.from_labels(photo, labels)
    image = overlay_image(result, 0)
    expected = photo.pixels.copy()
    if labels.size > 1:  # one pixel alone has no border
        expected[0, 0] = ORANGE
    assert np.array_equal(image, expected)


def test_no_segments(default_photos):
    """Nothing found: a black mask and the photo as it is."""
    photo = default_photos["horses"]
    result = Segmentation.from_labels(photo, np.zeros(photo.pixels.shape[:2], np.uint8))
    assert colors_of(result) == {} and not mask_image(result).any()
    assert np.array_equal(overlay_image(result), photo.pixels)


def test_colors_without_classes(default_photos):
    """Without classes neighbours in the list differ, the colours start over after the palette's end, none is black."""
    photo = default_photos["sheep"]
    mask = np.zeros(photo.pixels.shape[:2], bool)
    segments = [Segment(n, 0, "", 1.0, mask) for n in range(10, 52)]
    result = Segmentation(photo, mask.astype(np.int32), mask.astype(np.float32), segments, None)
    colors = list(colors_of(result).values())
    assert list(colors_of(result)) == list(range(10, 52)) and "#000000" not in colors
    assert len(set(colors[:20])) == 20 and colors[20:40] == colors[:20]


def test_colors_of_classes(outlined):
    """With classes it is the class that has the colour, whatever the segment's id."""
    segment = replace(outlined.segments[0], id=7)
    assert colors_of(replace(outlined, segments=[segment])) == {7: VOC.colors[VOC.id("cat")]}


def objects(labels: list[int], size: tuple[int, int] = (40, 60)) -> Segmentation:
    """An object a label, best first; each begins ten pixels further to the right and lies under the one before."""
    ids, segments = np.zeros(size, np.int32), []
    for n, label_id in enumerate(labels, start=1):
        mask = np.zeros(size, bool)
        mask[:, 10 * n - 10 : 10 * n + 10] = True
        ids[mask & (ids == 0)] = n
        segments.append(Segment(n, label_id, VOC.names[label_id], 1 - n / 1000, mask))
    photo = Photo.from_pixels("x", np.full((*size, 3), 90, np.uint8))
    return Segmentation(photo, ids, (ids > 0).astype(np.float32), segments)


def test_objects_of_one_class_have_colors_of_their_own():
    """The first keeps its class's colour; the others' are nobody else's here, not even those of classes found later."""
    cat, dog, plane = (VOC.id(name) for name in ("cat", "dog", "aeroplane"))
    result = objects([cat, cat, dog, cat, dog, plane])
    colors = colors_of(result)
    assert [colors[n] for n in (1, 3, 6)] == [VOC.colors[label_id] for label_id in (cat, dog, plane)]
    assert len(set(colors.values())) == 6 and set(colors.values()) <= set(VOC.colors[1:])
    assert colors == colors_of(objects([cat, cat, dog, cat, dog, plane]))


def test_objects_that_overlap_are_drawn_best_first():
    """Where two cats overlap the better one's colour is drawn, and both colours are seen."""
    result = objects([VOC.id("cat"), VOC.id("cat")])
    one, two = (np.array(rgb(color)) for color in colors_of(result).values())
    image = mask_image(result)
    assert (image[:, :20] == one).all() and (image[:, 20:30] == two).all() and not image[:, 30:].any()
    overlay = overlay_image(result, 0, outline=1)
    assert (overlay[:, 19] == one).all() and (overlay[:, 20] == two).all() and (overlay[:, 24] == 90).all()


@pytest.mark.parametrize("kinds", [1, 2, 19, 20])
def test_more_objects_than_colors(kinds):
    """Of 200 objects no two neighbours have one colour, and as long as there are colours none is used twice."""
    labels = [1 + n % kinds for n in range(100)] + [1 + n // 5 % kinds for n in range(100)]
    colors = list(colors_of(objects(labels)).values())
    assert len(colors) == 200 and len(set(colors[:20])) == 20
    assert all(one != other for one, other in zip(colors, colors[1:], strict=False))
