"""What travels to the viewer: results as images and plain data."""

import base64
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from labkit.figures import colors_of, model_titles, named_segments
from labkit.io.jpeg import data_address
from labkit.locale import LANGUAGES, in_each_language, language, texts
from labkit.photos import Photo
from labkit.segmentation import Segmentation

__all__ = ["DEPTH", "item_of", "items_of", "module", "shown_size", "viewer_data"]

SIDE = 1024  # longest side of a picture that travels, in pixels
LEVELS = 200  # levels of confidence: two to a step of the threshold's slider, so that it cuts exactly where it says
DEPTH = 12  # at most so many masks over one another travel; what lies still deeper cannot be uncovered

_HERE = Path(__file__).parent
_IMPORT = re.compile(r'^import \{[\w\s,]+\} from "([\w./]+)";\n', re.MULTILINE)
_TRAILING = re.compile(r" // [^'\"`]*$")  # no text or pattern of a line ends in it
_EXPORT = re.compile(r"^export (?!default)", re.MULTILINE)


def viewer_data() -> dict[str, Any]:
    """What the viewer needs besides the items: its words in all languages, the first language, its style sheet."""
    words = {
        name: {key.removeprefix("viewer."): said for key, said in texts(name).items() if key.startswith("viewer.")}
        for name in LANGUAGES
    }
    return {"texts": words, "language": language(), "css": (_HERE / "viewer.css").read_text("utf-8")}


def module(entry: Path = _HERE / "js" / "mount.mjs") -> str:
    """A JavaScript module and all that it imports, as one that every output carries: without indents and comments.

    What is imported stands above, so that the files are as if written one below the other: no name of theirs occurs
    twice, none is imported under another name, and no two import each other.
    """
    lines = (_TRAILING.sub("", line.strip()) for line in "".join(_files(entry, {}).values()).splitlines())
    return "\n".join(line for line in lines if line and not line.startswith(("//", "/**", "*")))


def _files(path: Path, files: dict[Path, str]) -> dict[Path, str]:
    """The file, after all those that it imports and `files` does not have yet, without imports and exports."""
    code = path.read_text("utf-8")
    for name in _IMPORT.findall(code):
        if (imported := (path.parent / name).resolve()) not in files:
            _files(imported, files)
    files[path.resolve()] = _EXPORT.sub("", _IMPORT.sub("", code))
    return files


def items_of(results: Sequence[Segmentation]) -> list[dict[str, Any]]:
    """The item of each result; the models' names stand in them where one photo occurs with several.

    A photo travels once: in place of it, later items of the same `Photo` have the number of the first one.
    """
    items: list[dict[str, Any]] = []
    carried: dict[int, int] = {}
    for number, (result, title) in enumerate(zip(results, model_titles(results), strict=True)):
        first = carried.setdefault(id(result.photo), number)
        item = item_of(result, title, photo=first == number)
        items.append(item if first == number else {**item, "photo": first})
    return items


def item_of(result: Segmentation, title: str = "", photo: bool = True) -> dict[str, Any]:
    """One result in JSON's types.

    `photo` is a JPEG; `layers` are PNGs of segment ids (R + 256 G + 65536 B), the uppermost first: below a pixel of
    one stand the whole masks that it hides; `confidence` is a PNG of the uppermost layer's, 0 to 200. All three
    have `size` (`[width, height]`, at most 1024), coordinates belong to `photo_size`. `segments` are largest first,
    the answers to a prompt best first; Mask R-CNN's have a `box` in the photo's pixels. `photo=False` leaves the
    photo out.
    """
    height, width = result.ids.shape
    size = shown_size(height, width)
    layers, confidence = _layers(result, size), _shrunk(result.confidence, size)
    levels = np.where(layers[0] > 0, np.floor(confidence * LEVELS + 1e-4), 0).astype(np.uint8)
    named = in_each_language(named_segments, result)
    russian = {segment.id: name for segment, name in named["ru"]}
    prompts, colors = result.made_by.get("prompts"), colors_of(result)
    answers = prompts is not None and len(result.segments) > 1
    boxed = result.made_by.get("variant") == "mask_rcnn"
    rows = sorted(named["en"], key=lambda row: row[0].id) if answers else named["en"]

    return {
        "name": result.photo.name,
        "title": title,
        "size": list(size),
        "photo_size": [width, height],
        "photo": _photo(result.photo, size) if photo else None,
        "layers": [
            _png(np.stack([layer & 255, layer >> 8 & 255, layer >> 16 & 255], axis=-1).astype(np.uint8))
            for layer in layers
        ],
        "confidence": _png(levels),
        "classes": result.classes is not None,
        "answers": answers,
        "prompts": {key: value for key, value in (prompts or {}).items() if key != "mask"},
        "segments": [
            {
                "id": segment.id,
                "ru": russian[segment.id],
                "en": name,
                "color": colors[segment.id],
                "class_color": result.classes.colors[segment.label_id] if result.classes else colors[segment.id],
                "share": segment.area / result.ids.size,
                "score": round(float(segment.score), 4),
                **({"box": list(segment.box)} if boxed else {}),
            }
            for segment, name in rows
        ],
    }


def shown_size(height: int, width: int) -> tuple[int, int]:
    """The size (width, height) of the pictures of a photo."""
    factor = min(1.0, SIDE / max(height, width))
    return max(1, round(width * factor)), max(1, round(height * factor))


def _shrunk(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.NEAREST))


def _png(pixels: np.ndarray) -> str:
    """With run lengths alone, a tenth of the time of the best compression and about a tenth larger."""
    return data_address(Image.fromarray(pixels), "PNG", compress_type=zlib.Z_RLE)


def _photo(photo: Photo, size: tuple[int, int]) -> str:
    if photo.jpeg is not None:
        return "data:image/jpeg;base64," + base64.b64encode(photo.jpeg).decode("ascii")
    return data_address(Image.fromarray(photo.pixels).resize(size, Image.Resampling.HAMMING), "JPEG", quality=70)


def _layers(result: Segmentation, size: tuple[int, int]) -> list[np.ndarray]:
    """`ids`, then layer by layer what lies below it, smaller masks first."""
    ids = _shrunk(result.ids, size)
    layers = [ids]
    depth = np.zeros(ids.shape, np.int32)
    for segment in sorted(result.segments, key=lambda s: s.area):
        hidden = _shrunk(segment.mask, size) & (ids != segment.id)
        depth[hidden] += 1
        for k in range(1, min(int(depth[hidden].max(initial=0)), DEPTH) + 1):
            if k == len(layers):
                layers.append(np.zeros(ids.shape, np.int32))
            here = hidden & (depth == k)
            layers[k][here] = segment.id
    return layers
