"""Masks as pictures, of whatever mode and colours."""

import re
from dataclasses import replace

import numpy as np
import pytest
from annotated import CAT, blank, block, png_bytes, put
from pictured import written
from PIL import Image, ImageDraw

from labkit.classes import VOC, label_set
from labkit.evaluation.annotations import find_ground_truth
from labkit.evaluation.masks import read_mask
from labkit.io.errors import LabkitError

NOTHING, CATS = np.zeros((80, 100), np.uint8), [("cat", 2000)]
GREY = {value: CAT.astype(np.uint8) * value for value in (1, 2, 21, 255)}
CAT_1, OPAQUE, AROUND = map(Image.fromarray, (GREY[1], GREY[255], GREY[255] ^ 255))


def with_palette(image, *colors):
    """The same with these colours."""
    image = image.copy()
    image.putpalette(colors)
    return image


@pytest.mark.parametrize("mode", ["L", "P"])
@pytest.mark.parametrize("scale", [1, 2])
def test_index_mask(tmp_path, mode, scale):
    """Label ids as they are, grey or with a palette, also on a smaller photo; 255 is no segment and not sure."""
    labels = np.zeros((80, 100), np.uint8)
    labels[:40, 30:70], labels[40:50] = VOC.id("cat"), 255
    image = Image.fromarray(labels)
    put(tmp_path, {"x.mask.png": with_palette(image, *[0] * 768) if mode == "P" else image})
    labels = labels[::scale, ::scale]
    truth = read_mask(tmp_path / "x.mask.png", blank(width=100 // scale, height=80 // scale))
    assert [(s.label, s.area) for s in truth.segments] == [("cat", 1600 // scale**2)]
    assert np.array_equal(truth.ids > 0, labels == VOC.id("cat"))
    assert np.array_equal(truth.confidence == 0, labels == 255)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "I;16"])
def test_class_mask(tmp_path, mode):
    """White, or any lighter value, is the class of the file's name, in whatever mode an editor saved it."""
    cut_out = Image.merge("RGBA", [Image.new("L", (100, 80), 200)] * 3 + [OPAQUE])  # the object is opaque
    others = {"RGBA": cut_out, "P": with_palette(CAT_1, 0, 0, 0, 200, 0, 0), "I;16": Image.fromarray(CAT.astype("u2"))}
    put(tmp_path, {"x.кошка.mask.png": others.get(mode, OPAQUE).convert(mode)})
    truth = find_ground_truth(blank(), tmp_path)
    assert [s.label for s in truth.segments] == ["cat"] and np.array_equal(truth.mask_of("cat"), CAT)
    assert truth.made_by["objects"] is False and (truth.confidence == 1).all()


def test_masks_of_objects(tmp_path):
    """Numbers after the class make objects of the masks; another photo's masks are not this one's."""
    masks = {"x.cat.1": 0, "x.cat 2": 30, "x.собака_1": 60, "xx.cat.1": 0}
    put(tmp_path, {f"{name}.mask.png": block(x, 0, x + 20, 20) for name, x in masks.items()})
    truth = find_ground_truth(blank(), tmp_path)
    assert sorted((s.label, s.box[0]) for s in truth.segments) == [("cat", 0), ("cat", 30), ("dog", 60)]
    assert truth.made_by["objects"] is True


@pytest.mark.parametrize(
    "name, image, objects, said",
    [
        ("x.mask.png", CAT_1, [("aeroplane", 2000)], r"1 \(самолёт\).*x\.КЛАСС\.mask\.png"),
        ("x.mask.png", GREY[2], [("bicycle", 2000)], r"2 \(велосипед\).*x\.КЛАСС\.mask\.png"),
        ("x.mask.png", GREY[1] + 1, [("aeroplane", 6000), ("bicycle", 2000)], r"1 \(самолёт\), 2.*x\.КЛАСС\.mask"),
        ("x.mask.png", NOTHING, [], "ни одного объекта"),
        ("x.cat.mask.png", NOTHING, [], "ни одного объекта"),
        ("x.cat.mask.tif", GREY[255] ^ 255, [("cat", 6000)], "угла"),  # white around a black object
        ("x.cat.mask.tif", written(OPAQUE, "TIFF", save_all=True, append_images=[AROUND]), CATS, "страниц"),
        ("x.cat.mask.gif", with_palette(CAT_1, *[255] * 3, *[0] * 3), [("cat", 6000)], "угла"),
        ("x.cat.mask.png", with_palette(Image.fromarray(1 - GREY[1]), *[255] * 3, *[0] * 3), CATS, None),
        ("x_mask.png", with_palette(CAT_1, 0, 0, 0, 64, 0, 0), CATS, None),  # VOC's colours under an editor's numbers
        *(
            ("x.cat.mask.png", Image.merge("LA", [Image.new("L", (100, 80), level), OPAQUE]), CATS, None)
            for level in (0, 90, 255)  # what is transparent is around it, however dark it is itself
        ),
    ],
)
def test_what_a_mask_counts_as(tmp_path, name, image, objects, said):
    """What is not sure to be meant is said: low ids that are VOC's, nothing on the photo, an inverted mask, pages."""
    put(tmp_path, {name: image})
    truth = find_ground_truth(blank(), tmp_path)
    assert [(s.label, s.area) for s in truth.segments] == objects and truth.confidence.all()
    assert all(np.array_equal(s.mask, CAT if s.area == 2000 else ~CAT) for s in truth.segments)
    notes = truth.made_by["notes"]
    assert re.search(said, notes[0]) and len(notes) == 1 if said else not notes


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_objects_in_any_mode(tmp_path, mode):
    """The picture that tells objects apart may be grey or coloured, with transparency and without."""
    numbers = Image.fromarray(np.where(block(10, 10, 30, 50), 90, 200).astype(np.uint8)).convert(mode)
    put(tmp_path, {"SegmentationClass/x.png": GREY[2], "SegmentationObject/x.png": numbers})
    truth = find_ground_truth(blank(), tmp_path)
    assert [s.label for s in truth.segments] == ["bicycle"] * 2


def test_ids_of_another_set(tmp_path):
    """Ids beyond VOC's are those of the model's classes, as is said, also where objects are told apart."""
    files = {"SegmentationClass/x.png": GREY[21], "SegmentationObject/x.png": block(10, 10, 30, 50)}
    put(tmp_path, {"x.mask.png": GREY[21], **{f"b/{name}": mask for name, mask in files.items()}})
    for folder, count in ((tmp_path, 1), (tmp_path / "b", 2)):
        (note,) = (truth := find_ground_truth(blank(), folder, label_set("COCO"))).made_by["notes"]
        assert [s.label for s in truth.segments] == ["cow"] * count and "21 (корова)" in note and "COCO" in note


CVAT_LIST = "background:0,0,0::\nтигр:250,50,83::\n".encode("cp1251")
LISTS = [("class_names.txt", "__ignore__\n_background_\ncat\n"), ("labelmap.txt", "cat : 1, 1, 1\n")]
LISTS += [("_classes.csv", f"Pixel Value, Class\n0{mark}background\n1{mark}cat\n") for mark in ",;\t"]
LISTS += [("_classes.csv", '"0","background"\n"1","cat"\n')]


@pytest.mark.parametrize(
    "image, key, rows, objects, known, said",
    [
        (CAT[..., None] * np.uint8((250, 50, 83)), "labelmap.txt", CVAT_LIST, [], ~CAT, "тигр"),
        (np.where(CAT, GREY[1], 7), "_classes.csv", "0, background\n1, cat\n", CATS, CAT, "7"),
        *((CAT_1.convert("RGB" if "map" in key else "L"), key, rows, CATS, NOTHING == 0, "") for key, rows in LISTS),
    ],
)
def test_lists_of_classes(tmp_path, image, key, rows, objects, known, said):
    """Of labelme's classes the one to be ignored is -1; what no list has or VOC knows is not labelled, and is named."""
    put(tmp_path, {"x_mask.png": image, key: rows})
    truth = find_ground_truth(blank(), tmp_path)
    assert [(s.label, s.area) for s in truth.segments] == objects and np.array_equal(truth.confidence > 0, known)
    assert said in "".join(truth.made_by["notes"])


@pytest.mark.parametrize("tagged", [False, True])
@pytest.mark.parametrize("orientation, height, noted", [(2, 80, True), (3, 80, True), (6, 100, True), (6, 80, False)])
def test_turns_that_the_size_does_not_tell(tmp_path, orientation, height, noted, tagged):
    """Of a photo that EXIF mirrors, and of a square one, is said what a mask counts as, unless its own EXIF tells."""
    mask, exif = Image.fromarray(block(10, 10, 60, 50, (height, 100)).astype(np.uint8) * 8), Image.Exif()
    exif[0x0112] = 3
    (mask.rotate(180) if tagged else mask).save(tmp_path / "x.mask.png", **({"exif": exif} if tagged else {}))
    truth = find_ground_truth(replace(blank(height=height), orientation=orientation), tmp_path)
    assert truth.segments[0].box == (10, 10, 60, 50)
    assert ["EXIF" in note for note in truth.made_by["notes"]] == [True] * (noted and not tagged)


@pytest.mark.parametrize("label_set_of, labels", [("PASCAL VOC", ["car"]), ("Cityscapes", ["car", "road"])])
@pytest.mark.parametrize("name, values", [("labelIds", (7, 26)), ("labelTrainIds", (0, 13))])
def test_ids_of_cityscapes(tmp_path, label_set_of, labels, name, values):
    """They are not VOC's; classes that are not asked for count nowhere and are said; objects are told apart."""
    masks = {
        name: np.uint8(values)[CAT.astype(int)],
        "instanceIds": np.where(CAT, 26001, 7).astype(np.uint16),
        "color": Image.new("RGB", (100, 80), (0, 0, 142)),
    }
    put(tmp_path, {f"a_1_2_gtFine_{kind}.png": mask for kind, mask in masks.items()})
    truth = find_ground_truth(blank(path=tmp_path / "a_1_2_leftImg8bit.png"), classes=label_set(label_set_of))
    assert sorted(s.label for s in truth.segments) == labels and np.array_equal(truth.mask_of("car"), CAT)
    assert truth.made_by["objects"] == (name == "labelIds")
    assert len(truth.made_by["notes"]) == 2 - len(labels) and (truth.confidence > 0)[~CAT].all() == (len(labels) == 2)


def half(mode, color):
    """A mask whose left half has a colour."""
    image = Image.new(mode, (100, 80), 0)
    image.paste(color, (0, 0, 50, 80))
    return image


SIZES = ((35_000, 28_000), (11_000, 8_800))
"""Of the second Pillow only warns; a header is enough to refuse it."""


@pytest.mark.parametrize(
    "name, content, said",
    [
        ("x.mask.png", Image.new("L", (100, 80), 21), r"\[21\].*PASCAL VOC.*от 0 до 20"),
        ("x_gtFine_labelIds.png", GREY[1], "PASCAL VOC"),  # none of Cityscapes' ids is asked for
        *(("x.mask.png", half(mode, color), "8-bit") for mode, color in (("RGB", "red"), ("I;16", 300))),
        *(("x.mask.png", half(mode, "white"), "КЛАСС") for mode in ("1", "RGB", "LA")),
        *(
            (name, png_bytes(*size, 8, 0, b"\0" * 1000), "млн пикселей")
            for name in ("x.mask.png", "x.cat.mask.png")
            for size in SIZES
        ),
    ],
)
def test_masks_that_are_refused(tmp_path, name, content, said):
    """Ids and colours that no class has, 16 bits, black and white in any mode, a thousand million pixels."""
    put(tmp_path, {name: content})
    with pytest.raises(LabkitError, match=f"{name}.*{said}"):
        find_ground_truth(blank(path=tmp_path / "x_leftImg8bit.png" if "gtFine" in name else None), tmp_path)


@pytest.mark.parametrize("name", ["x.mask.png", "x.cat.mask.png"])
def test_broken_masks(tmp_path, name):
    """A file that was cut anywhere, one that is no image."""
    image = Image.new("L", (100, 80), 8)
    ImageDraw.Draw(image).line((0, 0, 90, 70), fill=9)
    put(tmp_path, {name: image})
    whole = (tmp_path / name).read_bytes()
    for content in (*(whole[:end] for end in range(0, len(whole) - 20, 11)), b"<html>"):
        put(tmp_path, {name: content})
        with pytest.raises(LabkitError, match=name):
            find_ground_truth(blank(), tmp_path)
