"""Ground truth is found: the kit's outlines, a student's own files, where tools put them."""

import json
import os
import shutil
import time
import zipfile
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from annotated import CAT, CAT_ROW, CAT_SHAPE, blank, block, coco_record, put, runs_of, write_coco, write_shapes
from PIL import Image

from labkit.classes import VOC
from labkit.evaluation.annotations import find_ground_truth, ground_truth_of
from labkit.evaluation.labelme import read_labelme
from labkit.io.errors import LabkitError
from labkit.photos import load_photos
from labkit.segmentation import Segmentation

OUTLINED = {"astronaut": "person", "bird_kingfisher": "bird", "cameraman": "person", "cat_chelsea": "cat"}
OUTLINED |= {"cat_kitten": "cat", "cat_yarn": "cat", "dog_shepherd": "dog", "officer": "person", "sheep": "sheep"}


@pytest.mark.parametrize("name, label", OUTLINED.items())
def test_the_nine_outlines(default_photos, root, name, label):
    """The kit's photos have theirs: of the right class and the area by the shoelace formula, up to its border."""
    photo, path = default_photos[name], root / "data" / "outlines" / f"{name}.json"
    (segment,) = find_ground_truth(photo).segments
    assert segment.label == label and segment.score == 1.0 and segment.mask.shape == photo.pixels.shape[:2]
    points = np.array(json.loads(path.read_text(encoding="utf-8"))["shapes"][0]["points"])
    following = np.roll(points, -1, axis=0)
    area = abs(np.sum(points[:, 0] * following[:, 1] - following[:, 0] * points[:, 1])) / 2
    assert segment.area == pytest.approx(area, abs=np.linalg.norm(points - following, axis=1).sum())
    mean = [photo.pixels[mask].mean(0) for mask in (segment.mask, ~segment.mask)]
    assert np.abs(mean[0] - mean[1]).max() > 10  # in colour, too, the object is not its surroundings


@pytest.mark.parametrize("folder", [None, "data/outlines", "data/images"])
def test_photos_by_a_way_from_here(root, monkeypatch, folder):
    """A photo read by a relative path is no other photo of its name, and no mask of itself."""
    monkeypatch.chdir(root)
    (photo,) = load_photos("data/images/astronaut.jpg", quiet=True)
    found = find_ground_truth(photo, folder and root / folder)
    assert found.made_by["notes"] == [] and found.made_by["annotation"].endswith("astronaut.json")


def test_no_outline(default_photos, root):
    """The horses have none, a copy of a photo is not the kit's, and one from an array has no place for any."""
    assert find_ground_truth(default_photos["horses"]) is None
    assert find_ground_truth(replace(default_photos["cat_kitten"], path=root / "cat_kitten.jpg")) is None
    assert find_ground_truth(blank()) is None


def test_own_files_come_first(tmp_path):
    """Outlines, then the index mask, then masks of classes, then COCO, by the file's stem; a saved result is none."""
    write_coco(tmp_path / "all.json", CAT_ROW)
    put(tmp_path, {"x.bird.mask.png": CAT, "x.mask.png": Image.new("L", (100, 80), VOC.id("dog"))})
    write_shapes(tmp_path / "x.json", {**CAT_SHAPE, "label": "sheep"})
    photo = blank("set_x", path=tmp_path / "x.jpg")
    labels = []
    for name in ("x.json", "x.mask.png", "x.bird.mask.png", "all.json"):
        labels.append(find_ground_truth(photo).segments[0].label)
        (tmp_path / name).unlink()
    assert labels == ["sheep", "dog", "bird", "cat"] and find_ground_truth(photo) is None
    read_labelme(write_shapes(tmp_path / "y.json", CAT_SHAPE), blank(path=tmp_path / "x.jpg")).save(tmp_path)
    assert (tmp_path / "x.json").exists() and find_ground_truth(photo) is None
    Segmentation.nothing(replace(photo, name="x")).save(tmp_path)
    assert find_ground_truth(photo) is None


def test_other_files_of_the_folder(tmp_path):
    """JSON of other kinds is passed over; a COCO file that cannot be parsed is named."""
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()
    put(tmp_path, {"notes.json": "{}", "cut.json": '{"a": [1,', "list.json": '["images", "annotations"]'})
    assert find_ground_truth(blank(), tmp_path) is None
    put(tmp_path, {"cut.json": '{"images": [], "annotations": ['})
    with pytest.raises(LabkitError, match=r"cut\.json"):
        find_ground_truth(blank(), tmp_path)


def listing(*names):
    """A COCO file of the cat on the first of these photos."""
    return json.dumps(coco_record(CAT_ROW, files=names))


COLORS = Image.fromarray(CAT[..., None] * np.uint8((250, 50, 83)))
NUMBERS = Image.fromarray(np.where(block(10, 10, 30, 50), 1, np.where(CAT, 2, 0)).astype(np.uint8))
GREY = {label_id: Image.fromarray(CAT.astype(np.uint8) * label_id) for label_id in (1, 8, 255)}
DOG = Image.fromarray((~CAT).astype(np.uint8) * 12)
CITY = Image.fromarray(np.where(CAT, 26, 0).astype(np.uint8))
LABELMAP = "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncat:250,50,83::\n"
MASKS = {"SegmentationClass/x.png": COLORS, "labelmap.txt": LABELMAP}
OBJECTS = {"SegmentationClass/x.png": GREY[8], "SegmentationObject/x.png": NUMBERS}
VOC_COLORS = {"SegmentationClass/x.png": Image.fromarray(CAT[..., None] * np.uint8((64, 0, 0)))}
CLASSES = {"train/_classes.csv": "Pixel Value, Class\n0, background\n1, cat"}
ROBOFLOW = {"train/x_mask.png": GREY[1], **CLASSES}
NAMES = "_background_\ncat\n"
LABEL_NAMES = {"x_json/label_names.txt": NAMES}
SHAPES = json.dumps({"imagePath": "..\\x.jpg", "imageWidth": 100, "imageHeight": 80, "shapes": [CAT_SHAPE]})
CVAT_1 = "task_1_annotations_2026_01_02_10_20_30"
CVAT_CITY = {
    "gtFine/default/x_gtFine_labelIds.png": GREY[1],
    "gtFine/default/x_gtFine_color.png": COLORS,
    "label_colors.txt": "0 0 0 background\n250 50 83 cat\n",
}
TOOLS = {
    "CVAT, COCO": ("images/default/x.jpg", {"annotations/instances_default.json": CAT_ROW}),
    "CVAT, COCO without photos": ("x.jpg", {"annotations/instances_default.json": CAT_ROW}),
    "CVAT, masks": ("JPEGImages/x.jpg", MASKS),
    "CVAT, CamVid": ("default/x.jpg", {"defaultannot/x.png": COLORS, "label_colors.txt": "250 50 83 cat\n"}),
    "CVAT, objects": ("JPEGImages/x.jpg", OBJECTS),
    "VOC's colours": ("x.jpg", VOC_COLORS),
    "Label Studio": ("images/1a2b3c4d-x.jpg", {"result.json": CAT_ROW}),
    "Roboflow, COCO": ("train/x_jpg.rf.0a1b.jpg", {"train/_annotations.coco.json": CAT_ROW}),
    "Roboflow, masks": ("train/x.jpg", ROBOFLOW),
    "a folder of masks": ("images/x.jpg", {"masks/x.png": GREY[8]}),
    "of a browser": ("x.jfif", {"x_mask.png": GREY[8]}),
    "upper case": ("x.jpg", {"X.CAT.MASK.PNG": Image.fromarray(CAT)}),
    "JPEG": ("x.jpg", {"x.cat.mask.jpg": GREY[255]}),
    "beside": ("x.jpg", {"x.mask.png": GREY[8]}),
    "other endings": ("x.jpg", {"x_label.png": GREY[8]}),
    "folders in upper case": ("IMAGES/X.JPG", {"MASKS/X.PNG": GREY[8]}),
    "folders side by side": ("photos/x.jpg", {"ground_truth/x.png": GREY[8]}),
    "a contest": ("train/x.jpg", {"train_masks/x_mask.png": GREY[8]}),
    "divided masks": ("images/train/x.jpg", {"masks/train/x.png": GREY[8]}),
    "CVAT, masks in folders": ("JPEGImages/a/x.jpg", {**MASKS, "SegmentationClass/a/x.png": COLORS}),
    "labelme's converter": ("JPEGImages/x.jpg", {**VOC_COLORS, "SegmentationClassVisualization/x.jpg": GREY[255]}),
    "COCO's own": ("train2017/x.jpg", {"annotations/instances_train2017.json": CAT_ROW}),
    "FiftyOne": ("data/x.jpg", {"labels.json": CAT_ROW}),
    "beside the folder": ("фото/x.jpg", {"coco.json": CAT_ROW}),
    "labelme, VOC": ("JPEGImages/x.jpg", {"SegmentationClassPNG/x.png": GREY[1], "class_names.txt": NAMES}),
    "labelme, a folder a photo": ("x.jpg", {"x_json/label.png": GREY[1], "x_json/img.png": COLORS, **LABEL_NAMES}),
    "labelme, named otherwise": ("x.jpg", {"json/1.json": SHAPES}),
    "the kit's own": ("images/x.jpg", {"semantic/x.png": GREY[8], "instances/x.png": GREY[1]}),
    "masks among annotations": ("images/x.jpg", {"annotations/trimaps/x.png": GREY[8]}),
    "Russian names": ("фото/x.jpg", {"маски/x.png": GREY[8]}),
    "before the name": ("x.jpg", {"mask_x.png": GREY[8]}),
    "with a number": ("x.jpg", {"x mask 1.png": GREY[8]}),
    "after the ending": ("x.jpg", {"x.jpg.mask.png": GREY[8]}),
    "Supervisely": ("img/x.jpg", {"masks_machine/x.jpg.png": GREY[8], "masks_human/x.jpg.png": COLORS}),
    "Roboflow, own photos": ("train/x.jpg", {"train/x_jpg.rf.0a_mask.png": GREY[1], **CLASSES}),
    "Segments.ai": ("x.jpg", {"x_label_ground-truth.png": GREY[1], "x_label_ground-truth_semantic.png": GREY[8]}),
    "Pixel Annotator": ("x.jpg", {"x_color_mask.png": COLORS, "x_mask.png": GREY[8], "x_watershed_mask.png": COLORS}),
    "EISeg": ("x.jpg", {"label/x.json": '[{"name": "cat"}]', "label/x.png": GREY[8]}),
    "Supervisely, all": (
        "img/x.jpg",
        {"ann/x.jpg.json": "{}", "masks_instances/x.png": COLORS, "masks_machine/x.png": GREY[8]},
    ),
    "labelme, side by side": ("img/x.jpg", {"labelme/x.json": SHAPES}),
    "MMSegmentation": ("img_dir/val/x.jpg", {"ann_dir/val/x.png": GREY[8]}),
    "CAMO": ("Imgs/x.jpg", {"GT_Object/x.png": GREY[8]}),
    "the word before": ("x.jpg", {"gt_x.png": GREY[8]}),
    "in brackets": ("x.jpg", {"x (mask).png": GREY[8]}),
    "a photo's ending before the class": ("x.jpg", {"x.jpg.cat.mask.png": GREY[255]}),
    "numbered": ("image1.jpg", {"mask1.png": GREY[8]}),
    "photo and mask": ("x_image.jpg", {"x_mask.png": GREY[8]}),
    "two words": ("x.jpg", {"x_seg_mask.png": GREY[8]}),
    "one word": ("PNGImages/x.jpg", {"PedMasks/x_mask.png": GREY[8]}),
    "Cityscapes": ("leftImg8bit/val/a/a_0_1_leftImg8bit.jpg", {"gtFine/val/a/a_0_1_gtFine_labelIds.png": CITY}),
    "CVAT, Cityscapes": ("imgsFine/leftImg8bit/default/x_leftImg8bit.png", CVAT_CITY),
    "CVAT, Cityscapes without photos": ("x.jpg", CVAT_CITY),
    "CVAT, COCO unpacked": ("x.jpg", {f"{CVAT_1}_coco 1.0/annotations/instances_default.json": CAT_ROW}),
    "CVAT, masks unpacked": ("x.jpg", {f"{CVAT_1}_segmentation mask 1.1/{name}": mask for name, mask in MASKS.items()}),
    "photos in folders, one COCO": ("коты/x.jpg", {"coco.json": CAT_ROW}),
    "photos and masks in folders": ("коты/x.jpg", {"masks/коты/x.png": GREY[8]}),
    "Russian annotations": ("x.jpg", {"аннотации/x.json": SHAPES}),
    "16 bits": ("x.jpg", {"x.mask.png": Image.fromarray(CAT.astype(np.uint16) * 8)}),
}
"""A photo and its annotation in the folders that a tool makes."""


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("name", TOOLS)
def test_where_tools_put_them(tmp_path, name, zipped):
    """Unzipped or in the zip the one photo is the photo, and its annotation is found."""
    photo, files = TOOLS[name]
    coco = listing(photo.removeprefix("train/"))
    files = {file: coco if content is CAT_ROW else content for file, content in files.items()}
    put(tmp_path / "export", {photo: Image.new("RGB", (100, 80), "grey"), **files})
    source = shutil.make_archive(tmp_path / "export", "zip", tmp_path / "export") if zipped else tmp_path / "export"
    photos = load_photos(source, quiet=True)
    assert len(photos) == 1 and photos.skipped == []
    truth = find_ground_truth(photos[0])
    assert np.array_equal(np.logical_or.reduce([s.mask for s in truth.segments]), CAT) and not truth.made_by["notes"]
    label = "car" if name == "Cityscapes" else "cat"
    assert [s.label for s in truth.segments] == [label] * (2 if name == "CVAT, objects" else 1)


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
        ("job.xml", '<image name="x.jpg"><polygon points="1,2;3,4"/></image>'),
        ("x.txt", "0,1e-1,0.1,5e-1,0.1,0.5,0.5\n"),
        ("obj_train_data/x.txt", "0 0.5 0.5 0.2 0.3\n"),
        ("labels_my.csv", "cat,10,10,50,40,x.jpg,100,80\n"),
        ("export.json", '[{"image": "/data/upload/1a2b3c4d-x.jpg", "label": [{"points": [[1, 1]]}]}]'),
        ("results.json", '[{"image_id": 1, "category_id": 1, "segmentation": {}}]'),
        ("x_gtFine_polygons.json", '{"objects": [{"label": "road", "polygon": [[1, 1], [2, 2]]}]}'),
        ("x.jpg___objects.json", '{"instances": [{"type": "polygon"}]}'),
    ],
)
def test_formats_that_are_not_read(tmp_path, name, content):
    """They are no "nothing on the photo": the error names the file and what to export; a note beside it is neither."""
    put(tmp_path, {name: content})
    photo = tmp_path / ("images/train/x.jpg" if "train" in name else "x.jpg")
    with pytest.raises(LabkitError, match=f"{name.rpartition('/')[2]}.*COCO"):
        find_ground_truth(blank(path=photo))
    (tmp_path / name).unlink()
    put(tmp_path, {"x.txt": "сняла во дворе, x.jpg, label", "list.csv": "file,place\nx.jpg,двор\n"})
    put(tmp_path, {"x.jpg.json": '{"title": "x.jpg", "photoTakenTime": {"timestamp": "1"}}'})  # Google's
    assert find_ground_truth(blank(path=tmp_path / "x.jpg")) is None


NO_CLASS = ["masks/x_1.png", "masks/cat/x.png", "images/x-cat.mask.png", "label/x.cat.png", "instances/x.png"]
NO_PICTURE = ["masks/x.npy", "images/x.cat.mask.psd", "SegmentationClass/x.mat"]


@pytest.mark.parametrize(
    "mask, content, said",
    [*((mask, CAT, r"x\.КЛАСС\.mask") for mask in NO_CLASS), *((mask, None, "PNG") for mask in NO_PICTURE)],
)
def test_masks_that_are_not_read(tmp_path, mask, content, said):
    """Of no class, of another program's own kind: by its name it is the photo's, and the error says what to do."""
    put(tmp_path, {"images/x.jpg": None, "images/x_1 b.jpg": None, mask: content})
    with pytest.raises(LabkitError, match=f"{mask.rpartition('/')[2]}: .*{said}"):
        find_ground_truth(blank(path=tmp_path / "images" / "x.jpg"))
    assert find_ground_truth(blank("y", path=tmp_path / "images" / "y.jpg")) is None


@pytest.mark.parametrize("names", [["a.json", "b.json"], ["a.json"]])
def test_damaged_file_in_a_zip(tmp_path, names):
    """It costs no photo the annotation that lies beside it, and is named where it is all that there is."""
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, listing("x.jpg"))
    path.write_bytes(path.read_bytes().replace(b'"images"', b'"Images"', 1))
    with pytest.raises(LabkitError, match="a.json") if len(names) == 1 else nullcontext():
        truth = find_ground_truth(blank(path=path / "x.jpg"))
        assert truth.segments[0].area == 2000 and "a.json" in truth.made_by["notes"][0]


@pytest.mark.parametrize(
    "whose, other, files",
    [
        ("X.jpg", "x.jpg", {"x_mask.png": DOG, "X_mask.png": GREY[8]}),
        *(("X.jpg", "x.jpg", {name: what}) for name, what in (("X.json", SHAPES), ("X.cat.mask.png", CAT))),
        ("1.jpg", "image_1.jpg", {"x_mask.png": DOG, "mask_1.png": GREY[8]}),
        ("x.jpg", "x.png", {"x.json": SHAPES}),  # says that it is of x.jpg
        ("1a2b3c4d-x.jpg", "x.jpg", {"all.json": listing("1a2b3c4d-x.jpg")}),
        ("a_1.jpg", "a-1.jpg", {"all.json": listing("a_1.jpg")}),
        ("x.jpg", "X.jpg", {"all.json": listing("x.jpg")}),
        ("x.jpg", "b/x.jpg", {"all.json": listing("x.jpg")}),
    ],
)
def test_photos_of_nearly_one_name(tmp_path, whose, other, files):
    """Each has what is its own."""
    put(tmp_path, {whose: None, other: None, **files})
    truth, no_cat = (find_ground_truth(blank(path=tmp_path / name)) for name in (whose, other))
    assert [(s.label, s.area) for s in truth.segments] == [("cat", 2000)]
    assert no_cat is None or no_cat.segments[0].label == "dog"


@pytest.mark.parametrize(
    "photos, annotation, content, shared",
    [
        ("train/x.jpg val/x.jpg", "masks/x.png", GREY[8], True),
        ("images/a/x.jpg images/b/x.jpg", "masks/x.png", GREY[8], True),
        ("images/a/x.jpg images/b/x.jpg", "masks/a/x.png", GREY[8], False),
        ("train/x.jpg val/y.jpg SegmentationObject/x.png", "masks/x.png", GREY[8], False),
        ("x.jpg b/x.jpg", "masks/x.png", GREY[8], False),
        ("train/x.jpg val/x.jpg", "all.json", listing("x.jpg"), True),
        ("train/x.jpg val/x.jpg", "all.json", listing("val/x.jpg"), True),
        ("train/x.jpg val/x.jpg", "all.json", listing("train/x.jpg"), False),
    ],
)
def test_an_annotation_that_two_photos_share(tmp_path, photos, annotation, content, shared):
    """It is read, and the other photo of this name is named where nothing, as the folder, tells them apart."""
    first, *others = photos.split()
    put(tmp_path, {**dict.fromkeys([first, *others]), annotation: content})
    truth = find_ground_truth(blank(path=tmp_path / first))
    assert truth.segments[0].area == 2000
    assert [others[0][-7:] in note for note in truth.made_by["notes"]] == [True] * shared


def test_coco_of_photos_that_were_renamed(tmp_path):
    """A file that lists no photo of the folder is named; where it lists another one, this one has no annotation."""
    put(tmp_path, {"кот.jpg": None, "all.json": listing("img/1.jpg", "2.jpg")})
    photo = blank(path=tmp_path / "кот.jpg")
    with pytest.raises(LabkitError, match=r"all\.json.*1\.jpg, 2\.jpg"):
        find_ground_truth(photo)
    put(tmp_path, {"2.jpg": None})
    assert find_ground_truth(photo) is None


def test_ground_truth_that_must_not_stop_a_report(tmp_path):
    """None where nothing can be read, what is there where it can."""
    path = write_shapes(tmp_path / "x.json", {**CAT_SHAPE, "label": "кот"})
    photo = blank(path=tmp_path / "x.jpg")
    with pytest.raises(LabkitError, match="кот"):
        find_ground_truth(photo)
    assert ground_truth_of(photo) is None
    write_shapes(path, CAT_SHAPE)
    assert ground_truth_of(photo).largest.label == "cat"


@pytest.mark.parametrize("first, noted", [("nothing", ""), ("dog", "b.json"), ("cut", "a.json")])
def test_several_coco_files(tmp_path, first, noted):
    """An empty one hides no other; one that is broken, and one of which nothing was taken, is named."""
    a, mask = tmp_path / "a.json", runs_of(CAT)
    write_coco(a, *([(1, mask, {})] if first == "dog" else []))
    if first == "cut":
        a.write_text(a.read_text()[:-2])
    write_coco(tmp_path / "b.json", (0, mask, {}))
    truth = find_ground_truth(blank(), tmp_path)
    assert [s.label for s in truth.segments] == ["dog" if first == "dog" else "cat"]
    assert noted in "".join(truth.made_by["notes"]) and len(truth.made_by["notes"]) == bool(noted)


@pytest.mark.parametrize(
    "name, begin, unit", [("заметки.csv", "", ","), ("a.json", "", "["), ("b.txt", " ", "1"), ("c.txt", "", "\n")]
)
def test_other_long_files(tmp_path, name, begin, unit):
    """A file beside the photos that is no annotation costs no time, be it a sheet of empty cells."""
    written = begin + unit * 200_000
    put(tmp_path, {"x.jpg": None, name: written, f"2{name}": f"{written} 1, 2, 3"})
    started = time.process_time()
    assert find_ground_truth(blank(path=tmp_path / "x.jpg")) is None
    assert time.process_time() - started < 5
