"""The viewer as a page: one piece of HTML that needs nothing else, whatever the names in it are."""

import json
import re
from dataclasses import replace
from pathlib import Path
from string import Formatter

import numpy as np
import pytest
from bs4 import BeautifulSoup
from IPython.utils.capture import capture_output
from links import external_links

from labkit.classes import VOC
from labkit.figures import summary
from labkit.io.errors import LabkitError
from labkit.locale import texts, use_language
from labkit.photos import Photo
from labkit.segmentation import Segmentation
from labkit.viewer import items, show
from labkit.viewer.items import items_of, module, viewer_data
from labkit.viewer.viewer import page_part

HOSTILE = [
    "<img src=x onerror=alert(1)>.png",
    "</script><script>alert(1)</script>",
    "<!-- <script>",
    "--> ]]> </ScRiPt\t><svg/onload=alert(1)>",
    "\"'); alert(1); ('\\",
    "`${alert(1)}` \\u003c/script> &lt;b&gt;",
    "line\u2028and paragraph\u2029end\nnew",
]

CODE = "".join(path.read_text(encoding="utf-8") for path in Path(items.__file__).parent.glob("js/*.mjs"))


@pytest.fixture
def results(outlined, default_photos):
    """The cat, and a photo on which nothing was found."""
    horses = default_photos["horses"]
    return [outlined, Segmentation.from_labels(horses, np.zeros(horses.pixels.shape[:2], np.uint8))]


def data_of(page: str) -> dict:
    """What the script hands to the viewer: the page is an element with a mark, a note, and one script with one call."""
    soup = BeautifulSoup(page, "html.parser")
    assert [element.name for element in soup.find_all(True)] == ["div", "style", "p", "em", "script"]
    script = soup.script.string
    assert soup.script.attrs == {"type": "module"} and not re.search("</?script|<!--", script, re.IGNORECASE)
    assert re.fullmatch("[0-9a-f]{16}", soup.div["data-labkit"])
    code, _, rest = script.partition(f'\nmountMarked("{soup.div["data-labkit"]}", ')
    written = rest.removesuffix(");\n")
    assert code.strip() == module().strip() and "<" not in written and "\n" not in written
    return json.loads(written)


def test_show(shell, results):
    """One bundle: the page, and a table in plain text; in Russian unless something else is asked for."""
    with capture_output() as captured:
        show(results)
    (output,) = captured.outputs
    assert output.data == {"text/html": page_part(results), "text/plain": summary(results)}
    assert captured.stdout == "" and "кошка" in output.data["text/plain"]
    assert data_of(output.data["text/html"])["language"] == "ru"


@pytest.mark.parametrize("language", ["ru", "en"])
def test_data_are_whole(results, language):
    """The script gets the words, the language, the style sheet and the item of each result; the note is in words."""
    with use_language(language):
        data = data_of(page_part(results))
        assert data == {**viewer_data(), "items": items_of(results), "start": 0}
        for start in (results[1].photo, results[1].photo.name):
            assert data_of(page_part(results, start))["start"] == 1
        assert BeautifulSoup(page_part(results), "html.parser").em.string == texts(language)["viewer.static"]
        assert data_of(page_part([]))["items"] == [] and data["language"] == language
    assert data.keys() == {"texts", "language", "css", "items", "start"}


@pytest.mark.parametrize("start", ["camel", 1, [], Photo("camel", np.zeros((2, 2, 3), np.uint8))])
def test_starts_with_none_of_the_photos(results, start):
    """What is to be shown first and is not there is said, as is what there is instead."""
    with pytest.raises(LabkitError, match="Нужно фото" if start in (1, []) else "camel.*cat_chelsea, horses"):
        show(results, start=start)


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


def test_marks(results):
    """Results that differ, in whatever, have marks that differ, so that each script finds its own element."""
    first, second = results
    renamed = replace(first, photo=Photo("other", first.photo.pixels))
    changed = replace(first, confidence=first.confidence**2)
    pages = [page_part(one) for one in ([first], [second], [*results], [second, first], [renamed], [changed], [])]
    with use_language("en"):
        pages.append(page_part([first]))
    assert len({BeautifulSoup(page, "html.parser").div["data-labkit"] for page in pages}) == len(pages)


def test_words_are_those_of_the_code(root):
    """No `say` ends in a missing text and no text is dead: each stands in the code as a whole or as a tool's name."""
    code = CODE
    for path in (root / "labkit" / "viewer").glob("*.py"):
        code += re.sub(r'text\("viewer\.', 'text("', path.read_text(encoding="utf-8"))
    keys = viewer_data()["texts"]["ru"].keys()
    assert set(re.findall(r'\bsay\("(\w+)"', code)) <= keys
    for key in keys:
        kind, _, tool = key.partition("_")
        built = kind in ("tool", "hint") and f"`{kind}_${{" in code
        assert re.search(rf'"{tool if built else key}"|\.{key}\b', code), key


def test_every_value_is_given():
    """A word with places for values gets each of them, and no other word gets any."""
    calls = re.findall(r'\bsay\("(\w+)", \{(.*?) \}\)', CODE)
    given = {key: set(re.findall(r"\w+", values)) for key, values in calls}
    places = {
        key: {name for _, name, _, _ in Formatter().parse(words) if name}
        for key, words in viewer_data()["texts"]["ru"].items()
    }
    assert given.keys() == {key for key, names in places.items() if names}
    assert all(places[key] <= values for key, values in given.items())
