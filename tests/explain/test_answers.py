"""SAM's three answers: predicted and true IoU are what they say, with outlines and without."""

from __future__ import annotations

import re

import numpy as np
import pytest
from IPython.utils.capture import capture_output

from labkit.evaluation.annotations import find_ground_truth
from labkit.evaluation.metrics import iou
from labkit.explain.answers import (
    Judged,
    answers_figure,
    display_answers,
    display_ranking,
    judged,
    outline_of,
    ranking_figure,
    ranking_text,
    varied,
)
from labkit.figures import svg
from labkit.io.errors import LabkitError
from labkit.locale import use_language
from labkit.photos import Photo
from labkit.segmentation import Segment, Segmentation

NAMES = ("cat_kitten", "sheep", "horses")


@pytest.fixture(scope="module")
def results(default_photos):
    """Results on which nothing was found: where there is an outline, they are not needed."""
    return [Segmentation.nothing(default_photos[name]) for name in NAMES]


@pytest.fixture(scope="module")
def rows(load, results):
    """The answers to a point on each outlined object."""
    return judged(load("sam"), results)


def made(predicted: list[float], true: list[float] | None) -> Judged:
    """Answers with these scores on a photo of 1x100; the outline is its left half."""
    photo = Photo.from_pixels("x", np.full((1, 100, 3), 90, np.uint8))
    place = np.arange(100)[None]
    masks = [place < round(50 * share) for share in (true if true is not None else [0.5] * len(predicted))]
    segments = [Segment(n, 0, "object", s, m) for n, (s, m) in enumerate(zip(predicted, masks, strict=True), 1)]
    made_by = {"prompts": {"points": [[10.0, 0.0]], "point_labels": [1]}}
    answer = Segmentation(photo, np.ones((1, 100), np.int32), np.ones((1, 100)), segments, None, made_by)
    return Judged(answer, place < 50 if true is not None else None)


def test_only_outlined_photos_are_asked_about(rows, default_photos, root):
    """The kit's outlines lie beside the folder of its photos; the horses have none."""
    assert [row.answer.photo.name for row in rows] == ["cat_kitten", "sheep"]
    for row in rows:
        cat = find_ground_truth(row.answer.photo, root / "data" / "outlines").segments[0]
        assert np.array_equal(row.outline, cat.mask)
        ((x, y),) = row.answer.made_by["prompts"]["points"]
        assert cat.mask[int(y), int(x)] and row.answer.made_by["settings"]["answers"] == 3
    assert outline_of(default_photos["horses"]) is None
    assert outline_of(Photo.from_pixels("cat_kitten", default_photos["cat_kitten"].pixels)) is None


def test_numbers(rows, load):
    """Predicted: as segment_anything's decoder says, best first; true: the IoU with the outline."""
    row, model = rows[0], load("sam")
    model.set_photo(row.answer.photo)
    again = model.prompt(points=row.answer.made_by["prompts"]["points"])
    assert row.predicted == [s.score for s in again.segments] == sorted(row.predicted, reverse=True)
    assert row.true == [iou(s.mask, row.outline) for s in again.segments]
    assert 1 <= len(row.true) <= 3


def test_the_claim(rows):
    """On a large animal one of three answers is the animal, and the network knows that it is good."""
    for row in rows:
        assert max(row.true) > 0.7 and row.predicted[0] > 0.6


def test_without_outlines(load, default_photos, root):
    """One photo is asked about, at the innermost point of what was found on it; the true IoU is not known."""
    photo = Photo.from_pixels("моё фото", default_photos["cat_kitten"].pixels)
    found = find_ground_truth(default_photos["cat_kitten"], root / "data" / "outlines")
    found = Segmentation(photo, found.ids, found.confidence, found.segments)
    (row,) = judged(load("sam"), [Segmentation.nothing(Photo.from_pixels("y", photo.pixels[::-1].copy())), found])
    ((x, y),) = row.answer.made_by["prompts"]["points"]
    assert row.answer.photo is photo and found.segments[0].mask[int(y), int(x)]
    assert row.outline is None and row.true == [] and len(row.predicted) >= 1
    assert "labelme" in ranking_text([row])
    with use_language("en"):
        assert "labelme" in ranking_text([row])


def test_ranking_text():
    """By hand: on one photo of three the first answer is clearly worse than the best."""
    rows = [
        made([0.9, 0.8, 0.7], [0.8, 0.82, 0.5]),
        made([0.6, 0.5], [0.4, 0.9]),
        made([0.3], [0.6]),
        made([0.3], None),
    ]
    told = ranking_text(rows)
    assert "на 1 из 3 фото" in told and "0,05" in told
    assert "первого ответа 0,60" in told and "лучшего из трёх 0,77" in told and "для первого 0,60" in told
    with use_language("en"):
        assert "1 of 3 photos" in ranking_text(rows) and "0.77" in ranking_text(rows)


def test_varied():
    """The widest spread of the true IoU; without outlines, of the areas."""
    rows = [made([0.9, 0.8], [0.8, 0.7]), made([0.9, 0.8], [0.9, 0.1]), made([0.9], [0.5])]
    assert varied(rows) is rows[1]
    assert varied([made([], None)]).predicted == []


def test_answers_figure(rows, shell):
    """A panel an answer with both numbers, the point on each; small in a report and the same at every run."""
    row = rows[0]
    drawn = answers_figure(row)
    assert len(drawn.axes) == 1 + len(row.true) and all(len(ax.lines) == 1 for ax in drawn.axes)
    for ax, predicted, true in zip(drawn.axes[1:], row.predicted, row.true, strict=True):
        assert f"{predicted:.2f}".replace(".", ",") in ax.get_title()
        assert f"{true:.2f}".replace(".", ",") in ax.get_title()
    with use_language("en"):
        assert f"{row.true[0]:.2f}" in answers_figure(row).get_label()
    written = svg(drawn)
    assert len(written) < 60_000 and written == svg(answers_figure(row))
    with capture_output() as captured:
        display_answers(row)
    assert "image/svg+xml" in captured.outputs[0].data


def test_answers_figure_without_outline_or_answer():
    """Only the predicted IoU then, or that nothing was found."""
    with use_language("en"):
        assert answers_figure(made([0.4], None)).axes[1].get_title() == "answer 1: 0.40"
    assert "ничего не найдено" in answers_figure(made([], None)).get_label()


def test_ranking_figure(shell):
    """Every answer is a mark at its two numbers, each rank with a shape of its own."""
    rows = [made([0.9, 0.8, 0.7], [0.8, 0.82, 0.5]), made([0.6], [0.4])]
    ax = ranking_figure(rows).axes[0]
    first, second, third = ax.lines[1:]
    assert first.get_xydata() == pytest.approx(np.array([[0.9, 0.8], [0.6, 0.4]]))
    assert second.get_xydata() == pytest.approx(np.array([[0.8, 0.82]]))
    assert len({line.get_marker() for line in (first, second, third)}) == 3
    written = svg(ranking_figure(rows))
    places = [float(x) for x in re.findall(r"rotate\(-90 ([0-9.]+)", written)]
    assert places and min(places) > 7, "the axis's name is not cut off"
    with capture_output() as captured:
        display_ranking([made([0.4], None)])
    assert not captured.outputs
    with capture_output() as captured:
        display_ranking(rows)
    assert len(captured.outputs[0].data["image/svg+xml"]) < 20_000


def test_other_variants_are_refused(load, results):
    """With the model's name and what to load; without results that is said."""
    with pytest.raises(LabkitError, match=r"PSPNet.*load_model\(4\)"):
        judged(load("pspnet"), results)
    with pytest.raises(LabkitError):
        judged(load("sam"), [])
