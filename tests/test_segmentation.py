"""The result: made from labels, and through its files without loss."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from annotated import block
from drawn import found
from PIL import Image
from pycocotools import mask as coco_mask

from labkit.classes import LABEL_SETS, VOC, label_set
from labkit.figures import rgb
from labkit.io.errors import LabkitError
from labkit.photos import Photo
from labkit.segmentation import Segment, Segmentation, load_segmentation

CAT, DOG = VOC.id("cat"), VOC.id("dog")


@pytest.fixture
def overlapping():
    """Two dogs on one photo, the first lying partly over the second, as an instance model says it."""
    size = (600, 800)
    masks = [block(400, 300, 800, 600, size), block(50, 100, 500, 400, size)]
    return found(masks, [DOG, DOG], [0.75, 0.5], name="dogs")


def test_from_labels(default_photos):
    """One segment a class that occurs, in the order of the classes; 0 and 255 are no segment."""
    photo = default_photos["sheep"]
    labels = np.zeros(photo.pixels.shape[:2], np.uint8)
    labels[:100], labels[200:300, 5:9], labels[-1] = DOG, CAT, 255
    confidence = np.where(labels == CAT, 0.25, 1).astype(np.float32)
    result = Segmentation.from_labels(photo, labels, confidence)
    rows = [(1, CAT, "cat", 0.25, 400), (2, DOG, "dog", 1.0, 100 * labels.shape[1])]
    assert [(s.id, s.label_id, s.label, s.score, s.area) for s in result.segments] == rows
    assert result.ids.dtype == np.int32
    assert np.array_equal(result.ids, np.select([labels == CAT, labels == DOG], [1, 2]))
    assert np.array_equal(result.labels, np.where(labels == 255, 0, labels)) and result.labels.dtype == np.uint8
    assert np.array_equal(Segmentation.from_labels(photo, labels).confidence, np.ones_like(confidence))


def test_box_ends_outside():
    """A box cuts its object out of the photo as a slice; one pixel has a box of 1×1, nothing has none."""
    mask = np.zeros((8, 9), bool)
    assert Segment(1, 1, "x", 1.0, mask).box == (0, 0, 0, 0)
    mask[7, 8] = True
    assert Segment(1, 1, "x", 1.0, mask).box == (8, 7, 9, 8)
    mask[2, 3] = True
    x0, y0, x1, y1 = Segment(1, 1, "x", 1.0, mask).box
    assert (x0, y0, x1, y1) == (3, 2, 9, 8) and np.count_nonzero(mask[y0:y1, x0:x1]) == 2


def test_another_file_of_the_name_is_kept(overlapping, tmp_path):
    """A result takes the place of an earlier one, of none that it is not: an annotation is hours of work."""
    overlapping.save(tmp_path)
    overlapping.save(tmp_path)
    for content in ('{"shapes": [], "imagePath": "dogs.jpg"}', "", "{"):
        (tmp_path / "dogs.json").write_text(content)
        with pytest.raises(LabkitError, match=r"dogs\.json: .*папку"):
            overlapping.save(tmp_path)
        assert (tmp_path / "dogs.json").read_text() == content


def test_overlapping_masks_stay_whole(overlapping, tmp_path):
    """What lies under another segment keeps its whole mask, in memory and in the file; `mask_of` joins them."""
    below = overlapping.segments[1]
    assert below.area == 300 * 450 > np.count_nonzero(overlapping.ids == 2)
    assert np.array_equal(overlapping.mask_of("собака"), overlapping.ids > 0)
    loaded = load_segmentation(overlapping.save(tmp_path)[0], overlapping.photo)
    assert np.array_equal(loaded.segments[1].mask, below.mask) and loaded.segments[1].box == (50, 100, 500, 400)


def test_mask_of(outlined):
    """A class that is not there has an empty mask, an unknown one is an error, and so is any without classes."""
    assert np.array_equal(outlined.mask_of("cat"), outlined.segments[0].mask)
    assert outlined.mask_of("dog").shape == outlined.ids.shape and not outlined.mask_of("dog").any()
    with pytest.raises(ValueError, match="tiger"):
        outlined.mask_of("tiger")
    with pytest.raises(ValueError, match="no classes"):
        replace(outlined, classes=None).mask_of("cat")


def test_the_three_files(overlapping, tmp_path):
    """Exactly the documented files in the documented formats, readable without labkit."""
    folder = tmp_path / "new" / "folder"
    data, ids, classes = paths = overlapping.save(folder)
    names = ["dogs.json", "dogs.ids.png", "dogs.classes.png"]
    assert [path.name for path in paths] == names and {path.name for path in folder.iterdir()} == set(names)

    record = json.loads(data.read_text(encoding="utf-8"))
    assert list(record) == ["photo", "size", "made_by", "segments"]
    assert record["photo"] == "dogs" and record["size"] == [600, 800]
    for row, segment in zip(record["segments"], overlapping.segments, strict=True):
        assert list(row) == ["id", "label_id", "label", "score", "area", "box", "rle"]
        assert (row["id"], row["label_id"], row["label"], row["score"]) == (segment.id, DOG, "dog", segment.score)
        assert np.array_equal(coco_mask.decode(row["rle"]), segment.mask)
        assert row["area"] == coco_mask.area(row["rle"])
        x, y, width, height = coco_mask.toBbox(row["rle"]).tolist()
        assert row["box"] == [x, y, x + width, y + height]

    with Image.open(ids) as image:
        assert image.mode.startswith("I") and np.array_equal(np.array(image), overlapping.ids)
    assert ids.read_bytes()[24:26] == b"\x10\x00"  # IHDR: 16 bits, grey
    with Image.open(classes) as image:
        assert image.mode == "P" and np.array_equal(np.array(image), overlapping.labels)
        assert image.convert("RGB").getpixel((60, 110)) == rgb(VOC.colors[DOG])


@pytest.mark.parametrize("name", ["кот на диване", "two words", "a.json", "a.ids", "100% {x}", "ёж’"])
def test_round_trip(outlined, tmp_path, name):
    """A saved result comes back whole under any name; the pixels have the score of their segment."""
    photo = Photo.from_pixels(name, outlined.photo.pixels)
    result = replace(outlined, photo=photo, made_by={"variant": "fcn", "settings": {"finest": 8}})
    foreign = replace(result, classes=replace(VOC, name="Mapillary Vistas"))
    loaded = load_segmentation(foreign.save(tmp_path)[0], photo)
    assert loaded.classes is None and [s.label for s in loaded.segments] == ["cat"], "a label set of somebody else"
    loaded = load_segmentation(result.save(tmp_path)[0], photo)
    assert np.array_equal(loaded.ids, result.ids) and loaded.ids.dtype == np.int32
    assert loaded.classes is VOC and loaded.made_by == {**result.made_by, "classes": "PASCAL VOC"}
    (got,), (expected,) = loaded.segments, result.segments
    assert (got.id, got.label_id, got.label) == (expected.id, expected.label_id, expected.label)
    assert np.array_equal(got.mask, expected.mask) and got.score == pytest.approx(expected.score, abs=1e-6)
    assert np.array_equal(loaded.confidence, np.where(got.mask, np.float32(got.score), np.float32(0)))
    assert loaded.record() == result.record()


@pytest.mark.parametrize("name", LABEL_SETS)
def test_round_trip_of_every_label_set(default_photos, tmp_path, name):
    """A result with all classes of a set comes back with them, in both files and under both names."""
    photo, classes = default_photos["cat_chelsea"], label_set(name)
    labels = np.resize(np.repeat(classes.ids, 600), photo.pixels.shape[:2]).astype(np.uint8)
    result = Segmentation.from_labels(photo, labels, classes=classes)
    paths = result.save(tmp_path)
    loaded = load_segmentation(paths[0], photo)
    assert loaded.classes is classes and loaded.made_by == {"classes": name}
    assert [s.label for s in loaded.segments] == [classes.names[n] for n in classes.ids[1:]]
    assert np.array_equal(loaded.labels, labels) and loaded.labels.dtype == np.uint8
    last = classes.ids[-1]
    assert np.array_equal(loaded.mask_of(classes.label(last)), labels == last)
    with Image.open(paths[2]) as image:
        assert np.array_equal(np.array(image), labels)
        table = np.array([rgb(color) for color in classes.colors], np.uint8)
        assert np.array_equal(np.array(image.convert("RGB")), table[labels])


def test_mask_of_in_other_words(default_photos):
    """VOC's names, in both languages, find the same things in COCO's result."""
    photo, coco = default_photos["cat_kitten"], label_set("COCO")
    labels = np.zeros(photo.pixels.shape[:2], np.uint8)
    labels[:40], labels[40:90] = coco.id("couch"), coco.id("cat")
    result = Segmentation.from_labels(photo, labels, classes=coco)
    for name in ("sofa", "couch", "диван"):
        assert np.array_equal(result.mask_of(name), labels == 63)
    assert np.array_equal(result.mask_of("кошка"), labels == 17) and not result.mask_of("tvmonitor").any()


def test_many_segments_without_classes(default_photos, tmp_path):
    """More than 255 segments keep their ids; a model without classes writes no classes file."""
    photo = default_photos["sheep"]
    ids = np.zeros(photo.pixels.shape[:2], np.int32)
    ids[:400, :400] = np.kron(np.arange(1, 401).reshape(20, 20), np.ones((20, 20)))
    segments = [Segment(n, 0, "", 0.5, ids == n) for n in range(1, 401)]
    result = Segmentation(photo, ids, np.ones(ids.shape, np.float32), segments, None)
    assert [path.name for path in result.save(tmp_path)] == ["sheep.json", "sheep.ids.png"]
    assert len(list(tmp_path.iterdir())) == 2
    loaded = load_segmentation(tmp_path / "sheep.json", photo)
    assert loaded.classes is None and loaded.ids.max() == 400 and np.array_equal(loaded.ids, ids)


def test_empty_result(default_photos, tmp_path):
    """Nothing found is a result like any other."""
    photo = default_photos["horses"]
    empty = Segmentation.from_labels(photo, np.zeros(photo.pixels.shape[:2], np.uint8))
    for result in (empty, Segmentation.nothing(photo)):
        loaded = load_segmentation(result.save(tmp_path)[0], photo)
        assert result.segments == loaded.segments == [] and not loaded.ids.any() and not loaded.labels.any()
        assert loaded.classes is result.classes


def rewrite(name, content):
    """A change of a file's bytes, `content` a function of them."""
    return lambda folder: (folder / name).write_bytes(content((folder / name).read_bytes()))


def edit(change):
    """A change of what the JSON file says."""

    def content(data):
        record = json.loads(data)
        change(record)
        return json.dumps(record).encode()

    return rewrite("cat_chelsea.json", content)


DAMAGE = {
    "empty": rewrite("cat_chelsea.json", lambda data: b""),
    "cut": rewrite("cat_chelsea.json", lambda data: data[: len(data) // 2]),
    "not text": rewrite("cat_chelsea.json", lambda data: b"\xff\xfe" + data),
    "a list": rewrite("cat_chelsea.json", lambda data: b"[]"),
    "labelme": rewrite("cat_chelsea.json", lambda data: b'{"shapes": [], "imageWidth": 451, "imageHeight": 300}'),
    "another photo": edit(lambda record: record.update(photo="cat_kitten")),
    "another size": edit(lambda record: record.update(size=[300, 450])),
    "no segments": edit(lambda record: record.update(segments=None)),
    "made by nobody": edit(lambda record: record.update(made_by=None)),
    "segment without score": edit(lambda record: record["segments"][0].pop("score")),
    "mask of another size": edit(lambda record: record["segments"][0]["rle"].update(size=[30, 45])),
    "mask of other runs": edit(lambda record: record["segments"][0]["rle"].update(counts=[1, 2])),
    "segment of no id": edit(lambda record: record["segments"].clear()),
    "ids missing": lambda folder: (folder / "cat_chelsea.ids.png").unlink(),
    "ids cut": rewrite("cat_chelsea.ids.png", lambda data: data[: len(data) // 2]),
    "ids no image": rewrite("cat_chelsea.ids.png", lambda data: b"<html>"),
    "ids of another size": lambda folder: Image.new("I;16", (30, 45)).save(folder / "cat_chelsea.ids.png"),
    "ids in colour": lambda folder: Image.new("RGB", (451, 300)).save(folder / "cat_chelsea.ids.png"),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damaged_files(outlined, tmp_path, damage):
    """Whatever is wrong with the files: a ValueError that names the file and what to do."""
    path = outlined.save(tmp_path)[0]
    load_segmentation(path, outlined.photo)
    damage(tmp_path)
    with pytest.raises(ValueError, match="write it again") as caught:
        load_segmentation(path, outlined.photo)
    assert str(path) in str(caught.value)


ROOMS = "segmentation evaluation.scores evaluation.figures figures viewer report weights.download comparison.figures "
ROOMS += "comparison.report comparison.models grading.reproduce"


@pytest.mark.parametrize(
    "used, spared",
    [
        (f"import labkit, labkit.{', labkit.'.join(ROOMS.split())}", ["torch", "torchvision", "timm"]),
        ("import labkit; labkit.hand_in", ["nbformat", "nbconvert"]),  # 1.5 s of every notebook's run
        ("import labkit.grading.grade, labkit.grading.facts as facts; facts.asked_by(1)", ["nbformat"]),  # 1 to 2 s
    ],
    ids=["torch", "nbconvert", "grading"],
)
def test_importing_is_quick(root, used, spared):
    """Nothing that shows, measures, reports or grades imports torch; what writes pages is loaded when it does."""
    command = f"{used}; import sys; print(*set({spared}) & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", command], cwd=root, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")
