"""labkit.photos: real files of every kind in, `Photo` out, and a reason for everything that is left out."""

import os
import shutil
import subprocess
import sys
import unicodedata
import warnings
from pathlib import Path

import numpy as np
import pytest
from annotated import header
from handed_in import zip_of
from pictured import RED, close, scene, written
from PIL import Image

from labkit.io.errors import LabkitError
from labkit.locale import text, use_language
from labkit.photos import MAX_SIDE, Photo, PhotoSet, load_photos


def save(path: Path, image: Image.Image | None = None, **options) -> Path:
    """Writes an image in the format of the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    (image or scene()).save(path, **options)
    return path


def one(path: Path, **options) -> Photo:
    """Loads a file that must give exactly one photo."""
    (photo,) = load_photos(path, quiet=True, **options)
    return photo


def reasons(photos: PhotoSet) -> dict[str, str]:
    """Why each file was skipped."""
    return {skipped.name: skipped.reason for skipped in photos.skipped}


def test_photo_from_pixels():
    """An array becomes a photo of its own copy, under a safe name, with the size and the digest of its pixels."""
    pixels = np.zeros((4, 6, 3), np.uint8)
    photo = Photo.from_pixels("к/о\\т\n", pixels)
    pixels[:] = 9
    assert photo.pixels.max() == 0 and photo.pixels.flags.c_contiguous and repr(photo) == "Photo('к_о_т_', 6x4)"
    assert photo.original_size == (4, 6) and photo.path is None and photo.notes == ()
    assert len(photo.sha256) == 64 and photo.sha256 != Photo.from_pixels("кот", pixels).sha256


@pytest.mark.parametrize(
    "shape, dtype", [((4, 6), "u1"), ((4, 6, 3), "f8"), ((4, 6, 4), "u1"), ((0, 6, 3), "u1"), (3, None)]
)
def test_photo_from_wrong_pixels(shape, dtype):
    """Anything but HxWx3 uint8 is refused with what was given and how to mend it."""
    with pytest.raises(LabkitError, match="uint8"):
        Photo.from_pixels("кот", np.zeros(shape, dtype) if dtype else [1])


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (1, 5000), (4097, 1), (2049, 2048)])
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_sizes(tmp_path, size, suffix):
    """Tiny and very long images load; a side above the limit comes down to it exactly, and that is said."""
    photo = one(save(tmp_path / f"a{suffix}", Image.new("RGB", size, RED)))
    scale = min(1, MAX_SIDE / max(size))
    width, height = (max(1, round(side * scale)) for side in size)
    assert photo.pixels.shape[:2] == (height, width) and photo.original_size == size[::-1] and close(photo.pixels, RED)
    said = [all(f"{w}×{h}" in note for w, h in (size, (width, height))) for note in photo.notes]
    assert said == [True] * (scale < 1)


def test_hundred_megapixels_cost_little(tmp_path):
    """A JPEG of 10000x10000 pixels (300 MB as RGB) is scaled while it is decoded: it costs less than 120 MB."""
    if not Path("/proc/self/status").exists():
        pytest.skip("the peak of this process's memory is read where Linux has it")
    make = "import sys; from PIL import Image; Image.new('RGB', (10000, 10000), 'red').save(sys.argv[1])"
    path = tmp_path / "big.jpg"
    subprocess.run([sys.executable, "-c", make, path], check=True)
    # Not by getrusage: on Linux ru_maxrss of a child starts at its parent's.
    measure = """
import sys
from pathlib import Path
from labkit.photos import load_photos
def peak():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
load_photos(sys.argv[2], quiet=True)
before = peak()
(photo,) = load_photos(sys.argv[1], quiet=True)
assert photo.pixels.shape == (2048, 2048, 3) and photo.original_size == (10000, 10000)
print(peak() - before)
"""
    command = [sys.executable, "-W", "error", "-c", measure, path, save(tmp_path / "small.jpg")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    assert done.stderr == ""
    assert float(done.stdout) < 120


def test_too_many_pixels(tmp_path, capfd):
    """A decompression bomb is refused before it is decoded; Pillow's own limit is as it was, and nobody is warned."""
    before = Image.MAX_IMAGE_PIXELS
    save(tmp_path / "ok.png")
    header(60_000, 60_000, tmp_path / "bomb.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        photos = load_photos(tmp_path, quiet=True)
    assert [photo.name for photo in photos] == ["ok"] and "60000×60000" in reasons(photos)["bomb.png"]
    assert Image.MAX_IMAGE_PIXELS == before and capfd.readouterr() == ("", "")
    with pytest.raises(LabkitError, match="Мпикс"):
        load_photos(tmp_path / "ok.png", max_pixels=100)


def test_heic(tmp_path, monkeypatch):
    """A HEIC opens where pillow-heif is installed, upright; where it is not, the reason says what to install."""
    heif = pytest.importorskip("pillow_heif")
    heif.from_pillow(scene(64, 48)).save(tmp_path / "a.heic", quality=95)
    photo = one(tmp_path / "a.heic")
    assert photo.pixels.shape == (48, 64, 3) and close(photo.pixels[8, 8], RED, 30)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
    with pytest.raises(LabkitError, match="pip install pillow-heif"):
        load_photos(tmp_path)


def test_bad_files_are_named(tmp_path, capfd):
    """Each kind of bad file, iCloud's stand-in too, is skipped with its own reason, the good one is loaded."""
    save(tmp_path / "good.jpg", scene(200, 200))
    for name, options in (("cut.jpg", {}), ("cut.png", {}), ("cut.tif", {"compression": "tiff_lzw"})):
        path = save(tmp_path / name, Image.effect_noise((200, 200), 50), **options)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    for name in ("empty.jpg", ".b.heic.icloud"):
        (tmp_path / name).touch()
    (tmp_path / "text.jpg").write_text("привет", encoding="utf-8")
    (tmp_path / "report.docx").write_bytes(b"PK\x03\x04 and so on")
    (tmp_path / "more.zip").write_bytes(b"PK")
    save(tmp_path / "folder.jpg" / "inside.jpg")
    photos = load_photos(tmp_path, quiet=True)
    assert [photo.name for photo in photos] == ["good"]
    told = {"cut.jpg": "truncated", "empty.jpg": "empty", "text.jpg": "not_image", "report.docx": "not_image"}
    told |= {"more.zip": "nested_zip", "folder.jpg": "folder", ".b.heic.icloud": "icloud", "cut.png": "", "cut.tif": ""}
    assert reasons(photos).keys() == told.keys()
    assert all(reasons(photos)[name] == text(f"photos.{key}") for name, key in told.items() if key)
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(os.name == "nt", reason="links and pipes of Unix")
def test_links_and_pipes(tmp_path, monkeypatch):
    """A broken link, a pipe and what may not be read are named; a link in a circle does not go on for ever."""
    save(tmp_path / "good.png")
    save(tmp_path / "secret.png")
    (tmp_path / "broken.jpg").symlink_to("nowhere")
    (tmp_path / "circle").symlink_to(tmp_path, target_is_directory=True)
    os.mkfifo(tmp_path / "pipe.jpg")
    opened = Path.open

    def guarded(path, *arguments, **options):
        if path.name == "secret.png":
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", guarded)
    photos = load_photos(tmp_path, quiet=True)
    told = {"broken.jpg": "broken_link", "pipe.jpg": "not_file", "secret.png": "no_permission"}
    assert len(photos) == 1 and reasons(photos) == {name: text(f"photos.{key}") for name, key in told.items()}


def test_silent_files(tmp_path):
    """Notes, reports, hidden and system files, what a phone adds to a photo, are neither photos nor worth a word."""
    for name in ("cat.png", ".hidden.png", ".ipynb_checkpoints/a.png", "__MACOSX/a.png"):
        save(tmp_path / name)
    for name in ("notes.txt", "README.md", "Thumbs.db", ".DS_Store", "other.json", "variant_1.html", "variant_1.ipynb"):
        (tmp_path / name).write_text("{}")
    for name in ("cat.AAE", "CAT.MOV", "other.MOV"):  # the first two are an iPhone's
        (tmp_path / name).write_bytes(b"\0\0\0\x14ftypqt  \0\0\0\0")
    photos = load_photos(tmp_path, quiet=True)
    assert [photo.name for photo in photos] == ["cat"] and [one.name for one in photos.skipped] == ["other.MOV"]


def test_names_and_order(tmp_path):
    """Natural order, by folder; equal stems get the folder, then a number; case, or й in two letters, makes no name."""
    names = {
        "cat.jpg": "cat",
        "cat.png": "фото_cat",
        "cat.webp": "фото_cat_2",
        "IMG2.png": "IMG2",
        "img10.png": "img10",
        "мои коты/2.png": "2",
        "мои коты/10.png": "10",
        "мои коты/Cat.jpg": "мои коты_Cat",
        unicodedata.normalize("NFD", "чай ёлка.png"): unicodedata.normalize("NFC", "чай ёлка"),
    }
    for name in reversed(names):
        save(tmp_path / "фото" / name)
    assert [photo.name for photo in load_photos(tmp_path / "фото", quiet=True)] == list(names.values())


@pytest.mark.parametrize(
    "name", ["truth/x.png", "x/cat.png", "x_L.png", "x cat mask.png", "x_mask — копия.jpg", "xmask.png", "1_x.png"]
)
def test_masks_that_only_look_so(tmp_path, root, name):
    """The name and shape of another photo and few colours: refused aloud; by itself, or of another shape, a photo."""
    shutil.copy(root / "data" / "images" / "cat_chelsea.jpg", tmp_path / "x.jpg")
    mask = Image.new("L", (451, 300))
    mask.paste(8, (50, 50, 200, 200))
    save(tmp_path / name, mask)
    mask.save(tmp_path / "drawing.png")
    mask.resize((300, 300)).save(tmp_path / "x 2.png")
    Image.open(tmp_path / "x.jpg").convert("L").save(tmp_path / "x grey.jpg")
    photos = load_photos(tmp_path, quiet=True)
    assert sorted(photo.name for photo in photos) == ["drawing", "x", "x 2", "x grey"]
    ((shown, reason, _),) = photos.skipped
    assert shown == Path(name).name and "маску фото x" in reason
    assert len(load_photos(tmp_path / name, quiet=True)) == 1


def test_a_photo_called_as_its_folder(tmp_path, root):
    """Drawings that lie beside it are no masks of it."""
    save(tmp_path / "x" / "drawing.png", Image.new("L", (451, 300), 8))
    shutil.copy(root / "data" / "images" / "cat_chelsea.jpg", tmp_path / "x" / "x.jpg")
    assert [photo.name for photo in load_photos(tmp_path / "x", quiet=True)] == ["drawing", "x"]


def test_list_keeps_its_order_and_notes_duplicates(tmp_path):
    """A list may hold files and folders; the same content twice is kept and said."""
    b, a = save(tmp_path / "b.png"), save(tmp_path / "x" / "a.png")
    photos = load_photos([str(b), (a.parent,), tmp_path / "none.png"], quiet=True)
    assert [photo.name for photo in photos] == ["b", "a"] and photos[0].sha256 == photos[1].sha256
    assert photos[0].notes == () and photos[1].notes == (text("photos.duplicate", other="b"),)
    assert [skipped.reason for skipped in photos.skipped] == [text("photos.missing")]


def test_zip(tmp_path):
    """A zip is read in memory: nested folders, natural order, the digest of the member's bytes."""
    photo = save(tmp_path / "a.png")
    names = ("папка/кот 10.png", "папка/кот 2.png", "../x.png", "папка/notes.txt", "__MACOSX/._a.png", "..")
    others = {"папка/doc.pdf": b"%PDF", "папка/inner.zip": b"PK", "b.bmp": bytes(11_000_000), "пусто/": b""}
    (tmp_path / "z.zip").write_bytes(zip_of({**dict.fromkeys(names, photo.read_bytes()), **others}))
    before = sorted(tmp_path.iterdir())
    photos = load_photos(tmp_path / "z.zip", quiet=True)
    assert [photo.name for photo in photos] == ["x", "кот 2", "кот 10"]
    assert photos[1].path == tmp_path / "z.zip" / "папка" / "кот 2.png"
    assert photos[0].sha256 == one(photo).sha256
    assert "сжат" in reasons(photos).pop("b.bmp")
    told = {"папка/doc.pdf": "not_image", "папка/inner.zip": "nested_zip"}
    assert {name: text(f"photos.{key}") for name, key in told.items()}.items() < reasons(photos).items()
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("encoding", ["cp866", "utf-8"])
def test_zip_names_without_the_flag(tmp_path, encoding):
    """Cyrillic names are right in a zip of Windows (cp866) and in one whose UTF-8 is not declared."""
    path = tmp_path / "z.zip"
    path.write_bytes(zip_of({"Фото\\кошка.png": written(scene())}, encoding))
    photo = one(path)
    assert photo.name == "кошка" and photo.path.parts[-2] == "Фото"


@pytest.mark.parametrize("data", [b"", b"Rar!", b"PK\x05\x06" + bytes(30)])
def test_zip_that_is_none(tmp_path, data):
    """A broken zip is an error with the next step, not a trace of zipfile."""
    (tmp_path / "z.zip").write_bytes(data)
    with pytest.raises(LabkitError):
        load_photos(tmp_path / "z.zip")


def test_summary_is_printed_once(tmp_path, capsys):
    """The count, each skipped file with its reason and each note; nothing at all when quiet."""
    save(tmp_path / "a.png", scene(400, 200))
    (tmp_path / "b.jpg").touch()
    photos = load_photos(tmp_path, max_side=100)
    out = capsys.readouterr().out
    assert out == (
        "Загружено 1 фото\n  a — уменьшено с 400×200 до 100×50 пикселей\n"
        "Пропущено файлов: 1\n  b.jpg — пустой файл (0 байт)\n"
    )
    assert str(photos) + "\n" == out and isinstance(photos, list) and photos[0].name == "a"
    load_photos(tmp_path, quiet=True)
    assert capsys.readouterr() == ("", "")
    with use_language("en"):
        load_photos(tmp_path)
    assert capsys.readouterr().out == "Photos loaded: 1\nFiles skipped: 1\n  b.jpg — an empty file (0 bytes)\n"


def test_nothing_to_load(tmp_path):
    """An empty folder, a missing path, an address and a folder of bad files say what was given and what to do."""
    given = {tmp_path: "Файлов с фото там нет", tmp_path / "нет.jpg": "такого файла или папки нет"}
    given |= {"https://example.org/cat.jpg": "адрес", save(tmp_path / "cat.mask.png"): "маска"}
    for source, said in given.items():
        with pytest.raises(LabkitError, match=said) as caught:
            load_photos(source)
    assert "cat.mask.png" in str(caught.value)
    for number in range(15):
        (tmp_path / f"{number}.jpg").touch()
    with pytest.raises(LabkitError) as caught, use_language("en"):
        load_photos(tmp_path)
    message = str(caught.value)
    assert message.count("an empty file") == 10 and "… and 5 more" in message and message.endswith("run this again.")


WRONG = [("source", given, "data/images") for given in (5, "", [None], b"a.jpg", np.zeros((4, 4, 3), np.uint8))]
WRONG += [("max_side", 0, "max_side"), ("max_side", 2.5, "max_side"), ("max_pixels", -1, "max_pixels")]


@pytest.mark.parametrize("name, given, said", WRONG)
def test_wrong_calls(name, given, said):
    """What is no path is refused with an example of what is; a limit is a whole number of at least 1."""
    with pytest.raises(LabkitError, match=said):
        load_photos(**{"source": "data/images", name: given})


def test_own_photos_come_first(tmp_path, root, monkeypatch, capsys):
    """Without a source: what lies in `photos` here; where nothing does, the kit's ten; it is said which."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    assert [photo.name for photo in load_photos()][:2] == ["astronaut", "bird_kingfisher"]
    shutil.copy(root / "data" / "images" / "sheep.jpg", tmp_path / "photos" / "моя овца.jpg")
    assert [photo.name for photo in load_photos()] == ["моя овца"]
    said = capsys.readouterr().out
    assert "взяты фото набора" in said and "Взяты ваши фото" in said
