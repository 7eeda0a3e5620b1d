"""Several models on the same photos: the masks that are compared, IoU against a count by hand, table and figures."""

import re
from dataclasses import replace

import numpy as np
import pytest
from annotated import block
from drawn import found, grey, words

from labkit.classes import VOC, label_set
from labkit.comparison import figures as comparison
from labkit.figures import svg
from labkit.io.errors import LabkitError
from labkit.locale import use_language
from labkit.segmentation import MIN_SHARE, Segment, Segmentation

SIZE = (20, 30)
TITLES = ["DeepLabV3+", "U-Net", "Mask R-CNN"]


def rows(start: int, end: int) -> np.ndarray:
    """A mask of whole rows, 30 pixels each."""
    return block(0, start, 30, end, SIZE)


def result(name: str, mask: np.ndarray, label: str = "cat", **made_by) -> Segmentation:
    """A semantic result with one class on a grey photo."""
    return Segmentation.from_labels(grey(*mask.shape, name), mask * np.uint8(VOC.id(label)), made_by=made_by)


def objects(name: str, *masks: np.ndarray, label: str = "cat") -> Segmentation:
    """An instance result whose masks may overlap."""
    return found(masks, [VOC.id(label)] * len(masks), [0.9] * len(masks), size=SIZE, name=name)


@pytest.fixture
def three():
    """Three models, not in their order, on four photos: all, one, two and none of them find the cat."""
    return {
        6: [
            objects("a", rows(0, 6), rows(4, 10)),
            objects("b"),
            objects("c", rows(0, 5)),
            objects("d", rows(0, 9), label="dog"),
        ],
        1: [result(name, rows(0, end), seconds=0.004) for name, end in zip("abcd", (10, 0, 5, 0), strict=True)],
        2: [result(name, rows(0, end), seconds=0.25) for name, end in zip("abcd", (5, 4, 0, 0), strict=True)],
    }


def cells(told: str) -> list[list[str]]:
    """The cells of a table in plain text, without the line below its head."""
    lines = told.splitlines()
    starts = [match.start() for match in re.finditer("─+", lines[1])]
    assert all(line[start - 2 : start].strip() == "" for line in lines for start in starts[1:])
    ends = [*starts[1:], None]
    return [[line[a:b].strip() for a, b in zip(starts, ends, strict=True)] for n, line in enumerate(lines) if n != 1]


@pytest.mark.parametrize("given", ["кошка", "cat", " Кошка ", "CAT"])
def test_class_name(given):
    """Either language in any case gives the name in the language that is asked for."""
    assert comparison.class_name(given) == "кошка"
    with use_language("en"):
        assert comparison.class_name(given) == "cat"


@pytest.mark.parametrize("given", ["кот", "", "фон", "background", None, 8])
def test_unknown_class(given):
    """What is no class, and the background, is answered with the list of those that can be sought."""
    with pytest.raises(LabkitError) as caught:
        comparison.class_name(given)
    told = str(caught.value)
    assert repr(given) in told and all(name in told for name in VOC.names_ru[1:]) and "фон," not in told


NONE, NAN = rows(0, 0), float("nan")


@pytest.mark.parametrize(
    "masks, expected",
    {
        "rows 0-9 and 5-14 share 5 of 15, rows 0-9 and 0-4 share 5 of 10: their mean, and 1 with itself": (
            [[rows(0, 10), rows(0, 10)], [rows(5, 15), rows(0, 5)]],
            [[1, (5 / 15 + 5 / 10) / 2], [(5 / 15 + 5 / 10) / 2, 1]],
        ),
        "both empty: the photo does not count; one empty: 0; no photo left: NaN, with itself too": (
            [[rows(0, 10), NONE, NONE], [rows(0, 10), NONE, rows(0, 2)], [NONE, NONE, NONE]],
            [[1, 1 / 2, 0], [1 / 2, 1, 0], [0, 0, NAN]],
        ),
        "one photo": ([[rows(0, 4)], [rows(0, 1)]], [[1, 1 / 4], [1 / 4, 1]]),
        "one model": ([[rows(0, 4)]], [[1]]),
        "no photo": ([[]], [[NAN]]),
        "no model": ([], np.zeros((0, 0))),
    }.values(),
)
def test_agreement_by_hand(masks, expected):
    """The mean IoU between each two, as counted by hand."""
    matrix = comparison.agreement(dict(enumerate(masks)))
    np.testing.assert_allclose(matrix, np.array(expected, float))


@pytest.mark.parametrize("pixels, kept", [(2, False), (3, True)])
def test_stray_pixels(pixels, kept):
    """Less than half a per cent of the photo (here 3 pixels) counts as nothing found."""
    assert comparison.masks_of({1: [result("a", block(0, 0, pixels, 1, SIZE))]}, "cat")[1][0].any() == kept


def test_boxes():
    """The detector's objects of the class; else the box of the other mask; else nothing."""
    found, semantic = objects("a", rows(0, 6), rows(4, 10)), result("a", rows(3, 8))
    assert comparison.boxes(found, semantic, "кошка") == [(0, 0, 30, 6), (0, 4, 30, 10)]
    assert comparison.boxes(objects("a", rows(0, 6), label="dog"), semantic, "кошка") == [(0, 3, 30, 8)]
    assert comparison.boxes(objects("a"), result("a", rows(3, 8), "dog"), "кошка") == []
    assert comparison.boxes(objects("a"), result("a", block(0, 0, 2, 1, SIZE)), "кошка") == []


def test_joined():
    """The best answer to each box, as one mask that has the class; the rest says what was asked."""
    photo, answers = grey(*SIZE), []
    for first, second, box in ((rows(0, 4), rows(0, 20), [0, 0, 30, 4]), (rows(3, 8), rows(9, 10), [0, 3, 30, 8])):
        segments = [Segment(1, 0, "object", 0.9, first), Segment(2, 0, "object", 0.5, second)]
        made_by = {"variant": "sam", "prompts": {"box": box}, "seconds": 0.1}
        answers.append(Segmentation(photo, first.astype(np.int32), np.float32(0.75) * first, segments, None, made_by))
    found = comparison.joined(photo, answers, "кошка", 1.23456)
    assert np.array_equal(found.mask_of("cat"), rows(0, 8)) and found.segments[0].score == pytest.approx(0.75)
    asked = {"boxes": [[0, 0, 30, 4], [0, 3, 30, 8]]}
    assert found.made_by == {"variant": "sam", "prompts": asked, "seconds": 1.2346}
    assert answers[0].made_by["seconds"] == 0.1 and "box" in answers[0].made_by["prompts"]
    nothing = comparison.joined(photo, [], "кошка", 0.001)
    assert not nothing.mask_of("cat").any() and nothing.made_by == {}


def test_aligned(three, capsys):
    """A photo that one model failed on is compared in none, one that failed on all is left out; both are said."""
    assert comparison.aligned(three) == three and comparison.aligned({}) == {} and capsys.readouterr().out == ""
    assert comparison.aligned({**three, 3: []}) == three
    assert capsys.readouterr().out == "FCN-8s не справилась ни с одним фото и в сравнении не участвует.\n"
    del three[1][1]
    assert [[r.photo.name for r in found] for found in comparison.aligned(three).values()] == [["a", "c", "d"]] * 3
    assert capsys.readouterr().out == "Не участвуют фото, с которыми справились не все модели: b.\n"


def test_by_photo(three):
    """Photo after photo, the models in their order, masks as they are; a segment's pixels have its score."""
    three[4] = [comparison.joined(found.photo, [], "кошка") for found in three[1]]
    shown = comparison.by_photo(three)
    models = ["deeplab", "unet", "sam", "mask_rcnn"]
    assert [(r.photo.name, r.made_by["variant"]) for r in shown[:5]] == [*(("a", m) for m in models), ("b", "deeplab")]
    assert [r.photo.name for r in shown[::4]] == list("abcd") and len(shown) == 16
    for number, results in three.items():
        for plain, given in zip(shown[sorted(three).index(number) :: 4], results, strict=True):
            assert plain.ids is given.ids and plain.segments is given.segments
            for segment in plain.segments:
                assert (plain.confidence[plain.ids == segment.id] == np.float32(segment.score)).all()
            assert not plain.confidence[plain.ids == 0].any()
    assert comparison.by_photo({}) == []


@pytest.mark.parametrize("digits, seconds", [(1, ("≤0,1", "0,2", "—")), (2, ("≤0,01", "0,25", "—"))])
def test_table(three, digits, seconds):
    """A row a variant in their order, each number against a count by hand; with two digits the quick ones differ."""
    sizes = {1: 6_717_218, 2: 7_782_098, 6: 11_189_498}
    head, *body = cells(comparison.table(three, "кошка", sizes, digits))
    assert head == ["модель", "найдено", "площадь", "согласие", "с на фото", "веса, МБ"]
    # IoU: 1 and 2: a 0.5, b 0, c 0; 1 and 6: a 1, c 1; 2 and 6: as 1 and 2
    assert body == [
        ["1 DeepLabV3+", "2 из 4", "38\xa0%", "0,58", seconds[0], "6,7"],
        ["2 U-Net", "2 из 4", "22\xa0%", "0,17", seconds[1], "7,8"],
        ["6 Mask R-CNN", "2 из 4", "38\xa0%", "0,58", seconds[2], "11,2"],
    ]


def test_table_with_nothing_to_say(three):
    """A class that is nowhere, and a model without others: dashes, and no warning of a mean over nothing."""
    sizes = dict.fromkeys(three, 0)
    assert {tuple(row[1:5]) for row in cells(comparison.table({2: three[2], 6: three[6]}, "овца", sizes))[1:]} == {
        ("0 из 4", "—", "—", "0,2"),
        ("0 из 4", "—", "—", "—"),
    }
    assert cells(comparison.table({2: three[2]}, "кошка", sizes))[1][3] == "—"


def test_the_clearest_photo_is_where_looking_begins(three):
    """The photo of which the models together give most to the class; none where there is no photo."""
    assert comparison.clearest(three, "кошка").name == "a" and comparison.clearest({}, "кошка") is None


def test_areas(three):
    """A row a photo, a column a model, no seconds in it: the same at every run."""
    assert cells(comparison.areas(three, "кошка")) == [
        ["фото", *TITLES],
        ["a", "50\xa0%", "25\xa0%", "50\xa0%"],
        ["b", "—", "20\xa0%", "—"],
        ["c", "25\xa0%", "—", "25\xa0%"],
        ["d", "—", "—", "—"],
    ]
    assert comparison.areas({}, "кошка") == "Показывать нечего: нет ни одного результата."


def test_masks_figures(three):
    """A figure for each photo that shows the class to some model, with its name and the titles; the rest in a line."""
    found = comparison.masks_figures(three, "кошка")
    drawn = [svg(one) for one in found]
    assert [words(one)[-1] for one in drawn] == ["a", "b", "c"]
    assert words(drawn[0]) == ["DeepLabV3+", "50\xa0%", "U-Net", "25\xa0%", "Mask R-CNN", "50\xa0%", "a"]
    assert all(one.count("data:image/webp") == 3 and "image/png" not in one for one in drawn)
    assert "<title>b, кошка: DeepLabV3+, —; U-Net, 20\xa0%; Mask R-CNN, —</title>" in drawn[1]
    assert found.said == "Ни одна модель не нашла класс «кошка» на фото: d."


def test_masks_figure_shows_the_mask(outlined):
    """The cat is tinted in its class's colour, the rest of the photo is as it was; its name is text, not markup."""
    photo, mask = replace(outlined.photo, name="$x_1$ <b>"), outlined.mask_of("cat")
    masks = {1: mask, 2: np.zeros_like(mask)}
    drawn = comparison.masks_figure(photo, masks, "кошка")
    tinted, bare = (ax.images[0].get_array() for ax in drawn.axes)
    share = (tinted != bare).any(2).mean()
    assert share == pytest.approx(mask.mean(), abs=0.02)
    written = svg(drawn)
    assert words(written)[-1] == "$x_1$ <b>" and len(written) < 30_000
    assert written == svg(comparison.masks_figure(photo, masks, "cat"))


def test_agreement_figure(three):
    """Both axes name the models; each pair has its number twice, white on dark, black on light, the diagonal none."""
    figure = comparison.agreement_figure(three, "кошка")
    drawn, told = svg(figure), {(told.get_text(), told.get_color()) for told in figure.axes[0].texts}
    assert sorted(words(drawn)) == sorted([*TITLES * 2, *["0,17"] * 4, *["1,00"] * 2])
    assert told == {("0,17", "white"), ("1,00", "black")}
    assert drawn == svg(comparison.agreement_figure(three, "cat")) and "<image" not in drawn
    assert words(svg(comparison.agreement_figure(three, "овца"))).count("—") == 6


def test_no_results():
    """With nothing to show a sentence says so."""
    nothing = "Показывать нечего: нет ни одного результата."
    assert comparison.masks_figures({}, "кошка").said == nothing
    assert words(svg(comparison.agreement_figure({1: []}, "кошка"))) == [nothing]


def test_other_label_sets():
    """A class is found by its name in COCO's set as well; where the set does not have it, the mask is empty."""
    photo, coco, people = grey(*SIZE), label_set("COCO"), label_set("people")
    cat = Segmentation.from_labels(photo, rows(0, 10) * np.uint8(coco.id("cat")), classes=coco)
    person = Segmentation.from_labels(photo, rows(0, 10) * np.uint8(1), classes=people)
    masks = comparison.masks_of({1: [cat], 2: [person]}, "кошка")
    assert np.array_equal(masks[1][0], rows(0, 10)) and not masks[2][0].any()
    for pair in ((cat, person), (person, cat)):
        assert comparison.boxes(*pair, "кошка") == [(0, 0, 30, 10)]


def test_the_notebook_s_numbers(root):
    """What `compare.ipynb` says of input sizes and of empty masks is what the code does."""
    from labkit.models import mask_rcnn, sam

    notebook = (root / "notebooks" / "compare.ipynb").read_text(encoding="utf-8")
    assert f"крупнее: {mask_rcnn.SIDE} и {sam.SIDE} пикселей по длинной стороне" in notebook
    assert f"маска меньше {100 * MIN_SHARE:.1f}\xa0% фото считается пустой".replace(".", ",") in notebook
