"""Objects without a class: SAM outlines them, the other network calls them something else; shares counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from IPython.utils.capture import capture_output

from labkit.classes import VOC
from labkit.evaluation.metrics import iou
from labkit.explain.zero_shot import Unnamed, display_unnamed, named, stranger, unnamed, unnamed_figure
from labkit.figures import svg
from labkit.io.errors import LabkitError
from labkit.locale import use_language
from labkit.photos import Photo
from labkit.segmentation import Segment, Segmentation

BOXES = {"astronaut": [320, 345, 507, 512], "cat_yarn": [370, 205, 560, 385]}
"""The helmet and the ball of yarn, as in the notebook."""


@pytest.fixture(scope="module")
def rows(load, default_photos):
    """What SAM makes of the boxes, by photo."""
    results = [Segmentation.nothing(default_photos[name]) for name in ("sheep", *BOXES)]
    return {row.answer.photo.name: row for row in unnamed(load("sam"), load("deeplab"), results, BOXES)}


def ellipse(shape: tuple[int, int], box: list[int]) -> np.ndarray:
    """The ellipse in a box."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    x0, y0, x1, y1 = box
    return ((columns - (x0 + x1) / 2) / (x1 - x0)) ** 2 + ((rows - (y0 + y1) / 2) / (y1 - y0)) ** 2 < 0.25


def found(masks: list[np.ndarray], scores: list[float], classes=None, label_id: int = 0) -> Segmentation:
    """A result with these masks on a grey photo."""
    photo = Photo.from_pixels("серое", np.full((*masks[0].shape, 3), 90, np.uint8))
    segments = [Segment(n, label_id, "x", s, m) for n, (s, m) in enumerate(zip(scores, masks, strict=True), 1)]
    ids = np.zeros(masks[0].shape, np.int32)
    for segment in segments:
        ids[segment.mask] = segment.id
    return Segmentation(photo, ids, np.ones(ids.shape, np.float32), segments, classes, {"variant": "deeplab"})


def test_the_claim(rows):
    """SAM outlines the helmet and the yarn; the network of 20 classes says background and cat."""
    assert list(rows) == ["astronaut", "cat_yarn"]
    for name, row in rows.items():
        assert row.answer.made_by["prompts"]["box"] == BOXES[name]
        assert iou(row.segment.mask, ellipse(row.answer.ids.shape, BOXES[name])) > 0.5
    assert next(iter(named(rows["astronaut"].segment.mask, rows["astronaut"].semantic))) == 0
    assert next(iter(named(rows["cat_yarn"].segment.mask, rows["cat_yarn"].semantic))) == VOC.id("cat")


def test_named():
    """Shares of the mask's pixels, the largest first; all of them together are the mask."""
    labels = np.zeros((10, 10), np.uint8)
    labels[:, 4:] = VOC.id("dog")
    semantic = Segmentation.from_labels(Photo.from_pixels("x", np.zeros((10, 10, 3), np.uint8)), labels)
    mask = np.zeros((10, 10), bool)
    mask[:, 1:] = True
    assert named(mask, semantic) == pytest.approx({VOC.id("dog"): 6 / 9, 0: 3 / 9})
    assert list(named(mask, semantic)) == [VOC.id("dog"), 0]
    assert named(np.zeros((10, 10), bool), semantic) == {}


def test_stranger():
    """The best of what lies in the background, is large enough and no backdrop."""
    shape = (100, 100)
    known, free, speck, edge, half = np.zeros((5, *shape), bool)
    known[10:40, 10:40] = free[50:80, 50:80] = speck[90:94, 90:94] = True
    edge[60:, 60:] = half[20:50, 20:50] = True
    semantic = found([known], [0.9], VOC, VOC.id("cat"))
    result = found([known, speck, edge, half, free], [0.9, 0.8, 0.7, 0.6, 0.5])
    assert stranger(result, semantic).mask is free
    assert stranger(found([known, speck], [0.9, 0.8]), semantic) is None


def test_unknown_photos(load, default_photos):
    """Where no photo has a box, the best stranger of the automatic mode; where there is none, nothing."""
    photo = default_photos["astronaut"]
    helmet, person = (ellipse((512, 512), box) for box in (BOXES["astronaut"], [100, 150, 250, 400]))
    segments = [Segment(1, 0, "object", 0.9, person), Segment(2, 0, "object", 0.4, helmet)]
    ids = np.where(helmet, 2, np.where(person, 1, 0)).astype(np.int32)
    result = Segmentation(photo, ids, np.ones(ids.shape, np.float32), segments, None, {"variant": "sam"})
    nothing = Segmentation.nothing(default_photos["sheep"])
    (row,) = unnamed(load("sam"), load("deeplab"), [nothing, result], {"нет такого": [0, 0, 9, 9]})
    assert row.segment is segments[1] and row.answer is result
    assert svg(unnamed_figure(row))
    assert unnamed(load("sam"), load("deeplab"), [nothing], {}) == []


def test_figure(rows, shell):
    """The mask with its prompt, and the shares as counted; small in a report; no figure is said in words."""
    row = rows["cat_yarn"]
    drawn = unnamed_figure(row)
    label_id, share = next(iter(named(row.segment.mask, row.semantic).items()))
    assert f"{VOC.label(label_id)} {100 * share:.0f} %" in drawn.axes[1].get_title()
    assert f"{row.segment.score:.2f}".replace(".", ",") in drawn.axes[0].get_title()
    assert len(drawn.axes[0].patches) == 1
    with use_language("en"):
        assert "cat" in unnamed_figure(row).axes[1].get_title()
    written = svg(drawn)
    assert len(written) < 40_000 and written == svg(unnamed_figure(row))
    with capture_output() as captured:
        display_unnamed([row])
        display_unnamed([])
    assert len(captured.outputs) == 1 and "другой сети" in captured.stdout


def test_long_names():
    """The longest names of classes are cut, not drawn over each other."""
    mask = np.ones((50, 60), bool)
    row = Unnamed(found([mask], [0.5]), Segment(1, 0, "object", 0.5, mask), found([mask], [1.0], VOC, 20))
    (last,) = unnamed_figure(row).axes[1].get_title().splitlines()[1:]
    assert last.startswith("телевизор") and len(last) < 22


def test_other_variants_are_refused(load):
    """With the model's name and what to load."""
    with pytest.raises(LabkitError, match=r"FCN.*load_model\(4\)"):
        unnamed(load("fcn"), load("deeplab"), [], {})
