"""SAM: prompts and their errors, agreement with segment_anything's own predictor, and the automatic mode."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from segment_anything import SamAutomaticMaskGenerator, SamPredictor

from labkit.evaluation.annotations import find_ground_truth
from labkit.evaluation.metrics import iou
from labkit.figures import figure, summary
from labkit.io.errors import LabkitError
from labkit.locale import text
from labkit.models import load_model, load_weights, network_for
from labkit.models.sam import SIDE
from labkit.photos import Photo
from labkit.segmentation import load_segmentation


@pytest.fixture(scope="module")
def kitten(default_photos):
    """A model that looks at the photo of the kitten, 900x675; no test may set another photo on it."""
    model = load_model("sam", "embedded", "cpu")
    model.set_photo(default_photos["cat_kitten"])
    return model


@pytest.fixture(scope="module")
def cat(default_photos, root):
    """The hand-drawn outline of the kitten."""
    return find_ground_truth(default_photos["cat_kitten"], root / "data" / "outlines").segments[0]


@pytest.fixture(scope="module")
def centre(cat):
    """The place of the cat that is nearest to its middle, (x, y)."""
    return middle(cat.mask)


@pytest.fixture(scope="module")
def plain(load):
    """segment_anything's own model with the embedded weights."""
    path = load("sam").weights.path
    network = network_for(path, "sam").eval()
    load_weights(network, path)
    return network


@pytest.fixture(scope="module")
def sheep(default_photos):
    """A photo whose longest side is what SAM's encoder sees, so that nobody scales it."""
    image = Image.fromarray(default_photos["sheep"].pixels)
    image.thumbnail((SIDE, SIDE))
    assert max(image.size) == SIDE
    return Photo.from_pixels("sheep", np.array(image))


def middle(mask: np.ndarray) -> tuple[int, int]:
    """The place of a mask that is nearest to its middle, (x, y)."""
    rows, columns = np.nonzero(mask)
    nearest = ((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2).argmin()
    return int(columns[nearest]), int(rows[nearest])


def contour(root) -> list[tuple[float, float]]:
    """The kitten's outline in pixels of its photo."""
    record = json.loads((root / "data" / "outlines" / "cat_kitten.json").read_text(encoding="utf-8"))
    scale = 900 / record["imageWidth"]
    return [(x * scale, y * scale) for x, y in record["shapes"][0]["points"]]


def test_box(kitten, cat):
    """A box around the cat gives the cat, in one answer."""
    result = kitten.prompt(box=cat.box)
    assert len(result.segments) == 1 and iou(result.segments[0].mask, cat.mask) >= 0.85


def test_point(kitten, cat, centre):
    """A point in the middle of the cat gives up to three answers, best first; the best one is the cat."""
    result = kitten.prompt(points=[centre])
    assert 2 <= len(result.segments) <= 3
    scores = [s.score for s in result.segments]
    assert scores == sorted(scores, reverse=True) and 0 <= scores[-1] <= scores[0] <= 1
    assert iou(result.segments[0].mask, cat.mask) >= 0.7
    assert result.photo.name == "cat_kitten" and result.classes is None
    assert (result.ids[result.segments[0].mask] == 1).all(), "the best answer lies on top"
    assert result.made_by["settings"] == {"answers": 3} and result.made_by["seconds"] > 0


def test_contour_and_mask(kitten, cat, root):
    """A contour is a mask prompt and its box: both give the cat, and nearly the same one."""
    by_contour, by_mask = kitten.prompt(polygon=contour(root)), kitten.prompt(mask=cat.mask)
    assert iou(by_contour.segments[0].mask, cat.mask) >= 0.8
    assert iou(by_contour.segments[0].mask, by_mask.segments[0].mask) > 0.97


def test_negative_points(kitten, cat, centre):
    """With as many points on the background as on the cat, the mask holds the one kind and not the other."""
    rows, columns = np.nonzero(~cat.mask)
    far = [(int(columns[0]), int(rows[0])), (int(columns[-1]), int(rows[-1]))]
    left = cat.mask.copy()
    left[:, centre[0] - 40 :] = False
    (segment,) = kitten.prompt(points=[centre, middle(left), *far], point_labels=[1, 1, 0, 0]).segments
    assert 0.5 * cat.area < segment.area < 2 * cat.area
    assert segment.mask[centre[1] - 5 : centre[1] + 6, centre[0] - 5 : centre[0] + 6].any()
    assert not any(segment.mask[y, x] for x, y in far)


def test_number_of_answers(kitten, cat, centre):
    """One lone point gets three answers, everything else one; `answers` says otherwise."""
    count = {}
    for name, asked in {
        "point": {"points": [centre]},
        "two points": {"points": [centre, (centre[0] + 20, centre[1])]},
        "point and box": {"points": [centre], "box": cat.box},
        "box": {"box": cat.box},
    }.items():
        count[name] = kitten.prompt(**asked).made_by["settings"]["answers"]
    assert count == {"point": 3, "two points": 1, "point and box": 1, "box": 1}
    assert len(kitten.prompt(points=[centre], answers=1).segments) == 1
    assert len(kitten.prompt(box=cat.box, answers=3).segments) > 1


def test_prompts_can_be_repeated(kitten, cat, centre, root):
    """`made_by` has the prompts in JSON's types; given again they give the same bits."""
    for asked in (
        {"points": [centre, (10, 10)], "point_labels": [1, 0]},
        {"box": (-30, 20.5, 1e4, 600)},
        {"polygon": contour(root), "points": [centre]},
        {"mask": cat.mask},
    ):
        first = kitten.prompt(**asked)
        kept = json.loads(json.dumps(first.made_by))["prompts"]
        assert kept.keys() >= asked.keys()
        if "mask" in kept:
            kept["mask"] = coco_mask.decode(kept["mask"])
        second = kitten.prompt(**kept)
        assert np.array_equal(first.ids, second.ids) and np.array_equal(first.confidence, second.confidence)
        assert [s.score for s in first.segments] == [s.score for s in second.segments]


def test_numpy_is_as_good_as_lists(kitten, cat, centre):
    """Arrays of any number type, a lone point without brackets, and masks of numbers."""
    first = kitten.prompt(points=[centre, (10, 10)], point_labels=[1, 0])
    second = kitten.prompt(points=np.array([centre, (10, 10)], np.int32), point_labels=np.array([True, False]))
    assert np.array_equal(first.ids, second.ids) and first.made_by["prompts"] == second.made_by["prompts"]
    assert np.array_equal(kitten.prompt(points=[centre]).ids, kitten.prompt(points=np.array(centre, np.float32)).ids)
    assert np.array_equal(kitten.prompt(box=cat.box).ids, kitten.prompt(box=np.array(cat.box, np.uint16)).ids)
    numbers = kitten.prompt(mask=cat.mask.astype(np.uint8) * 255)
    assert np.array_equal(kitten.prompt(mask=cat.mask).ids, numbers.ids)


def test_box_partly_outside(kitten):
    """What lies beyond the photo is cut off a box."""
    result = kitten.prompt(box=(-100, -50, 2000, 500.5))
    assert result.made_by["prompts"]["box"] == [0, 0, 900, 500.5]
    assert np.array_equal(result.ids, kitten.prompt(box=(0, 0, 900, 500.5)).ids)


@pytest.mark.parametrize("size", [(2, 3000), (3000, 2), (1, 2048), (2048, 1), (1, 1)])
def test_strips(load, size):
    """Of a strip something is left for the network: it is asked and answers at the photo's size."""
    model, photo = load("sam"), Photo.from_pixels("x", np.full((*size, 3), 99, np.uint8))
    model.set_photo(photo)
    assert model.prompt(points=[(size[1] // 2, size[0] // 2)]).ids.shape == size
    assert model.prompt(box=(0, 0, size[1], size[0])).ids.shape == size
    assert model.segment(photo, points_per_side=1).ids.shape == size


SOME = np.eye(675, 900, dtype=bool)


@pytest.mark.parametrize(
    "asked, said",
    {
        "nothing": ({}, "points=.*box=.*polygon=.*mask"),
        "empty lists": ({"points": [], "point_labels": []}, "points="),
        "point outside": ({"points": [(900, 5)]}, r"\(900, 5\).*900×675"),
        "negative point": ({"points": [(5, 5), (5, -0.5)]}, r"\(5, -0.5\).*900×675"),
        "point that is none": ({"points": [(float("nan"), 5)]}, "nan"),
        "three numbers": ({"points": [(1, 2, 3)]}, r"\(1, 2, 3\)"),
        "words": ({"points": "середина"}, "середина"),
        "a number": ({"points": 5}, "5"),
        "labels missing": ({"points": [(5, 5), (6, 6)], "point_labels": [1]}, "2.*1"),
        "labels without points": ({"point_labels": [1, 1, 0]}, "0.*3"),
        "a label without points": ({"point_labels": 1}, "0.*1"),
        "label 2": ({"points": [(5, 5)], "point_labels": [2]}, "2"),
        "label in words": ({"points": [(5, 5)], "point_labels": ["да"]}, "да"),
        "only background": ({"points": [(5, 5), (9, 9)], "point_labels": [0, 0]}, "1"),
        "box without area": ({"box": (10, 10, 10, 50)}, r"10, 10, 10, 50.*900×675"),
        "box the other way round": ({"box": (50, 50, 10, 10)}, r"50, 50, 10, 10"),
        "box outside": ({"box": (900, 0, 950, 50)}, r"900, 0, 950, 50.*900×675"),
        "box of three": ({"box": (1, 2, 3)}, r"\(1, 2, 3\).*x0, y0, x1, y1"),
        "box with infinity": ({"box": (0, 0, float("inf"), 50)}, "inf"),
        "two points": ({"polygon": [(0, 0), (50, 50)]}, "2"),
        "contour without area": ({"polygon": [(10, 10), (50, 50), (30, 30)]}, "900×675"),
        "contour outside": ({"polygon": [(-9, -9), (-50, -9), (-9, -50)]}, "900×675"),
        "contour that is none": ({"polygon": [(0, 0), (9, None), (9, 9)]}, "None"),
        "mask of another size": ({"mask": SOME.T}, r"\(900, 675\).*\(675, 900\)"),
        "empty mask": ({"mask": np.zeros((675, 900), bool)}, "points|точк"),
        "mask and contour": ({"mask": SOME, "polygon": [(0, 0), (9, 0), (9, 9)]}, "mask.*polygon"),
        "two answers": ({"points": [(5, 5)], "answers": 2}, "answers = 2.*1, 3"),
    }.values(),
)
def test_wrong_prompts(kitten, asked, said):
    """The error names what was given and what is valid."""
    with pytest.raises(LabkitError, match=said):
        kitten.prompt(**asked)


def test_crossed_contour(kitten):
    """A contour that crosses itself like an 8 encloses pixels, and is taken."""
    assert kitten.prompt(polygon=[(300, 200), (600, 500), (600, 200), (300, 500)]).made_by["prompts"]["polygon"]


def test_photo_comes_first(load, default_photos, cat):
    """Without a photo the error says how to set one; after another photo, prompts are about that one."""
    model = load_model("sam", "embedded", "cpu")
    with pytest.raises(LabkitError, match="set_photo"):
        model.prompt(points=[(5, 5)])
    model.set_photo(default_photos["cat_chelsea"])
    first = model.prompt(box=(50, 50, 300, 250))
    model.set_photo(default_photos["cat_kitten"])
    assert iou(model.prompt(box=cat.box).segments[0].mask, cat.mask) >= 0.85
    model.segment(default_photos["sheep"], points_per_side=1)  # the automatic mode leaves the photo that was set
    assert model.prompt(box=cat.box).photo.name == "cat_kitten"
    model.set_photo(default_photos["cat_chelsea"])
    again = model.prompt(box=(50, 50, 300, 250))
    assert again.photo.name == "cat_chelsea" and np.array_equal(first.ids, again.ids)


def test_prompts_are_segment_anything_s(load, plain, sheep):
    """The same masks and scores as `SamPredictor` gives on the same pixels for a point, a box, and both."""
    model, predictor = load("sam"), SamPredictor(plain)
    model.set_photo(sheep)
    predictor.set_image(sheep.pixels)
    points, box = [(200, 160)], (90, 60, 330, 290)
    for ours, theirs in (
        ({"points": points}, {"point_coords": np.array(points), "point_labels": np.array([1])}),
        ({"box": box}, {"box": np.array(box)}),
        (
            {"points": points, "box": box, "answers": 3},
            {"point_coords": np.array(points), "point_labels": np.array([1]), "box": np.array(box)},
        ),
    ):
        result = model.prompt(**ours)
        several = result.made_by["settings"]["answers"] == 3
        masks, scores, _ = predictor.predict(**theirs, multimask_output=several)
        expected = sorted(
            ((score, mask) for score, mask in zip(scores, masks, strict=True) if mask.any()), reverse=True
        )
        assert len(result.segments) == len(expected) > 0
        for segment, (score, mask) in zip(result.segments, expected, strict=True):
            assert segment.score == pytest.approx(np.clip(score, 0, 1), abs=1e-3)
            assert iou(segment.mask, mask) > 0.99


def test_several_points_are_asked_twice(load, plain, sheep):
    """The second time the first answer goes in as a mask, and of three answers the best one counts."""
    model, predictor = load("sam"), SamPredictor(plain)
    model.set_photo(sheep)
    predictor.set_image(sheep.pixels)
    points, labels = np.array([(200, 160), (30, 20)]), np.array([1, 0])
    (first,), _, _ = predictor.predict(points, labels, multimask_output=False)
    (expected,) = model.prompt(points=points, point_labels=labels, mask=first, answers=3).segments[:1]
    (segment,) = model.prompt(points=points, point_labels=labels).segments
    assert segment.score == pytest.approx(expected.score, abs=1e-3) and iou(segment.mask, expected.mask) > 0.99
    assert len(model.prompt(points=points, point_labels=labels, answers=3).segments) == 3


def test_mask_prompt_is_segment_anything_s(load, plain, sheep):
    """A mask goes in as logits of a quarter of its pixels, with its box; an earlier answer, corrected, without."""
    model, predictor = load("sam"), SamPredictor(plain)
    model.set_photo(sheep)
    predictor.set_image(sheep.pixels)
    mask = np.zeros(sheep.pixels.shape[:2], bool)
    mask[80:280, 100:320] = True
    logits = np.full((1, SIDE // 2, SIDE // 2), -8.0)
    logits[0, 40:140, 50:160] = 8.0
    (segment,) = model.prompt(mask=mask).segments
    expected, scores, _ = predictor.predict(
        box=np.array([100, 80, 320, 280]), mask_input=logits, multimask_output=False
    )
    assert segment.score == pytest.approx(scores[0], abs=1e-3) and iou(segment.mask, expected[0]) > 0.99
    (segment,) = model.prompt(points=[(200, 160), (30, 20)], point_labels=[1, 0], mask=mask).segments
    expected, scores, _ = predictor.predict(
        np.array([(200, 160), (30, 20)]), np.array([1, 0]), mask_input=logits, multimask_output=False
    )
    assert segment.score == pytest.approx(scores[0], abs=1e-3) and iou(segment.mask, expected[0]) > 0.99


def test_automatic_mode_is_segment_anything_s(load, plain, sheep):
    """The same segments as `SamAutomaticMaskGenerator` finds; small ones lie on top of large ones."""
    result = load("sam").segment(sheep, points_per_side=3, score_threshold=0.3, stability_threshold=0.5)
    generator = SamAutomaticMaskGenerator(plain, 3, pred_iou_thresh=0.3, stability_score_thresh=0.5, box_nms_thresh=0.7)
    expected = sorted(generator.generate(sheep.pixels), key=lambda row: -row["predicted_iou"])
    assert len(result.segments) == len(expected) > 0
    for segment, row in zip(result.segments, expected, strict=True):
        assert segment.score == pytest.approx(row["predicted_iou"], abs=1e-3)
        assert iou(segment.mask, row["segmentation"]) > 0.99
    sizes = {segment.id: segment.area for segment in result.segments}
    for segment in result.segments:
        assert all(sizes[number] <= segment.area for number in np.unique(result.ids[segment.mask]))


def test_nothing_found(load, default_photos, tmp_path):
    """Where no mask is good enough the result is empty, says so, and goes through the files."""
    photo = default_photos["cat_kitten"]
    result = load("sam").segment(photo, points_per_side=2, score_threshold=1.0)
    assert result.segments == [] and not result.ids.any() and not result.confidence.any()
    assert text("figures.nothing") in summary([result]) and text("figures.nothing") in figure(result).get_label()
    again = load_segmentation(result.save(tmp_path)[0], photo)
    assert again.segments == [] and again.classes is None


@pytest.mark.parametrize("width, height", [(40, 40), (2048, 1536)])
def test_small_and_large_photos(load, default_photos, cat, width, height):
    """Prompts are in pixels of the photo, and so are the answers, whatever its size."""
    pixels = np.array(Image.fromarray(default_photos["cat_kitten"].pixels).resize((width, height)))
    model, photo = load("sam"), Photo.from_pixels("котёнок", pixels)
    model.set_photo(photo)
    scale = np.array([width / 900, height / 675] * 2)
    (segment,) = model.prompt(box=np.array(cat.box) * scale).segments
    expected = np.array(Image.fromarray(cat.mask).resize((width, height)))
    assert segment.mask.shape == (height, width) and iou(segment.mask, expected) >= (0.7 if width == 40 else 0.85)
    assert model.prompt(points=[(width - 1, height - 1)]).ids.shape == (height, width)
