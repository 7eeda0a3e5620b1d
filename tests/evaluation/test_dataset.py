"""The dataset layout: what is read from it, and what is said where it is not there."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from labkit.classes import IGNORE
from labkit.evaluation.dataset import Dataset
from labkit.io.errors import LabkitError
from labkit.training.crops import Crops


def test_reads_the_layout(tiny_dataset):
    """Photos, label ids, instance numbers and the instances of the asked split."""
    data = Dataset(tiny_dataset, "train")
    assert len(data) == 4 and data.names[0] == "cat_chelsea"
    image, labels = data.image("cat_chelsea"), data.semantic("cat_chelsea")
    assert image.mode == "RGB" and labels.shape == (image.height, image.width) and labels.dtype == np.uint8
    assert set(np.unique(labels)) == {0, 8}
    (instance,) = [i for i in data.instances() if i.name == "cat_chelsea"]
    mask = data.instance_numbers("cat_chelsea") == instance.number
    assert instance.label_id == 8 and instance.area == mask.sum()
    assert all(i.name in data.names for i in data.instances())
    assert Dataset(tiny_dataset, tiny_dataset / "val.txt").names == ["officer", "cat_yarn"]


def test_without_instances(tiny_dataset):
    """Instances are optional."""
    (tiny_dataset / "instances.csv").unlink()
    assert Dataset(tiny_dataset, "train.txt").instances() == []


def test_what_is_missing_is_named(tmp_path, tiny_dataset):
    """A folder that is no dataset, a split that is not there, a photo that is not there, an empty split."""
    with pytest.raises(LabkitError, match="images"):
        Dataset(tmp_path / "nowhere", "train.txt")
    with pytest.raises(LabkitError, match="test.txt"):
        Dataset(tiny_dataset, "test")
    (tiny_dataset / "odd.txt").write_text("cat_chelsea nobody")
    with pytest.raises(LabkitError, match="nobody"):
        Dataset(tiny_dataset, "odd.txt")
    (tiny_dataset / "empty.txt").write_text("")
    with pytest.raises(LabkitError, match="empty.txt"):
        Dataset(tiny_dataset, "empty.txt")


def test_labels_are_checked(tiny_dataset):
    """A label that is no class, a colour mask, and labels of another size than their photo are named."""
    path = tiny_dataset / "semantic" / "astronaut.png"
    good = Image.open(path)
    for bad in (good.point(lambda label: label and 77), good.convert("RGB")):
        bad.save(path)
        with pytest.raises(LabkitError, match="astronaut"):
            Dataset(tiny_dataset, "train").semantic("astronaut")
    good.resize((100, 100), 0).save(path)
    with pytest.raises(LabkitError, match="astronaut"):
        Crops(Dataset(tiny_dataset, "train"))


def test_several_splits(tiny_dataset):
    """Splits joined by commas are read one after the other, with or without their ending."""
    both = Dataset(tiny_dataset, "val,train.txt")
    assert both.names == Dataset(tiny_dataset, "val").names + Dataset(tiny_dataset, "train").names


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
