"""Labelme's outlines and masks, also broken, hostile or odd ones."""

import base64
import json
import re
import time

import numpy as np
import pytest
from annotated import CAT_SHAPE, base64_png, blank, block, png_bytes, write_shapes

from labkit.evaluation.annotations import find_ground_truth
from labkit.evaluation.labelme import read_labelme
from labkit.io.errors import LabkitError


def test_overlapping_outlines(tmp_path):
    """Each outline keeps its whole mask; in `ids` the later one lies on top."""
    boxes = [("cat", [[0, 0], [59, 79]]), ("собака", [[40, 0], [99, 79]])]
    path = write_shapes(tmp_path / "x.json", *(rectangle(*box) for box in boxes))
    cat, dog = (truth := read_labelme(path, blank())).segments
    assert (cat.label, dog.label, cat.area, dog.area) == ("cat", "dog", 4800, 4800)
    assert np.count_nonzero(truth.ids == 1) == 3200 and np.array_equal(truth.ids == 2, dog.mask)


def rectangle(label, points):
    """A labelme shape between two corners."""
    return {"label": label, "shape_type": "rectangle", "points": points}


def test_rectangle_and_circle(tmp_path):
    """Two points are opposite corners, in whatever order, or a centre and a point of the circle."""
    circle = {"label": "dog", "shape_type": "circle", "points": [[70, 40], [70, 60]]}
    path = write_shapes(tmp_path / "x.json", rectangle("cat", [[39, 49], [20, 10]]), circle)
    cat, dog = read_labelme(path, blank()).segments
    assert np.array_equal(cat.mask, block(20, 10, 40, 50))
    rows, columns = np.mgrid[:80, :100]
    distance = np.hypot(columns - 70, rows - 40)
    assert dog.mask[distance < 19].all() and not dog.mask[distance > 21.5].any()


def test_mask_and_oriented_rectangle(tmp_path):
    """What labelme writes for whole objects; on a photo half as large every second pixel, at the edge cut off."""
    part = np.random.default_rng(0).random((20, 30)) < 0.5
    png = f"data:image/png;base64,{base64_png(part)[:9]}\n{base64_png(part)[9:]}"
    cut = {"label": "cat", "shape_type": "mask", "points": [[12, 40], [41, 59]], "mask": png}
    edge = {"label": "dog", "shape_type": "mask", "points": [[90, -5], [119, 14]], "mask": base64_png(part)}
    turned = {"label": "bird", "shape_type": "oriented_rectangle", "points": [[50, 60], [60, 50], [70, 60], [60, 70]]}
    path = write_shapes(tmp_path / "x.json", cut, edge, turned)
    whole, half = (read_labelme(path, blank(width=width, height=height)) for width, height in ((100, 80), (50, 40)))
    wanted = np.zeros((80, 100), bool)
    wanted[40:60, 12:42] = part
    assert np.array_equal(whole.mask_of("cat"), wanted) and np.array_equal(half.mask_of("cat"), wanted[1::2, 1::2])
    assert np.array_equal(whole.mask_of("dog")[:15, 90:], part[5:, :10])
    assert whole.mask_of("dog").sum() == part[5:, :10].sum() and 190 <= whole.mask_of("bird").sum() <= 231


def test_shapes_of_a_group(tmp_path):
    """One `group_id` is one object, in one class; shapes without are objects each."""
    cases = [("cat", 10, 1), ("cat", 60, 1), ("dog", 10, 1), ("sheep", 10, None), ("sheep", 60, None)]
    shapes = [{**rectangle(label, [[x, 10], [x + 10, 30]]), "group_id": group} for label, x, group in cases]
    truth = read_labelme(write_shapes(tmp_path / "x.json", *shapes), blank())
    alone = (10, 10, 21, 31)
    told = [("cat", (10, 10, 71, 31)), ("dog", alone), ("sheep", alone), ("sheep", (60, 10, 71, 31))]
    assert [(s.label, s.box) for s in truth.segments] == told
    assert truth.made_by == {"annotation": "x.json", "objects": True, "notes": []}


def test_places_that_do_not_count_and_holes(tmp_path):
    """`__ignore__` is unknown where no object is; an outline of the background cuts what was drawn before."""
    cat, ignored = rectangle("cat", [[0, 0], [49, 49]]), rectangle("__ignore__", [[40, 0], [69, 9]])
    path = write_shapes(tmp_path / "x.json", cat, rectangle("фон", [[10, 10], [19, 19]]), ignored)
    truth = read_labelme(path, blank())
    hole, unknown = block(10, 10, 20, 20), block(50, 0, 70, 10)
    assert np.array_equal(truth.mask_of("cat"), block(0, 0, 50, 50) & ~hole)
    assert np.array_equal(truth.ids > 0, block(0, 0, 50, 50) & ~hole)
    assert np.array_equal(truth.confidence == 0, unknown)


SIZE = '"imageWidth": 100, "imageHeight": 80'
THREE = "[[0, 0], [1, 1], [5, 0]]"


def shape(points, label='"cat"', kind='"polygon"', mask="null"):
    """The text of a labelme file of one shape."""
    parts = {"label": label, "points": points, "shape_type": kind, "mask": mask}
    return f'{{"shapes": [{{{", ".join(f"{json.dumps(key)}: {part}" for key, part in parts.items())}}}], {SIZE}}}'


def part(points, mask):
    """The same of a shape of kind `mask`; an array is what labelme would write."""
    encoded = mask if isinstance(mask, str) else base64_png(np.ones(mask))
    return shape(points, kind='"mask"', mask=json.dumps(encoded))


HUGE = base64.b64encode(png_bytes(1 << 15, 1 << 15, 8, 0, b"\0" * 1000)).decode()
BROKEN = {
    "empty": "",
    "a list": "[]",
    "no outlines": f"{{{SIZE}}}",
    "no size": '{"shapes": []}',
    "size of nothing": '{"shapes": [], "imageWidth": 0, "imageHeight": 80}',
    "size of everything": '{"shapes": [], "imageWidth": 100000000000, "imageHeight": 80000000000}',
    "size in letters": '{"shapes": [], "imageWidth": "ten", "imageHeight": "80"}',
    "points in words": shape('["abc"]'),
    "points of three": shape("[[0, 0, 0], [1, 1, 1], [2, 0, 0]]"),
    "points missing": shape("null"),
    "two points": shape("[[0, 0], [1, 1]]"),
    "points that are no numbers": shape("[[0, 0], [NaN, 1], [5, Infinity]]"),
    "points far away": shape("[[0, 0], [1e9, 0], [5, 1e300]]"),
    "a rectangle of three": shape(THREE, kind='"rectangle"'),
    "an oriented rectangle of three": shape(THREE, kind='"oriented_rectangle"'),
    "a shape of shapes": shape(THREE, kind="[[]]"),
    "a mask of nothing": shape("[[0, 0], [1, 1]]", kind='"mask"'),
    "a mask in words": part("[[0, 0], [1, 1]]", "кошка"),
    "a mask that is no picture": part("[[0, 0], [1, 1]]", "AAAA"),
    "a mask of another size": part("[[0, 0], [1, 1]]", (3, 2)),
    "a mask far away": part("[[1e300, 0], [1e300, 1]]", (2, 1)),
    "a mask of three": part(THREE, (2, 2)),
    "a mask of a thousand million pixels": part("[[0, 0], [32767, 32767]]", HUGE),
    "class a number": shape(THREE, "8"),
    "deep": "[" * 200_000,
    "a long number": shape("[[0, 0], [1, 1], [5, " + "9" * 5000 + "]]"),
    "too many shapes": shape("[]").replace("[{", "[" + "{}, " * 500 + "{", 1),
    "too many points": shape("[" + ",".join(["[1, 1]"] * 200_000) + "]"),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_broken_outlines(tmp_path, content):
    """The error names the file, not its folder."""
    (tmp_path / "x.json").write_text(content, encoding="utf-8")
    with pytest.raises(LabkitError) as caught:
        find_ground_truth(blank(), tmp_path)
    said = str(caught.value)
    assert "x.json" in said and str(tmp_path) not in said and "Error" not in said


ODD_SHAPES = {
    "a point": {"label": "dog", "shape_type": "point", "points": [[5, 5]]},
    "a line": {"label": "dog", "shape_type": "linestrip", "points": [[5, 5], [9, 9], [20, 5]]},
    "a flat polygon": {"label": "dog", "points": [[5, 5], [10, 10], [70, 70]]},
    "an unknown class": {"label": "тигр", "points": CAT_SHAPE["points"]},
    "no label": {"points": CAT_SHAPE["points"]},
    "no shape": "dog",
    "no points": {"label": "dog", "points": []},
    **{f"{end[0]} without end": {**CAT_SHAPE, "label": end * 50_000 + "x"} for end in ("1", "_", "cat")},
}


@pytest.mark.parametrize("odd", ODD_SHAPES.values(), ids=ODD_SHAPES)
def test_one_odd_shape(tmp_path, odd):
    """The rest counts at once, and the odd one is named by its number or class, without a word of Python."""
    started = time.process_time()
    truth = read_labelme(write_shapes(tmp_path / "x.json", odd, CAT_SHAPE), blank())
    assert [(s.label, s.area) for s in truth.segments] == [("cat", 2000)]
    (note,) = truth.made_by["notes"]
    assert note.startswith("x.json: ") and re.search("1|тигр|___|catcat", note) and "Error" not in note
    with pytest.raises(LabkitError, match="x.json"):
        read_labelme(write_shapes(tmp_path / "x.json", odd), blank())
    assert time.process_time() - started < 5


@pytest.mark.parametrize("kind", ["rectangle", "rotation", "quadrilateral"])
def test_four_points_and_the_background_by_its_other_name(tmp_path, kind):
    """As X-AnyLabeling writes it; `_background_` cuts a hole; a class is known without its dots."""
    hole = {"label": "_background_", "points": [[20, 20], [29, 20], [29, 29], [20, 29]]}
    path = write_shapes(tmp_path / "x.json", {**CAT_SHAPE, "label": "Самолет", "shape_type": kind}, hole)
    truth = read_labelme(path, blank())
    assert [(s.label, s.area) for s in truth.segments] == [("aeroplane", 1900)]


@pytest.mark.parametrize(
    "label, number",
    [("cat1", "cat2"), ("cat 1", "кошка 2"), ("cat_1", "cat-2"), ("Cat-1", "CAT 02"), ("cat (1)", "cat #2")],
)
def test_label_with_a_number(tmp_path, label, number):
    """The number tells objects of the class apart; what has the same one is one object."""
    shapes = [rectangle(name, [[x, 0], [x + 9, 9]]) for name, x in ((label, 0), (number, 30), (label, 60))]
    truth = read_labelme(write_shapes(tmp_path / "x.json", *shapes), blank())
    assert [(s.label, s.area) for s in truth.segments] == [("cat", 200), ("cat", 100)]
