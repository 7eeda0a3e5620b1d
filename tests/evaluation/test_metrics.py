"""The scores agree with scikit-learn's, and at the edges with their definitions."""

import warnings

import numpy as np
import pytest
from annotated import block
from scipy import ndimage
from scipy.sparse.csgraph import connected_components
from sklearn.feature_extraction.image import grid_to_graph
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, jaccard_score

from labkit.classes import IGNORE, VOC
from labkit.evaluation.annotations import find_ground_truth
from labkit.evaluation.metrics import class_scores, confusion, innermost, iou, mask_ap, overall_scores, regions
from labkit.segmentation import Segment


@pytest.fixture(scope="module")
def cat(default_photos):
    """The outlined cat of a photo, `HxW` bool."""
    return find_ground_truth(default_photos["cat_yarn"]).mask_of("cat")


@pytest.fixture(scope="module")
def labels():
    """Two random label maps of five classes; the second is partly unlabelled, and class 4 occurs in neither."""
    random = np.random.default_rng(7)
    predicted, truth = random.integers(0, 4, (2, 40, 50)).astype(np.uint8)
    truth[random.random(truth.shape) < 0.1] = IGNORE
    return predicted, truth


@pytest.mark.parametrize("step", [(0, 0), (3, 0), (-40, 25), (300, 0)])
def test_iou_and_dice(cat, step):
    """On the cat and its shifted copy: as scikit-learn counts, the same both ways, and Dice = 2·IoU / (1 + IoU)."""
    moved = np.roll(cat, step, axis=(0, 1))
    assert iou(moved, cat) == iou(cat, moved) == pytest.approx(jaccard_score(cat.ravel(), moved.ravel()))
    overlap, dice, _ = (scores[1] for scores in class_scores(confusion(moved, cat, 2)))
    assert overlap == iou(moved, cat) and dice == pytest.approx(f1_score(cat.ravel(), moved.ravel()))
    assert dice == pytest.approx(2 * overlap / (1 + overlap)) and (overlap == 1) == (step == (0, 0))


def test_empty_masks(cat):
    """Two empty masks agree; one empty mask and the complement have nothing in common with the cat."""
    empty = np.zeros_like(cat)
    assert iou(empty, empty) == 1.0
    assert iou(empty, cat) == iou(cat, empty) == iou(~cat, cat) == 0.0
    assert iou(cat.astype(np.uint8) * 255, cat) == 1.0  # any number but 0 is in the mask


@pytest.mark.parametrize("score", [iou, lambda a, b: confusion(a, b, 2)], ids=["iou", "confusion"])
def test_shapes_differ(score):
    """Both shapes are named, also where NumPy would broadcast them."""
    with pytest.raises(ValueError, match=r"\(1, 5\).*\(4, 5\)"):
        score(np.zeros((1, 5), np.uint8), np.zeros((4, 5), np.uint8))


def test_confusion(labels):
    """Rows are the truth, columns the prediction; unlabelled pixels do not count; photos add up."""
    predicted, truth = labels
    known = truth != IGNORE
    expected = confusion_matrix(truth[known], predicted[known], labels=range(5))
    matrix = confusion(predicted, truth, 5)
    assert np.array_equal(matrix, expected) and matrix.dtype == np.int64 and matrix.sum() == known.sum()
    halves = [confusion(predicted[half], truth[half], 5) for half in (np.s_[:13], np.s_[13:])]
    assert np.array_equal(sum(halves), matrix)
    predicted = np.where(known, predicted, 200)  # under an unlabelled pixel anything may stand
    assert np.array_equal(confusion(predicted, truth, 5), expected)


@pytest.mark.parametrize("wrong", [5, 254, IGNORE])
def test_labels_out_of_range(wrong):
    """A label that no class has must not be counted as another one's."""
    fine, bad = np.zeros((4, 5), np.uint8), np.full((4, 5), wrong, np.uint8)
    with pytest.raises(ValueError, match=f"labels.*{wrong}.*0 to 4"):
        confusion(bad, fine, 5)
    if wrong != IGNORE:
        with pytest.raises(ValueError, match=f"ground truth.*{wrong}.*0 to 4"):
            confusion(fine, bad, 5)


def test_scores_of_a_set(labels):
    """As scikit-learn counts; a class that only the model has counts 0 in the mean, one that occurs nowhere not."""
    predicted, truth = labels
    truth = np.where(truth == 3, 0, truth)
    matrix = confusion(predicted, truth, 5)
    known = truth != IGNORE
    true, given = truth[known], predicted[known]
    assert class_scores(matrix)[0][:4] == pytest.approx(jaccard_score(true, given, average=None))
    assert class_scores(matrix)[0][3] == 0 and np.isnan(class_scores(matrix)[0][4])
    expected = jaccard_score(true, given, average="macro"), accuracy_score(true, given)
    assert overall_scores(matrix) == pytest.approx(expected)


def test_nothing_labelled():
    """Where no pixel counts the scores are NaN, without a warning."""
    matrix = confusion(np.zeros((4, 5), np.uint8), np.full((4, 5), IGNORE, np.uint8), len(VOC))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(class_scores(matrix)).all() and np.isnan(overall_scores(matrix)).all()


NOTHING = np.zeros((64, 64), bool)


def _square(label_id: int, x: int, y: int, side: int, score: float = 1.0) -> Segment:
    return Segment(1, label_id, VOC.names[label_id], score, block(x, y, x + side, y + side, (64, 64)))


TWO = [_square(8, 0, 0, 20), _square(8, 40, 40, 20)]
MISS = [_square(8, 0, 0, 20, 0.9), _square(8, 0, 40, 20, 0.8), _square(8, 40, 40, 20, 0.7)]


@pytest.mark.parametrize(
    "found, objects, ap50, ap",
    [
        (TWO, TWO, 1, 1),
        (MISS, TWO, (51 * 1 + 50 * 2 / 3) / 101, (51 * 1 + 50 * 2 / 3) / 101),  # precision 1 up to half the recall
        ([_square(8, 0, 0, 16, 0.9)], [_square(8, 0, 0, 20)], 1, 0.3),  # IoU 0.64: at three of the ten thresholds
    ],
)
def test_ap_by_hand(found, objects, ap50, ap):
    """Masks that fit, a miss between two hits, one that is too small; a class beside it that is found exactly."""
    person = [_square(15, 10, 10, 30)]
    numbers = mask_ap([found, person], [objects, person], [NOTHING, NOTHING])
    assert numbers == {8: pytest.approx((ap50, ap)), 15: pytest.approx((1, 1))}


def test_ap_leaves_out_the_unknown():
    """A better-scored segment where nobody labelled costs nothing; anywhere else it does; nothing found is 0."""
    objects, unknown = [[_square(8, 0, 0, 20)]], NOTHING.copy()
    unknown[40:, 40:] = True
    found = [[_square(8, 42, 42, 20, 0.9), _square(8, 0, 0, 20, 0.5)]]
    assert mask_ap(found, objects, [unknown])[8][0] == pytest.approx(1)
    assert mask_ap(found, objects, [NOTHING])[8][0] == pytest.approx(0.5)
    assert mask_ap([[]], objects, [NOTHING]) == {8: (0.0, 0.0)}


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9, 1.0])
@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (30, 1), (24, 37)])
def test_regions(share, shape):
    """Those of the graph of neighbours that scikit-learn builds, the largest first."""
    mask = np.random.default_rng(0).random(shape) < share
    found = regions(mask)
    assert found.dtype == np.int32 and np.array_equal(found > 0, mask)
    count, labels = connected_components(grid_to_graph(*shape, mask=mask)) if mask.any() else (0, [])
    pairs = set(zip(found[mask].tolist(), np.asarray(labels).tolist(), strict=True))
    assert len(pairs) == count == found.max(initial=0)
    sizes = np.bincount(found[mask])[1:].tolist()
    assert sizes == sorted(sizes, reverse=True)


def test_innermost(outlined):
    """Of a square, a club, a ring, a dot, a cat: what is left last when one pixel at a time is taken off around."""
    square = block(20, 10, 41, 31, (60, 90))
    club = square | block(41, 19, 90, 22, (60, 90))
    ring, dot = club & ~block(22, 12, 39, 29, (60, 90)), block(0, 4, 1, 5, (5, 5))
    for mask in (square, club, ring, dot, outlined.segments[0].mask):
        x, y = innermost(mask)
        left = np.pad(mask, 1)
        while (smaller := ndimage.binary_erosion(left, np.ones((3, 3)))).any():
            left = smaller
        assert left[y + 1, x + 1]
    assert innermost(square) == (30, 20)  # of several the middle one
