"""What all formats of annotations have in common: sizes, encodings, limits."""

import json

import numpy as np
import pytest
from annotated import CAT_SHAPE, blank, block, put, runs_of, write_coco, write_shapes
from PIL import Image

from labkit.evaluation.annotations import find_ground_truth
from labkit.evaluation.coco import read_coco
from labkit.evaluation.labelme import read_labelme
from labkit.evaluation.masks import read_mask
from labkit.io.errors import LabkitError
from labkit.photos import load_photos


def test_photo_on_its_side(tmp_path):
    """A mask belongs to the upright photo; one of the photo as the camera stored it is refused, in every format."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (100, 60)).save(tmp_path / "x.jpg", exif=exif)
    upright = block(0, 0, 30, 50, (100, 60))
    put(tmp_path, {"x.cat.mask.png": upright, "side.mask.png": Image.new("L", (100, 60), 8)})
    (photo,) = load_photos(tmp_path, quiet=True)
    assert photo.pixels.shape == (100, 60, 3) and np.array_equal(find_ground_truth(photo).mask_of("cat"), upright)
    side = [
        (read_mask, tmp_path / "side.mask.png"),
        (read_labelme, write_shapes(tmp_path / "side.json", CAT_SHAPE, size=(100, 60))),
        (read_coco, write_coco(tmp_path / "all.json", (0, runs_of(upright.T), {}), size=(100, 60))),
    ]
    for read, path in side:
        with pytest.raises(LabkitError, match=f"{path.name}.*100×60.*60×100"):
            read(path, photo)


def test_large_files(tmp_path):
    """A file of more megabytes than a label file has is not read."""
    with (tmp_path / "x.json").open("wb") as file:
        file.truncate(10**9)
    with pytest.raises(LabkitError, match=r"x\.json.*32"):
        find_ground_truth(blank(), tmp_path)
    (tmp_path / "images").mkdir()
    assert find_ground_truth(blank(path=tmp_path / "images" / "y.jpg")) is None  # what lies above is perhaps not ours


@pytest.mark.parametrize(
    "width, height, notes", [(100.0, 80.0, 0), ("100", "80", 0), (None, 80, 1), (0, 0, 1), ("", -1, 1), (50.0, 40.0, 0)]
)
def test_size_as_tools_write_it(tmp_path, width, height, notes):
    """A fraction, a word, another scale; where it is missing or none the photo's own is taken, and that is said."""
    scale = 0.5 if width == 50.0 else 1
    shape = {**CAT_SHAPE, "points": (np.array(CAT_SHAPE["points"]) * scale).tolist()}
    truth = read_labelme(write_shapes(tmp_path / "x.json", shape, size=(width, height)), blank())
    assert truth.segments[0].area == pytest.approx(2000, abs=100) and len(truth.made_by["notes"]) == notes
    outline = [[n * scale for n in (10, 10, 59, 10, 59, 49, 10, 49)]]
    truth = read_coco(write_coco(tmp_path / "all.json", (0, outline, {}), size=(width, height)), blank())
    assert truth.segments[0].area == pytest.approx(2000, abs=100) and len(truth.made_by["notes"]) == notes


@pytest.mark.parametrize("encoding", ["cp1251", "utf-8-sig", "utf-16", "utf-16-le"])
def test_files_of_a_russian_windows(tmp_path, encoding):
    """JSON in whatever encoding a program there writes."""
    record = {"imageWidth": 100, "imageHeight": 80, "shapes": [{**CAT_SHAPE, "label": "кошка"}]}
    (tmp_path / "x.json").write_text(json.dumps(record, ensure_ascii=False), encoding=encoding)
    assert find_ground_truth(blank(), tmp_path).segments[0].label == "cat"
