"""Reference masks: the kit's outlines, a student's own files, and what is said of broken ones."""

from __future__ import annotations

import base64
import io
import json
import os
import struct
import time
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw
from pycocotools import mask as coco_mask

from labkit.classes import COCO, VOC
from labkit.evaluation.annotations import find_ground_truth, read_class_masks, read_coco, read_labelme, read_mask
from labkit.evaluation.metrics import eroded, iou
from labkit.io.errors import LabkitError
from labkit.io.rle import encode_mask
from labkit.photos import Photo, load_photos

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
    return write_shapes(path, {"label": label, "points": points}, size=size)


def write_shapes(path, *shapes, size=(100, 80)):
    """A labelme file of shapes."""
    record = {"imageWidth": size[0], "imageHeight": size[1], "shapes": shapes}
    path.write_text(json.dumps(record), encoding="utf-8")
    return path


def write_coco(path, *annotations, size=(100, 80), names=("cat", "собака"), files=("x.jpg",)):
    """A COCO file; each annotation gives the place of its category in `names`, and belongs to the first picture."""
    record = {
        "images": [{"id": 7 + n, "file_name": f, "width": size[0], "height": size[1]} for n, f in enumerate(files)],
        "categories": [{"id": 40 + n, "name": name} for n, name in enumerate(names)],
        "annotations": [
            {"id": n, "image_id": 7, "category_id": 40 + place, "segmentation": mask, "iscrowd": 0, **more}
            for n, (place, mask, more) in enumerate(annotations)
        ],
    }
    path.write_text(json.dumps(record), encoding="utf-8")
    return path


def block(left, top, right, bottom, size=(80, 100)):
    """A mask of one block."""
    mask = np.zeros(size, bool)
    mask[top:bottom, left:right] = True
    return mask


def runs_of(mask):
    """Uncompressed RLE, counted by hand: columns first, zeros first."""
    flat = mask.T.ravel().astype(int).tolist()
    runs, value = [0], 0
    for pixel in flat:
        if pixel != value:
            runs.append(0)
            value = pixel
        runs[-1] += 1
    return {"size": list(mask.shape), "counts": runs}


def header(width, height, path):
    """A PNG of so many pixels of which only the header is there."""
    path.write_bytes(header_bytes(width, height))
    return path


def header_bytes(width, height):
    """What is in such a file."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    start = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", start) + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
    return data + chunk(b"IEND", b"")


def base64_png(part):
    """A mask as labelme writes it."""
    file = io.BytesIO()
    Image.fromarray(part.astype(np.uint8)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def blank(name="x", width=100, height=80, path=None):
    """A grey photo, `path` being where it was read from."""
    return replace(Photo.from_pixels(name, np.full((height, width, 3), 127, np.uint8)), path=path)


@pytest.mark.parametrize("name, label", OUTLINED.items())
def test_the_nine_outlines(default_photos, root, name, label):
    """One object of the right class, of an area that can be, inside the photo's box."""
    photo = default_photos[name]
    (segment,) = find_ground_truth(photo, root / "data" / "outlines").segments
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
    assert find_ground_truth(default_photos["horses"], root / "data" / "outlines") is None
    assert find_ground_truth(blank()) is None


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
    assert find_ground_truth(photo).segments[0].label == "cat"
    (tmp_path / "кот.json").unlink()
    assert find_ground_truth(photo).segments[0].label == "dog"


def test_rectangle_and_circle(tmp_path):
    """Two points are opposite corners, in whatever order, or a centre and a point of the circle."""
    shapes = [
        {"label": "cat", "shape_type": "rectangle", "points": [[39, 49], [20, 10]]},
        {"label": "dog", "shape_type": "circle", "points": [[70, 40], [70, 60]]},
    ]
    cat, dog = read_labelme(write_shapes(tmp_path / "x.json", *shapes), blank()).segments
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


def test_circle_on_a_scaled_photo(tmp_path):
    """Half the size, half the circle."""
    shape = {"label": "dog", "shape_type": "circle", "points": [[50, 40], [50, 60]]}
    path = write_shapes(tmp_path / "x.json", shape)
    large, small = (read_labelme(path, blank(width=w, height=h)).segments[0] for w, h in ((100, 80), (50, 40)))
    assert small.area == pytest.approx(large.area / 4, rel=0.1) and small.box[0] == pytest.approx(
        large.box[0] / 2, abs=1
    )


def test_shapes_of_a_group(tmp_path):
    """One `group_id` is one object, in one class; shapes without are objects each."""
    left, right = ([[x, 10], [x + 10, 10], [x + 10, 30], [x, 30]] for x in (10, 60))
    cases = [("cat", left, 1), ("cat", right, 1), ("dog", left, 1), ("sheep", left, None), ("sheep", right, None)]
    shapes = [{"label": label, "points": points, "group_id": group} for label, points, group in cases]
    reference = read_labelme(write_shapes(tmp_path / "x.json", *shapes), blank())
    assert [(s.label, s.box) for s in reference.segments] == [
        ("cat", (10, 10, 71, 31)),
        ("dog", (10, 10, 21, 31)),
        ("sheep", (10, 10, 21, 31)),
        ("sheep", (60, 10, 71, 31)),
    ]
    assert reference.made_by == {"reference": "x.json", "objects": True}


def test_places_that_do_not_count_and_holes(tmp_path):
    """`__ignore__` is unknown where no object is; an outline of the background cuts what was drawn before."""
    shapes = [
        {"label": label, "shape_type": "rectangle", "points": points}
        for label, points in (
            ("cat", [[0, 0], [49, 49]]),
            ("фон", [[10, 10], [19, 19]]),
            ("__ignore__", [[40, 0], [69, 9]]),
        )
    ]
    reference = read_labelme(write_shapes(tmp_path / "x.json", *shapes), blank())
    hole, unknown = block(10, 10, 20, 20), block(50, 0, 70, 10)
    assert np.array_equal(reference.mask_of("cat"), block(0, 0, 50, 50) & ~hole)
    assert np.array_equal(reference.ids > 0, block(0, 0, 50, 50) & ~hole)
    assert np.array_equal(reference.confidence == 0, unknown)


@pytest.mark.parametrize("kind", ["polygon", "compressed", "uncompressed"])
def test_coco_of_the_outlines(default_photos, root, tmp_path, kind):
    """The nine outlines written as COCO in each of its forms are the nine outlines."""
    folder = root / "data" / "outlines"
    images, annotations = [], []
    for number, name in enumerate(OUTLINED):
        labelme = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        photo = default_photos[name]
        height, width = photo.pixels.shape[:2]
        images.append({"id": number, "file_name": f"train/{name}.jpg", "width": width, "height": height})
        mask = find_ground_truth(photo, folder).segments[0].mask
        flat = [float(x) for point in labelme["shapes"][0]["points"] for x in point]
        forms = {"polygon": [flat], "compressed": encode_mask(mask), "uncompressed": runs_of(mask)}
        annotations.append({"image_id": number, "category_id": VOC.id(OUTLINED[name]), "segmentation": forms[kind]})
    categories = [{"id": n, "name": name} for n, name in enumerate(VOC.names)]
    record = {"images": images, "annotations": annotations, "categories": categories}
    (tmp_path / "instances.json").write_text(json.dumps(record))
    for name, label in OUTLINED.items():
        (found,) = find_ground_truth(default_photos[name], tmp_path).segments
        (drawn,) = find_ground_truth(default_photos[name], folder).segments
        assert found.label == label and np.array_equal(found.mask, drawn.mask)
    assert find_ground_truth(default_photos["horses"], tmp_path) is None


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
    reference = read_coco(path, blank())
    assert [s.label for s in reference.segments] == ["cat"] and not reference.ids[:, 50:].any()
    assert np.array_equal(reference.confidence == 0, block(50, 0, 100, 80))


def test_coco_finds_its_photo(tmp_path):
    """By the stem in whatever folder and spelling; by the whole name where two pictures share the stem."""
    mask = runs_of(block(0, 0, 50, 80))
    names = {"кот й.jpg": ["C:\\my photos\\кот и\u0306.JPG"], "x.jpg": ["x.png", "x.jpg"], "set.jpg": ["a/set.jpeg"]}
    for file, listed in names.items():
        write_coco(tmp_path / "all.json", (0, mask, {}), files=listed)
        photo = blank(path=tmp_path / file)
        reference = find_ground_truth(photo)
        assert [s.label for s in reference.segments] == ([] if file == "x.jpg" else ["cat"])
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
    assert read_coco(path, blank(), COCO).segments[0].label == "giraffe"


def test_coco_changed_on_disk(tmp_path):
    """Read once, and again when the file has changed."""
    path = write_coco(tmp_path / "all.json", (0, runs_of(block(0, 0, 50, 80)), {}))
    assert read_coco(path, blank()).segments[0].label == "cat"
    write_coco(path, (1, runs_of(block(0, 0, 50, 80)), {}))
    os.utime(path, ns=(1, 1))
    assert read_coco(path, blank()).segments[0].label == "dog"


def test_own_files_come_first(tmp_path):
    """Outlines, then the index mask, then masks of classes, then COCO; a saved result is no reference."""
    write_coco(tmp_path / "all.json", (0, runs_of(block(0, 0, 9, 9)), {}))
    Image.fromarray(block(0, 0, 20, 20)).save(tmp_path / "x.bird.mask.png")
    Image.new("L", (100, 80), VOC.id("dog")).save(tmp_path / "x.mask.png")
    write_outline(tmp_path / "x.json", [[0, 0], [50, 0], [0, 50]], "sheep")
    photo = blank(path=tmp_path / "x.jpg")
    labels = []
    for name in ("x.json", "x.mask.png", "x.bird.mask.png", "all.json"):
        labels.append(find_ground_truth(photo).segments[0].label)
        (tmp_path / name).unlink()
    assert labels == ["sheep", "dog", "bird", "cat"] and find_ground_truth(photo) is None
    read_labelme(write_outline(tmp_path / "y.json", [[0, 0], [50, 0], [0, 50]]), photo).save(tmp_path)
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
    reference = find_ground_truth(blank(), tmp_path)
    assert [s.label for s in reference.segments] == ["cat"] and np.array_equal(reference.mask_of("cat"), mask)
    assert reference.made_by["objects"] is False and (reference.confidence == 1).all()


def test_masks_of_objects(tmp_path):
    """Numbers after the class make objects of the masks; another photo's masks are not this one's."""
    for name, x in (("x.cat.1", 0), ("x.cat 2", 30), ("x.собака_1", 60), ("x.y.dog", 0), ("xx.cat.1", 0)):
        Image.fromarray(block(x, 0, x + 20, 20)).save(tmp_path / f"{name}.mask.png")
    (tmp_path / "x.y.dog.mask.png").unlink()
    reference = find_ground_truth(blank(), tmp_path)
    assert sorted((s.label, s.box[0]) for s in reference.segments) == [("cat", 0), ("cat", 30), ("dog", 60)]
    assert reference.made_by["objects"] is True


def test_masks_are_no_photos(tmp_path):
    """Masks of classes lie next to a photo without being taken for photos; a broken one is said by who reads it."""
    Image.new("RGB", (100, 80)).save(tmp_path / "x.jpg")
    Image.fromarray(block(0, 0, 20, 20)).save(tmp_path / "x.кошка.mask.png")
    (photo,) = load_photos(tmp_path, quiet=True)
    assert find_ground_truth(photo).segments[0].label == "cat" and not photo.notes
    (tmp_path / "x.кошка.mask.png").rename(tmp_path / "x.тигр.mask.png")
    (photo,) = load_photos(tmp_path, quiet=True)
    with pytest.raises(LabkitError, match="тигр.*кошка"):
        find_ground_truth(photo)


def test_black_and_white_mask_without_a_class(tmp_path):
    """0 and 255 alone are no index mask: the error says how to name the class."""
    Image.fromarray(block(0, 0, 20, 20).astype(np.uint8) * 255).save(tmp_path / "x.mask.png")
    with pytest.raises(LabkitError, match=r"x.mask.png.*0 и 255.*x\.кошка\.mask\.png"):
        find_ground_truth(blank(), tmp_path)


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


SIZE = '"imageWidth": 100, "imageHeight": 80'
FAR = "[[0, 0], [1e9, 0], [5, 1e300]]"


def shape(points, label='"cat"', **more):
    """The text of a labelme file of one shape."""
    extra = "".join(f', "{key}": {value}' for key, value in more.items())
    return f'{{"shapes": [{{"label": {label}, "points": {points}{extra}}}], {SIZE}}}'


HUGE = base64.b64encode(header_bytes(1 << 15, 1 << 15)).decode()
BROKEN = {
    "empty": "",
    "a list": "[]",
    "no outlines": f"{{{SIZE}}}",
    "no size": '{"shapes": []}',
    "size of nothing": '{"shapes": [], "imageWidth": 0, "imageHeight": 80}',
    "size of everything": '{"shapes": [], "imageWidth": 100000000000, "imageHeight": 80000000000}',
    "size in words": '{"shapes": [], "imageWidth": "100", "imageHeight": "80"}',
    "points in words": shape('["abc"]'),
    "points of three": shape("[[0, 0, 0], [1, 1, 1], [2, 0, 0]]"),
    "points missing": shape("null"),
    "two points": shape("[[0, 0], [1, 1]]"),
    "points that are no numbers": shape("[[0, 0], [NaN, 1], [5, Infinity]]"),
    "points far away": shape(FAR),
    "a rectangle of three": shape("[[0, 0], [1, 1], [5, 0]]", shape_type='"rectangle"'),
    "a line": shape("[[0, 0], [1, 1]]", shape_type='"line"'),
    "a mask of nothing": shape("[[0, 0], [1, 1]]", shape_type='"mask"'),
    "a mask in words": shape("[[0, 0], [1, 1]]", shape_type='"mask"', mask='"кошка"'),
    "a mask that is no picture": shape("[[0, 0], [1, 1]]", shape_type='"mask"', mask='"AAAA"'),
    "a mask of another size": shape("[[0, 0], [1, 1]]", shape_type='"mask"', mask=f'"{base64_png(np.ones((3, 2)))}"'),
    "a mask far away": shape("[[1e300, 0], [1e300, 1]]", shape_type='"mask"', mask=f'"{base64_png(np.ones((2, 1)))}"'),
    "a mask of three": shape("[[0, 0], [1, 1], [5, 0]]", shape_type='"mask"', mask=f'"{base64_png(np.ones((2, 2)))}"'),
    "a mask of a thousand million pixels": shape("[[0, 0], [32767, 32767]]", shape_type='"mask"', mask=f'"{HUGE}"'),
    "an oriented rectangle of three": shape("[[0, 0], [1, 1], [5, 0]]", shape_type='"oriented_rectangle"'),
    "a shape of shapes": shape("[[0, 0], [1, 1], [5, 0]]", shape_type="[[]]"),
    "unknown class": shape("[[0, 0], [1, 1], [5, 0]]", '"tiger"'),
    "class a number": shape("[[0, 0], [1, 1], [5, 0]]", "8"),
    "deep": "[" * 200_000,
    "a long number": shape("[[0, 0], [1, 1], [5, " + "9" * 5000 + "]]"),
    "too many shapes": json.dumps(
        {"shapes": [{"label": "cat", "points": []}] * 500, "imageWidth": 100, "imageHeight": 80}
    ),
    "too many points": shape("[" + ",".join(["[1, 1]"] * 200_000) + "]"),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_broken_outlines(tmp_path, content):
    """The error names the file, not its folder, and soon."""
    (tmp_path / "x.json").write_text(content, encoding="utf-8")
    started = time.process_time()
    with pytest.raises(LabkitError) as caught:
        find_ground_truth(blank(), tmp_path)
    assert "x.json" in str(caught.value) and str(tmp_path) not in str(caught.value)
    assert time.process_time() - started < 2


RLE = encode_mask(block(10, 10, 60, 50))
BAD_MASKS = {
    "nothing": None,
    "no polygon": [],
    "an odd polygon": [[1, 2, 3]],
    "a polygon of two corners": [[1, 2, 3, 4]],
    "a polygon in words": [["a", "b", "c", "d", "e", "f"]],
    "far away": [[0, 0, 1e12, 0, 5, 5]],
    "no number": [[0, 0, float("nan"), 0, 5, 5]],
    "a box": [{"x": 1}],
    "no counts": {"size": [80, 100]},
    "another size": {**RLE, "size": [100, 80]},
    "a huge size": {**RLE, "size": [10**9, 10**9]},
    "cut": {**RLE, "counts": RLE["counts"][:-2]},
    "one more": {**RLE, "counts": RLE["counts"] + "1"},
    "cut in a number": {**RLE, "counts": RLE["counts"] + "o"},
    "no letters of RLE": {**RLE, "counts": "кошка"},
    "a number without end": {**RLE, "counts": "o" * 1000 + "0"},
    "empty": {**RLE, "counts": ""},
    "negative": {"size": [80, 100], "counts": [-5, 8005]},
    "too long": {"size": [80, 100], "counts": [0, 10**15]},
    "beyond integers": {"size": [80, 100], "counts": [0, 10**40]},
    "too short": {"size": [80, 100], "counts": [0, 7999]},
    "fractions": {"size": [80, 100], "counts": [0.5, 7999.5]},
    "nested": {"size": [80, 100], "counts": [[0, 8000]]},
    "no runs": {"size": [80, 100], "counts": []},
}


@pytest.mark.parametrize("mask", BAD_MASKS.values(), ids=BAD_MASKS)
def test_broken_coco_masks(tmp_path, mask):
    """Each is refused before anything is decoded, and the error names the file."""
    write_coco(tmp_path / "all.json", (0, mask, {}))
    with pytest.raises(LabkitError, match=r"all\.json"):
        find_ground_truth(blank(), tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"images": None},
        {"images": [{"id": 7}]},
        {"images": [{"id": 7, "file_name": 5}]},
        {"images": [{"id": 7, "file_name": "x.jpg", "width": 100}]},
        {"images": [{"id": 7, "file_name": "x.jpg", "width": 10**9, "height": 8 * 10**8}]},
        {"images": "x.jpg"},
        {"annotations": [5]},
        {"annotations": [{"image_id": 7, "category_id": 99, "segmentation": RLE}]},
        {"annotations": [{"image_id": 7, "category_id": [], "segmentation": RLE}]},
        {"annotations": [{"image_id": 7, "category_id": 40}]},
        {"annotations": [{"image_id": 7, "category_id": 40, "segmentation": RLE}] * 1000},
        {"categories": [{"name": "cat"}]},
        {"categories": {"cat": 40}},
    ],
)
def test_broken_coco_files(tmp_path, change):
    """What looks like COCO and is not is named."""
    path = write_coco(tmp_path / "all.json", (0, RLE, {}))
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(LabkitError, match=r"all\.json"):
        find_ground_truth(blank(), tmp_path)


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


def test_large_files(tmp_path):
    """A file of more megabytes than a label file has is not read."""
    with (tmp_path / "x.json").open("wb") as file:
        file.truncate(10**9)
    with pytest.raises(LabkitError, match=r"x\.json.*32"):
        find_ground_truth(blank(), tmp_path)


@pytest.mark.parametrize("name", ["x.mask.png", "x.cat.mask.png"])
def test_png_of_a_thousand_million_pixels(tmp_path, name):
    """Its header is enough to refuse it."""
    header(35_000, 28_000, tmp_path / name)
    started = time.process_time()
    with pytest.raises(LabkitError, match=rf"{name}.*млн пикселей"):
        find_ground_truth(blank(), tmp_path)
    header(11_000, 8_800, tmp_path / name)  # where Pillow only warns
    with pytest.raises(LabkitError, match=rf"{name}.*млн пикселей"):
        find_ground_truth(blank(), tmp_path)
    assert time.process_time() - started < 1


@pytest.mark.parametrize("mode, size", [("RGB", (100, 80)), ("I;16", (100, 80)), ("1", (100, 80))])
def test_mask_in_another_mode(tmp_path, mode, size):
    """A coloured or 16-bit picture is no index mask, and the error says what is."""
    Image.new(mode, size).save(tmp_path / "x.mask.png")
    with pytest.raises(LabkitError, match="x.mask.png.*8-bit"):
        find_ground_truth(blank(), tmp_path)


@pytest.mark.parametrize("name", ["x.mask.png", "x.cat.mask.png"])
def test_broken_masks(tmp_path, name):
    """A file that was cut anywhere, one that is no image, one that only says that it is a PNG."""
    path = tmp_path / name
    image = Image.new("L", (100, 80), 8)
    ImageDraw.Draw(image).line((0, 0, 90, 70), fill=9)
    image.save(path)
    whole = path.read_bytes()
    image.save(tmp_path / "x.gif")
    contents = [whole[:end] for end in range(0, len(whole) - 20, 11)]
    for content in (*contents, b"<html>", (tmp_path / "x.gif").read_bytes()):
        path.write_bytes(content)
        with pytest.raises(LabkitError, match=name):
            find_ground_truth(blank(), tmp_path)


def test_labels_that_no_class_has(tmp_path):
    """The error says which, and how far the label set goes."""
    Image.new("L", (100, 80), 21).save(tmp_path / "x.mask.png")
    with pytest.raises(LabkitError, match=r"x\.mask\.png.*\[21\].*PASCAL VOC.*от 0 до 20"):
        find_ground_truth(blank(), tmp_path)


def test_class_mask_of_nothing(tmp_path):
    """A black mask says that the class is not there."""
    Image.new("L", (100, 80)).save(tmp_path / "x.cat.mask.png")
    reference = read_class_masks([tmp_path / "x.cat.mask.png"], blank())
    assert reference.segments == [] and not reference.ids.any() and (reference.confidence == 1).all()


@pytest.mark.parametrize("points", [30_000, 5_000])
def test_many_points_take_no_time(tmp_path, points):
    """As many as are read, over a photo of the largest size."""
    random = np.random.default_rng(0)
    corners = (random.random((points, 2)) * (2048, 1536)).tolist()
    path = write_outline(tmp_path / "x.json", corners, size=(2048, 1536))
    started = time.process_time()
    read_labelme(path, blank(width=2048, height=1536))
    assert time.process_time() - started < 10


def test_the_kits_photos_have_theirs(default_photos, root):
    """A photo of the kit needs no folder to be named; a copy of it elsewhere is not the kit's."""
    photo = default_photos["cat_kitten"]
    own = find_ground_truth(photo)
    assert np.array_equal(own.labels, find_ground_truth(photo, root / "data" / "outlines").labels)
    assert find_ground_truth(replace(photo, path=root / "cat_kitten.jpg")) is None
