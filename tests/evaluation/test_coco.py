"""COCO JSON: against pycocotools, by name, and what is said of broken ones."""

import json
import os
from contextlib import nullcontext

import numpy as np
import pytest
from annotated import CAT, CAT_ROW, CAT_SHAPE, blank, block, coco_record, runs_of, write_coco
from PIL import Image
from pycocotools import mask as coco_mask

from labkit.classes import label_set
from labkit.evaluation.annotations import find_ground_truth
from labkit.evaluation.coco import read_coco
from labkit.evaluation.metrics import eroded
from labkit.io.errors import LabkitError
from labkit.io.rle import encode_mask


def test_run_lengths_against_pycocotools(tmp_path):
    """Random masks, also scaled: what pycocotools decodes, at the pixels that nearest-neighbour scaling takes."""
    random = np.random.default_rng(3)
    for _ in range(20):
        mask = random.random((80, 100)) < random.random()
        mask[random.integers(80) :] = random.random() < 0.5
        rle = encode_mask(mask)
        path = write_coco(tmp_path / "all.json", (0, rle, {}), (1, runs_of(mask), {}))
        expected = coco_mask.decode({**rle, "counts": rle["counts"].encode()}).astype(bool)
        for width, height in ((100, 80), (50, 40), (20, 16), (160, 128)):
            small = Image.fromarray(expected).resize((width, height), Image.Resampling.NEAREST)
            segments = read_coco(path, blank(width=width, height=height)).segments
            assert all(np.array_equal(segment.mask, np.array(small)) for segment in segments)


def test_coco_polygons_against_pycocotools(tmp_path):
    """An object of two polygons: pycocotools' mask up to its border."""
    polygons = [[10.5, 10, 45, 12.5, 30, 60], [60, 20, 90, 20, 90, 70, 60, 70.5]]
    (segment,) = read_coco(write_coco(tmp_path / "all.json", (0, polygons, {})), blank()).segments
    expected = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(polygons, 80, 100))).astype(bool)
    assert not (eroded(expected, 1) & ~segment.mask).any() and not (eroded(segment.mask, 1) & ~expected).any()


def test_coco_crowd(tmp_path):
    """A crowd is a place of which nothing is known, whatever its category, but not where an object is."""
    crowd = runs_of(block(40, 0, 100, 80))
    rows = (0, runs_of(block(0, 0, 50, 80)), {}), (2, crowd, {"iscrowd": 1})
    truth = read_coco(write_coco(tmp_path / "all.json", *rows, names=("кошка", "dog", "unicorn")), blank())
    assert [s.label for s in truth.segments] == ["cat"] and not truth.ids[:, 50:].any()
    assert np.array_equal(truth.confidence == 0, block(50, 0, 100, 80)) and "iscrowd" in truth.made_by["notes"][0]


SPELLED = ["images/1a2b3c4d-x.jpg", "x_jpg.rf.0a1b2c.jpg", "X.JPG", "/data/local-files/?d=x.jpg", "x_HEIC.rf.0a1b.jpg"]


@pytest.mark.parametrize(
    "file, listed, areas",
    [
        ("кот й.jpg", ["C:\\my photos\\кот и\u0306.JPG"], [2000]),
        ("set.jpg", ["a/set.jpeg"], [2000]),
        ("x.jpg", ["x.png", "x.jpg"], []),
        ("nobody.jpg", ["x.jpg"], None),
        ("a/x.jpg", ["a/x.jpg", "b\\x.jpg"], [2000]),
        ("b/x.jpg", ["a/x.jpg", "b\\x.jpg"], []),
        *(("x.jpg", [name], [2000]) for name in SPELLED),
        ("x.png", ["my%20photos/x.png"], [2000]),
        ("a%20b.jpg", ["a%20b.jpg"], [2000]),
        ("a c.jpg", ["a%20c.jpg"], [2000]),
        ("my cat (2).jpg", ["my-cat-2-_jpg.rf.0a1b.jpg"], [2000]),
        ("мой кот.jpg", ["images/1a2b3c4d-мой_кот.jpg"], [2000]),
        ("x.jpg", ["train/x.jpg", "val/x.jpg"], "all.json.*train/x.jpg.*несколько"),
    ],
)
def test_coco_finds_its_photo(tmp_path, file, listed, areas):
    """By the stem in whatever folder, spelling and form that a tool gave it; by more where two pictures share it."""
    write_coco(tmp_path / "all.json", CAT_ROW, files=listed)
    with pytest.raises(LabkitError, match=areas) if isinstance(areas, str) else nullcontext():
        truth = find_ground_truth(blank(path=tmp_path / file), tmp_path)
        assert (truth and [s.area for s in truth.segments]) == areas


def test_coco_says_which_classes_are_valid(tmp_path):
    """Only the categories that this photo uses must be known; the label set decides which are."""
    mask, names = runs_of(CAT), ("cat", "giraffe")
    assert read_coco(write_coco(tmp_path / "all.json", (0, mask, {}), names=names), blank()).segments[0].label == "cat"
    path = write_coco(tmp_path / "other.json", (1, mask, {}), names=names)
    with pytest.raises(LabkitError, match="other.json.*giraffe.*PASCAL VOC.*кошка"):
        read_coco(path, blank())
    assert read_coco(path, blank(), label_set("COCO")).segments[0].label == "giraffe"


def test_a_picture_of_which_nothing_is_labelled(tmp_path):
    """It counts as one with nothing on it, as is said: perhaps it was only listed."""
    truth = read_coco(write_coco(tmp_path / "all.json"), blank())
    assert not truth.segments and truth.confidence.all() and "ни одного объекта" in truth.made_by["notes"][0]


def test_coco_changed_on_disk(tmp_path):
    """Read once, and again when the file has changed."""
    path = write_coco(tmp_path / "all.json", (0, runs_of(block(0, 0, 50, 80)), {}))
    assert read_coco(path, blank()).segments[0].label == "cat"
    write_coco(path, (1, runs_of(block(0, 0, 50, 80)), {}))
    os.utime(path, ns=(1, 1))
    assert read_coco(path, blank()).segments[0].label == "dog"


RLE = encode_mask(CAT)
BAD_MASKS = {
    "an odd polygon": [[1, 2, 3]],
    "a polygon of two corners": [[1, 2, 3, 4]],
    "a polygon in words": [["a", "b", "c", "d", "e", "f"]],
    "far away": [[0, 0, 1e12, 0, 5, 5]],
    "no number": [[0, 0, float("nan"), 0, 5, 5]],
    "a box": [{"x": 1}],
    "another size": {**RLE, "size": [100, 80]},
    "a huge size": {**RLE, "size": [10**9, 10**9]},
    "one pixel less": {"size": [80, 100], "counts": [1, 7998]},
    "fractions": [[0.1, 0.1, 0.6, 0.1, 0.6, 0.6]],
    "words that are no JSON": "outline",
    "deep words": "[" * 200_000,
}


AREAS = [{"image_id": 7, "file_name": "x.png", "segments_info": [{"id": 8, "category_id": 40}]}]
OBJECT = {"image_id": 7, "category_id": 40, "segmentation": RLE}
BAD_FILES = {
    "no pictures": {"images": None},
    "pictures without names": {"images": [{"id": 7}]},
    "a number for a name": {"images": [{"id": 7, "file_name": 5}]},
    "a huge picture": {"images": [{"id": 7, "file_name": "x.jpg", "width": 10**9, "height": 8 * 10**8}]},
    "words for pictures": {"images": "x.jpg"},
    "a number for an object": {"annotations": [5]},
    "a list for a category": {"annotations": [{**OBJECT, "category_id": []}]},
    "too many objects": {"annotations": [OBJECT] * 1000},
    "categories without ids": {"categories": [{"name": "cat"}]},
    "a table of categories": {"categories": {"cat": 40}},
    "segments_info": {"annotations": AREAS},  # COCO's other form, whose areas lie in pictures of their own
    **{name: {"annotations": [{**OBJECT, "segmentation": mask}]} for name, mask in BAD_MASKS.items()},
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_broken_files(tmp_path, name):
    """What looks like COCO and is not is refused before a mask is decoded; the error names the file."""
    write_coco(tmp_path / "all.json", (0, RLE, {}), changes=BAD_FILES[name])
    with pytest.raises(LabkitError, match=rf"all\.json.*{name if name == 'segments_info' else ''}"):
        find_ground_truth(blank(), tmp_path)


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
    truth = read_coco(write_coco(tmp_path / "all.json", odd, CAT_ROW, names=("cat", "тигр")), blank())
    assert [(s.label, s.area) for s in truth.segments] == [("cat", 2000)] and len(truth.made_by["notes"]) == 1
    with pytest.raises(LabkitError, match="all.json"):
        read_coco(write_coco(tmp_path / "all.json", odd, names=("cat", "тигр")), blank())


PAIRS = CAT_SHAPE["points"]
WHOLE = sum(PAIRS, [])
HALVES = [encode_mask(block(10, 10, 35, 50)), runs_of(block(35, 10, 60, 50))]
OUTLINES = [WHOLE, PAIRS, [PAIRS], [[], WHOLE], json.dumps([WHOLE]), json.dumps(RLE), HALVES, [*HALVES, WHOLE]]


@pytest.mark.parametrize("outline, notes", [*((outline, 0) for outline in OUTLINES), ([[1, 2, 3, 4], WHOLE], 1)])
def test_forms_of_an_outline(tmp_path, outline, notes):
    """Numbers or pairs, parts of both kinds, all as text; a part without an area is named and the others count."""
    truth = read_coco(write_coco(tmp_path / "all.json", (0, outline, {})), blank())
    assert truth.segments[0].area == 2000 and len(truth.made_by["notes"]) == notes


@pytest.mark.parametrize("image_id, category_id", [("7", "40"), (7.0, 40.0), ("007", "40.0"), ("x.jpg", "cat")])
def test_ids_of_other_types(tmp_path, image_id, category_id):
    """A number in quotes, with zeros before it, with a point and a zero is the same number; a name is as good."""
    more = {"image_id": image_id, "category_id": category_id}
    path = write_coco(tmp_path / "all.json", (0, runs_of(CAT), more))
    assert [(s.label, s.area) for s in read_coco(path, blank()).segments] == [("cat", 2000)]


def test_ids_that_are_not_unique(tmp_path):
    """Two pictures of one id, a category of two classes are named; what is only written twice is one."""
    record = coco_record(files=("x.jpg", "y.jpg"))
    (x, y), (cat, dog) = record["images"], record["categories"]
    for images, categories, said in [
        ([x, {**y, "id": 7}], [cat, dog], "7.*x.jpg"),
        ([x, y], [cat, {**dog, "id": 40}], "40"),
        ([x, x, y], [cat, {**cat, "name": "Кошка"}, dog], None),
    ]:
        path = write_coco(tmp_path / "all.json", CAT_ROW, changes={"images": images, "categories": categories})
        with pytest.raises(LabkitError, match=f"all.json.*{said}") if said else nullcontext():
            assert [(s.label, s.area) for s in read_coco(path, blank()).segments] == [("cat", 2000)]


def test_crowd_of_a_tool(tmp_path):
    """CVAT writes `iscrowd` 1 of what was painted, beside outlines too; in a file of nothing else it means nothing."""
    mask, outline = runs_of(CAT), [[70, 10, 79, 10, 79, 19, 70, 19]]
    rows = (0, mask, {"iscrowd": 1, "attributes": {}}), (0, outline, {"attributes": {}})
    cvat = write_coco(tmp_path / "a.json", *rows)
    alone = write_coco(tmp_path / "b.json", (0, mask, {"iscrowd": 1}))
    assert [s.area for s in read_coco(cvat, blank()).segments] == [2000, 100]
    assert [s.area for s in read_coco(alone, blank()).segments] == [2000]
