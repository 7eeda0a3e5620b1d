"""Figures of prompted results: every mark where the prompt was, every answer alone, nothing by colour only."""

import numpy as np
import pytest
from drawn import found, pictures
from drawn import words as all_words

from labkit.explain.prompts import prompt_figure
from labkit.figures import svg
from labkit.io.errors import LabkitError
from labkit.io.rle import encode_mask
from labkit.locale import use_language
from labkit.segmentation import Segmentation

POINTS = {"points": [[700.0, 20.0], [350.0, 250.0], [10.0, 590.0]], "point_labels": [0, 1, 0]}
BOX = {"box": [80.0, 60.0, 520.0, 480.0]}
CONTOUR = {"polygon": [[100.0, 100.0], [700.0, 100.0], [400.0, 500.0]]}


def answered(prompts: dict | None, *scores: float, shape: tuple[int, int] = (600, 800)) -> Segmentation:
    """A grey photo with an answer a score: the n-th is the left n-th part of the photo."""
    masks = [np.arange(shape[1])[None].repeat(shape[0], 0) < shape[1] / n for n in range(1, len(scores) + 1)]
    made_by = {"variant": "sam", **({"prompts": prompts} if prompts else {})}
    return found(masks, [0] * len(masks), scores, classes=None, made_by=made_by, size=shape)


def words(result: Segmentation) -> list[str]:
    """The text in its figure, without the numbers on the axes."""
    return [word for word in all_words(prompt_figure(result)) if not word.isdecimal()]


@pytest.mark.parametrize(
    "prompts, ru, en",
    [
        (POINTS, ["точка объекта", "точка фона"], ["object point", "background point"]),
        ({"points": [[3.0, 4.0]], "point_labels": [1]}, ["точка объекта"], ["object point"]),
        (BOX, ["рамка"], ["box"]),
        ({**BOX, **CONTOUR}, ["контур", "рамка"], ["contour", "box"]),
        ({"mask": encode_mask(np.eye(600, 800) > 0)}, ["маска"], ["mask"]),
    ],
)
def test_legend_names_what_was_asked(prompts, ru, en):
    """One entry a kind of prompt that is there, in the language asked for; the IoU with its decimal sign."""
    assert words(answered(prompts, 0.874)) == ["x", "ответ 1: 0,87", *ru]
    with use_language("en"):
        assert words(answered(prompts, 0.874)) == ["x", "answer 1: 0.87", *en]


def test_marks_are_where_the_prompts_were():
    """In the photo's pixels, although the picture in the panel is smaller than the photo."""
    ax = prompt_figure(answered({**POINTS, **BOX, **CONTOUR}, 0.5)).axes[0]
    assert ax.images[0].get_extent() == [0, 800, 600, 0] and max(ax.images[0].get_size()) <= 420
    assert (ax.get_xlim(), ax.get_ylim()) == ((0, 800), (600, 0))
    marks = {line.get_label(): line for line in ax.lines}
    assert marks["точка объекта"].get_xydata().tolist() == [[350.5, 250.5]]
    assert marks["точка фона"].get_xydata().tolist() == [[700.5, 20.5], [10.5, 590.5]]
    contour = CONTOUR["polygon"]
    assert (marks["контур"].get_xydata() - 0.5).tolist() == [*contour, contour[0]]
    (box,) = ax.patches
    assert box.get_bbox().extents.tolist() == [80, 60, 520, 480]


def test_marks_differ_in_shape():
    """Whoever sees no colours can tell them apart."""
    lines = prompt_figure(answered({**POINTS, **CONTOUR}, 0.5)).axes[0].lines
    assert len({line.get_marker() for line in lines}) == len({line.get_color() for line in lines}) == 3
    assert [line.get_linestyle() for line in lines] == ["-", "None", "None"]


def test_every_answer_alone_and_whole():
    """A panel an answer, best first, also where one lies under another; the photo itself is not painted over."""
    result = answered(POINTS, 0.9, 0.5, 0.25)
    assert words(result)[1:4] == ["ответ 1: 0,90", "ответ 2: 0,50", "ответ 3: 0,25"]
    photo, *answers = pictures(svg(prompt_figure(result)))
    assert np.abs(photo - 90).max() < 8
    for n, answer in enumerate(answers, start=1):
        blue = answer[..., 2] - answer[..., 0] > 30
        assert blue.mean() == pytest.approx(1 / n, abs=0.03)
        assert not blue[:, -(-answer.shape[1] // n) + 8 :].any()


def test_mask_prompt_is_tinted():
    """The mask to start from is seen on the first panel."""
    mask = np.zeros((600, 800), bool)
    mask[:300, :400] = True
    photo = pictures(svg(prompt_figure(answered({"mask": encode_mask(mask)}, 0.5))))[0]
    assert (photo[..., 2] - photo[..., 0] > 30).mean() == pytest.approx(0.25, abs=0.03)


def test_nothing_found_is_said():
    """In words, beside the prompt."""
    assert words(answered(POINTS)) == ["x", "ничего не найдено", "точка объекта", "точка фона"]


def test_without_prompts():
    """A result of the automatic mode is refused with the function that shows it."""
    with pytest.raises(LabkitError, match="figures.figures"):
        prompt_figure(answered(None, 0.5))


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (2000, 3)])
def test_odd_shapes(shape):
    """A photo of one pixel, of one row or a narrow one still makes a figure, the same at every run."""
    result = answered({"points": [[0.0, 0.0]], "point_labels": [1]}, 0.5, shape=shape)
    drawn = svg(prompt_figure(result))
    assert len(pictures(drawn)) == 2 and drawn == svg(prompt_figure(result))
