"""SAM: what prompts give, and agreement with segment_anything's own predictor."""

import copy
import json

import numpy as np
import pytest
import torch
from official import official_model
from PIL import Image
from pycocotools import mask as coco_mask
from scipy import ndimage
from segment_anything import SamPredictor
from segment_anything.build_sam import _build_sam

from labkit.evaluation.annotations import find_ground_truth
from labkit.evaluation.metrics import innermost, iou
from labkit.io.errors import LabkitError
from labkit.models import load_model
from labkit.models.prompted import PromptedModel, without_specks
from labkit.models.sam import SIDE
from labkit.photos import Photo


@pytest.fixture(scope="module")
def kitten(default_photos):
    """A model that looks at the photo of the kitten, 900x675; no test may set another photo on it."""
    model = load_model("sam", "embedded", "cpu")
    model.set_photo(default_photos["cat_kitten"])
    return model


cat = pytest.fixture(scope="module")(lambda default_photos: find_ground_truth(default_photos["cat_kitten"]).segments[0])
centre = pytest.fixture(scope="module")(lambda cat: innermost(cat.mask))


@pytest.fixture(scope="module", params=["embedded", "official"])
def both(request, plain, sheep):
    """The kit's model and segment_anything's predictor, looking at one photo."""
    if request.param == "embedded":
        model, network = load_model("sam", "embedded", "cpu"), plain
    else:
        torch.manual_seed(0)
        network = _build_sam(32, encoder_depth=2, encoder_num_heads=2, encoder_global_attn_indexes=[1]).eval()
        model = official_model("sam_vit_b", copy.deepcopy(network))
        assert model.defaults["points_per_side"] == 32 and model.defaults["score_threshold"] == 0.88
    predictor = SamPredictor(network)
    predictor.set_image(sheep.pixels)
    model.set_photo(sheep)
    return model, predictor


def cleaned(model: PromptedModel, mask: np.ndarray) -> np.ndarray:
    """A mask of the predictor's as the model gives it: the official ones keep their specks."""
    return mask if model.weights.release else without_specks(mask)


def contour(root) -> list[tuple[float, float]]:
    """The kitten's outline in pixels of its photo."""
    record = json.loads((root / "data" / "outlines" / "cat_kitten.json").read_text(encoding="utf-8"))
    scale = 900 / record["imageWidth"]
    return [(x * scale, y * scale) for x, y in record["shapes"][0]["points"]]


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
    (segment,) = kitten.prompt(points=[centre, innermost(left), *far], point_labels=[1, 1, 0, 0]).segments
    assert 0.5 * cat.area < segment.area < 2 * cat.area
    assert segment.mask[centre[1] - 5 : centre[1] + 6, centre[0] - 5 : centre[0] + 6].any()
    assert not any(segment.mask[y, x] for x, y in far)


def test_number_of_answers(kitten, cat, centre):
    """One lone point gets three answers, everything else one; `answers` says otherwise, and is 1 or 3."""
    one, two = {"points": [centre]}, {"points": [centre, (centre[0] + 20, centre[1])]}
    for asked, count in ((one, 3), (two, 1), ({**one, "box": cat.box}, 1), ({"box": cat.box}, 1)):
        assert kitten.prompt(**asked).made_by["settings"]["answers"] == count
    assert len(kitten.prompt(points=[centre], answers=1).segments) == 1
    assert len(kitten.prompt(box=cat.box, answers=3).segments) > 1
    with pytest.raises(LabkitError, match="answers = 2.*1, 3"):
        kitten.prompt(points=[centre], answers=2)


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
        if "mask" in kept:
            kept["mask"] = coco_mask.decode(kept["mask"])
        second = kitten.prompt(**kept)
        assert np.array_equal(first.ids, second.ids) and np.array_equal(first.confidence, second.confidence)


def test_photo_comes_first(default_photos, cat):
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


@pytest.mark.parametrize("size", [(2, 3000), (3000, 2), (1, 2048), (2048, 1), (1, 1)])
def test_strips(load, size):
    """Of a strip something is left for the network: it is asked and answers at the photo's size."""
    model, photo = load("sam"), Photo.from_pixels("x", np.full((*size, 3), 99, np.uint8))
    model.set_photo(photo)
    assert model.prompt(points=[(size[1] // 2, size[0] // 2)]).ids.shape == size
    assert model.prompt(box=(0, 0, size[1], size[0])).ids.shape == size
    assert model.segment(photo, points_per_side=1).ids.shape == size


POINT, BOX = {"points": [(200, 160)]}, {"box": (90, 60, 330, 290)}
TWO = {"points": [(200, 160), (50, 30)], "point_labels": [1, 0]}


@pytest.mark.parametrize("asked", [POINT, BOX, {**POINT, **BOX, "answers": 3}, {**TWO, "answers": 3}])
def test_prompts_are_segment_anything_s(both, asked):
    """The same masks and scores as `SamPredictor` gives on the same pixels."""
    model, predictor = both
    result = model.prompt(**asked)
    theirs = {"box": np.array(asked["box"])} if "box" in asked else {}
    if "points" in asked:
        theirs |= {"point_coords": np.array(asked["points"]), "point_labels": np.array(asked.get("point_labels", [1]))}
    masks, scores, _ = predictor.predict(**theirs, multimask_output=result.made_by["settings"]["answers"] == 3)
    expected = sorted(((score, mask) for score, mask in zip(scores, masks, strict=True) if mask.any()), reverse=True)
    assert len(result.segments) == len(expected) > 0
    for segment, (score, mask) in zip(result.segments, expected, strict=True):
        assert segment.score == pytest.approx(np.clip(score, 0, 1), abs=1e-3)
        assert (segment.mask == cleaned(model, mask)).mean() > 0.9999


def test_mask_prompt_is_segment_anything_s(both, sheep):
    """A mask goes in as logits of a sixteenth of its pixels, with its box; an earlier answer, corrected, without."""
    model, predictor = both
    mask = np.zeros(sheep.pixels.shape[:2], bool)
    mask[80:280, 100:320] = True
    cells, times = predictor.transform.target_length // 4, predictor.transform.target_length // SIDE
    logits = np.full((1, cells, cells), -8.0)
    logits[0, times * 20 : times * 70, times * 25 : times * 80] = 8.0
    points = np.array(TWO["points"]), np.array(TWO["point_labels"])
    for asked, box in (((None, None), np.array([100, 80, 320, 280])), (points, None)):
        (segment,) = model.prompt(*asked, mask=mask).segments
        expected, scores, _ = predictor.predict(*asked, box, mask_input=logits, multimask_output=False)
        assert segment.score == pytest.approx(np.clip(scores[0], 0, 1), abs=1e-3)
        assert (segment.mask == cleaned(model, expected[0])).mean() > 0.9999


@pytest.mark.parametrize("width, height", [(900, 675), (40, 40), (2048, 1536)])
def test_box(load, default_photos, cat, width, height):
    """A box around the cat gives the cat, in one answer; both are in pixels of the photo, whatever its size."""
    pixels = np.array(Image.fromarray(default_photos["cat_kitten"].pixels).resize((width, height)))
    model, photo = load("sam"), Photo.from_pixels("котёнок", pixels)
    model.set_photo(photo)
    scale = np.array([width / 900, height / 675] * 2)
    (segment,) = model.prompt(box=np.array(cat.box) * scale).segments
    expected = np.array(Image.fromarray(cat.mask).resize((width, height)))
    assert segment.mask.shape == (height, width) and iou(segment.mask, expected) >= (0.7 if width == 40 else 0.85)
    assert model.prompt(points=[(width - 1, height - 1)]).ids.shape == (height, width)


def test_specks():
    """A small hole is filled and a small island gone; larger ones stay, and so does a mask that is nothing else."""
    mask = np.zeros((60, 60), bool)
    mask[10:40, 10:40] = True
    whole, small = mask.copy(), np.zeros_like(mask)
    small[50:54, 50:54] = True
    whole[20:25, 20:25] = False  # 25 pixels
    mask = (whole | small) & ~np.pad(np.ones((4, 6), bool), ((12, 44), (30, 24)))
    assert np.array_equal(without_specks(mask), whole) and np.array_equal(without_specks(small), small)
    assert not without_specks(np.zeros((9, 9), bool)).any() and without_specks(np.ones((9, 9), bool)).all()


@pytest.mark.parametrize("seed", range(4))
def test_specks_are_judged_in_the_whole_photo(seed):
    """Blots at every place and edge, far from the rest too: cleaned near the mask as in the whole photo."""
    rng = np.random.default_rng(seed)
    for _ in range(40):
        height, width = rng.integers(1, 120, 2)
        mask = ndimage.gaussian_filter(rng.standard_normal((height, width)), 1.5) > rng.choice([-0.15, 0, 0.15])
        top, left = rng.integers(0, height), rng.integers(0, width)
        mask[:top] = mask[:, left + rng.integers(1, 60) :] = False
        whole = mask.copy()
        for inside in (False, True):
            regions, count = ndimage.label(whole == inside)
            small = [n for n in range(1, count + 1) if (regions == n).sum() < 25]
            if len(small) < count:
                whole[np.isin(regions, small)] = not inside
        assert np.array_equal(without_specks(mask), whole)


def test_masks_are_of_few_pieces(load, default_photos):
    """What is found by itself is of a few pieces, no torn edges: 30 a mask before its logits were smoothed."""
    found = load("sam").segment(default_photos["cat_kitten"]).segments
    pieces = [ndimage.label(segment.mask)[1] for segment in found]
    assert len(pieces) > 3 and np.mean(pieces) < 4
