"""The dataset layout: what is read from it, and what is said where it is not there."""

import pickle

import numpy as np
import pytest
from annotated import put
from PIL import Image

from labkit.classes import IGNORE
from labkit.evaluation.benchmark import objects_of
from labkit.evaluation.dataset import Dataset
from labkit.io.errors import LabkitError


def test_reads_the_layout(tiny_dataset):
    """Photos, label ids, instance numbers (of 16 bits too) and the instances of a split, or several between commas."""
    path = tiny_dataset / "instances" / "cat_chelsea.png"
    Image.fromarray(np.array(Image.open(path)).astype(np.uint16)).save(path)
    data = Dataset(tiny_dataset, "train")
    assert len(data) == 4 and data.names[0] == "cat_chelsea"
    image, labels = data.image("cat_chelsea"), data.semantic("cat_chelsea")
    assert image.shape == (*labels.shape, 3) and image.dtype == labels.dtype == np.uint8
    assert set(np.unique(labels)) == {0, 8}
    (instance,) = [i for i in data.instances() if i.name == "cat_chelsea"]
    mask = data.instance_numbers("cat_chelsea") == instance.number
    assert instance.label_id == 8 and instance.area == mask.sum()
    assert all(i.name in data.names for i in data.instances())
    assert Dataset(tiny_dataset, tiny_dataset / "val.txt").names == ["officer", "cat_yarn"]
    assert Dataset(tiny_dataset, "val,train.txt").names == ["officer", "cat_yarn", *data.names]
    assert pickle.loads(pickle.dumps(data)).names == data.names  # training's second process has a copy


def test_what_is_missing_is_named(tmp_path, tiny_dataset):
    """A folder that is no dataset, a split or a photo that is not there, an empty split, several in one table."""
    put(tiny_dataset, {"odd.txt": "cat_chelsea nobody", "empty.txt": None})
    put(tiny_dataset, {"all.csv": "image,split\nofficer.jpg,val\ncat_yarn.jpg,train\n"})
    with pytest.raises(LabkitError, match="images"):
        Dataset(tmp_path / "nowhere", "train.txt")
    missing = {"test": "test.txt", "odd.txt": "nobody", "empty.txt": "empty.txt", "": "Нет", "all.csv": "train, val"}
    for split, said in missing.items():
        with pytest.raises(LabkitError, match=said):
            Dataset(tiny_dataset, split)


def test_labels_are_checked(tiny_dataset):
    """A label that is no class, a colour mask, and labels of another size than their photo are named."""
    path = tiny_dataset / "semantic" / "astronaut.png"
    good = Image.open(path)
    for bad in (good.point(lambda label: label and 77), good.convert("RGB"), good.resize((100, 100), 0)):
        bad.save(path)
        with pytest.raises(LabkitError, match="astronaut"):
            Dataset(tiny_dataset, "train").semantic("astronaut")


def test_palette_of_an_editor(tiny_dataset):
    """Under VOC's colours the numbers are an editor's own."""
    path, data = tiny_dataset / "semantic" / "officer.png", Dataset(tiny_dataset, "val")
    labels = data.semantic("officer")
    image = Image.fromarray((labels > 0).astype(np.uint8))
    image.putpalette([0, 0, 0, 192, 128, 128])
    image.save(path)
    assert np.array_equal(data.semantic("officer"), labels)


def test_partly_labelled_photos(tiny_dataset):
    """On a photo of `partial.txt` no object is no background where nobody labelled; on others it is."""
    data = Dataset(tiny_dataset, "train")
    name, other = data.names[:2]
    for one in (name, other):
        path = tiny_dataset / "semantic" / f"{one}.png"
        labels = np.array(Image.open(path))
        labels[:9] = IGNORE
        Image.fromarray(labels).save(path)
    (tiny_dataset / "partial.txt").write_text(name)
    part = Dataset(tiny_dataset, "train")
    before, after = data.instance_numbers(name), part.instance_numbers(name)
    free = before[:9] == 0
    assert free.any() and (after[:9][free] == IGNORE).all() and np.array_equal(after[9:], before[9:])
    assert np.array_equal(part.instance_numbers(other), data.instance_numbers(other))


WRITTEN = ["кот 1\r\nofficer\r\n", "кот 1.jpg;да\nofficer;нет\n", '"кот 1"\n\nofficer', "кот 1, officer"]
WRITTEN += ["['кот 1',\n'officer']", "кот 1\nofficer\n\x1a", "# мои\nКот\u00a01 1\nofficer -1"]
WRITTEN += ["images/кот 1.JPG\nC:\\x\\officer.png\nofficer", "sep=,\n,image,label\n0,кот 1.jpg,cat\n1,officer.jpg,dog"]


@pytest.mark.parametrize("encoding", ["cp1251", "cp866", "utf-8-sig", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("written", WRITTEN)
def test_split_of_a_russian_windows(tmp_path, tiny_dataset, encoding, written):
    """Names with spaces or whole paths, one a line or several, in whatever encoding, of a table the right column."""
    (tiny_dataset / "images" / "cat_yarn.jpg").rename(tiny_dataset / "images" / "кот 1.jpg")
    (tiny_dataset / "odd.txt").write_text(written, encoding=encoding)
    assert Dataset(tiny_dataset, "odd").names == ["кот 1", "officer"]


def test_endings_and_letters_of_another_disk(tiny_dataset):
    """Photos and masks in upper case or of another format, й in two characters as macOS writes it."""
    for folder, ending in (("images", ".JPEG"), ("semantic", ".PNG")):
        (file,) = (tiny_dataset / folder).glob("officer.*")
        file.rename(file.with_name(f"и\u0306од{ending}"))
    (tiny_dataset / "odd.txt").write_text("йод.jpg", encoding="utf-8")
    data = Dataset(tiny_dataset, "odd")
    assert data.semantic("йод").shape == data.image("йод").shape[:2]


@pytest.mark.parametrize("encoding", ["cp1251", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter, areas", [(";", "2\u00a0000.0"), (";", "2 000,5"), ("\t", "2000"), (",", "2000.7")])
def test_table_of_a_russian_excel(tiny_dataset, encoding, delimiter, areas):
    """With a semicolon and decimal commas as well."""
    head = delimiter.join("Image,instance ,category,voc_id,area_px,x0,y0,x1,y1".split(","))
    row = delimiter.join(["images/officer.jpg", "1", "человек", "15", areas, "30", "20.0", "80", "60"])
    text = f"sep={delimiter}\n{head}\n{row}\n"
    (tiny_dataset / "instances.csv").write_text(text, encoding=encoding)
    (instance,) = Dataset(tiny_dataset, "val").instances()
    assert (instance.area, instance.box, instance.label_id) == (2000, (30, 20, 80, 60), 15)


@pytest.mark.parametrize(
    "content, said",
    [("image,instance\nofficer,1\n", "voc_id"), ("", "image"), ("{head}\nofficer,1,x,человек,1,1,1,1,1\n", "строка 2")]
    + [("{head}\nofficer,1,x,8,9,9000,5,9009,9\n", "рамка"), ("{head}\nofficer,255,x,8,9,5,5,9,9\n", "254")]
    + [('{head}\n"cat,1,x,8,9,5,5,9,9\nofficer,1,x,8,9,5,5,9,9\n', "строка 2")]
    + [("{head}\n\n" + "x" * 140_000, "строка 3")]
    + [("{head}\nofficer,1,x,8,9,5,5,9,9\nofficer,1,x,8,9,5,5,9,9\nofficer,1,x,12,9,5,5,9,9\n", "строка 4")]
    + [("{head}\nofficer,1,x,99,1,1,1,1,1\n", "строка 2"), ("{head}\nofficer,1,x,8,9,5,5,5,9\n", "рамка")],
)
def test_table_that_is_none(tiny_dataset, content, said):
    """The file, and the column or the line, are named."""
    head = "image,instance,category,voc_id,area_px,x0,y0,x1,y1"
    (tiny_dataset / "instances.csv").write_text(content.format(head=head), encoding="utf-8")
    with pytest.raises(LabkitError, match=rf"instances\.csv.*{said}"):
        Dataset(tiny_dataset, "val").instances()


def test_rows_of_photos_that_are_not_there(tiny_dataset, capsys):
    """They are said once: their names may be in letters that were not understood."""
    table = tiny_dataset / "instances.csv"
    table.write_bytes(table.read_bytes() + "\nкот,1,cat,8,9,1,1,9,9".encode("koi8-r"))
    data = Dataset(tiny_dataset, "val")
    assert data.instances() == data.instances()
    assert capsys.readouterr().err.count("instances.csv: строк о фото, которых нет в images/: 1") == 1


def test_photos_of_one_name(tiny_dataset, capsys):
    """A photo that is there with two endings is taken as .jpg, and the other is named."""
    Image.new("RGB", (4, 4)).save(tiny_dataset / "images" / "cat_chelsea.png")
    data = Dataset(tiny_dataset, "train")
    assert data.image("cat_chelsea").shape == (*data.semantic("cat_chelsea").shape, 3)
    assert "cat_chelsea.png" in capsys.readouterr().err


@pytest.mark.parametrize("white", [1, 255])
def test_numbers_that_only_mask_or_table_has(tiny_dataset, capsys, white):
    """Whoever reads the mask is told once; no object is made of them; black and white is no picture of numbers."""
    table, mask = tiny_dataset / "instances.csv", tiny_dataset / "instances" / "officer.png"
    table.write_text(table.read_text().replace("officer,1,", "officer,77,"))
    Image.fromarray(np.array(Image.open(mask)) * np.uint8(white)).save(mask)
    data = Dataset(tiny_dataset, "val")
    for _ in range(2):
        objects = {photo.name: segments for photo, _, segments in objects_of(data)}
        assert not objects["officer"] and objects["cat_yarn"]
    said = capsys.readouterr().err
    assert said.count("officer.png нет объектов с номерами 77") == 1
    assert said.count("officer.png есть объекты с номерами 1,") == (white == 1)


@pytest.mark.parametrize("orientation", [3, 6])
def test_turned_photos(tiny_dataset, capsys, orientation):
    """They are upright as everywhere; a mask of the file on its side is named so, and where the size does not tell."""
    data = Dataset(tiny_dataset, "val")
    upright, labels, exif = data.image("officer"), data.semantic("officer"), Image.Exif()
    exif[0x0112] = orientation
    stored = np.rot90(upright, {3: 2, 6: 1}[orientation])
    Image.fromarray(stored).save(tiny_dataset / "images" / "officer.jpg", exif=exif, quality=95)
    assert np.abs(data.image("officer").astype(int) - upright).mean() < 3
    data = Dataset(tiny_dataset, "val")
    assert np.array_equal(data.semantic("officer"), labels) and np.array_equal(data.semantic("officer"), labels)
    assert capsys.readouterr().err.count("EXIF") == (orientation == 3)
    if orientation == 6:
        for folder, read in (("semantic", data.semantic), ("instances", data.instance_numbers)):
            Image.fromarray(np.ascontiguousarray(np.rot90(labels))).save(tiny_dataset / folder / "officer.png")
            with pytest.raises(LabkitError, match=f"{folder}/officer.png.*на боку"):
                read("officer")


@pytest.mark.parametrize("white, said", [(255, "чёрно-белые"), (0, "чёрно-белые"), (1, "самолёт"), (2, "велосипед")])
def test_black_and_white_masks(tiny_dataset, capsys, white, said):
    """Where all masks of a split are, 0 and 255 are refused, and low ids are said to be VOC's; beside others not."""
    data = Dataset(tiny_dataset, "val")
    for name in data.names:
        Dataset(tiny_dataset, "train,val").semantic("officer")
        assert not capsys.readouterr().err
        path = tiny_dataset / "semantic" / f"{name}.png"
        Image.fromarray((np.array(Image.open(path)) > 0).astype(np.uint8) * white).save(path)
    if white in (0, 255):
        with pytest.raises(LabkitError, match=said):
            Dataset(tiny_dataset, "val").semantic("officer")
    else:
        assert Dataset(tiny_dataset, "val").semantic("officer").any() and said in capsys.readouterr().err
