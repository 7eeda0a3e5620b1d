"""Whether a page shows what its data say: the viewer's masks and the printed table against the segments."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from PIL import Image

from labkit.classes import LabelSet
from labkit.io.decode import opened
from labkit.io.files import some
from labkit.io.rle import decode_mask
from labkit.locale import text
from labkit.report.data import classes_of
from labkit.viewer.items import DEPTH, shown_size

__all__ = ["MAX_PIXELS", "carried_photos", "disagreements", "read_image", "viewer_items"]

MAX_PIXELS = 4_200_000  # of a picture or mask in a report: those of the largest photo in work

_MOUNTED = re.compile(r'mountMarked\("[0-9a-f]{16}", (?=\{)')
_MOUNTED_END = ");\n</script>"
_ADDRESS = re.compile(r"data:image/(png|jpeg);base64,")
_NUMBER = " 0123456789"  # what follows the name of a class where there are several of it
_MAX_ITEMS, _MAX_LAYERS = 1000, 16


def viewer_items(page: str) -> list[dict[str, Any]]:
    """What the viewers of a page (or of a notebook's outputs) show, as `labkit.viewer.items` wrote it.

    Nothing is run: the arguments of the viewers' scripts are read as JSON. What is no JSON is passed over.
    """
    items: list[dict[str, Any]] = []
    place = 0
    while (start := _MOUNTED.search(page, place)) and (end := page.find(_MOUNTED_END, start.end())) >= 0:
        place = end
        try:
            shown = json.loads(page[start.end() : end])["items"]
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
        found = [item for item in shown if isinstance(item, dict)] if isinstance(shown, list) else []
        first = dict(enumerate(item.get("photo") for item in found))  # a photo that travels once, by its number
        items += [{**item, "photo": first.get(n, n) if type(n := item.get("photo")) is int else n} for item in found]
    return items[:_MAX_ITEMS]


def read_image(address: Any, pixels: int = MAX_PIXELS) -> Image.Image:
    """The picture in a `data:` address; ValueError for anything but a whole PNG or JPEG of at most `pixels`."""
    kind = _ADDRESS.match(address) if isinstance(address, str) else None
    if kind is None:
        raise ValueError("no PNG or JPEG")
    with opened(base64.b64decode(address[kind.end() :], validate=True), [kind[1].upper()], pixels) as image:
        image.load()
        return image


def carried_photos(data: dict[str, Any], items: Sequence[dict[str, Any]]) -> dict[str, bytes]:
    """The JPEG files of the photos that travel in the page, by name, where they are those that the data name."""
    jpegs: dict[str, bytes] = {}
    for jpeg in map(_carried, items):
        digest = hashlib.sha256(jpeg).hexdigest()
        jpegs |= {photo["name"]: jpeg for photo in data["photos"] if photo["jpeg_sha256"] == digest}
    return jpegs


def _carried(item: dict[str, Any]) -> bytes:
    """The file of the photo that an item shows; empty where that is none."""
    with suppress(ValueError):
        return base64.b64decode(str(item.get("photo")).partition(";base64,")[2], validate=True)
    return b""


def disagreements(data: dict[str, Any], items: Sequence[dict[str, Any]], page: str) -> list[str]:
    """What the page shows otherwise than its data say, a sentence each; none where all agree.

    `items` are the page's `viewer_items`; `page` is its HTML, or the plain text of a notebook's outputs.
    """
    sentences, others = [], []
    labels = classes_of(data)
    for result in data["results"]:
        shown = [item for item in items if str(item.get("name")) == result["photo"]]
        of_photo = [one for one in (*data["results"], *data["prompted"]) if one["photo"] == result["photo"]]
        if not shown:
            sentences.append(text("consistency.absent", name=result["photo"]))
        elif not any(_same(result, item, labels) for item in shown):
            sentences.append(text("consistency.masks", name=result["photo"]))
        elif not all(any(_same(one, item, labels) for one in of_photo) for item in shown):
            others.append(result["photo"])
        known = {photo["jpeg_sha256"] for photo in data["photos"] if photo["name"] == result["photo"]} - {None}
        if known and not known.issuperset(hashlib.sha256(jpeg).hexdigest() for jpeg in map(_carried, shown) if jpeg):
            sentences.append(text("consistency.photo", name=result["photo"]))
    if others:
        sentences.append(text("consistency.others", names=some(others)))
    prose = html.unescape(page)
    if data["results"] and not data["summary"].strip():
        sentences.append(text("consistency.no_table"))
    head, _, rest = data["summary"].partition("\n")
    wanted, tables = rest.split(), prose.split(head)[1:] if head.strip() else []
    same = [after[: 2 * len(rest) + 1000].split()[: len(wanted)] == wanted for after in tables]
    wrong = next((line for line in data["summary"].splitlines() if line not in prose), "" if any(same) else head)
    if wrong.strip():
        sentences.append(text("consistency.table", line=" ".join(wrong.split())))
    elif not all(same):
        sentences.append(text("consistency.other_table"))
    return sentences


def _same(result: dict[str, Any], item: dict[str, Any], labels: LabelSet | None) -> bool:
    """Whether an item shows the segments of a result: their numbers, classes, shares, scores and pixels."""
    height, width = result["size"]
    try:
        shown = {s["id"]: s for s in item["segments"]}
        if item["photo_size"] != [width, height] or sorted(shown) != sorted(s["id"] for s in result["segments"]):
            return False
        for segment in result["segments"]:
            one, label = shown[segment["id"]], segment["label_id"]
            share = segment["area"] / (height * width)
            if not (abs(one["share"] - share) <= 1e-9 and abs(one["score"] - segment["score"]) <= 1e-3):  # NaN is none
                return False
            names = [(one["en"], labels.names[label]), (one["ru"], labels.names_ru[label])] if labels else []
            if any(name.rstrip(_NUMBER) != known.rstrip(_NUMBER) for name, known in names):
                return False
        size = shown_size(height, width)
        if item["size"] != list(size):
            return False
        if size != (width, height):
            return True  # a photo that was shrunk on its way: its pixels cannot be told one by one
        pixels = (np.asarray(read_image(address).convert("RGBX")) for address in item["layers"][:_MAX_LAYERS])
        layers = [(layer.view("<u4")[..., 0] & 0xFFFFFF).astype(np.int32) for layer in pixels]
        return all(layer.shape == (height, width) for layer in layers) and _same_pixels(result, layers)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return False


def _same_pixels(result: dict[str, Any], layers: list[np.ndarray]) -> bool:
    """Whether each segment's pixels are those of its mask, and no more in all layers together than it has."""
    most = max((s["id"] for s in result["segments"]), default=0)
    counts = sum(np.bincount(layer.ravel(), minlength=most + 1)[: most + 1] for layer in layers)
    whole = len(layers) <= DEPTH  # of more masks over one another, the deepest do not travel
    for segment in result["segments"]:
        x0, y0, x1, y1 = segment["box"]
        mask = decode_mask(segment["rle"], tuple(result["size"]))
        inside = mask[y0:y1, x0:x1]
        if not np.count_nonzero(mask) == np.count_nonzero(inside) == segment["area"]:
            return False
        if whole and counts[segment["id"]] != segment["area"]:
            return False
        if any(((layer[y0:y1, x0:x1] == segment["id"]) & ~inside).any() for layer in layers):
            return False
    return True
