"""Masks as pictures, of whatever mode and colours."""

import re
from dataclasses import replace

import numpy as np
import pytest
from annotated import CAT, blank, block, header
from PIL import Image, ImageDraw

from labkit.classes import VOC, label_set
from labkit.evaluation.annotations import find_ground_truth
from labkit.evaluation.masks import read_mask
from labkit.io.errors import LabkitError


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


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "I;16"])
def test_class_mask(tmp_path, mode):
    """White, or any lighter value, is the class of the file's name, in whatever mode an editor saved it."""
    white, one = Image.fromarray(CAT.astype(np.uint8) * 255), Image.fromarray(CAT.astype(np.uint8))
    one.putpalette([0, 0, 0, 200, 0, 0])
    cut_out = Image.merge("RGBA", [Image.new("L", white.size, 200)] * 3 + [white])  # the object is opaque
    image = {"RGBA": cut_out, "P": one, "I;16": Image.fromarray(CAT.astype(np.uint16))}.get(mode, white)
    image.convert(mode).save(tmp_path / "x.кошка.mask.png")
    truth = find_ground_truth(blank(), tmp_path)
    assert [s.label for s in truth.segments] == ["cat"] and np.array_equal(truth.mask_of("cat"), CAT)
    assert truth.made_by["objects"] is False and (truth.confidence == 1).all()


def test_masks_of_objects(tmp_path):
    """Numbers after the class make objects of the masks; another photo's masks are not this one's."""
    for name, x in (("x.cat.1", 0), ("x.cat 2", 30), ("x.собака_1", 60), ("x.y.dog", 0), ("xx.cat.1", 0)):
        Image.fromarray(block(x, 0, x + 20, 20)).save(tmp_path / f"{name}.mask.png")
    (tmp_path / "x.y.dog.mask.png").unlink()
    truth = find_ground_truth(blank(), tmp_path)
    assert sorted((s.label, s.box[0]) for s in truth.segments) == [("cat", 0), ("cat", 30), ("dog", 60)]
    assert truth.made_by["objects"] is True


@pytest.mark.parametrize(
    "values, said", [((0, 1), "1 (самолёт)"), ((0, 2), "2 (велосипед)"), ((1, 2), "1 (самолёт), 2")]
)
def test_masks_of_low_ids(tmp_path, values, said):
    """They are VOC's, as is said; a label that no class has is named, and what there is."""
    Image.fromarray(np.uint8(values)[CAT.astype(int)]).save(tmp_path / "x.mask.png")
    (note,) = find_ground_truth(blank(), tmp_path).made_by["notes"]
    assert said in note and "x.КЛАСС.mask.png" in note
    Image.new("L", (100, 80), 21).save(tmp_path / "x.mask.png")
    with pytest.raises(LabkitError, match=r"x\.mask\.png.*\[21\].*PASCAL VOC.*от 0 до 20"):
        find_ground_truth(blank(), tmp_path)


def test_ids_of_another_set(tmp_path):
    """Ids beyond VOC's are those of the model's classes, as is said."""
    Image.fromarray(CAT.astype(np.uint8) * 21).save(tmp_path / "x.mask.png")
    (note,) = (truth := find_ground_truth(blank(), tmp_path, label_set("COCO"))).made_by["notes"]
    assert [s.label for s in truth.segments] == ["cow"] and "21 (корова)" in note and "COCO" in note


@pytest.mark.parametrize("name", ["x.cat.mask.png", "x.mask.png"])
def test_empty_mask(tmp_path, name):
    """It says that nothing is on the photo, and this is said."""
    Image.new("L", (100, 80)).save(tmp_path / name)
    truth = find_ground_truth(blank(), tmp_path)
    assert not truth.segments and "ни одного объекта" in truth.made_by["notes"][0]


def test_unknown_class_in_a_labelmap(tmp_path):
    """Its pixels count as not labelled, and it is named; the others count."""
    Image.fromarray(CAT[..., None] * np.uint8((250, 50, 83))).save(tmp_path / "x.mask.png")
    (tmp_path / "labelmap.txt").write_text("background:0,0,0::\nтигр:250,50,83::\n", encoding="cp1251")
    truth = find_ground_truth(blank(), tmp_path)
    assert truth.segments == [] and np.array_equal(truth.confidence == 0, CAT) and "тигр" in truth.made_by["notes"][0]


LISTS = [("class_names.txt", "__ignore__\n_background_\ncat\n"), ("labelmap.txt", "cat : 1, 1, 1\n")]
LISTS += [("_classes.csv", f"Pixel Value, Class\n0{mark}background\n1{mark}cat\n") for mark in ",;\t"]


@pytest.mark.parametrize("key, rows", [*LISTS, ("_classes.csv", '"0","background"\n"1","cat"\n')])
def test_lists_of_classes(tmp_path, key, rows):
    """Of labelme's classes the one to be ignored is -1; what stands between number and class is no matter."""
    (tmp_path / key).write_text(rows)
    mask = Image.fromarray(CAT.astype(np.uint8))
    mask.convert("RGB" if key == "labelmap.txt" else "L").save(tmp_path / "x_mask.png")
    truth = find_ground_truth(blank(), tmp_path)
    assert [(s.label, s.area) for s in truth.segments] == [("cat", 2000)] and truth.confidence.all()


def test_number_that_is_not_listed(tmp_path):
    """It counts as not labelled, and is named."""
    (tmp_path / "_classes.csv").write_text("0, background\n1, cat\n")
    Image.fromarray(np.where(CAT, 1, 7).astype(np.uint8)).save(tmp_path / "x_mask.png")
    truth = find_ground_truth(blank(), tmp_path)
    assert np.array_equal(truth.confidence > 0, CAT) and "7" in truth.made_by["notes"][0]


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


@pytest.mark.parametrize("pages, said", [([CAT, ~CAT], "страниц"), ([~CAT], "угла")])
def test_masks_that_look_otherwise_than_meant(tmp_path, pages, said):
    """More pages than one, white around a black object: what it counts as is said."""
    first, *more = (Image.fromarray(page.astype(np.uint8) * 255) for page in pages)
    first.save(tmp_path / "x.cat.mask.tif", save_all=True, append_images=more)
    (note,) = (truth := find_ground_truth(blank(), tmp_path)).made_by["notes"]
    assert np.array_equal(truth.mask_of("cat"), pages[0]) and re.search(said, note)


def test_masks_of_no_known_class(tmp_path):
    """Cityscapes' ids of which none is asked for, as CVAT writes own classes: no photo of which all is known."""
    Image.fromarray(CAT.astype(np.uint8)).save(tmp_path / "x_gtFine_labelIds.png")
    with pytest.raises(LabkitError, match="x_gtFine_labelIds.png.*PASCAL VOC"):
        find_ground_truth(blank(path=tmp_path / "x_leftImg8bit.png"))


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
    array = np.where(CAT, values[1], values[0]).astype(np.uint8)
    Image.fromarray(array).save(tmp_path / f"a_1_2_gtFine_{name}.png")
    Image.fromarray(np.where(CAT, 26001, 7).astype(np.uint16)).save(tmp_path / "a_1_2_gtFine_instanceIds.png")
    Image.new("RGB", (100, 80), (0, 0, 142)).save(tmp_path / "a_1_2_gtFine_color.png")
    truth = find_ground_truth(blank(path=tmp_path / "a_1_2_leftImg8bit.png"), classes=label_set(label_set_of))
    assert sorted(s.label for s in truth.segments) == labels and np.array_equal(truth.mask_of("car"), CAT)
    assert truth.made_by["objects"] == (name == "labelIds")
    assert len(truth.made_by["notes"]) == 2 - len(labels) and (truth.confidence > 0)[~CAT].all() == (len(labels) == 2)


@pytest.mark.parametrize("name", ["x.mask.png", "x.cat.mask.png"])
def test_png_of_a_thousand_million_pixels(tmp_path, name):
    """Its header is enough to refuse it."""
    for width, height in ((35_000, 28_000), (11_000, 8_800)):  # of the second Pillow only warns
        header(width, height, tmp_path / name)
        with pytest.raises(LabkitError, match=rf"{name}.*млн пикселей"):
            find_ground_truth(blank(), tmp_path)


@pytest.mark.parametrize(
    "mode, color, said",
    [("RGB", "red", "8-bit"), ("I;16", 300, "8-bit"), *((mode, "white", "КЛАСС") for mode in ("1", "RGB", "LA"))],
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
