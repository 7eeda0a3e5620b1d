"""The viewer as a page: one piece of HTML that needs nothing else, whatever the names in it are."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from string import Formatter

import numpy as np
import pytest
from IPython.utils.capture import capture_output
from PIL import Image, ImageOps

from labkit.classes import VOC
from labkit.figures import summary
from labkit.locale import texts, use_language
from labkit.photos import Photo
from labkit.report.page import external_links
from labkit.segmentation import Segmentation
from labkit.viewer import items, show
from labkit.viewer.items import item_of, items_of, module, viewer_data
from labkit.viewer.viewer import page_part

MOST = 200_000
"""So many bytes of JSON may a photo of 640x480 and its semantic result be."""

HOSTILE = [
    "<img src=x onerror=alert(1)>.png",
    "</script><script>alert(1)</script>",
    "<!-- <script>",
    "--> ]]> </ScRiPt\t><svg/onload=alert(1)>",
    "\"'); alert(1); ('\\",
    "`${alert(1)}` \\u003c/script> &lt;b&gt;",
    "line\u2028and paragraph\u2029end\nnew",
]

SOURCE = Path(items.__file__).with_name("viewer.js")


@pytest.fixture
def results(outlined, default_photos):
    """The cat, and a photo on which nothing was found."""
    horses = default_photos["horses"]
    return [outlined, Segmentation.from_labels(horses, np.zeros(horses.pixels.shape[:2], np.uint8))]


class Page(HTMLParser):
    """The elements of a page, each with its attributes, and the text inside each."""

    def __init__(self, page: str):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.texts.append((self.open[-1], data))

    def handle_comment(self, data):
        raise AssertionError(data)

    def handle_decl(self, decl):
        raise AssertionError(decl)


def mark_of(page: str) -> str:
    """The mark by which the script finds its element."""
    ((_, attributes),) = [element for element in Page(page).elements if element[0] == "div"]
    assert re.fullmatch("[0-9a-f]{16}", attributes["data-labkit"])
    return attributes["data-labkit"]


def data_of(page: str) -> dict:
    """What the script hands to the viewer, read as a browser would: the page's one script, its last call."""
    parsed = Page(page)
    assert [tag for tag, _ in parsed.elements] == ["div", "p", "em", "script"] and not parsed.open
    assert parsed.elements[-1][1] == {"type": "module"}
    (script,) = [text for tag, text in parsed.texts if tag == "script"]
    assert not re.search("</?script|<!--", script, re.IGNORECASE)
    call = f'\nmountMarked("{mark_of(page)}", '
    code, _, rest = script.partition(call)
    assert code.strip() == module().strip() and rest.endswith(");\n")
    written = rest.removesuffix(");\n")
    assert "<" not in written and "\n" not in written
    return json.loads(written)


def test_show(shell, results):
    """One bundle: the page, and a table in plain text; in Russian unless something else is asked for."""
    with capture_output() as captured:
        show(results)
    (output,) = captured.outputs
    assert output.data == {"text/html": page_part(results), "text/plain": summary(results)}
    assert captured.stdout == "" and "кошка" in output.data["text/plain"]
    assert data_of(output.data["text/html"])["language"] == "ru"


def test_one_result_is_a_list_of_one(shell, outlined):
    """`show(result)` shows what `show([result])` does."""
    with capture_output() as captured:
        show(outlined)
        show((outlined,))
    first, second = captured.outputs
    assert first.data == second.data and len(data_of(first.data["text/html"])["items"]) == 1


def test_none(shell):
    """An empty list is said in words."""
    with capture_output() as captured, use_language("en"):
        show([])
    (output,) = captured.outputs
    with use_language("en"):
        assert output.data["text/html"] == page_part([])
    assert output.data["text/plain"].startswith("photo")
    data = data_of(page_part([]))
    assert data["items"] == []
    assert data["texts"]["ru"]["none"] == "Показывать нечего: нет ни одного результата."
    assert data["texts"]["en"]["none"] == "Nothing to show: there is no result."


@pytest.mark.parametrize("language", ["ru", "en"])
def test_data_are_whole(results, language):
    """The script gets the words, the language, the style sheet and the item of each result, nothing changed."""
    with use_language(language):
        data = data_of(page_part(results))
        assert data == {**viewer_data(), "items": items_of(results), "start": 0}
        assert data_of(page_part(results, results[1].photo))["start"] == 1
    assert data.keys() == {"texts", "language", "css", "items", "start"}


def test_language(results):
    """It is that of the note and the one the viewer starts with; Russian is the default."""
    for language in ("ru", "en"):
        with use_language(language):
            parsed = Page(page_part(results))
        assert ("em", texts(language)["viewer.static"]) in parsed.texts
    with use_language("en"):
        english = page_part(results)
    with use_language("ru"):
        russian = page_part(results)
    assert page_part(results) == russian != english


def test_words():
    """Both languages travel, with the same keys, whichever is the first."""
    russian = viewer_data()
    with use_language("en"):
        english = viewer_data()
    assert russian["texts"] == english["texts"] and russian["css"] == english["css"]
    assert (russian["language"], english["language"], viewer_data()["language"]) == ("ru", "en", "ru")
    words = russian["texts"]
    assert words.keys() == {"ru", "en"} and words["ru"].keys() == words["en"].keys()
    assert words["ru"]["threshold"] == "Порог уверенности" and words["en"]["threshold"] == "Confidence threshold"


def test_nothing_is_fetched(results):
    """No address in the page, its code or its style sheet is remote, and images are in it as data."""
    page = page_part(results)
    assert external_links(page) == [] and external_links(f"<style>{viewer_data()['css']}</style>") == []
    assert not re.search(r"\bfetch\(|XMLHttpRequest|\bimport\b|https?://|url\(", module() + viewer_data()["css"])
    for item in data_of(page)["items"]:
        for address in (item["photo"], item["confidence"], *item["layers"]):
            assert re.fullmatch(r"data:image/(png|jpeg);base64,[A-Za-z0-9+/]+=*", address)


@pytest.mark.parametrize("name", HOSTILE)
def test_names_stay_text(outlined, name):
    """Whatever a photo or a class is called, the page has the same four elements, and the name arrives as it is."""
    classes = replace(VOC, names=(name,) * len(VOC), names_ru=(f"{name}'",) * len(VOC))
    result = replace(outlined, photo=Photo(name, outlined.photo.pixels), classes=classes)
    page = page_part([result])
    (item,) = data_of(page)["items"]
    (segment,) = item["segments"]
    assert (item["name"], segment["en"], segment["ru"]) == (name, name, f"{name}'")
    assert external_links(page) == []


def test_no_markup_is_made_of_strings():
    """The code has no way to write HTML: what is drawn from a name is text."""
    ways = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|createContextualFragment"
    assert not re.search(ways, module())


def test_same_bytes(results):
    """The same results give the same page, byte for byte."""
    assert page_part(results) == page_part([replace(result) for result in results])


def test_marks(results):
    """Results that differ, in whatever, have marks that differ, so that each script finds its own element."""
    first, second = results
    renamed = replace(first, photo=Photo("other", first.photo.pixels))
    changed = replace(first, confidence=first.confidence**2)
    lists = [[first], [second], [first, second], [second, first], [renamed], [changed], []]
    marks = [mark_of(page_part(one)) for one in lists]
    assert len(set(marks)) == len(lists)
    with use_language("en"):
        assert mark_of(page_part([first])) not in marks


def test_size(load, default_photos):
    """A photo of 640x480 with a semantic result is at most 200 KB: ten of them are a page that still opens."""
    sizes = {}
    for name, photo in default_photos.items():
        pixels = np.array(ImageOps.fit(Image.fromarray(photo.pixels), (640, 480), Image.Resampling.LANCZOS))
        item = item_of(load(1).segment(Photo.from_pixels(name, pixels)))
        assert item["size"] == [640, 480] and item["segments"]
        sizes[name] = len(json.dumps(item, ensure_ascii=False).encode())
    assert len(sizes) == 10 and max(sizes.values()) <= MOST, sizes


def body() -> str:
    """The part of the code in which `say` looks up words."""
    code = SOURCE.read_text(encoding="utf-8")
    found = code[code.index("export function mount(") : code.index("export function mountMarked(")]
    return re.sub(r"\bsay\(\w+\) \{", "", found)  # the method of that name, which takes a whole text


def used_keys() -> set[str]:
    """The words that the viewer's code asks for. Every `say(…)` has to be of a kind that is known here."""
    code = body()
    tools = re.findall(r'"(\w+)"', re.search(r'\.\.\.\[("point".*?)\]\.map\(tool\)', code)[1])
    kinds = set(re.findall(r'"(\w+)"', " ".join(re.findall(r"\[((?:\"\w+\"(?:, )?)+)\]", panels_code(code)))))
    controls = set(re.findall(r'(?<!function )\b(?:slider|choice)\(\s*"(\w+)"', code))
    assert tools == ["point", "box", "contour"] and kinds == {"photo", "mask", "overlay", "curtain"}
    assert {"opacity", "threshold", "outline", "split", "left", "right", "color_by"} <= controls
    keys = set(re.findall(r"data\.texts\[\w+\]\.(\w+)", code))
    for asked in re.findall(r'(?<![\w.])say\(\s*("[^"]*"|`[^`]*`|[^,)]+)', code):
        if asked[0] == '"':
            keys.add(asked.strip('"'))
        elif match := re.fullmatch(r"`(\w+_)\$\{(?:name|state\.tool)\}`", asked):
            keys |= {match[1] + tool for tool in tools}
        else:
            keys |= {
                "key": controls,
                "kind": {"photo", "mask", "overlay", "curtain"},
                'kind === "curtain" ? "curtain_hint" : kind': {"photo", "mask", "overlay", "curtain_hint"},
            }[asked]
    return keys


def panels_code(code: str) -> str:
    """The function that says which panels there are."""
    return re.search(r"function panels\(\) \{.*?\n  \}\n", code, re.DOTALL)[0]


def test_what_travels_is_what_is_written():
    """The module goes without indents and comments, and nothing else is missing."""
    lines = [line.strip() for line in SOURCE.read_text(encoding="utf-8").splitlines()]
    left = [line for line in lines if line not in module().splitlines()]
    assert left and all(line == "" or line.startswith(("//", "/*", "*")) for line in left)


def test_every_word_of_the_code_exists():
    """No `say` can end in a missing text."""
    keys = used_keys()
    assert len(keys) > 30 and keys <= viewer_data()["texts"]["ru"].keys()


def test_every_word_is_used(root):
    """The table holds nothing that is dead: what the JavaScript does not say, Python does."""
    paths = [path for path in (root / "labkit").rglob("*.py") if path.name != "texts.py"]
    python = {
        key for path in paths for key in re.findall(r'\btext\(\s*"viewer\.(\w+)"', path.read_text(encoding="utf-8"))
    }
    assert "static" in python
    assert viewer_data()["texts"]["ru"].keys() == used_keys() | python


def test_every_value_is_given():
    """A word with places for values gets each of them, and no other word gets any."""
    given = {
        key: set(re.findall(r"\w+", values)) for key, values in re.findall(r'\bsay\("(\w+)", \{(.*?) \}\)', body())
    }
    texts = viewer_data()["texts"]["ru"]
    places = {key: {name for _, name, _, _ in Formatter().parse(words) if name} for key, words in texts.items()}
    assert given.keys() == {key for key, names in places.items() if names} == {"answer", "pixels"}
    assert all(places[key] <= values for key, values in given.items())
