"""SAM's figures: every prompt and answer where it belongs, nothing by colour only; components as colours."""

import re

import numpy as np
import pytest
import torch
from drawn import found, grey, pictures
from drawn import words as all_words
from PIL import Image

from labkit.explain import sam
from labkit.figures import panels, svg
from labkit.io.errors import LabkitError
from labkit.io.rle import encode_mask
from labkit.models.sam import OUTLINE_LOGIT
from labkit.segmentation import Segmentation

POINTS = {"points": [[700.0, 20.0], [350.0, 250.0], [10.0, 590.0]], "point_labels": [0, 1, 0]}
BOX = {"box": [80.0, 60.0, 520.0, 480.0]}
CONTOUR = {"polygon": [[100.0, 100.0], [700.0, 100.0], [400.0, 500.0]]}


def test_colors():
    """Brightness rises with the first component, blue falls with the second, red against green follows the third."""
    ramp = np.linspace(-1, 1, 50)
    flat = np.zeros((1, 50))
    for place, (rises, falls) in enumerate([((0, 1, 2), ()), ((0, 1), (2,)), ((0,), (1,))]):
        maps = np.stack([ramp[None] if n == place else flat for n in range(3)])
        colors = sam.component_colors(maps)[0].astype(int)
        assert all(colors[-1, c] > colors[0, c] for c in rises) and all(colors[-1, c] < colors[0, c] for c in falls)
    assert sam.component_colors(np.zeros((1, 4, 5))).shape == (4, 5, 3)


def test_embedding_figure(default_photos):
    """The photo and as many squares as there are places; a component's sign does not matter."""
    maps = torch.randn(3, 48, 64, generator=torch.Generator().manual_seed(0))
    one, other = (sam.embedding_figure(default_photos["cat_kitten"], m, "карта") for m in (maps, -maps))
    squares = [np.asarray(drawn.axes[1].images[0].get_array()) for drawn in (one, other)]
    assert np.array_equal(*squares) and squares[0].shape[1] % 64 == 0
    assert one.axes[1].get_title() == "карта" and len(svg(one)) < 60_000


def test_part_of_the_input(load):
    """The longer side fills the encoder's square, the shorter one its share of it."""
    assert sam.sam_part(load("sam"), grey(60, 120)) == (0.5, 1)


def test_prompts_on_the_photo_and_on_their_maps(default_photos):
    """Each prompt on the photo and on its own panel: its map where one was drawn, else grey."""
    photo = default_photos["cat_kitten"]
    logits = torch.full((128, 128), -OUTLINE_LOGIT)
    logits[:, :64] = OUTLINE_LOGIT
    asked = {
        "точка": ({"points": [[300, 400]], "point_labels": [1]}, None),
        "рамка": ({"box": [9, 9, 400, 600]}, logits),
    }
    drawn = sam.encoded_figure(photo, asked, (0.75, 1))
    whole, point, box, bar = drawn.axes
    assert len(whole.lines) == len(point.lines) == 1 and len(whole.patches) == len(box.patches) == 1
    pixels = np.asarray(box.images[0].get_array(), int)[..., :3].sum(-1)
    assert pixels[:, 5].min() > pixels[:, -5].max() and len(np.unique(np.asarray(point.images[0].get_array()))) == 1
    assert bar.get_ylabel() == "логиты" and len(svg(drawn)) < 60_000


def test_marks_on_a_narrow_photo():
    """The picture stands in the middle of its panel then; the axes count the photo's pixels all the same."""
    image = Image.new("RGB", (10, 100))
    (ax,) = panels([image], ["x"], 1, 1.0, size=(200, 20)).axes
    sam.draw_prompts(ax, {"points": [[0, 0], [19, 199]], "point_labels": [1, 0], "box": [0, 0, 20, 200]})
    left, right, bottom, top = ax.images[0].get_extent()
    assert left == pytest.approx(20 - right) and left < 0 and (top, bottom) == (0, 200)
    assert (right - left) / 200 == pytest.approx(np.divide(*ax.images[0].get_size()[::-1]))
    first, second = (line.get_xydata()[0] for line in ax.lines)
    assert first == pytest.approx([0.5, 0.5]) and second == pytest.approx([19.5, 199.5])
    assert [line.get_marker() for line in ax.lines] == ["*", "X"]
    assert ax.patches[0].get_bbox().extents == pytest.approx([0, 0, 20, 200])


def test_prompts_for_any_mask(load):
    """A speck, a strip, all of the photo and two parts make prompts that the model takes."""
    model, masks = load("sam"), np.zeros((4, 40, 60), bool)
    model.set_photo(grey(40, 60))
    masks[0, 3, 4] = masks[1, 7] = masks[2] = masks[3, :10, :10] = masks[3, 15:39, 20:50] = True
    for mask in masks:
        asked = sam.prompts_for(mask)
        assert list(asked) == ["point", "box", "point_box", "contour"]
        for prompt in asked.values():
            model.prompt(**prompt)
    assert min(x for x, _ in sam.prompts_for(masks[3])["contour"]["polygon"]) > 19, "the largest part"


def test_the_object_that_is_prompted_for():
    """The surest of the large ones, be it not the largest; the largest where all are small; else the photo's middle."""
    floor, dog, speck, dot = np.zeros((4, 100, 100), bool)
    floor[50:] = dog[20:50, 20:50] = speck[:10, :10] = dot[:2, 50:52] = True
    assert sam.object_of(found([floor, dog, speck], scores=[0.8, 0.9, 0.99])) is dog
    assert sam.object_of(found([dot, speck], scores=[0.99, 0.5])) is speck
    mask = sam.object_of(Segmentation.nothing(grey(300, 451)))
    assert mask.shape == (300, 451) and mask[150, 225] and not mask[0].any() and 0.2 < mask.mean() < 0.3
    assert sam.object_of(Segmentation.nothing(grey(1, 1))).all()


def test_ranking_figure():
    """Every answer is a mark at its two numbers, each rank with a shape of its own; none: a sentence."""
    drawn = sam.ranking_figure([[0.9, 0.8, 0.7], [0.6]], [[0.8, 0.82, 0.5], [0.4]])
    first, second, third = drawn.axes[0].lines[1:]
    assert first.get_xydata() == pytest.approx(np.array([[0.9, 0.8], [0.6, 0.4]]))
    assert second.get_xydata() == pytest.approx(np.array([[0.8, 0.82]]))
    assert len({line.get_marker() for line in (first, second, third)}) == 3
    written = svg(drawn)
    places = [float(x) for x in re.findall(r"rotate\(-90 ([0-9.]+)", written)]
    assert places and min(places) > 7, "the axis's name is not cut off"
    assert len(written) < 20_000 and "нужна разметка" in svg(sam.ranking_figure([], []))


def test_stranger():
    """The best of what lies in the background, is large enough and no backdrop."""
    shape = (100, 100)
    known, free, speck, edge, half = np.zeros((5, *shape), bool)
    known[10:40, 10:40] = free[50:80, 50:80] = speck[90:94, 90:94] = True
    edge[60:, 60:] = half[20:50, 20:50] = True
    semantic = found([known])
    result = found([known, speck, edge, half, free])
    assert sam.stranger(result, semantic).mask is free
    assert sam.stranger(found([known, speck]), semantic) is None


def answered(prompts: dict | None, *scores: float, shape: tuple[int, int] = (600, 800)) -> Segmentation:
    """A grey photo with an answer a score: the n-th is the left n-th part of the photo."""
    masks = [np.arange(shape[1])[None].repeat(shape[0], 0) < shape[1] / n for n in range(1, len(scores) + 1)]
    made_by = {"variant": "sam", **({"prompts": prompts} if prompts else {})}
    return found(masks, [0] * len(masks), scores, classes=None, made_by=made_by, size=shape)


def words(result: Segmentation) -> list[str]:
    """The text in its figure, without the numbers on the axes."""
    return [word for word in all_words(sam.prompt_figure(result)) if not word.isdecimal()]


@pytest.mark.parametrize(
    "prompts, scores, said",
    [
        (POINTS, [0.874], ["ответ 1: 0,87", "точка объекта", "точка фона"]),
        ({"points": [[3.0, 4.0]], "point_labels": [1]}, [0.5], ["ответ 1: 0,50", "точка объекта"]),
        ({**BOX, **CONTOUR}, [0.5], ["ответ 1: 0,50", "контур", "рамка"]),
        ({"mask": encode_mask(np.eye(600, 800) > 0)}, [0.5], ["ответ 1: 0,50", "маска"]),
        (POINTS, [], ["ничего не найдено", "точка объекта", "точка фона"]),
    ],
)
def test_words_of_a_prompt(prompts, scores, said):
    """The IoU with its decimal comma, or that nothing was found, and one entry a kind of prompt that is there."""
    assert words(answered(prompts, *scores)) == ["x", *said]


def test_marks_are_where_the_prompts_were():
    """In the photo's pixels, although the panel's picture is smaller; each kind has a shape and a colour of its own."""
    ax = sam.prompt_figure(answered({**POINTS, **BOX, **CONTOUR}, 0.5)).axes[0]
    assert ax.images[0].get_extent() == [0, 800, 600, 0] and max(ax.images[0].get_size()) <= 420
    assert (ax.get_xlim(), ax.get_ylim()) == ((0, 800), (600, 0))
    marks = {line.get_label(): line for line in ax.lines}
    assert marks["точка объекта"].get_xydata().tolist() == [[350.5, 250.5]]
    assert marks["точка фона"].get_xydata().tolist() == [[700.5, 20.5], [10.5, 590.5]]
    contour = CONTOUR["polygon"]
    assert (marks["контур"].get_xydata() - 0.5).tolist() == [*contour, contour[0]]
    assert len({line.get_marker() for line in ax.lines}) == len({line.get_color() for line in ax.lines}) == 3
    (box,) = ax.patches
    assert box.get_bbox().extents.tolist() == [80, 60, 520, 480]


def test_every_answer_alone_and_whole():
    """A panel an answer, best first, also where one lies under another; the photo itself is not painted over."""
    result = answered(POINTS, 0.9, 0.5, 0.25)
    assert words(result)[1:4] == ["ответ 1: 0,90", "ответ 2: 0,50", "ответ 3: 0,25"]
    photo, *answers = pictures(svg(sam.prompt_figure(result)))
    assert np.abs(photo - 90).max() < 8
    for n, answer in enumerate(answers, start=1):
        blue = answer[..., 2] - answer[..., 0] > 30
        assert blue.mean() == pytest.approx(1 / n, abs=0.03)
        assert not blue[:, -(-answer.shape[1] // n) + 8 :].any()


def test_mask_prompt_is_tinted():
    """The mask to start from is seen on the first panel."""
    mask = np.zeros((600, 800), bool)
    mask[:300, :400] = True
    photo = pictures(svg(sam.prompt_figure(answered({"mask": encode_mask(mask)}, 0.5))))[0]
    assert (photo[..., 2] - photo[..., 0] > 30).mean() == pytest.approx(0.25, abs=0.03)


def test_without_prompts():
    """A result of the automatic mode is refused with the function that shows it."""
    with pytest.raises(LabkitError, match="figures.figures"):
        sam.prompt_figure(answered(None, 0.5))


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (2000, 3)])
def test_odd_shapes(shape):
    """A photo of one pixel, of one row or a narrow one still makes a figure, the same at every run."""
    result = answered({"points": [[0.0, 0.0]], "point_labels": [1]}, 0.5, shape=shape)
    drawn = svg(sam.prompt_figure(result))
    assert len(pictures(drawn)) == 2 and drawn == svg(sam.prompt_figure(result))
