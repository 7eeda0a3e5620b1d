"""Entries of annotation files that are broken, hostile or odd: named, and only as dear as they must be."""

from __future__ import annotations

import base64
import json
import time

import numpy as np
import pytest
from annotated import base64_png, blank, block, header, header_bytes, runs_of, write_coco, write_outline, write_shapes
from PIL import Image, ImageDraw

from labkit.evaluation.annotations import find_ground_truth, read_coco, read_labelme
from labkit.io.errors import LabkitError
from labkit.io.rle import encode_mask

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


HUGE = base64.b64encode(header_bytes(1 << 15, 1 << 15)).decode()
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
    "a line": shape("[[0, 0], [1, 1]]", kind='"line"'),
    "a shape of shapes": shape(THREE, kind="[[]]"),
    "a mask of nothing": shape("[[0, 0], [1, 1]]", kind='"mask"'),
    "a mask in words": part("[[0, 0], [1, 1]]", "кошка"),
    "a mask that is no picture": part("[[0, 0], [1, 1]]", "AAAA"),
    "a mask of another size": part("[[0, 0], [1, 1]]", (3, 2)),
    "a mask far away": part("[[1e300, 0], [1e300, 1]]", (2, 1)),
    "a mask of three": part(THREE, (2, 2)),
    "a mask of a thousand million pixels": part("[[0, 0], [32767, 32767]]", HUGE),
    "unknown class": shape(THREE, '"tiger"'),
    "class a number": shape(THREE, "8"),
    "deep": "[" * 200_000,
    "a long number": shape("[[0, 0], [1, 1], [5, " + "9" * 5000 + "]]"),
    "too many shapes": shape("[]").replace("[{", "[" + "{}, " * 500 + "{", 1),
    "too many points": shape("[" + ",".join(["[1, 1]"] * 200_000) + "]"),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_broken_outlines(tmp_path, content):
    """The error names the file, not its folder, and soon."""
    (tmp_path / "x.json").write_text(content, encoding="utf-8")
    started = time.process_time()
    with pytest.raises(LabkitError) as caught:
        find_ground_truth(blank(), tmp_path)
    said = str(caught.value)
    assert "x.json" in said and str(tmp_path) not in said and "Error" not in said
    assert time.process_time() - started < 2


RLE = encode_mask(block(10, 10, 60, 50))
BAD_MASKS = {
    "nothing": None,
    "no polygon": [],
    "an odd polygon": [[1, 2, 3]],
    "a polygon of two corners": [[1, 2, 3, 4]],
    "a polygon in words": [["a", "b", "c", "d", "e", "f"]],
    "far away": [[0, 0, 1e12, 0, 5, 5]],
    "no number": [[0, 0, float("nan"), 0, 5, 5]],
    "a box": [{"x": 1}],
    "no counts": {"size": [80, 100]},
    "another size": {**RLE, "size": [100, 80]},
    "a huge size": {**RLE, "size": [10**9, 10**9]},
    "cut": {**RLE, "counts": RLE["counts"][:-2]},
    "too long": {"size": [80, 100], "counts": [0, 10**15]},
}


@pytest.mark.parametrize("mask", BAD_MASKS.values(), ids=BAD_MASKS)
def test_broken_coco_masks(tmp_path, mask):
    """Each is refused before anything is decoded, and the error names the file."""
    write_coco(tmp_path / "all.json", (0, mask, {}))
    with pytest.raises(LabkitError, match=r"all\.json"):
        find_ground_truth(blank(), tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"images": None},
        {"images": [{"id": 7}]},
        {"images": [{"id": 7, "file_name": 5}]},
        {"images": [{"id": 7, "file_name": "x.jpg", "width": 10**9, "height": 8 * 10**8}]},
        {"images": "x.jpg"},
        {"annotations": [5]},
        {"annotations": [{"image_id": 7, "category_id": 99, "segmentation": RLE}]},
        {"annotations": [{"image_id": 7, "category_id": [], "segmentation": RLE}]},
        {"annotations": [{"image_id": 7, "category_id": 40}]},
        {"annotations": [{"image_id": 7, "category_id": 40, "segmentation": RLE}] * 1000},
        {"categories": [{"name": "cat"}]},
        {"categories": {"cat": 40}},
    ],
)
def test_broken_coco_files(tmp_path, change):
    """What looks like COCO and is not is named."""
    path = write_coco(tmp_path / "all.json", (0, RLE, {}))
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(LabkitError, match=r"all\.json"):
        find_ground_truth(blank(), tmp_path)


def test_large_files(tmp_path):
    """A file of more megabytes than a label file has is not read."""
    with (tmp_path / "x.json").open("wb") as file:
        file.truncate(10**9)
    with pytest.raises(LabkitError, match=r"x\.json.*32"):
        find_ground_truth(blank(), tmp_path)
    (tmp_path / "images").mkdir()
    assert find_ground_truth(blank(path=tmp_path / "images" / "y.jpg")) is None  # what lies above is perhaps not ours


@pytest.mark.parametrize("name", ["x.mask.png", "x.cat.mask.png"])
def test_png_of_a_thousand_million_pixels(tmp_path, name):
    """Its header is enough to refuse it."""
    header(35_000, 28_000, tmp_path / name)
    started = time.process_time()
    with pytest.raises(LabkitError, match=rf"{name}.*млн пикселей"):
        find_ground_truth(blank(), tmp_path)
    header(11_000, 8_800, tmp_path / name)  # where Pillow only warns
    with pytest.raises(LabkitError, match=rf"{name}.*млн пикселей"):
        find_ground_truth(blank(), tmp_path)
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    "mode, color, said",
    [("RGB", "red", "8-bit"), ("I;16", 0, "8-bit"), ("1", 1, "КЛАСС"), ("RGB", "white", "КЛАСС"), ("LA", 255, "КЛАСС")],
)
def test_mask_in_another_mode(tmp_path, mode, color, said):
    """Colours that no class has, 16 bits, black and white in any mode: no index mask, and the error says what is."""
    image = Image.new(mode, (100, 80), 0)
    image.paste(color, (0, 0, 50, 80))
    image.save(tmp_path / "x.mask.png")
    with pytest.raises(LabkitError, match=f"x.mask.png.*{said}"):
        find_ground_truth(blank(), tmp_path)


@pytest.mark.parametrize("name", ["x.mask.png", "x.cat.mask.png"])
def test_broken_masks(tmp_path, name):
    """A file that was cut anywhere, one that is no image."""
    path = tmp_path / name
    image = Image.new("L", (100, 80), 8)
    ImageDraw.Draw(image).line((0, 0, 90, 70), fill=9)
    image.save(path)
    whole = path.read_bytes()
    for content in (*(whole[:end] for end in range(0, len(whole) - 20, 11)), b"<html>"):
        path.write_bytes(content)
        with pytest.raises(LabkitError, match=name):
            find_ground_truth(blank(), tmp_path)


def test_many_points_take_no_time(tmp_path):
    """As many as are read, over a photo of the largest size."""
    random = np.random.default_rng(0)
    corners = (random.random((30_000, 2)) * (2048, 1536)).tolist()
    path = write_outline(tmp_path / "x.json", corners, size=(2048, 1536))
    started = time.process_time()
    read_labelme(path, blank(width=2048, height=1536))
    assert time.process_time() - started < 10


CAT = {"label": "cat", "points": [[10, 10], [59, 10], [59, 49], [10, 49]]}
ODD_SHAPES = {
    "a point": {"label": "dog", "shape_type": "point", "points": [[5, 5]]},
    "a line": {"label": "dog", "shape_type": "linestrip", "points": [[5, 5], [9, 9], [20, 5]]},
    "a flat polygon": {"label": "dog", "points": [[5, 5], [10, 10], [70, 70]]},
    "an unknown class": {"label": "тигр", "points": CAT["points"]},
    "no label": {"points": CAT["points"]},
    "no shape": "dog",
    "no points": {"label": "dog", "points": []},
}


@pytest.mark.parametrize("odd", ODD_SHAPES.values(), ids=ODD_SHAPES)
def test_one_odd_shape(tmp_path, odd):
    """The readable rest counts, and the odd one is named by its number or class, without a word of Python."""
    truth = read_labelme(write_shapes(tmp_path / "x.json", odd, CAT), blank())
    assert [(s.label, s.area) for s in truth.segments] == [("cat", 2000)]
    (note,) = truth.made_by["notes"]
    assert note.startswith("x.json: ") and ("1" in note or "тигр" in note) and "Error" not in note
    with pytest.raises(LabkitError, match="x.json"):
        read_labelme(write_shapes(tmp_path / "x.json", odd), blank())


ODD_OBJECTS = {
    "a box": (0, [], {}),
    "no outline": (0, None, {}),
    "a flat polygon": (0, [[5, 5, 10, 10, 70, 70]], {}),
    "an unknown category": (1, [[5, 5, 50, 5, 50, 50]], {}),
    "no category": (9, [[5, 5, 50, 5, 50, 50]], {}),
    "a picture that is not there": (0, [[5, 5, 50, 5, 50, 50]], {"image_id": 99}),
    "no picture": (0, [[5, 5, 50, 5, 50, 50]], {"image_id": None}),
}


@pytest.mark.parametrize("odd", ODD_OBJECTS.values(), ids=ODD_OBJECTS)
def test_one_odd_object(tmp_path, odd):
    """In COCO as well; alone it is no photo with nothing on it."""
    path, cat = tmp_path / "all.json", (0, [[10, 10, 59, 10, 59, 49, 10, 49]], {})
    truth = read_coco(write_coco(path, odd, cat, names=("cat", "тигр")), blank())
    assert [(s.label, s.area) for s in truth.segments] == [("cat", 2000)] and len(truth.made_by["notes"]) == 1
    with pytest.raises(LabkitError, match="all.json"):
        read_coco(write_coco(path, odd, names=("cat", "тигр")), blank())


def test_flat_part_of_an_object(tmp_path):
    """Of an object's polygons the one without an area is named and the other counts; one list of numbers is one."""
    whole, pairs = [10, 10, 59, 10, 59, 49, 10, 49], [[10, 10], [59, 10], [59, 49], [10, 49]]
    for outline, notes in (([[1, 2, 3, 4], whole], 1), ([[], whole], 0), (whole, 0), (pairs, 0), ([pairs], 0)):
        truth = read_coco(write_coco(tmp_path / "all.json", (0, outline, {})), blank())
        assert truth.segments[0].area == 2000 and len(truth.made_by["notes"]) == notes


@pytest.mark.parametrize(
    "width, height, notes", [(100.0, 80.0, 0), ("100", "80", 0), (None, 80, 1), (0, 0, 1), ("", -1, 1), (50.0, 40.0, 0)]
)
def test_size_as_tools_write_it(tmp_path, width, height, notes):
    """A fraction, a word, another scale; where it is missing or none the photo's own is taken, and that is said."""
    scale = 0.5 if width == 50.0 else 1
    shape = {"label": "cat", "points": (np.array(CAT["points"]) * scale).tolist()}
    truth = read_labelme(write_shapes(tmp_path / "x.json", shape, size=(width, height)), blank())
    assert truth.segments[0].area == pytest.approx(2000, abs=100) and len(truth.made_by["notes"]) == notes
    outline = [[n * scale for n in (10, 10, 59, 10, 59, 49, 10, 49)]]
    truth = read_coco(write_coco(tmp_path / "all.json", (0, outline, {}), size=(width, height)), blank())
    assert truth.segments[0].area == pytest.approx(2000, abs=100) and len(truth.made_by["notes"]) == notes


@pytest.mark.parametrize("kind", ["rectangle", "rotation", "quadrilateral"])
def test_four_points_and_the_background_by_its_other_name(tmp_path, kind):
    """As X-AnyLabeling writes it; `_background_` cuts a hole; a class is known without its dots."""
    shapes = [
        {**CAT, "label": "Самолет", "shape_type": kind},
        {"label": "_background_", "points": [[20, 20], [29, 20], [29, 29], [20, 29]]},
    ]
    truth = read_labelme(write_shapes(tmp_path / "x.json", *shapes), blank())
    assert [(s.label, s.area) for s in truth.segments] == [("aeroplane", 1900)]


@pytest.mark.parametrize(
    "label, number", [("cat1", "cat2"), ("cat 1", "кошка 2"), ("cat_1", "cat-2"), ("Cat-1", "CAT 02")]
)
def test_label_with_a_number(tmp_path, label, number):
    """The number tells objects of the class apart; what has the same one is one object."""
    boxes = [(label, 0), (number, 30), (label, 60)]
    shapes = [{"label": name, "shape_type": "rectangle", "points": [[x, 0], [x + 9, 9]]} for name, x in boxes]
    truth = read_labelme(write_shapes(tmp_path / "x.json", *shapes), blank())
    assert [(s.label, s.area) for s in truth.segments] == [("cat", 200), ("cat", 100)]


@pytest.mark.parametrize("image_id, category_id", [("7", 40), (7, "40"), ("7", "40"), (7.0, 40.0), ("007", "40.0")])
def test_ids_of_other_types(tmp_path, image_id, category_id):
    """A number in quotes, with zeros before it, with a point and a zero is the same number."""
    more = {"image_id": image_id, "category_id": category_id}
    path = write_coco(tmp_path / "all.json", (0, runs_of(block(10, 10, 60, 50)), more))
    assert [(s.label, s.area) for s in read_coco(path, blank()).segments] == [("cat", 2000)]


def test_ids_that_are_not_unique(tmp_path):
    """Where two pictures have one id nobody knows whose the objects are; a category of two names is none."""
    path = write_coco(tmp_path / "all.json", (0, runs_of(block(10, 10, 60, 50)), {}), files=("x.jpg", "y.jpg"))
    record = json.loads(path.read_text())
    record["images"][1]["id"] = 7
    path.write_text(json.dumps(record))
    with pytest.raises(LabkitError, match="all.json.*7.*x.jpg"):
        read_coco(path, blank())
    record["images"][1]["id"], record["categories"][1]["id"] = 8, 40
    path.write_text(json.dumps(record))
    with pytest.raises(LabkitError, match="all.json.*40"):
        read_coco(path, blank())


def test_a_picture_written_twice(tmp_path):
    """The same picture with the same id, as of an export that was joined with itself, is one."""
    path = write_coco(tmp_path / "all.json", (0, runs_of(block(10, 10, 60, 50)), {}))
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "images": record["images"] * 2}))
    assert [(s.label, s.area) for s in read_coco(path, blank()).segments] == [("cat", 2000)]


@pytest.mark.parametrize("first, noted", [("nothing", ""), ("dog", "b.json"), ("cut", "a.json")])
def test_several_coco_files(tmp_path, first, noted):
    """An empty one hides no other; one that is broken, and one of which nothing was taken, is named."""
    a, mask = tmp_path / "a.json", runs_of(block(10, 10, 60, 50))
    write_coco(a, *([(1, mask, {})] if first == "dog" else []))
    if first == "cut":
        a.write_text(a.read_text()[:-2])
    write_coco(tmp_path / "b.json", (0, mask, {}))
    truth = find_ground_truth(blank(), tmp_path)
    assert [s.label for s in truth.segments] == ["dog" if first == "dog" else "cat"]
    assert noted in "".join(truth.made_by["notes"]) and len(truth.made_by["notes"]) == bool(noted)


def test_crowd_of_a_tool(tmp_path):
    """CVAT writes `iscrowd` 1 of what was painted, beside outlines too; in a file of nothing else it means nothing."""
    mask, outline = runs_of(block(10, 10, 60, 50)), [[70, 10, 79, 10, 79, 19, 70, 19]]
    cvat = write_coco(
        tmp_path / "a.json", (0, mask, {"iscrowd": 1, "attributes": {}}), (0, outline, {"attributes": {}})
    )
    alone = write_coco(tmp_path / "b.json", (0, mask, {"iscrowd": 1}))
    assert [s.area for s in read_coco(cvat, blank()).segments] == [2000, 100]
    assert [s.area for s in read_coco(alone, blank()).segments] == [2000]


@pytest.mark.parametrize("encoding", ["cp1251", "utf-8-sig", "utf-16", "utf-16-le"])
def test_files_of_a_russian_windows(tmp_path, encoding):
    """JSON in whatever encoding a program there writes."""
    record = {"imageWidth": 100, "imageHeight": 80, "shapes": [{**CAT, "label": "кошка"}]}
    (tmp_path / "x.json").write_text(json.dumps(record, ensure_ascii=False), encoding=encoding)
    assert find_ground_truth(blank(), tmp_path).segments[0].label == "cat"
