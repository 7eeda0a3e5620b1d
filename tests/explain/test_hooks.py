"""Hooks, the photo that tells most and boundary IoU: what is recorded is what flowed, what is measured is counted."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from labkit.evaluation.metrics import iou
from labkit.explain.hooks import (
    Trial,
    boundary,
    boundary_iou,
    changed,
    on_photo,
    photo_part,
    recorded,
    telling,
    window,
)
from labkit.io.errors import LabkitError
from labkit.photos import Photo
from labkit.segmentation import Segmentation


class Parts(nn.Module):
    """Two convolutions and a dict of both, one of them called twice."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 1, 1), nn.Identity()

    def forward(self, x):
        a = self.first(x)
        return {"sum": self.second(a) + self.first(x), "both": (a, [a])}


def test_recorded_calls_in_order():
    """Each call is kept, as a copy that does not hold the graph."""
    net, x = Parts(), torch.rand(1, 1, 2, 2)
    with recorded({"first": net.first, "all": net}) as seen:
        out = net(x)
    assert len(seen["first"]) == 2 and len(seen["all"]) == 1
    assert torch.equal(seen["first"][0], out["both"][0]) and not seen["first"][0].requires_grad
    assert torch.equal(seen["all"][0]["both"][1][0], out["both"][0])
    out["both"][0].detach().zero_()
    assert seen["first"][0].abs().sum() > 0


def test_half_precision_is_recorded_as_float():
    """What flowed in half precision is kept as float32."""
    net = nn.Identity()
    with recorded({"it": net}) as seen:
        net(torch.ones(2, dtype=torch.bfloat16))
    assert seen["it"][0].dtype == torch.float32


def test_changed_and_back():
    """A part switched off takes its share away while the block runs, also where the block fails."""
    net, x = Parts(), torch.rand(1, 1, 2, 2)
    before = net(x)["sum"]
    with changed(net.second, torch.zeros_like):
        assert torch.allclose(net(x)["sum"], before / 2)
    try:
        with changed(net.second, torch.zeros_like), recorded({"it": net.first}):
            raise KeyError
    except KeyError:
        pass
    assert torch.equal(net(x)["sum"], before)
    assert not net.second._forward_hooks and not net.first._forward_hooks


def found(name: str, share: float) -> Segmentation:
    """A photo whose left `share` is cat."""
    photo = Photo.from_pixels(name, np.zeros((10, 100, 3), np.uint8))
    labels = np.where(np.arange(100)[None].repeat(10, 0) < 100 * share, 8, 0).astype(np.uint8)
    return Segmentation.from_labels(photo, labels)


def test_neither_a_speck_nor_all():
    """A third of the photo is best; an empty result is last."""
    results = [found("empty", 0), found("speck", 0.02), found("third", 0.3), found("all", 1.0)]
    assert telling(results).photo.name == "third"
    assert telling(results[:2]).photo.name == "speck"
    assert telling(results[:1]).photo.name == "empty"


def test_no_results():
    """Without results the message says so."""
    with pytest.raises(LabkitError, match="ни одного результата"):
        telling([])


def eroded(mask: np.ndarray, times: int) -> np.ndarray:
    """As the authors do it: a 3x3 square, `times` times, background outside of the image."""
    x = torch.from_numpy(~mask)[None].float()
    for _ in range(times):
        x = F.max_pool2d(F.pad(x, (1, 1, 1, 1), value=1), 3, 1)
    return x[0].numpy() == 0


@pytest.mark.parametrize("share", [0.001, 0.02, 0.1, 0.6])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (31, 47), (90, 64)])
def test_as_iterated_erosion(size, share):
    """The boundary is the mask without the mask eroded d times, for blobs and for a full mask."""
    rng = np.random.default_rng(0)
    blobs = F.interpolate(torch.from_numpy(rng.random((1, 1, 4, 5))), size, mode="bilinear")[0, 0].numpy() > 0.4
    d = max(1, round(share * math.hypot(*size)))
    for mask in (blobs, np.ones(size, bool), np.zeros(size, bool)):
        assert np.array_equal(boundary(mask, share), mask & ~eroded(mask, d))


def test_on_a_real_outline(outlined):
    """A hand-drawn cat of a photo of full size: as iterated erosion, d = 2 % of the diagonal."""
    mask = outlined.labels == 8
    d = round(0.02 * math.hypot(*mask.shape))
    assert d > 5 and np.array_equal(boundary(mask), mask & ~eroded(mask, d))
    assert boundary_iou(mask, mask) == 1


def test_by_hand():
    """Two 10x10 squares in a 30x40 image (d = 1), one a column to the right: rings of 36 that share 18 pixels."""
    mask, moved = np.zeros((30, 40), bool), np.zeros((30, 40), bool)
    mask[5:15, 5:15], moved[5:15, 6:16] = True, True
    assert boundary(mask).sum() == 10 * 10 - 8 * 8
    shared = 2 * 9  # the upper and the lower row; the columns are apart
    assert boundary_iou(mask, moved) == shared / (36 + 36 - shared)


def test_sees_what_iou_does_not(outlined):
    """The same error of the contour costs a large object little IoU and much boundary IoU (the paper's point)."""
    mask = outlined.labels == 8
    shrunk = eroded(mask, 5)
    assert iou(shrunk, mask) > 0.92 and boundary_iou(shrunk, mask) < 0.4
    assert boundary_iou(shrunk, mask) == boundary_iou(mask, shrunk)


def test_share_of_the_whole_is_iou(outlined):
    """With d larger than the object everything is boundary, and the two measures are one."""
    mask = outlined.labels == 8
    shrunk = eroded(mask, 5)
    assert boundary_iou(shrunk, mask, share=1) == iou(shrunk, mask)


def test_empty_masks():
    """Two empty masks agree, an empty one and another do not."""
    nothing, something = np.zeros((8, 8), bool), np.eye(8, dtype=bool)
    assert boundary_iou(nothing, nothing) == 1 and boundary_iou(nothing, something) == 0


@pytest.mark.parametrize("share", [0, -0.02, 2, float("nan")])
def test_refused(share):
    """A share that is none, and masks of two sizes, are named."""
    with pytest.raises(ValueError, match="above 0"):
        boundary_iou(np.ones((4, 4), bool), np.ones((4, 4), bool), share)
    with pytest.raises(ValueError, match=r"\(4, 4\).*\(4, 5\)"):
        boundary_iou(np.ones((4, 4), bool), np.ones((4, 5), bool))


def test_photo_part(load, default_photos):
    """328 of 352 columns are the photo's: the rest is padding."""
    model = load("deeplab")
    part = photo_part(model, model.segment(default_photos["officer"]), (384, 352))
    assert part == (1, 328 / 352)
    assert on_photo(np.zeros((5, 24, 22)), part).shape == (5, 24, 21) and on_photo(np.eye(6), (1, 1)).shape == (6, 6)


def test_window():
    """An object with a margin of a twelfth of its sides, at least 4; all of the photo where there is none."""
    mask = np.zeros((100, 200), bool)
    assert mask[window(mask)].shape == mask.shape
    mask[20:68, 2:10] = True
    assert window(mask) == (slice(16, 72), slice(0, 14))


def found_pixels(*rows: list[int]) -> Segmentation:
    """An answer with these label ids."""
    labels = np.array(rows, np.uint8)
    return Segmentation.from_labels(Photo.from_pixels("x", np.zeros((*labels.shape, 3), np.uint8)), labels)


def test_trial_by_count():
    """The largest class before and after, by its own mask or by another truth, where something is known."""
    full, result = found_pixels([8, 8, 8, 0], [8, 8, 12, 0]), found_pixels([8, 8, 0, 0], [8, 12, 12, 8])
    trial = Trial((1,), full, result)
    assert trial.share == 3 / 8 and trial.iou == 3 / 6 and trial.label == "кошка"
    assert Trial((), full, full).iou == Trial((), full, full).boundary_iou == 1
    truth = result.labels == 8
    assert Trial((), full, result, truth).iou == 1
    assert Trial((), full, result, truth & False, np.zeros((2, 4), bool)).iou == 1
    nothing = found_pixels([0, 0], [0, 0])
    assert Trial((), nothing, nothing).label == "фон" and Trial((), nothing, nothing).iou == 1
