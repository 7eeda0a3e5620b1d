"""Mask R-CNN: its masks, boxes and scores against torchvision's own, its settings, and photos of every kind."""

import numpy as np
import pytest
import torch
from drawn import grey
from PIL import Image
from torchvision.models.detection.roi_heads import paste_masks_in_image

from labkit.evaluation.annotations import find_ground_truth
from labkit.evaluation.metrics import iou
from labkit.models import load_weights, network_for
from labkit.photos import Photo, load_photos
from labkit.segmentation import Segment

FLOORS = {"cat_chelsea": 0.80, "cat_kitten": 0.80, "officer": 0.60, "cameraman": 0.60, "astronaut": 0.60}
"""The least IoU of the best segment with the hand-drawn outline."""

model = pytest.fixture(lambda load: load("mask_rcnn"))


@pytest.fixture
def detect(model, monkeypatch):
    """Makes the heads answer with given boxes (in pixels of the network's input, best first) and full masks."""

    def answer(boxes, scores, labels):
        found = {
            "boxes": torch.tensor(boxes, dtype=torch.float32),
            "scores": torch.tensor(scores),
            "labels": torch.tensor(labels),
            "masks": torch.ones(len(boxes), 1, 28, 28),
        }
        monkeypatch.setattr(model.network.roi_heads, "forward", lambda *_: ([found], {}))

    return answer


@pytest.mark.parametrize("name", FLOORS)
def test_agrees_with_hand_drawn_outlines(model, default_photos, root, name):
    """The best segment of each photo is the cat or the person that was outlined."""
    photo = default_photos[name]
    reference = find_ground_truth(photo, root / "data" / "outlines").segments[0]
    best = model.segment(photo).segments[0]
    assert best.label == reference.label
    assert iou(best.mask, reference.mask) >= FLOORS[name]


@pytest.mark.parametrize("name, height", [("astronaut", 512), ("cameraman", 400)])
def test_result_is_torchvision_s(model, default_photos, name, height):
    """The same objects as torchvision's own forward pass finds on the same pixels, with and without padding."""
    pixels = default_photos[name].pixels[:height]  # the longest side is 512: at that working side neither scales it
    plain = network_for(model.weights.path, "mask_rcnn").eval()
    load_weights(plain, model.weights.path)
    plain.roi_heads.score_thresh = 0.3
    plain.transform.min_size, plain.transform.max_size = (512,), 512
    with torch.inference_mode():
        (expected,) = plain([torch.from_numpy(pixels).permute(2, 0, 1) / 255])
    result = model.segment(Photo.from_pixels(name, pixels), score_threshold=0.3, working_side=512, inside_threshold=1.0)
    assert len(result.segments) > 0
    assert [s.label_id for s in result.segments] == expected["labels"].tolist()
    assert [s.score for s in result.segments] == pytest.approx(expected["scores"].tolist(), abs=1e-3)
    for segment, probabilities in zip(result.segments, expected["masks"][:, 0].numpy(), strict=True):
        assert iou(segment.mask, probabilities >= 0.5) > 0.99
        assert segment.box == pytest.approx(Segment(1, 1, "", 1.0, probabilities >= 0.5).box, abs=1)


def test_overlapping_objects(model, detect, default_photos):
    """Every object keeps its whole mask; where two overlap, `ids` and `confidence` are the better one's."""
    detect([[100, 100, 300, 300], [200, 200, 400, 400], [205, 205, 295, 295]], [0.9, 0.8, 0.7], [8, 12, 15])
    result = model.segment(default_photos["astronaut"], working_side=512)  # the boxes are in its own pixels
    best, second, hidden = result.segments
    assert [s.label for s in result.segments] == ["cat", "dog", "person"]
    assert best.area == second.area > 200 * 200 * 0.98
    both = best.mask & second.mask
    assert both.sum() > 90 * 90 and (result.ids[both] == 1).all()
    assert (result.ids[second.mask & ~both] == 2).all()
    assert hidden.area > 80 * 80 and not (result.ids == 3).any()
    assert result.confidence[150, 150] == result.confidence[250, 250] == pytest.approx(0.9)
    assert result.confidence[350, 350] == pytest.approx(0.8) and result.confidence[50, 50] == 0


@pytest.mark.parametrize("spread", [0, 128], ids=["grey", "noise"])
def test_nothing_found(model, spread):
    """A photo without objects gives an empty result."""
    noise = np.random.default_rng(0).integers(-spread, spread + 1, (120, 160, 3))
    result = model.segment(Photo.from_pixels("x", (127 + noise).clip(0, 255).astype(np.uint8)), score_threshold=0.99)
    assert result.segments == [] and not result.ids.any() and not result.confidence.any() and not result.labels.any()


def test_many_objects(model, detect, default_photos):
    """300 objects, more than 8 bits can number, all come out."""
    boxes = [[x, y, x + 20, y + 28] for y in range(4, 484, 32) for x in range(6, 486, 24)]
    detect(boxes, np.linspace(0.99, 0.6, 300).tolist(), [1 + n % 20 for n in range(300)])
    result = model.segment(default_photos["astronaut"], max_detections=1000, working_side=512)
    assert sorted(set(np.unique(result.ids)) - {0}) == [s.id for s in result.segments] == [*range(1, 301)]
    for (x0, y0, x1, y1), segment in zip(boxes, result.segments, strict=True):
        assert segment.box == pytest.approx((x0, y0, x1, y1), abs=1)


@pytest.mark.parametrize(
    "box",
    {
        "inside": (30.2, 40.7, 120.9, 99.1),
        "left and above": (-20.5, -10.2, 40.3, 60.8),
        "right and below": (150.5, 100.1, 215.3, 170.7),
        "less than a pixel": (50.2, 50.1, 50.9, 50.4),
        "all of it": (0, 0, 200, 150),
        "in the corner": (199.3, 149.2, 199.9, 149.9),
        "narrow": (60.1, 0.2, 61.4, 149.6),
    }.values(),
)
def test_masks_lie_where_torchvision_puts_them(model, box):
    """With the same probabilities, wherever the box is, and zero everywhere else."""
    found = {"boxes": torch.tensor([box], dtype=torch.float32), "scores": torch.ones(1), "labels": torch.tensor([8])}
    found["masks"] = torch.rand(1, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    expected = paste_masks_in_image(found["masks"], found["boxes"], (150, 200))[0, 0]
    result = model._result(grey(150, 200), found, {"mask_threshold": 0.0, "inside_threshold": 1.0})
    assert result.confidence.any() and np.abs(result.confidence - expected.numpy()).max() < 1e-5


def test_objects_at_the_border(model, detect, default_photos):
    """Boxes that end at the edge of the photo reach it and do not leave it, whatever the photo was scaled by."""
    photo = default_photos["cat_kitten"]  # 900x675, the network sees 512x384
    detect([[0, 0, 512, 384], [0, 0, 9, 9], [500.5, 371.3, 512, 384]], [0.9, 0.8, 0.7], [8, 8, 8])
    whole, first, last = model.segment(photo, working_side=512, inside_threshold=1.0).segments
    assert whole.box == (0, 0, 900, 675) and whole.mask.mean() > 0.99
    assert first.box == pytest.approx((0, 0, 9 * 900 / 512, 9 * 675 / 384), abs=1) and min(first.box) >= 0
    assert last.box == pytest.approx((500.5 * 900 / 512, 371.3 * 675 / 384, 900, 675), abs=1)
    assert last.box[2] <= 900 and last.box[3] <= 675


def test_large_photo(model, default_photos, root, tmp_path):
    """A photo of 4000x3000 px, scaled on loading or as it is, gives the mask of the small one."""
    small = default_photos["cat_kitten"]
    large = Image.fromarray(small.pixels).resize((4000, 3000))
    large.save(tmp_path / "cat_kitten.jpg", quality=90)
    (loaded,) = load_photos(tmp_path / "cat_kitten.jpg", quiet=True)
    for photo, size in ((loaded, (1536, 2048)), (Photo.from_pixels("cat_kitten", np.array(large)), (3000, 4000))):
        result = model.segment(photo)
        assert result.ids.shape == size and result.segments[0].label == "cat"
        reference = find_ground_truth(photo, root / "data" / "outlines").segments[0]
        assert iou(result.segments[0].mask, reference.mask) >= FLOORS["cat_kitten"]


def test_settings_have_their_effect(model, default_photos):
    """Each setting changes the result as it says."""
    photo = default_photos["horses"]
    loose = model.segment(photo, score_threshold=0.05)
    scores = [s.score for s in loose.segments]
    assert len(scores) > 2 and scores == sorted(scores, reverse=True) and scores[-1] > 0.05

    strict = model.segment(photo, score_threshold=0.3)
    assert [s.score for s in strict.segments] == [score for score in scores if score > 0.3]
    assert [s.score for s in model.segment(photo, score_threshold=0.05, max_detections=2).segments] == scores[:2]
    kept = {"score_threshold": 0.05, "cross_nms_threshold": 1.0, "inside_threshold": 1.0}
    every, usual, few = (model.segment(photo, nms_threshold=n, **kept).segments for n in (1.0, 0.5, 0.3))
    assert len(every) > len(usual) > len(few)
    crossed = model.segment(photo, score_threshold=0.05, cross_nms_threshold=0.3).segments
    assert 0 < len(crossed) < len(scores) and crossed[0].score == scores[0]

    narrow = model.segment(photo, score_threshold=0.05, mask_threshold=0.8).segments[0].mask
    assert not (narrow & ~loose.segments[0].mask).any() and narrow.sum() < loose.segments[0].area
    assert not np.array_equal(model.segment(photo, score_threshold=0.05, working_side=256).ids, loose.ids)


def test_part_of_an_object(model, default_photos, detect):
    """What lies in a better object of its class is dropped; not one of another class, a better one, or a neighbour."""
    photo = default_photos["cameraman"]
    inner, outer, beside = [150, 150, 250, 250], [100, 100, 400, 400], [390, 100, 500, 400]
    for boxes, labels, kept in (
        ([outer, inner, beside], [8, 8, 8], [0, 2]),
        ([outer, inner, beside], [8, 12, 8], [0, 1, 2]),
        ([inner, outer, beside], [8, 8, 8], [0, 1, 2]),
    ):
        scores = [0.9, 0.8, 0.7]
        detect(boxes, scores, labels)
        found = model.segment(photo, working_side=512).segments
        assert [round(s.score, 3) for s in found] == [scores[n] for n in kept]
        assert len(model.segment(photo, working_side=512, inside_threshold=1.0).segments) == 3


def test_one_object_of_two_classes(model, default_photos, detect):
    """Of two classes for nearly the same box the likelier one stays; torchvision's way is a setting of 1."""
    photo = default_photos["cameraman"]
    detect([[100, 100, 300, 300], [102, 101, 300, 298], [10, 10, 60, 60]], [0.9, 0.8, 0.7], [12, 8, 8])
    assert [s.label for s in model.segment(photo).segments] == ["dog", "cat"]
    assert [s.label for s in model.segment(photo, cross_nms_threshold=1.0).segments] == ["dog", "cat", "cat"]


def test_one_object_of_one_class(model, default_photos, detect):
    """Boxes of one class are the other threshold's matter: where it leaves both, that between classes does too."""
    detect([[100, 100, 300, 300], [102, 101, 300, 298], [99, 100, 300, 300]], [0.9, 0.8, 0.7], [12, 12, 8])
    found = model.segment(default_photos["cameraman"], nms_threshold=1.0, inside_threshold=1.0)
    assert [s.label for s in found.segments] == ["dog", "dog"]
