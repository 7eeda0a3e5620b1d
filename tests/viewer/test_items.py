"""What travels to the viewer: images that decode to exactly the result, and plain data about it."""

import base64
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from annotated import block
from drawn import found, grey
from PIL import Image

from labkit.classes import VOC
from labkit.figures import colors_of
from labkit.segmentation import Segmentation
from labkit.viewer.items import item_of, items_of

CAT, DOG = VOC.id("cat"), VOC.id("dog")
DEPTH = 12  # so many masks below the uppermost one travel


def opened(address: str) -> Image.Image:
    """The image of a data address, whose kind is the one that it says."""
    kind, data = address.removeprefix("data:image/").split(";base64,")
    image = Image.open(io.BytesIO(base64.b64decode(data, validate=True)))
    assert image.format == kind.upper()
    return image


def ids_of(address: str) -> np.ndarray:
    """The segment ids of a layer."""
    image = opened(address)
    assert (image.format, image.mode) == ("PNG", "RGB")
    return np.asarray(image).astype(np.int64) @ [1, 256, 65536]


def levels_of(item: dict) -> np.ndarray:
    """The confidence of an item, 0 to 200."""
    image = opened(item["confidence"])
    assert (image.format, image.mode) == ("PNG", "L")
    return np.asarray(image)


def check_exact(result: Segmentation, item: dict) -> None:
    """Ids and confidence as they were, and of each segment, over all layers, exactly its whole mask."""
    layers = [ids_of(layer) for layer in item["layers"]]
    assert np.array_equal(layers[0], result.ids)
    assert np.array_equal(levels_of(item), np.where(result.ids > 0, np.floor(result.confidence * 200 + 1e-4), 0))
    for segment in result.segments:
        here = np.logical_or.reduce([layer == segment.id for layer in layers])
        assert np.array_equal(here, segment.mask), segment.id
    for above, below in zip(layers, layers[1:], strict=False):
        assert (above[below > 0] > 0).all()  # the viewer looks no deeper than the first gap
    shown = {segment["id"] for segment in item["segments"]}
    assert all(set(np.unique(layer)) <= shown | {0} for layer in layers)
    json.dumps(item, allow_nan=False)


def made(masks: list[np.ndarray], **options) -> Segmentation:
    """A result of these masks, the first on top, with a confidence that differs from pixel to pixel."""
    result = found(masks, name="снимок", **options)
    return replace(result, confidence=np.random.default_rng(1).random(result.ids.shape, np.float32))


def test_decodes_to_the_result(outlined):
    """A semantic result: one layer, which with the confidence decodes to exactly what the model said."""
    item = item_of(outlined)
    assert len(item["layers"]) == 1 and levels_of(item).max() > 150
    check_exact(outlined, item)
    height, width = outlined.ids.shape
    assert item["size"] == item["photo_size"] == [width, height]
    photo = opened(item["photo"])
    assert (photo.format, photo.size) == ("JPEG", (width, height))
    assert np.abs(np.asarray(photo).astype(int) - outlined.photo.pixels).mean() < 4


def test_segments():
    """The legend's rows, largest first: names in both languages, numbered within a class, colours, share and score."""
    small, large = block(0, 0, 10, 10, (40, 60)), block(5, 5, 55, 35, (40, 60))
    result = made([small, large, small], labels=[CAT, CAT, DOG])
    item = item_of(result)
    keys = ("id", "ru", "en", "share", "score", "color", "class_color")
    assert [tuple(row[key] for key in keys) for row in item["segments"]] == [
        (n, ru, en, pytest.approx(share), score, colors_of(result)[n], VOC.colors[label_id])
        for n, ru, en, share, score, label_id in (
            (2, "кошка 1", "cat 1", 1500 / 2400, 0.99, CAT),
            (1, "кошка 2", "cat 2", 100 / 2400, 1.0, CAT),
            (3, "собака", "dog", 100 / 2400, 0.98, DOG),
        )
    ]
    assert len({row["color"] for row in item["segments"]}) == 3
    assert item["classes"] is True and item["name"] == "снимок"


def test_without_classes():
    """Objects that have no class are called by their number, and there is no colour of a class to choose."""
    item = item_of(made([block(0, 0, 5, 5, (9, 9)), block(5, 5, 9, 9, (9, 9))], ids=[4, 7], classes=None))
    assert item["classes"] is False and item["answers"] is False
    assert [(row["ru"], row["en"]) for row in item["segments"]] == [("объект 4", "object 4"), ("объект 7", "object 7")]
    assert all(row["class_color"] == row["color"] for row in item["segments"])


@pytest.mark.parametrize("seed", range(3))
def test_whole_masks_that_overlap_anyhow(seed):
    """Twelve random masks of any shape and order, with ids of one to three bytes: each is whole in the layers."""
    rng = np.random.default_rng(seed)
    shape = (45, 70)
    masks = []
    for _ in range(12):
        (y0, y1), (x0, x1) = sorted(rng.integers(0, 46, 2)), sorted(rng.integers(0, 71, 2))
        masks.append(block(x0, y0, x1 + 1, y1 + 1, shape) & (rng.random(shape) < 0.9))
    result = made(masks, ids=[255, 256, 65_535, 65_536, 2**24 - 1, *(rng.choice(250, 7, replace=False) + 1).tolist()])
    item = item_of(result)
    assert len(item["layers"]) > 3
    check_exact(result, item)


def test_depth_has_an_end():
    """Of twenty masks over one another the uppermost and the twelve smallest below it travel, and nothing wrong."""
    masks = [block(0, 0, 10 + n, 10 + n, (40, 40)) for n in range(20)]
    item = item_of(made(masks))
    assert len(item["layers"]) == 1 + DEPTH
    for n, mask in enumerate(masks, start=1):
        here = np.logical_or.reduce([ids_of(layer) == n for layer in item["layers"]])
        assert not (here & ~mask).any() and (n > 1 + DEPTH or np.array_equal(here, mask))


def test_answers_of_sam(load, default_photos):
    """One point, three answers: best first as SAM gave them, whole below one another, and the point with them."""
    model = load(4)
    model.set_photo(default_photos["cat_kitten"])
    result = model.prompt(points=[(450, 330)])
    item = item_of(result)
    assert len(result.segments) == 3 and len(item["layers"]) > 1
    check_exact(result, item)
    assert item["answers"] is True and item["classes"] is False
    assert item["prompts"] == {"points": [[450, 330]], "point_labels": [1]}
    assert [row["id"] for row in item["segments"]] == [segment.id for segment in result.segments] == [1, 2, 3]
    assert [row["score"] for row in item["segments"]] == pytest.approx([s.score for s in result.segments], abs=1e-4)
    one = item_of(model.prompt(points=[(450, 330), (400, 400)], point_labels=[1, 0]))
    assert one["answers"] is False and one["prompts"]["point_labels"] == [1, 0]


@pytest.mark.parametrize(
    "side, size",
    [((4000, 3000), [1024, 768]), ((1100, 2200), [512, 1024]), ((5000, 2), [1024, 1]), ((1024, 1024), [1024, 1024])],
)
def test_large_photos_travel_small(side, size):
    """The longest side is at most 1024 in all images; shares and places remain those of the photo itself."""
    width, height = side
    labels = np.zeros((height, width), np.uint8)
    labels[:, : width // 4] = CAT
    result = Segmentation.from_labels(grey(height, width), labels)
    item = item_of(result)
    assert item["size"] == size and item["photo_size"] == [width, height]
    images = [item["photo"], item["confidence"], *item["layers"]]
    assert all(list(opened(image).size) == size for image in images)
    ids = ids_of(item["layers"][0])
    assert np.array_equal(np.unique(ids), [0, 1]) and (ids == 1).mean() == pytest.approx(0.25, abs=0.01)
    assert np.array_equal(levels_of(item), 200 * ids)
    assert item["segments"][0]["share"] == pytest.approx(0.25)


def test_items_are_what_each_result_gives(outlined):
    """In the order of the results, titles where models differ; a photo travels once, others have its number."""
    empty = Segmentation.from_labels(outlined.photo, np.zeros(outlined.ids.shape, np.uint8))
    other = replace(outlined, photo=replace(outlined.photo, name="another"))
    assert items_of([other, empty, outlined]) == [item_of(other), item_of(empty), {**item_of(outlined), "photo": 1}]
    titled = items_of([replace(outlined, made_by={"variant": name}) for name in ("deeplab", "unet")])
    assert [item["title"] for item in titled] == ["DeepLabV3+", "U-Net"]
