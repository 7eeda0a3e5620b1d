"""Photos that travel: small, exactly what the model saw, and without the place where they were taken."""

import io
import warnings

import numpy as np
import pytest
from PIL import Image

from labkit.io.jpeg import MAX_BYTES, MAX_REPORT_SIDE
from labkit.photos import load_photos


def opened(jpeg: bytes) -> np.ndarray:
    """The pixels of a file."""
    return np.array(Image.open(io.BytesIO(jpeg)))


def test_what_travels_is_what_the_model_sees(root):
    """Every photo of the kit: a JPEG within the limit, its pixels the photo's; the small ones are kept as files."""
    for photo in load_photos(root / "data" / "images", for_report=True, quiet=True):
        assert len(photo.jpeg) <= MAX_BYTES and np.array_equal(opened(photo.jpeg), photo.pixels)
        file = (root / "data" / "images" / f"{photo.name}.jpg").read_bytes()
        assert (photo.jpeg == file) == (len(file) <= MAX_BYTES)


@pytest.mark.parametrize("size", [(3000, 2000), (1025, 40), (40, 40), (1, 1)])
def test_noise_of_any_size(tmp_path, size):
    """Even noise, which no JPEG makes small, stays within the limits, and the loss of size is said."""
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "шум.png")
    (photo,) = load_photos(tmp_path, for_report=True, quiet=True)
    assert len(photo.jpeg) <= MAX_BYTES and max(photo.pixels.shape) <= MAX_REPORT_SIDE
    assert np.array_equal(opened(photo.jpeg), photo.pixels) and photo.original_size == size[::-1]
    shrunk = photo.pixels.shape[:2] != size[::-1]
    assert [f"{photo.pixels.shape[1]}×{photo.pixels.shape[0]}" in note for note in photo.notes] == [True] * shrunk


def test_only_what_is_plain_is_kept(tmp_path, default_photos):
    """A small JPEG with EXIF is written anew, for it may say where it was taken, and upright; a grey one in colour."""
    pixels, camera, turn = default_photos["cat_chelsea"].pixels, Image.Exif(), Image.Exif()
    camera[0x010F], turn[0x0112] = "Камера", 6
    image = Image.fromarray(pixels)
    image.save(tmp_path / "a.jpg", quality=60, exif=camera)
    image.save(tmp_path / "b.jpg", quality=60, comment=b"home")
    image.save(tmp_path / "c.jpg", quality=60)
    image.getchannel("R").save(tmp_path / "d.jpg", quality=60)
    Image.fromarray(np.rot90(pixels)).save(tmp_path / "e.jpg", quality=95, exif=turn)
    photos = load_photos(tmp_path, for_report=True, quiet=True)
    kept = [photo.jpeg == (tmp_path / f"{photo.name}.jpg").read_bytes() for photo in photos]
    assert kept == [False, False, True, False, False]
    for photo in photos:
        assert Image.open(io.BytesIO(photo.jpeg)).info.keys() <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        assert np.array_equal(opened(photo.jpeg), photo.pixels) and photo.pixels.shape == pixels.shape
    assert np.abs(photos[-1].pixels.astype(int) - pixels).mean() < 4


@pytest.mark.parametrize(
    "marker, extra", [("ed", b"Photoshop 3.0\0City: Moscow"), ("e3", b"Meta\0Moscow"), ("", b"Moscow")]
)
def test_what_else_a_file_says_does_not_travel(tmp_path, marker, extra):
    """IPTC of an editor, a segment of a camera's own, bytes behind the end of the picture."""
    buffer = io.BytesIO()
    Image.new("RGB", (50, 50), "red").save(buffer, "JPEG")
    plain, head = buffer.getvalue(), bytes.fromhex(f"ff{marker}" if marker else "")
    part = head + (len(extra) + 2).to_bytes(2, "big") + extra if marker else b""
    (tmp_path / "a.jpg").write_bytes(plain[:2] + part + plain[2:] + (b"" if marker else extra))
    (photo,) = load_photos(tmp_path, for_report=True, quiet=True)
    assert b"Moscow" not in photo.jpeg and np.array_equal(opened(photo.jpeg), photo.pixels)


def test_broken_exif_is_no_warning(tmp_path):
    """A small photo with a broken EXIF block is written anew, and Pillow's warning does not reach the notebook."""
    Image.new("RGB", (50, 50)).save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01" * 20)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        (photo,) = load_photos(tmp_path, for_report=True, quiet=True)
    assert told == [] and b"Exif" not in photo.jpeg
