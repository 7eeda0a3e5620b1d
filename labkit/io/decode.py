"""One image file to upright RGB pixels, at a cost in memory that is known before a pixel is decoded.

`sources` finds the files, `photos` says what became of them; the pixels are made here.
"""

import io
import re
import struct
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from labkit.io.errors import one_line
from labkit.locale import number, text

__all__ = ["IMAGE_SUFFIXES", "ORIENTATION", "Decoded", "Unreadable", "decode", "turn_hidden", "layout", "opened", "why"]

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".heic", ".heif", ".avif"}

# Plugins of other formats stay shut: EPS starts Ghostscript, and some take almost any file for theirs.
_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "DIB", "TIFF", "PPM", "JPEG2000", "AVIF", "HEIF")
_BAND = 4_000_000
"""How many pixels are converted at a time."""

ORIENTATION, _ON_ITS_SIDE = 0x0112, (5, 6, 7, 8)
_VIDEO = re.compile(
    rb".{4}(?:ftyp(?!hei|hev|mif|msf|avi|miaf|jp2|jpx|jpm|crx)|moov|mdat|wide|free|skip|pnot)|RIFF.{4}AVI "
    rb"|\x1aE\xdf\xa3|\0\0\x01[\xba\xb3]|FLV|\x30\x26\xb2\x75|OggS|G.{187}G|.{4}G.{191}G",
    re.DOTALL,
)
"""How MP4, MOV and 3GP, AVI, MKV and WebM, MPEG, FLV, WMV, OGV, and a camcorder's TS and MTS begin."""

_HEIF = re.compile(rb".{4}ftyp(?:hei|hev|mif|msf|avi|miaf)", re.DOTALL)

_REDUCED, _DNG = 254, 50706
"""A camera's raw file is a TIFF whose first picture is a small copy."""

_OUTLIERS, _SAMPLE_SIDE = 0.001, 1000
"""The share of hot and dead pixels that do not decide what is black and white; it is measured on so many a side."""

_LOCK = threading.RLock()


class Unreadable(Exception):
    """Why a file cannot be read: a key of `texts` and its values, said in the language of whoever asks."""

    def __init__(self, key: str, **values: object):
        super().__init__(key, values)
        self.key, self.values = key, values

    def __str__(self) -> str:
        return text(self.key, **self.values)


def why(error: Exception) -> str:
    """Why a file could not be had, for a reader, whatever was raised."""
    if isinstance(error, Unreadable):
        return str(error)
    if isinstance(error, PermissionError):
        return text("photos.no_permission")
    if isinstance(error, UnidentifiedImageError):
        return text("photos.not_image")
    return text("photos.damaged", error=one_line(error, 200))


@dataclass(frozen=True, eq=False)
class Decoded:
    """`pixels` is `HxWx3` uint8 RGB, upright by EXIF's `orientation`; `original_size` is (H, W) before scaling."""

    pixels: np.ndarray
    original_size: tuple[int, int]
    notes: list[str]
    orientation: int


def decode(file: BinaryIO, max_side: int, max_pixels: int) -> Decoded:
    """Reads an open file of any common format; the longest side of the result is at most `max_side`.

    EXIF rotation is applied, transparency lies over white, colours of an embedded profile become sRGB, 16 bits are
    scaled to 8 over their full range or, where only 8 to 14 of them are used but for a few hot pixels, over these. A
    JPEG is scaled down while it is decoded; of any other format the whole raster stands in memory once. Unreadable
    where the file is empty, a video, no image, cut off or of more than `max_pixels`; other errors of Pillow for a
    damaged file pass.
    """
    head = file.read(200)
    file.seek(0)
    if not head:
        raise Unreadable("photos.empty")
    try:
        with _image(file) as image:
            tags = getattr(image, "tag_v2", {})
            if tags.get(_REDUCED, 0) == 1 or _DNG in tags or head.startswith(b"II*\0\x10\0\0\0CR"):
                raise Unreadable("photos.raw")
            return _decode(image, max_side, max_pixels)
    except UnidentifiedImageError:
        if _VIDEO.match(head):
            raise Unreadable("photos.video") from None
        if _HEIF.match(head):
            raise Unreadable("photos.truncated" if "HEIF" in Image.OPEN else "photos.heif") from None
        raise Unreadable("photos.not_image") from None
    except (OSError, EOFError, struct.error) as error:
        if isinstance(error, OSError) and "truncated" not in str(error).lower():
            raise
        raise Unreadable("photos.truncated") from error


def layout(file: BinaryIO) -> tuple[tuple[int, int], int]:
    """(H, W) of an open image file as `decode` would give it, and EXIF's orientation; of others than TIFF the header
    alone is read.
    """
    with _image(file) as image:
        orientation = _orientation(image)
        if image.format == "TIFF":
            image.load()  # turns it; its size is the upright one already before that, or not, by Pillow's version
        elif orientation in _ON_ITS_SIDE:
            return image.size, orientation
        return (image.height, image.width), orientation


def turn_hidden(orientation: int, square: bool) -> bool:
    """Whether the size of an upright photo does not tell by which EXIF orientation it was turned."""
    return orientation in (2, 3, 4) or (square and orientation in _ON_ITS_SIDE)


@contextmanager
def opened(content: bytes, formats: Sequence[str], max_pixels: float) -> Iterator[Image.Image]:
    """A picture as it is, in one of Pillow's `formats`; ValueError for anything else, also while it is decoded."""
    try:
        with _image(io.BytesIO(content), formats) as image:
            if image.width * image.height > max_pixels:
                raise ValueError(f"{image.width}x{image.height} pixels, at most {max_pixels}")
            yield image
    except (MemoryError, ValueError):
        raise
    except Exception as error:  # Pillow raises nearly every kind
        raise ValueError(str(error)) from error


def _decode(image: Image.Image, max_side: int, max_pixels: int) -> Decoded:
    width, height = image.size
    if width * height > max_pixels:
        megapixels, limit = (number(n / 1e6, 0 if n >= 10_000_000 else 2) for n in (width * height, max_pixels))
        raise Unreadable("photos.too_large", width=width, height=height, megapixels=megapixels, limit=limit)
    longest = max(width, height, max_side)
    size = max(1, round(width * max_side / longest)), max(1, round(height * max_side / longest))
    # An MPO is how phones write an ordinary photo with a depth map or preview behind it.
    frames = image.format != "MPO" and getattr(image, "is_animated", False)
    deep = ";16" in str(getattr(image, "tile", ""))
    of_tiff = _orientation(image) if image.format == "TIFF" else 1  # which turns itself upright while it loads
    image.draft(None, size)
    image.load()
    orientation = _orientation(image)
    if image.size == (height, width):
        width, height, size = height, width, size[::-1]
    span, notes = _value_range(image)
    factor = max(1, max(image.size) // max_side)
    rgb = _to_rgb(image, factor, span)
    if deep and span is None:  # Pillow keeps the upper byte
        counts = np.reshape(rgb.histogram(), (3, 256)).sum(0)
        high = int(np.searchsorted(counts.cumsum(), (1 - _OUTLIERS) * (counts.sum() - 1), "right"))
        if high < 64:
            brightest = 2 ** high.bit_length() - 1
            hot = counts[brightest + 1 :].any()
            notes = [text("photos.hot" if hot else "photos.bits", bits=8 + high.bit_length())]
            rgb = rgb.point([min(255, round(value * 255 / max(1, brightest))) for value in range(256)] * 3)
    rgb = _in_srgb(rgb, image, factor)
    if rgb.size != size:
        rgb = rgb.resize(size, Image.Resampling.HAMMING)  # half of LANCZOS's time, and the networks look at less
    rgb.getexif()[ORIENTATION] = orientation
    rgb = ImageOps.exif_transpose(rgb)
    if orientation in _ON_ITS_SIDE:
        width, height = height, width
    notes = [text("photos.frames")] * frames + notes
    return Decoded(np.array(rgb), (height, width), notes, max(orientation, of_tiff))


def _in_srgb(rgb: Image.Image, image: Image.Image, factor: int) -> Image.Image:
    """The colours of an embedded profile as sRGB's; one for another kind of image counts for nothing."""
    if not (embedded := image.info.get("icc_profile")):
        return rgb
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(embedded))
        space, name = profile.profile.xcolor_space.strip(), profile.profile.profile_description or ""
        if space == "RGB" and "srgb" not in name.lower():
            source = rgb
        elif space == "GRAY" and image.mode in ("1", "L", "LA", "I", "I;16"):
            source = rgb.getchannel("R")
        elif space == "CMYK" and image.mode == "CMYK":
            source = image.reduce(factor)
        else:
            return rgb
        return ImageCms.profileToProfile(source, profile, ImageCms.createProfile("sRGB"), outputMode="RGB") or rgb
    except (ImageCms.PyCMSError, ImportError, OSError):  # a damaged profile costs the colours and not the photo
        return rgb


def _to_rgb(image: Image.Image, factor: int, span: tuple[float, float] | None) -> Image.Image:
    """RGB, each `factor x factor` block averaged; band by band, so that no second whole raster stands in memory."""
    if factor == 1 and image.mode == "RGB" and not image.has_transparency_data:
        rgb = image.copy()
        rgb.info.clear()
        return rgb
    width, height = image.size
    rgb = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    rows = factor * max(1, _BAND // (width * factor))
    for top in range(0, height, rows):
        band = _band_to_rgb(image.crop((0, top, width, min(top + rows, height))), span)
        rgb.paste(band.reduce(factor) if factor > 1 else band, (0, top // factor))
    return rgb


def _band_to_rgb(band: Image.Image, span: tuple[float, float] | None) -> Image.Image:
    if span is not None:
        low, high = span
        values = np.nan_to_num(np.asarray(band, np.float32), nan=low, posinf=high, neginf=low)
        grey = (values - low) * (255 / (high - low)) if high > low else np.zeros_like(values)
        band = Image.fromarray(np.rint(grey).clip(0, 255).astype(np.uint8))
    elif band.has_transparency_data:
        band = (band.convert("LA") if band.mode == "La" else band).convert("RGBA")
        band = Image.alpha_composite(Image.new("RGBA", band.size, "white"), band)
    return band.convert("RGB")


def _value_range(image: Image.Image) -> tuple[tuple[float, float] | None, list[str]]:
    """What becomes black and white in a grey image of more than 8 bits, None for every other; and notes."""
    if not image.mode.startswith("I;16") and image.mode not in ("I", "F"):
        return None, []
    sides = [min(side, _SAMPLE_SIDE) for side in image.size]
    values = np.asarray(image.resize(sides, Image.Resampling.NEAREST), np.float64).ravel()
    values = np.sort(values[np.isfinite(values)])
    if not values.size:
        return (0.0, 0.0), []
    most = values.size - 1
    places = 0, int(np.ceil(_OUTLIERS * most)), int((1 - _OUTLIERS) * most), most
    low, usual_low, usual_high, high = values[list(places)].tolist()
    if image.mode != "F" and 0 <= low <= usual_high <= 65535:  # older Pillow opens 16-bit PNG as 32-bit integers
        bits = max(8, int(usual_high).bit_length())
        if bits <= 14:  # a camera's: by the full range the photo would be nearly black
            return (0.0, 2.0**bits - 1), [text("photos.hot" if high >= 2**bits else "photos.bits", bits=bits)]
        if high <= 65535:
            return (0.0, 65535.0), []
    margin = 2 * (usual_high - usual_low)
    if margin and not usual_low - margin <= low <= high <= usual_high + margin:
        said = text("photos.outliers", low=number(usual_low, 2), high=number(usual_high, 2))
        return (usual_low, usual_high), [said]
    return (low, high), []


def _orientation(image: Image.Image) -> int:
    try:
        given = image.getexif().get(ORIENTATION)
        return given if given in range(2, 9) else 1  # some write it as a word, or none that there is
    except Exception:  # a broken EXIF block, of which Pillow raises many kinds, costs the rotation and not the photo
        return 1


@contextmanager
def _image(file: BinaryIO, formats: Sequence[str] = ()) -> Iterator[Image.Image]:
    """Pillow's image, its global check of sizes, which warns on stderr and stops at 179 megapixels, put aside."""
    with suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()
    Image.init()
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            with Image.open(file, formats=formats or [name for name in _FORMATS if name in Image.OPEN]) as image:
                yield image
        finally:
            Image.MAX_IMAGE_PIXELS = limit
