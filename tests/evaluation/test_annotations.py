"""Ground truth: the kit's outlines, a student's own files, and what is said of broken ones."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
from annotated import base64_png, blank, block, runs_of, write_coco, write_outline, write_shapes
from PIL import Image
from pycocotools import mask as coco_mask

from labkit.classes import VOC, label_set
from labkit.evaluation.annotations import find_ground_truth, read_coco, read_labelme, read_mask
from labkit.evaluation.metrics import eroded
from labkit.io.errors import LabkitError
from labkit.io.rle import encode_mask
from labkit.photos import load_photos

OUTLINED = {
    "astronaut": "person",
    "bird_kingfisher": "bird",
    "cameraman": "person",
    "cat_chelsea": "cat",
    "cat_kitten": "cat",
    "cat_yarn": "cat",
    "dog_shepherd": "dog",
    "officer": "person",
    "sheep": "sheep",
}


@pytest.mark.parametrize("name, label", OUTLINED.items())
def test_the_nine_outlines(default_photos, root, name, label):
    """One object of the right class; its mask has the area that the shoelace formula gives, up to its border."""
    photo, path = default_photos[name], root / "data" / "outlines" / f"{name}.json"
    (segment,) = find_ground_truth(photo, path.parent).segments
    assert segment.label == label and segment.score == 1.0 and segment.mask.shape == photo.pixels.shape[:2]
    points = np.array(json.loads(path.read_text(encoding="utf-8"))["shapes"][0]["points"])
    following = np.roll(points, -1, axis=0)
    area = abs(np.sum(points[:, 0] * following[:, 1] - following[:, 0] * points[:, 1])) / 2
    assert segment.area == pytest.approx(area, abs=np.linalg.norm(points - following, axis=1).sum())
    mean = [photo.pixels[mask].mean(0) for mask in (segment.mask, ~segment.mask)]
    assert np.abs(mean[0] - mean[1]).max() > 10  # in colour, too, the object is not its surroundings


def test_no_outline(default_photos, root):
    """The horses have none, and a photo from an array has no place where one could lie."""
    assert find_ground_truth(default_photos["horses"], root / "data" / "outlines") is None
    assert find_ground_truth(blank()) is None


def test_overlapping_outlines(tmp_path):
    """Each outline keeps its whole mask; in `ids` the later one lies on top."""
    boxes = [("cat", [[0, 0], [59, 79]]), ("собака", [[40, 0], [99, 79]])]
    path = write_shapes(tmp_path / "x.json", *(rectangle(*box) for box in boxes))
    cat, dog = (truth := read_labelme(path, blank())).segments
    assert (cat.label, dog.label, cat.area, dog.area) == ("cat", "dog", 4800, 4800)
    assert np.count_nonzero(truth.ids == 1) == 3200 and np.array_equal(truth.ids == 2, dog.mask)


@pytest.mark.parametrize("mode", ["L", "P"])
@pytest.mark.parametrize("scale", [1, 2])
def test_index_mask(tmp_path, mode, scale):
    """Label ids as they are, grey or with a palette, also on a smaller photo; 255 is no segment and not sure."""
    labels = np.zeros((80, 100), np.uint8)
    labels[:40, 30:70], labels[40:50] = VOC.id("cat"), 255
    image = Image.fromarray(labels)
    if mode == "P":
        image.putpalette([0] * 768)
    image.save(tmp_path / "x.mask.png")
    labels = labels[::scale, ::scale]
    truth = read_mask(tmp_path / "x.mask.png", blank(width=100 // scale, height=80 // scale))
    assert [(s.label, s.area) for s in truth.segments] == [("cat", 1600 // scale**2)]
    assert np.array_equal(truth.ids > 0, labels == VOC.id("cat"))
    assert np.array_equal(truth.confidence == 0, labels == 255)


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
    cut = {"label": "cat", "shape_type": "mask", "points": [[12, 40], [41, 59]], "mask": base64_png(part)}
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
    path = write_coco(
        tmp_path / "all.json",
        (0, runs_of(block(0, 0, 50, 80)), {}),
        (2, crowd, {"iscrowd": 1}),
        names=("кошка", "dog", "unicorn"),
    )
    truth = read_coco(path, blank())
    assert [s.label for s in truth.segments] == ["cat"] and not truth.ids[:, 50:].any()
    assert np.array_equal(truth.confidence == 0, block(50, 0, 100, 80))


def test_coco_finds_its_photo(tmp_path):
    """By the stem in whatever folder and spelling; by the whole name where two pictures share it; None without any."""
    mask = runs_of(block(0, 0, 50, 80))
    names = {"кот й.jpg": ["C:\\my photos\\кот и\u0306.JPG"], "x.jpg": ["x.png", "x.jpg"], "set.jpg": ["a/set.jpeg"]}
    for file, listed in names.items():
        write_coco(tmp_path / "all.json", (0, mask, {}), files=listed)
        photo = blank(path=tmp_path / file)
        truth = find_ground_truth(photo)
        assert [s.label for s in truth.segments] == ([] if file == "x.jpg" else ["cat"])
    assert find_ground_truth(blank(path=tmp_path / "nobody.jpg")) is None
    twice = write_coco(tmp_path / "all.json", (0, mask, {}), files=["train/x.jpg", "val/x.jpg"])
    with pytest.raises(LabkitError, match="all.json.*train/x.jpg.*несколько"):
        read_coco(twice, blank(path=tmp_path / "x.jpg"))


def test_coco_says_which_classes_are_valid(tmp_path):
    """Only the categories that this photo uses must be known; the label set decides which are."""
    mask = runs_of(block(0, 0, 50, 80))
    path = write_coco(tmp_path / "all.json", (0, mask, {}), names=("cat", "giraffe"))
    assert read_coco(path, blank()).segments[0].label == "cat"
    path = write_coco(tmp_path / "other.json", (1, mask, {}), names=("cat", "giraffe"))
    with pytest.raises(LabkitError, match="other.json.*giraffe.*PASCAL VOC.*кошка"):
        read_coco(path, blank())
    assert read_coco(path, blank(), label_set("COCO")).segments[0].label == "giraffe"


def test_coco_changed_on_disk(tmp_path):
    """Read once, and again when the file has changed."""
    path = write_coco(tmp_path / "all.json", (0, runs_of(block(0, 0, 50, 80)), {}))
    assert read_coco(path, blank()).segments[0].label == "cat"
    write_coco(path, (1, runs_of(block(0, 0, 50, 80)), {}))
    os.utime(path, ns=(1, 1))
    assert read_coco(path, blank()).segments[0].label == "dog"


def test_own_files_come_first(tmp_path):
    """Outlines, then the index mask, then masks of classes, then COCO, by the file's stem; a saved result is none."""
    write_coco(tmp_path / "all.json", (0, runs_of(block(0, 0, 9, 9)), {}))
    Image.fromarray(block(0, 0, 20, 20)).save(tmp_path / "x.bird.mask.png")
    Image.new("L", (100, 80), VOC.id("dog")).save(tmp_path / "x.mask.png")
    write_outline(tmp_path / "x.json", [[0, 0], [50, 0], [0, 50]], "sheep")
    photo = blank("set_x", path=tmp_path / "x.jpg")
    labels = []
    for name in ("x.json", "x.mask.png", "x.bird.mask.png", "all.json"):
        labels.append(find_ground_truth(photo).segments[0].label)
        (tmp_path / name).unlink()
    assert labels == ["sheep", "dog", "bird", "cat"] and find_ground_truth(photo) is None
    outline = write_outline(tmp_path / "y.json", [[0, 0], [50, 0], [0, 50]])
    read_labelme(outline, blank(path=tmp_path / "x.jpg")).save(tmp_path)
    assert (tmp_path / "x.json").exists() and find_ground_truth(photo) is None


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "I;16"])
def test_class_mask(tmp_path, mode):
    """White, or any lighter value, is the class of the file's name, in whatever mode an editor saved it."""
    mask = block(10, 10, 60, 50)
    image = Image.fromarray(mask.astype(np.uint8) * 255)
    if mode == "RGBA":  # cut out: the object is opaque
        image = Image.merge("RGBA", [Image.new("L", image.size, 200)] * 3 + [image])
    elif mode == "P":
        image = Image.fromarray(mask.astype(np.uint8))
        image.putpalette([0, 0, 0, 200, 0, 0])
    elif mode == "I;16":
        image = Image.fromarray(mask.astype(np.uint16))
    else:
        image = image.convert(mode)
    image.save(tmp_path / "x.кошка.mask.png")
    truth = find_ground_truth(blank(), tmp_path)
    assert [s.label for s in truth.segments] == ["cat"] and np.array_equal(truth.mask_of("cat"), mask)
    assert truth.made_by["objects"] is False and (truth.confidence == 1).all()


def test_masks_of_objects(tmp_path):
    """Numbers after the class make objects of the masks; another photo's masks are not this one's."""
    for name, x in (("x.cat.1", 0), ("x.cat 2", 30), ("x.собака_1", 60), ("x.y.dog", 0), ("xx.cat.1", 0)):
        Image.fromarray(block(x, 0, x + 20, 20)).save(tmp_path / f"{name}.mask.png")
    (tmp_path / "x.y.dog.mask.png").unlink()
    truth = find_ground_truth(blank(), tmp_path)
    assert sorted((s.label, s.box[0]) for s in truth.segments) == [("cat", 0), ("cat", 30), ("dog", 60)]
    assert truth.made_by["objects"] is True


def test_photo_on_its_side(tmp_path):
    """A mask belongs to the upright photo; one of the photo as the camera stored it is refused, in every format."""
    image = Image.new("RGB", (100, 60))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "x.jpg", exif=exif)
    upright = block(0, 0, 30, 50, (100, 60))
    Image.fromarray(upright).save(tmp_path / "x.cat.mask.png")
    (photo,) = load_photos(tmp_path, quiet=True)
    assert photo.pixels.shape == (100, 60, 3) and np.array_equal(find_ground_truth(photo).mask_of("cat"), upright)
    Image.new("L", (100, 60), 8).save(tmp_path / "side.mask.png")
    side = [
        (read_mask, tmp_path / "side.mask.png"),
        (read_labelme, write_outline(tmp_path / "side.json", [[0, 0], [50, 0], [0, 50]], size=(100, 60))),
        (read_coco, write_coco(tmp_path / "all.json", (0, runs_of(upright.T), {}), size=(100, 60))),
    ]
    for read, path in side:
        with pytest.raises(LabkitError, match=f"{path.name}.*100×60.*60×100"):
            read(path, photo)


def test_other_files_of_the_folder(tmp_path):
    """JSON of other kinds is passed over; a COCO file that cannot be parsed is named."""
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()
    for name, content in (("notes", "{}"), ("cut", '{"a": [1,'), ("list", '["images", "annotations"]')):
        (tmp_path / f"{name}.json").write_text(content)
    assert find_ground_truth(blank(), tmp_path) is None
    (tmp_path / "cut.json").write_text('{"images": [], "annotations": [')
    with pytest.raises(LabkitError, match=r"cut\.json"):
        find_ground_truth(blank(), tmp_path)


CAT = block(10, 10, 60, 50)


def tool(folder, name):
    """A photo x.jpg and its annotation in the folders that a tool makes; the photo's path."""
    colors = np.zeros((80, 100, 3), np.uint8)
    colors[CAT] = (250, 50, 83)
    numbers = np.where(block(10, 10, 30, 50), 1, np.where(CAT, 2, 0)).astype(np.uint8)
    coco = (0, runs_of(CAT), {})
    grey = {label_id: Image.fromarray(CAT.astype(np.uint8) * label_id) for label_id in (1, 8, 255)}
    labelmap = "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncat:250,50,83::\n"
    masks = {"SegmentationClass/x.png": Image.fromarray(colors), "labelmap.txt": labelmap}
    objects = {"SegmentationClass/x.png": grey[8], "SegmentationObject/x.png": Image.fromarray(numbers)}
    voc = {"SegmentationClass/x.png": Image.fromarray(CAT[..., None] * np.uint8((64, 0, 0)))}
    roboflow = {"train/x_mask.png": grey[1], "train/_classes.csv": "Pixel Value, Class\n0, background\n1, cat"}
    photo, files = {
        "CVAT, COCO": ("images/default/x.jpg", {"annotations/instances_default.json": coco}),
        "CVAT, COCO without photos": ("x.jpg", {"annotations/instances_default.json": coco}),
        "CVAT, masks": ("JPEGImages/x.jpg", masks),
        "CVAT, objects": ("JPEGImages/x.jpg", objects),
        "VOC's colours": ("x.jpg", voc),
        "Label Studio": ("images/1a2b3c4d-x.jpg", {"result.json": coco}),
        "Roboflow, COCO": ("train/x_jpg.rf.0a1b.jpg", {"train/_annotations.coco.json": coco}),
        "Roboflow, masks": ("train/x.jpg", roboflow),
        "a folder of masks": ("images/x.jpg", {"masks/x.png": grey[8]}),
        "upper case": ("x.jpg", {"X.CAT.MASK.PNG": Image.fromarray(CAT)}),
        "JPEG": ("x.jpg", {"x.cat.mask.jpg": grey[255]}),
        "beside": ("x.jpg", {"x.mask.png": grey[8]}),
        "other endings": ("x.jpg", {"x_label.png": grey[8]}),
        "folders in upper case": ("IMAGES/X.JPG", {"MASKS/X.PNG": grey[8]}),
        "folders side by side": ("photos/x.jpg", {"ground_truth/x.png": grey[8]}),
        "a contest": ("train/x.jpg", {"train_masks/x_mask.png": grey[8]}),
        "divided masks": ("images/train/x.jpg", {"masks/train/x.png": grey[8]}),
        "CVAT, masks in folders": (
            "JPEGImages/a/x.jpg",
            {**masks, "SegmentationClass/a/x.png": Image.fromarray(colors)},
        ),
        "labelme's converter": ("JPEGImages/x.jpg", {**voc, "SegmentationClassVisualization/x.jpg": grey[255]}),
        "COCO's own": ("train2017/x.jpg", {"annotations/instances_train2017.json": coco}),
        "FiftyOne": ("data/x.jpg", {"labels.json": coco}),
    }[name]
    for file, content in {photo: Image.new("RGB", (100, 80), "grey"), **files}.items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Image.Image):
            content.save(path)
        elif isinstance(content, str):
            path.write_text(content)
        else:
            write_coco(path, content, files=(photo.removeprefix("train/"),))
    return folder / photo


TOOLS = ["CVAT, COCO", "CVAT, COCO without photos", "CVAT, masks", "CVAT, objects", "VOC's colours", "Label Studio"]
TOOLS += ["Roboflow, COCO", "Roboflow, masks", "a folder of masks", "upper case", "JPEG", "beside", "other endings"]
TOOLS += ["folders in upper case", "folders side by side", "a contest", "divided masks", "CVAT, masks in folders"]
TOOLS += ["labelme's converter", "COCO's own", "FiftyOne"]


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("name", TOOLS)
def test_where_tools_put_them(tmp_path, name, zipped):
    """Unzipped or in the zip the one photo is the photo, and its annotation is found."""
    tool(tmp_path / "export", name)
    source = shutil.make_archive(tmp_path / "export", "zip", tmp_path / "export") if zipped else tmp_path / "export"
    photos = load_photos(source, quiet=True)
    assert len(photos) == 1 and photos.skipped == []
    truth = find_ground_truth(photos[0])
    assert np.array_equal(np.logical_or.reduce([s.mask for s in truth.segments]), CAT) and not truth.made_by["notes"]
    assert [s.label for s in truth.segments] == ["cat"] * (2 if name == "CVAT, objects" else 1)


def test_names_that_tools_changed(tmp_path):
    """The photos' own names are found behind those that Label Studio and Roboflow made of them."""
    for name in ("images/1a2b3c4d-x.jpg", "x_jpg.rf.0a1b2c.jpg", "X.JPG", "my%20photos/x.png"):
        write_coco(tmp_path / "all.json", (0, runs_of(CAT), {}), files=(name,))
        assert find_ground_truth(blank(path=tmp_path / "x.jpg")).segments[0].area == 2000


@pytest.mark.parametrize(
    "name, content",
    [
        ("annotations.xml", "<annotations/>"),
        ("labels/x.txt", "0 0.1 0.1 0.5 0.1 0.5 0.5\n"),
        ("labels/train/x.txt", "0 0.1 0.1 0.5 0.1 0.5 0.5\n"),
        ("project-1-at-2026.json", '[{"annotations": [], "data": {"image": "x.jpg"}}]'),
        ("task-1-annotation-2-by-1-tag-cat-0.png", ""),
        ("via.json", '{"x.jpg1": {"filename": "x.jpg", "regions": [{"shape_attributes": {}}]}}'),
        ("annotations/default.json", '{"categories": {}, "items": [{"id": "x", "annotations": []}]}'),
        ("Annotations/x.xml", "<annotation/>"),
        ("_annotations.csv", "filename,class,xmin"),
        ("_annotations.createml.json", '[{"image": "x.jpg", "annotations": [{"label": "cat"}]}]'),
        ("project-2-at-2026-01-02.json", '[{"image": "/data/upload/1a2b3c4d-x.jpg", "annotation_id": 1}]'),
        ("project-2-at-2026-01-02/task-1-annotation-2-by-1-tag-cat-0.png", ""),
        ("via_export_csv.csv", "filename,file_size,region_shape_attributes"),
    ],
)
def test_formats_that_are_not_read(tmp_path, name, content):
    """They are no "nothing on the photo": the error names the file and what to export; a note beside it is neither."""
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(content)
    photo = tmp_path / ("images/train/x.jpg" if "train" in name else "x.jpg")
    with pytest.raises(LabkitError, match=f"{name.rpartition('/')[2]}.*COCO"):
        find_ground_truth(blank(path=photo))
    (tmp_path / name).unlink()
    (tmp_path / "x.txt").write_text("сняла во дворе")
    assert find_ground_truth(blank(path=tmp_path / "x.jpg")) is None


@pytest.mark.parametrize(
    "values, said", [((0, 0), "нули"), ((0, 1), "1 (самолёт)"), ((0, 2), "2 (велосипед)"), ((1, 2), "1 (самолёт), 2")]
)
def test_masks_of_low_ids(tmp_path, values, said):
    """They are VOC's, as is said, and so are zeros alone; a label that no class has is named, and what there is."""
    Image.fromarray(np.uint8(values)[CAT.astype(int)]).save(tmp_path / "x.mask.png")
    (note,) = find_ground_truth(blank(), tmp_path).made_by["notes"]
    assert said in note and ("x.КЛАСС.mask.png" in note or not any(values))
    Image.new("L", (100, 80), 21).save(tmp_path / "x.mask.png")
    with pytest.raises(LabkitError, match=r"x\.mask\.png.*\[21\].*PASCAL VOC.*от 0 до 20"):
        find_ground_truth(blank(), tmp_path)


def test_unknown_class_in_a_labelmap(tmp_path):
    """Its pixels count as not labelled, and it is named; the others count."""
    path = tool(tmp_path, "CVAT, masks")
    (tmp_path / "labelmap.txt").write_text("background:0,0,0::\nтигр:250,50,83::\n", encoding="cp1251")
    truth = find_ground_truth(blank(path=path))
    assert truth.segments == [] and np.array_equal(truth.confidence == 0, CAT) and "тигр" in truth.made_by["notes"][0]


@pytest.mark.parametrize("rows", ['"0","background"\n"1","cat"\n', "0;background\n1;cat\n", "0\tbackground\n1\tcat\n"])
def test_list_of_classes_of_a_spreadsheet(tmp_path, rows):
    """Quoted or with other marks between; an id that is not listed counts as not labelled, and is named."""
    (tmp_path / "_classes.csv").write_text(f"Pixel Value, Class\n{rows}")
    values = np.where(CAT, 1, 0).astype(np.uint8)
    values[:5] = 7
    Image.fromarray(values).save(tmp_path / "x_mask.png")
    truth = find_ground_truth(blank(), tmp_path)
    assert [s.label for s in truth.segments] == ["cat"] and not truth.confidence[:5].any()
    assert "7" in truth.made_by["notes"][0]


def test_palette_of_an_editor(tmp_path):
    """VOC's colours under numbers of the editor's own are VOC's classes."""
    image = Image.fromarray(CAT.astype(np.uint8))
    image.putpalette([0, 0, 0, 64, 0, 0])
    image.save(tmp_path / "x_mask.png")
    truth = find_ground_truth(blank(), tmp_path)
    assert [(s.label, s.area) for s in truth.segments] == [("cat", 2000)] and not truth.made_by["notes"]


@pytest.mark.parametrize("level", [0, 90, 255])
def test_cut_out_object(tmp_path, level):
    """What is transparent is around it, however dark it is itself."""
    opaque = Image.fromarray(CAT.astype(np.uint8) * 255)
    Image.merge("LA", [Image.new("L", (100, 80), level), opaque]).save(tmp_path / "x.cat.mask.png")
    assert np.array_equal(find_ground_truth(blank(), tmp_path).mask_of("cat"), CAT)


def test_the_kits_photos_have_theirs(default_photos, root):
    """A photo of the kit needs no folder to be named; a copy of it elsewhere is not the kit's."""
    photo = default_photos["cat_kitten"]
    own = find_ground_truth(photo)
    assert np.array_equal(own.labels, find_ground_truth(photo, root / "data" / "outlines").labels)
    assert find_ground_truth(replace(photo, path=root / "cat_kitten.jpg")) is None
