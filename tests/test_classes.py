"""The label sets: names in the official order, and colours that everybody can tell apart."""

import re
import subprocess
import sys
from itertools import combinations

import numpy as np
import pytest

from labkit.classes import LABEL_SETS, VOC, label_set
from labkit.figures import rgb
from labkit.locale import in_each_language
from labkit.weights.catalogue import OFFICIAL as RELEASES

OFFICIAL = """background aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person
pottedplant sheep sofa train tvmonitor""".split()

CITYSCAPES_ORDER = """background, road, sidewalk, building, wall, fence, pole, traffic light, traffic sign, vegetation,
terrain, sky, person, rider, car, truck, bus, train, motorcycle, bicycle""".replace("\n", " ").split(", ")

_, COCO, ADE20K, CITYSCAPES, PEOPLE = map(label_set, LABEL_SETS)
SETS = pytest.mark.parametrize("labels", [label_set(name) for name in LABEL_SETS], ids=LABEL_SETS)

# the least distance of two colours in a set: as most people see them, and as the colour-blind do
LEAST = {"PASCAL VOC": (11, 11), "COCO": (13, 5), "ADE20K": (9, 4.5), "Cityscapes": (20, 12), "people": (18, 18)}

# Machado, Oliveira and Fernandes (2009), severity 1.0, for linear RGB
SIGHT = {
    "normal": [1, 0, 0, 0, 1, 0, 0, 0, 1],
    "protanopia": [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998],
    "deuteranopia": [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820, 0.042940, 0.968881],
}
SRGB_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def cielab(color: str, sight: str) -> np.ndarray:
    """A colour as L*, a*, b* (D65) as somebody with this sight sees it."""
    value = np.array(rgb(color)) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.reshape(SIGHT[sight], (3, 3)) @ linear, 0, 1)
    x, y, z = (
        np.cbrt(t) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116
        for t in SRGB_TO_XYZ @ linear / SRGB_TO_XYZ.sum(1)
    )
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_official_order():
    """The names of PASCAL VOC and Cityscapes, the background first, and torchvision's of COCO."""
    from torchvision.models.detection import MaskRCNN_ResNet50_FPN_Weights

    assert list(VOC.names) == OFFICIAL and list(CITYSCAPES.names) == CITYSCAPES_ORDER
    theirs = MaskRCNN_ResNet50_FPN_Weights.DEFAULT.meta["categories"]
    ours = [name if label_id in COCO.ids else "N/A" for label_id, name in enumerate(COCO.names)]
    assert ours == ["background", *theirs[1:]]
    assert (PEOPLE.names, PEOPLE.names_ru) == (("background", "person"), ("фон", "человек"))


def test_order_of_ade20k():
    """SceneParse150's own numbers, as its objectInfo150.txt has them."""
    ids = (0, 1, 13, 50, 75, 90, 117, 142, 150)
    assert ", ".join(f"{n} {ADE20K.names[n]} {ADE20K.names_ru[n]}" for n in ids) == (
        "0 background фон, 1 wall стена, 13 person человек, 50 fireplace камин, 75 computer компьютер, "
        "90 television receiver телевизор, 117 minibike мотоцикл, 142 crt screen электронно-лучевой экран, "
        "150 flag флаг"
    )


@SETS
def test_every_class_is_whole(labels):
    """As many names in both languages as colours, each once; the background is black and nothing else is."""
    length = {"PASCAL VOC": 21, "COCO": 91, "ADE20K": 151, "Cityscapes": 20, "people": 2}[labels.name]
    for column in (labels.names, labels.names_ru, labels.colors):
        assert len(column) == len(set(column)) == len(labels) == length
    assert (labels.names[0], labels.names_ru[0], labels.colors[0]) == ("background", "фон", "#000000")
    for name, name_ru, color in zip(labels.names, labels.names_ru, labels.colors, strict=True):
        assert re.fullmatch("[a-z]+( [a-z0-9]+)*", name) and re.fullmatch("[а-яё «»-]+( [0-9]+)?", name_ru)
        assert re.fullmatch("#[0-9a-f]{6}", color)


@SETS
def test_ids_and_labels_are_inverse(labels):
    """`id` takes the name in both languages, in any case; `label` gives it back."""
    for number in labels.ids:
        for name in in_each_language(labels.label, number).values():
            assert labels.id(f" {name.upper()} ") == number and name in labels


def test_one_thing_has_one_name_and_colour():
    """A Russian name means the same thing in every set: it has one colour, and an English name has one translation."""
    colors, translations = {}, {}
    for labels in map(label_set, LABEL_SETS):
        for name, name_ru, color in zip(labels.names, labels.names_ru, labels.colors, strict=True):
            assert colors.setdefault(name_ru, color) == color, name_ru
            assert translations.setdefault(name, name_ru) == name_ru, name
    assert set(VOC.names_ru) <= set(COCO.names_ru)


def test_spellings():
    """COCO knows all of VOC's names, the other sets theirs, and VOC the others': each finds its own id."""
    for name, name_ru in zip(VOC.names, VOC.names_ru, strict=True):
        assert COCO.id(name) == COCO.id(name_ru) == COCO.names_ru.index(name_ru)
        assert VOC.id(COCO.names[COCO.id(name)]) == VOC.id(name)
    assert (COCO.id("Sofa"), COCO.id("couch"), ADE20K.id("couch"), VOC.id("couch")) == (63, 63, 24, 18)
    assert ADE20K.id("motorbike") == ADE20K.id("motorcycle") == 117 and CITYSCAPES.id("motorbike") == 18
    assert ADE20K.id("aeroplane") == 91
    assert VOC.keys == VOC.names and set(VOC.keys) <= set(COCO.keys)


def test_unused_ids():
    """COCO's ten unused ids keep their places, but nobody finds them and no message offers them."""
    unused = [label_id for label_id in range(91) if label_id not in COCO.ids]
    assert unused == [12, 26, 29, 30, 45, 66, 68, 69, 71, 83]
    for label_id in unused:
        for name in ("N/A", COCO.names[label_id], COCO.names_ru[label_id]):
            with pytest.raises(ValueError, match="toothbrush") as caught:
                COCO.id(name)
            assert "unused" not in str(caught.value).partition("valid are")[2]
    assert all(len(labels.ids) == len(labels) for labels in (VOC, ADE20K, CITYSCAPES, PEOPLE))


def test_label_set():
    """Every name leads to its set, one object each time; so does every release's; another name is an error."""
    assert all(label_set(name).name == name for name in LABEL_SETS)
    assert label_set("PASCAL VOC") is VOC and label_set("people") is PEOPLE and label_set("COCO") is COCO
    assert {release.classes for release in RELEASES.values()} - {""} <= set(LABEL_SETS)
    with pytest.raises(ValueError, match="'Pascal'.*PASCAL VOC, COCO, ADE20K, Cityscapes, people"):
        label_set("Pascal")


def test_files_are_read_at_first_use(root):
    """Importing reads VOC's alone; asking for a set reads its own, once."""
    command = """
import sys
read = []
sys.addaudithook(lambda event, args: event == "open" and str(args[0]).endswith(".csv") and read.append(args[0]))
import labkit.classes, labkit.segmentation
print(len(read))
labkit.classes.label_set("ADE20K"), labkit.classes.label_set("ADE20K")
print(*(str(path).replace("\\\\", "/").rpartition("/")[2] for path in read))
"""
    done = subprocess.run([sys.executable, "-c", command], cwd=root, capture_output=True, text=True)
    assert (done.stdout.split(), done.stderr) == (["1", "pascal_voc.csv", "ade20k.csv"], "")


def test_rows_are_numbered(root):
    """From 0, in every file of label sets."""
    files = sorted((root / "labkit" / "labels").iterdir())
    assert [path.name for path in files] == ["ade20k.csv", "cityscapes.csv", "coco.csv", "pascal_voc.csv"]
    for path in files:
        head, *rows = path.read_text(encoding="utf-8").splitlines()
        assert head == "id,name,name_ru,color" and [int(row.split(",")[0]) for row in rows] == list(range(len(rows)))


@pytest.mark.parametrize("name", ["tiger", "", "кот"])
def test_unknown_name(name):
    """The error names what was given and every valid class."""
    with pytest.raises(ValueError) as caught:
        VOC.id(name)
    assert name not in VOC and all(said in str(caught.value) for said in (repr(name), *VOC.names))


@SETS
@pytest.mark.parametrize("sight", SIGHT)
def test_colors_can_be_told_apart(labels, sight):
    """Any two classes differ, frequent ones strongly (a just noticeable difference is 2.3), in any sight."""
    seen = {labels.names[n]: cielab(labels.colors[n], sight) for n in labels.ids}
    frequent = {"background", "cat", "dog", "person", "car"}
    for one, other in combinations(seen, 2):
        least = 18 if {one, other} <= frequent else LEAST[labels.name][sight != "normal"]
        assert np.linalg.norm(seen[one] - seen[other]) >= least, (one, other)
