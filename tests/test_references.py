"""Reference masks: the kit's outlines, a student's own files, and what is said of broken ones."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from labkit.classes import VOC
from labkit.images import Photo, load_photos
from labkit.metrics import iou
from labkit.references import find_reference, read_labelme, read_mask

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


def write_outline(path, points, label="cat", size=(100, 80)):
    """A labelme file of one outline; `size` is width and height."""
    record = {"imageWidth": size[0], "imageHeight": size[1], "shapes": [{"label": label, "points": points}]}
    path.write_text(json.dumps(record), encoding="utf-8")
    return path


def blank(name="x", width=100, height=80, path=None):
    """A grey photo, `path` being where it was read from."""
    return replace(Photo.from_pixels(name, np.full((height, width, 3), 127, np.uint8)), path=path)


@pytest.mark.parametrize("name, label", OUTLINED.items())
def test_the_nine_outlines(default_photos, root, name, label):
    """One object of the right class, of an area that can be, inside the photo's box."""
    photo = default_photos[name]
    (segment,) = find_reference(photo, root / "data" / "outlines").segments
    assert segment.label == label and segment.score == 1.0 and segment.mask.shape == photo.pixels.shape[:2]
    assert 0.05 < segment.mask.mean() < 0.85
    mean = [photo.pixels[mask].mean(0) for mask in (segment.mask, ~segment.mask)]
    assert np.abs(mean[0] - mean[1]).max() > 10  # in colour, too, the object is not its surroundings


def test_polygon_area(default_photos, root):
    """The mask has the area that the shoelace formula gives for the outline, up to its border."""
    path = root / "data" / "outlines" / "dog_shepherd.json"
    points = np.array(json.loads(path.read_text(encoding="utf-8"))["shapes"][0]["points"])
    following = np.roll(points, -1, axis=0)
    area = abs(np.sum(points[:, 0] * following[:, 1] - following[:, 0] * points[:, 1])) / 2
    border = np.linalg.norm(points - following, axis=1).sum()
    assert read_labelme(path, default_photos["dog_shepherd"]).segments[0].area == pytest.approx(area, abs=border)


def test_no_outline(default_photos, root):
    """The horses have none, and a photo from an array has no place where one could lie."""
    assert find_reference(default_photos["horses"], root / "data" / "outlines") is None
    assert find_reference(blank()) is None


def test_outline_is_scaled(root):
    """A photo that was made smaller while it was read has its outline at the same place."""
    path = root / "data" / "outlines" / "cat_kitten.json"
    photos = [load_photos(root / "data" / "images" / "cat_kitten.jpg", max_side=s, quiet=True)[0] for s in (900, 300)]
    large, small = (read_labelme(path, photo).segments[0].mask for photo in photos)
    assert small.shape == (225, 300)
    assert iou(small, large[1::3, 1::3]) > 0.97


def test_overlapping_outlines(tmp_path):
    """Each outline keeps its whole mask; in `ids` the later one lies on top."""
    path = write_outline(tmp_path / "x.json", [[0, 0], [59, 0], [59, 79], [0, 79]])
    record = json.loads(path.read_text())
    record["shapes"].append({"label": "собака", "points": [[40, 0], [99, 0], [99, 79], [40, 79]]})
    path.write_text(json.dumps(record), encoding="utf-8")
    cat, dog = (reference := read_labelme(path, blank())).segments
    assert (cat.label, dog.label, cat.area, dog.area) == ("cat", "dog", 4800, 4800)
    assert np.count_nonzero(reference.ids == 1) == 3200 and np.array_equal(reference.ids == 2, dog.mask)


@pytest.mark.parametrize("mode", ["L", "P"])
def test_index_mask(tmp_path, mode):
    """Label ids as they are, grey or with a palette; 255 is no segment, and nobody is sure of it."""
    labels = np.zeros((80, 100), np.uint8)
    labels[:40], labels[40:50] = VOC.id("cat"), 255
    image = Image.fromarray(labels)
    if mode == "P":
        image.putpalette([0] * 768)
    image.save(tmp_path / "x.mask.png")
    reference = read_mask(tmp_path / "x.mask.png", blank())
    assert [(s.label, s.area) for s in reference.segments] == [("cat", 4000)]
    assert np.array_equal(reference.ids > 0, labels == VOC.id("cat"))
    assert np.array_equal(reference.confidence == 0, labels == 255)


def test_index_mask_is_scaled_without_new_labels(tmp_path):
    """Half as large, the mask still has the labels that it had, at their places."""
    labels = np.zeros((80, 100), np.uint8)
    labels[20:60, 30:70] = VOC.id("sofa")
    Image.fromarray(labels).save(tmp_path / "x.mask.png")
    assert np.array_equal(read_mask(tmp_path / "x.mask.png", blank(width=50, height=40)).labels, labels[::2, ::2])


def test_next_to_the_photo(tmp_path):
    """Found by the file's stem where the photo lies, whatever the photo is called in its set; outlines come first."""
    write_outline(tmp_path / "кот.json", [[0, 0], [50, 0], [0, 50]])
    Image.new("L", (100, 80), VOC.id("dog")).save(tmp_path / "кот.mask.png")
    photo = blank("set_кот", path=tmp_path / "кот.jpg")
    assert find_reference(photo).segments[0].label == "cat"
    (tmp_path / "кот.json").unlink()
    assert find_reference(photo).segments[0].label == "dog"


SIZE = '"imageWidth": 100, "imageHeight": 80'
BROKEN = {
    "empty": "",
    "a list": "[]",
    "no outlines": f"{{{SIZE}}}",
    "no size": '{"shapes": []}',
    "size of nothing": '{"shapes": [], "imageWidth": 0, "imageHeight": 80}',
    "points in words": f'{{"shapes": [{{"label": "cat", "points": ["abc"]}}], {SIZE}}}',
    "two points": f'{{"shapes": [{{"label": "cat", "points": [[0, 0], [1, 1]]}}], {SIZE}}}',
    "unknown class": f'{{"shapes": [{{"label": "tiger", "points": [[0, 0], [1, 1], [5, 0]]}}], {SIZE}}}',
    "class a number": f'{{"shapes": [{{"label": 8, "points": [[0, 0], [1, 1], [5, 0]]}}], {SIZE}}}',
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_broken_outlines(tmp_path, content):
    """The error names the file."""
    path = tmp_path / "x.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError) as caught:
        find_reference(blank(), tmp_path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("mode, size", [("RGB", (100, 80)), ("I;16", (100, 80)), ("1", (100, 80))])
def test_mask_in_another_mode(tmp_path, mode, size):
    """A coloured or 16-bit picture is no index mask, and the error says what is."""
    Image.new(mode, size).save(tmp_path / "x.mask.png")
    with pytest.raises(ValueError, match="x.mask.png.*8-bit"):
        find_reference(blank(), tmp_path)


def test_broken_masks(tmp_path):
    """Labels that no class has, a file that was cut, one that is no image."""
    path = tmp_path / "x.mask.png"
    Image.new("L", (100, 80), 21).save(path)
    with pytest.raises(ValueError, match=r"x.mask.png has the labels \[21\]"):
        find_reference(blank(), tmp_path)
    for content in (path.read_bytes()[:50], b"", b"<html>"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="x.mask.png"):
            find_reference(blank(), tmp_path)
