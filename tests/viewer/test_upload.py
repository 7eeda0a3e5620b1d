"""`upload`: files come in pieces and land under safe names; nothing is overwritten, nothing lost in silence."""

import base64
import json
import subprocess
import sys
import unicodedata

import numpy as np
import pytest
from annotated import coco_record
from browser import page_of
from handed_in import zip_of
from IPython.utils.capture import capture_output
from nbformat.v4 import new_code_cell, new_notebook, new_output
from pictured import written
from PIL import Image

import labkit
from labkit.evaluation.annotations import find_ground_truth
from labkit.photos import load_photos
from labkit.report.page import drop_widgets
from labkit.viewer.upload import FILE_MB, Uploader, upload

PIECE = 100_000


class Button(Uploader):
    """A button whose answers to the page are in `answers`."""

    def send(self, answer, *_):
        self.answers = [*getattr(self, "answers", []), answer]


@pytest.fixture
def uploader(tmp_path, monkeypatch):
    """A button for the folder `photos` of an empty one."""
    monkeypatch.chdir(tmp_path)
    return Button("photos")


def photo(seed: int = 0) -> bytes:
    """A PNG that is unlike any other seed's, larger than a piece."""
    return written(Image.fromarray(np.random.default_rng(seed).integers(0, 256, (240, 320, 3), np.uint8)))


def choose(uploader: Uploader, *files: tuple[str, bytes], **besides) -> None:
    """What the page does with chosen files: pieces, the next when the last is answered."""
    for number, (name, content) in enumerate(files, start=1):
        start, more = 0, True
        while more:
            piece = {"id": "page", "name": name, "size": len(content), "number": number, "count": len(files)}
            part = memoryview(content[start : start + PIECE])
            uploader._handle_custom_msg({**piece, "start": start, **besides}, [part])
            start, more = start + PIECE, uploader.answers[-1]["more"]
            assert not more or name in more


def names(uploader: Uploader) -> list[str]:
    """What lies in the folder, hidden files too."""
    return sorted(path.name for path in uploader.folder.iterdir())


def test_public_name():
    """`labkit.upload` is the function, in a fresh interpreter too, and importing labkit does not import widgets."""
    assert labkit.upload is upload
    code = "import sys, labkit; assert 'ipywidgets' not in sys.modules; import labkit.viewer.upload"
    code += "; assert callable(labkit.upload)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_photos_arrive_whole(uploader, tmp_path):
    """Several files, in pieces, byte by byte as they were; the message says how many and which line reads them."""
    assert uploader.message == "" and not uploader.folder.exists()
    choose(uploader, ("кот.png", photo(1)), ("IMG_0002.PNG", photo(2)))
    assert names(uploader) == ["IMG_0002.PNG", "кот.png"] and uploader.folder == tmp_path / "photos"
    assert (uploader.folder / "кот.png").read_bytes() == photo(1)
    assert "Фото в папке photos: 2. Запустите тетрадь: она возьмёт их сама." == uploader.message
    assert len(load_photos("photos", quiet=True)) == 2
    assert Uploader("photos").message == uploader.message


def test_nothing_is_overwritten(uploader):
    """The same content is left out, other content gets a free name: phones call every photo image.jpg."""
    choose(uploader, ("image.png", photo(1)), ("image.png", photo(2)), ("copy.png", photo(1)), ("image.png", photo(3)))
    assert names(uploader) == ["image.png", "image_2.png", "image_3.png"]
    assert [(uploader.folder / name).read_bytes() for name in names(uploader)] == [photo(1), photo(2), photo(3)]
    assert "copy.png: такое фото в папке уже есть (image.png)" in uploader.message
    assert "сохранено как image_3.png" in uploader.message and "photos: 3" in uploader.message
    choose(uploader, ("another.png", photo(4)))
    assert uploader.message.startswith("Фото в папке")


@pytest.mark.parametrize(
    "given, expected",
    [
        ("../../кот.jpg", "кот.jpg"),
        ("C:\\Users\\кот.jpg", "кот.jpg"),
        ("/etc/cat.jpg", "cat.jpg"),
        (". .jpg", "photo.jpg"),
        (".cat.jpg", "cat.jpg"),
        ('a<b>:"c|?*\n.jpg', "a_b___c____.jpg"),
        (unicodedata.normalize("NFD", "мой.jpg"), "мой.jpg"),
        ("к" * 300 + ".jpg", "к" * 60 + ".jpg"),
    ],
)
def test_safe_names(uploader, given, expected):
    """No name leads out of the folder, hides a file or breaks a file system; Cyrillic stays."""
    uploader._handle_custom_msg(
        {"id": "", "name": given, "size": 9, "number": 1, "count": 1, "start": 0}, [memoryview(b"nine byte")]
    )
    assert names(uploader) == [expected] and names(uploader)[0] == unicodedata.normalize("NFC", expected)


def test_zip_is_unpacked(uploader):
    """The photos of a zip lie in the folder as files of their own; what else is in it is named."""
    inner = {"поездка/кот.png": photo(1), "поездка/../../кот.png": photo(2), "__MACOSX/._кот.png": b""}
    choose(uploader, ("фото.zip", zip_of({**inner, "письмо.docx": b"x"})))
    assert names(uploader) == ["кот.png", "кот_2.png"]
    assert {(uploader.folder / name).read_bytes() for name in names(uploader)} == {photo(1), photo(2)}
    assert "письмо.docx: это не фото" in uploader.message and uploader.message.endswith("она возьмёт их сама.")


def test_annotations_of_a_zip_lie_beside_its_photos(uploader):
    """JSON and masks of a zip are found for its photos afterwards; one whose name or photo's is taken is named."""
    mask = written(Image.fromarray(np.eye(240, 320, dtype=np.uint8)))
    outline = {"shapes": [{"label": "cat", "shape_type": "rectangle", "points": [[9, 9], [90, 90]]}]}
    inner = {"набор/photos/кот.png": photo(1), "набор/photos/кот.json": json.dumps(outline).encode()}
    inner |= {"набор/photos/пёс.png": photo(2), "набор/masks/пёс.png": mask}
    choose(uploader, ("фото.zip", zip_of(inner)))
    assert names(uploader) == ["masks", "кот.json", "кот.png", "пёс.png"]
    found = {one.name: find_ground_truth(one) for one in load_photos(uploader.folder, quiet=True)}
    assert found["кот"].segments[0].label == "cat" and int((found["пёс"].ids > 0).sum()) == 240
    choose(uploader, ("ещё.zip", zip_of({"кот.png": photo(1), "кот.json": b"{}"})))
    assert "кот.json: не сохранено" in uploader.message and b"shapes" in (uploader.folder / "кот.json").read_bytes()
    choose(uploader, ("другие.zip", zip_of({"пёс.png": photo(3), "пёс.json": b"{}", "masks/пёс_mask.png": b"x"})))
    assert "пёс.png: сохранено как пёс_2.png" in uploader.message
    assert all(f"{name}: не сохранено" in uploader.message for name in ("пёс.json", "пёс_mask.png"))
    assert names(uploader) == ["masks", "кот.json", "кот.png", "пёс.png", "пёс_2.png"]


def test_annotations_of_the_parts_of_a_dataset(uploader):
    """Roboflow's JSON has one name in each of its folders, and none of them is lost."""
    inner = {}
    for n, part in enumerate(("train", "valid", "test")):
        inner[f"{part}/{n}_png.rf.0a.png"] = photo(n)
        record = coco_record((0, [[9, 9, 90, 9, 90, 90]], {}), size=(320, 240), files=(f"{n}_png.rf.0a.png",))
        inner[f"{part}/_annotations.coco.json"] = json.dumps(record).encode()
    choose(uploader, ("набор.zip", zip_of(inner)))
    assert "не сохранено" not in uploader.message
    truths = [find_ground_truth(one) for one in load_photos(uploader.folder, quiet=True)]
    assert [[s.label for s in truth.segments] for truth in truths] == [["cat"]] * 3
    assert not any(truth.made_by["notes"] for truth in truths)


@pytest.mark.parametrize(
    "name, content, besides, said",
    [
        ("отчёт.pdf", b"x", {}, "отчёт.pdf: это не фото; подходят JPEG"),
        ("кот", b"x", {}, "кот: это не фото"),
        ("video.png", b"x", {"size": FILE_MB * 1_000_000 + 600_000}, "video.png: 201 МБ, больше предела в 200 МБ"),
        ("a.zip", b"not a zip", {}, "a.zip: не сохранено (zip-архив не открывается"),
        ("a.zip", zip_of({}), {}, "a.zip: в архиве нет фото"),
        ("a.png", b"", {"failed": "NotReadableError"}, "a.png: не сохранено (NotReadableError)"),
    ],
)
def test_what_is_not_taken(uploader, name, content, besides, said):
    """The message names the file and the reason; nothing is left behind, and the next file is taken."""
    choose(uploader, (name, content), **besides)
    assert uploader.message.startswith(said) and uploader.answers == [{"id": "page", "more": False}]
    assert not uploader.folder.exists() or names(uploader) == []
    choose(uploader, ("кот.png", photo()))
    assert names(uploader) == ["кот.png"] and said not in uploader.message


def test_no_place_to_save(uploader):
    """A folder that cannot be made is a message: the page still gets its answer."""
    uploader.folder.write_text("a file")
    choose(uploader, ("кот.png", photo()))
    assert uploader.message.startswith("кот.png: не сохранено (") and uploader.folder.read_text() == "a file"


def test_display(shell, tmp_path, monkeypatch):
    """A live notebook gets the button; a page without a kernel one plain line, the same whatever lies in the folder."""
    monkeypatch.chdir(tmp_path)
    line = "Кнопка загрузки фото появляется, когда тетрадь открыта и ячейка выполнена."
    for _ in range(2):
        with capture_output() as captured:
            assert upload() is None
        (output,) = captured.outputs
        assert "application/vnd.jupyter.widget-view+json" in output.data
        cell = new_code_cell("", outputs=[new_output("display_data", dict(output.data))])
        drop_widgets(new_notebook(cells=[cell]))
        assert dict(cell.outputs[0].data) == {"text/html": f"<p><em>{line}</em></p>", "text/plain": line}
        choose(Button("photos"), ("кот.png", photo()))


PAGE = """({esm, state}) => {
  const handlers = {};
  const call = (event, value) => (handlers[event] ?? []).forEach((handler) => handler(value));
  const model = {
    get: (key) => state[key],
    on: (event, handler) => (handlers[event] ??= []).push(handler),
    send: async (content, _, [buffer]) => {
      const bytes = new Uint8Array(buffer).reduce((text, byte) => text + String.fromCharCode(byte), "");
      const { message, answer } = await window.python(content, btoa(bytes));
      if (message !== state.message) {
        state.message = message;
        call("change:message");
      }
      call("msg:custom", { ...answer, id: "another view" });
      call("msg:custom", answer);
    },
  };
  import(esm).then((module) => module.default.render({ model, el: document.querySelector("main") }));
}"""


def test_a_page_that_is_loaded_anew(uploader):
    """In the middle of a file it shows what has come whole, and no transfer that goes on no more."""
    choose(uploader, ("кот.png", photo(1)))
    piece = {"id": "page", "name": "пёс.png", "size": 10, "start": 0, "number": 1, "count": 1}
    uploader._handle_custom_msg(piece, [memoryview(b"12345")])
    assert uploader.answers[-1]["more"] and uploader.message.startswith("Фото в папке photos: 1")


def test_in_a_browser(open_page, uploader):
    """The real page and the real Python, joined without a server: pieces below Colab's limit, every file whole."""
    sizes = []

    def python(content, text):
        sizes.append(len(base64.b64decode(text)))
        uploader._handle_custom_msg(content, [memoryview(base64.b64decode(text))])
        return {"message": uploader.message, "answer": uploader.answers[-1]}

    page = open_page(page_of("<main></main>"))
    page.expose_function("python", python)
    state = {name: getattr(uploader, name) for name in ("accept", "button", "waiting", "message")}
    esm = "data:text/javascript;base64," + base64.b64encode(Uploader._esm.encode()).decode()
    page.evaluate(PAGE, {"esm": esm, "state": state})
    button = page.get_by_role("button", name="Загрузить фото")
    files = {"кот.png": photo(1) + bytes(1_500_000), "пёс.png": photo(2)}
    chosen = [{"name": name, "mimeType": "image/png", "buffer": content} for name, content in files.items()]
    for said in ("photos: 2", "кот.png: такое фото в папке уже есть"):
        with page.expect_file_chooser() as chooser:
            button.click()
        assert chooser.value.is_multiple()
        chooser.value.set_files(chosen)
        page.get_by_role("status").get_by_text(said).wait_for()
        page.wait_for_function("() => !document.querySelector('button').disabled")
        assert page.get_by_role("status").inner_text() == uploader.message
    assert names(uploader) == ["кот.png", "пёс.png"] and (uploader.folder / "кот.png").read_bytes() == files["кот.png"]
    assert max(sizes) * 4 / 3 < 1_000_000
    assert {".jpg", ".heic", ".zip"} <= set(page.locator("input").get_attribute("accept").split(","))
