"""One file to pixels: every mode, upright, 16 bits of which few are used, colour profiles, videos by their name."""

import io
import struct

import numpy as np
import pytest
from annotated import png_bytes
from pictured import BLUE, GREEN, ORIENTATION, RED, WHITE, close, scene, written
from PIL import Image, ImageCms, TiffImagePlugin

from labkit.io.decode import Unreadable, decode, layout
from labkit.locale import text


def read(content: bytes, max_side: int = 2048):
    """The pixels and notes of a file."""
    return decode(io.BytesIO(content), max_side, 10**8)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(orientation, kind):
    """All eight orientations come out upright, and so does the size, which is known without decoding too."""
    turns = "FLIP_LEFT_RIGHT ROTATE_180 FLIP_TOP_BOTTOM TRANSPOSE ROTATE_90 TRANSVERSE ROTATE_270".split()
    stored = scene().transpose(Image.Transpose[turns[orientation - 2]]) if orientation > 1 else scene()
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
    content = written(stored, kind, exif=exif, **options)
    photo, small = read(content), read(content, 24)
    assert photo.original_size == small.original_size == (32, 48)
    assert layout(io.BytesIO(content)) == ((32, 48), orientation)
    for (y, x), color in (((5, 5), RED), ((28, 5), BLUE), ((5, 40), WHITE)):
        assert close(photo.pixels[y, x], color)
    assert small.pixels.shape == (16, 24, 3) and close(small.pixels[3, 3], RED) and close(small.pixels[13, 3], BLUE)


@pytest.mark.parametrize(
    "mode, kind, color, expected",
    [
        ("L", "JPEG", 100, (100, 100, 100)),
        ("LA", "PNG", (0, 127), (128, 128, 128)),
        ("1", "PNG", 1, WHITE),
        ("1", "TIFF", 0, (0, 0, 0)),
        ("RGBA", "PNG", (255, 0, 0, 0), WHITE),
        ("RGBA", "WEBP", (255, 0, 0, 255), RED),
        ("RGBA", "TIFF", (0, 0, 255, 51), (204, 204, 255)),
        ("CMYK", "JPEG", (0, 255, 255, 0), RED),
        ("CMYK", "TIFF", (255, 255, 0, 0), BLUE),
        ("RGB", "BMP", GREEN, GREEN),
        ("RGB", "WEBP", GREEN, GREEN),
        ("RGB", "PPM", GREEN, GREEN),
        ("I", "TIFF", 65535, WHITE),
        ("F", "TIFF", 0.5, (0, 0, 0)),
    ],
)
def test_modes(mode, kind, color, expected):
    """Every mode becomes RGB, transparency over white."""
    options = {"lossless": True} if kind == "WEBP" else {}
    pixels = read(written(Image.new(mode, (16, 12), color), kind, **options)).pixels
    assert pixels.dtype == np.uint8 and pixels.shape == (12, 16, 3) and pixels.flags.c_contiguous
    assert close(pixels, expected), pixels[0, 0]


def test_transparent_colour():
    """A palette's colours are kept; its transparent index, and the transparent colour of an RGB PNG, are white."""
    image = Image.new("P", (4, 2), 0)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.paste(1, (2, 0, 4, 2))
    assert close(read(written(image)).pixels[0], [RED, RED, BLUE, BLUE], 0)
    for kind, whole, clear in (("PNG", image, 0), ("GIF", image, 0), ("PNG", image.convert("RGB"), RED)):
        pixels = read(written(whole, kind, transparency=clear)).pixels
        assert close(pixels[0], [WHITE, WHITE, BLUE, BLUE], 0)


@pytest.mark.parametrize("kind", ["GIF", "WebP", "PNG", "TIFF", "MPO"])
def test_first_frame(kind):
    """Of an animation or of pages the first is taken, and that is said; a phone's JPEG with a preview is neither."""
    first, second = (Image.new("RGB", (16, 12), color) for color in (GREEN, RED))
    photo = read(written(first, kind, save_all=True, append_images=[second]))
    assert close(photo.pixels, GREEN) and photo.notes == ([text("photos.frames")] if kind != "MPO" else [])


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "1", "I;16", "F"])
def test_scaling_in_bands(monkeypatch, mode):
    """The picture does not shift where it is converted band by band."""
    whole = scene(300, 203)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(whole.convert("L")).astype(np.uint16) * 257)
    else:
        image = whole.convert(mode, dither=Image.Dither.NONE)
    content = written(image, "TIFF" if mode == "F" else "PNG")
    large, expected = read(content).pixels, read(content, 64).pixels
    monkeypatch.setattr("labkit.io.decode._BAND", 300 * 9)
    assert np.array_equal(read(content, 64).pixels, expected) and expected.shape == (43, 64, 3)
    assert close(expected[5, 5], large[20, 20]) and close(expected[40, 60], large[200, 290])


def test_float_is_stretched():
    """A float image goes from its least to its greatest value; NaN and infinity do not spoil that."""
    values = np.linspace(-1, 3, 12 * 16, dtype=np.float32).reshape(12, 16)
    values[0, 1], values[0, 2] = np.nan, np.inf
    pixels = read(written(Image.fromarray(values), "TIFF")).pixels
    assert pixels[0, 0, 0] == 0 and pixels[-1, -1, 0] == 255 and pixels[0, 2, 0] == 255


def deep_rgb(grey: np.ndarray) -> bytes:
    """A PNG of three channels of 16 bits, all the same."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in grey[..., None].repeat(3, 2))
    return png_bytes(*grey.shape[::-1], 16, 2, rows)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 15, 16])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "three channels"])
def test_range_of_a_camera(bits, kind):
    """What has 8 to 14 bits in a file of 16 is shown by its own range, and that is said; more is as it is."""
    ramp = np.linspace(0, 2**bits - 1, 240).astype(np.uint16).reshape(12, 20)
    rgb = kind == "three channels"
    found = read(deep_rgb(ramp) if rgb else written(Image.fromarray(ramp), kind))
    exact = 2.0 ** (16 - bits) if rgb else 1
    few = bits <= 14
    assert found.notes == [text("photos.bits", bits=bits)] * few
    assert found.pixels.max() == 255 or bits in (8, 15)
    wanted = ramp[..., None].astype(float) * 255 / (2**bits - 1 if few else 65535)
    assert np.abs(found.pixels - wanted).max() <= (exact if few else 1) + 0.5 or bits == 8  # Pillow keeps 8 of 16


@pytest.mark.parametrize("kind", ["I;16", "I", "F", "three channels"])
def test_hot_pixels(kind):
    """A few of a camera's pixels that lie far off do not make its photo dark, and it is said."""
    ramp = np.linspace(0, 4095, 2400).astype(np.uint16).reshape(40, 60)
    hot = ramp.copy()
    hot[0, :2] = 65535
    values = {"I;16": "u2", "I": "i4", "F": "f4"}.get(kind)
    plain, found = (
        read(written(Image.fromarray(one.astype(values)), "TIFF") if values else deep_rgb(one)) for one in (ramp, hot)
    )
    assert np.abs(found.pixels.astype(int) - plain.pixels)[1:].max() <= 1 and len(found.notes) == 1


def wide_profile(name: str) -> bytes:
    """An RGB profile whose green is purer than sRGB's, as Display P3's: sRGB's own with other primaries and name."""
    made = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    colors = ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))
    for tag, color in zip((b"rXYZ", b"gXYZ", b"bXYZ"), colors, strict=True):
        (start,) = struct.unpack_from(">I", made, made.index(tag) + 4)
        struct.pack_into(">3i", made, start + 8, *(round(n * 65536) for n in color))
    return bytes(made).replace("sRGB".encode("utf-16-be"), name.encode("utf-16-be"))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_colours_of_a_phone(kind):
    """Display P3 becomes sRGB: a muted green is purer than its numbers say; greys, and sRGB's own, stay as they are."""
    image = Image.new("RGB", (16, 16), (110, 170, 90))
    wide, plain = (read(written(image, kind, icc_profile=wide_profile(name))).pixels[8, 8] for name in ("Wide", "sRGB"))
    bare = read(written(image, kind)).pixels[8, 8]
    assert np.array_equal(plain, bare) and np.abs(bare.astype(int) - (110, 170, 90)).max() <= 3
    assert wide[0] < bare[0] - 10 and abs(int(wide[1]) - int(bare[1])) <= 4 and wide[2] < bare[2] - 5
    grey = read(written(Image.new("RGB", (4, 4), "#808080"), icc_profile=wide_profile("Wide"))).pixels
    assert np.abs(grey.astype(int) - 128).max() <= 1


def profile_of(space: bytes, tag: bytes, content: bytes) -> bytes:
    """A profile of greys or of CMYK, with the one table that says what its values look like."""
    tags = {b"wtpt": b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061), tag: content}
    start, table, body = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += struct.pack(">4sII", name, start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    kinds = (b"\2\x40\0\0", b"prtr", space, b"Lab ", b"acsp")
    head = struct.pack(">I4x4s4s4s4s12x4s28x", start + len(body), *kinds)
    return (head + struct.pack(">3I", 0xF6D6, 0x10000, 0xD32D)).ljust(128, b"\0") + table + body


def test_colours_of_a_printer():
    """CMYK looks as its profile says, here as its cyan alone; greys too; one of other colours, or damaged, is none."""
    looks = b"".join(bytes([200 if n < 8 else 100, 128, 128]) for n in range(16))  # L*a*b* without and with cyan
    ramp = bytes(range(256))
    lut = b"mft1\0\0\0\0\4\3\2\0" + struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    lut += ramp * 4 + looks + ramp * 3
    cmyk, grey = profile_of(b"CMYK", b"A2B0", lut), profile_of(b"GRAY", b"kTRC", b"curv\0\0\0\0\0\0\0\0")
    for ink, is_dark in (((255, 0, 0, 0), True), ((0, 255, 255, 255), False)):
        pixels = read(written(Image.new("CMYK", (16, 16), ink), "JPEG", icc_profile=cmyk)).pixels
        assert ((pixels < 100) == is_dark).all()
    assert read(written(Image.new("L", (4, 4), 128), icc_profile=grey)).pixels[0, 0].tolist() == [119] * 3  # L* is 50
    for profile in (cmyk, grey, b"damaged", bytes(4000)):
        pixels = read(written(Image.new("RGB", (4, 4), (110, 170, 90)), icc_profile=profile)).pixels
        assert pixels[0, 0].tolist() == [110, 170, 90]


VIDEOS = [b"\0\0\0\x18ftypmp42\0\0\0\0", b"\0\0\0\x14ftypqt  \0\0\0\0"]
VIDEOS += [b"\0\0\0\x08wide\0\0\0\0", b"RIFF\0\0\0\0AVI LIST"]
VIDEOS += [b"\0\0\0\x18ftyp3gp4\0\0\0\0", b"\x1aE\xdf\xa3\x01\0\0\0", b"\0\0\x01\xb3\x16\0", b"OggS\0\x02"]
VIDEOS += [b"\0\0\0\x08skip", b"G@\0\x10".ljust(188) + b"G", b"\0\0\0\0G@\0\x10".ljust(196) + b"G"]
PHOTOS = [b"\0\0\0\x18ftyp" + brand for brand in (b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis", b"crx ")]


@pytest.mark.parametrize("content", [*VIDEOS, *PHOTOS])
def test_videos(content):
    """Of phones, camcorders, the net: called videos; HEIC, AVIF and CR3, which begin as some of them do, are none."""
    with pytest.raises(Unreadable) as caught:
        read(content + bytes(100))
    assert ("видео" in str(caught.value)) == (content in VIDEOS)


@pytest.mark.parametrize("tag, value", [(254, 1), (50706, b"\1\4\0\0")])
def test_raw_files_of_cameras(tag, value):
    """NEF and ARW, DNG: a TIFF whose first picture is a thumbnail is no photo of its size."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[tag] = value
    with pytest.raises(Unreadable, match="RAW"):
        read(written(Image.new("RGB", (160, 120)), "TIFF", tiffinfo=tags))


@pytest.mark.parametrize("said", [b"\x01\x12\0\x02\0\0\0\x026\0\0\0", b"\x01\x12\0\x03\0\0\0\x01\0\x09\0\0"])
def test_orientation_that_there_is_none_of(said):
    """A word in its place, or a number beyond 8, costs no photo."""
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01" + said + b"\0\0\0\0"
    photo = read(written(Image.new("RGB", (20, 10)), "JPEG", exif=exif))
    assert photo.pixels.shape == (10, 20, 3) and photo.orientation == 1
