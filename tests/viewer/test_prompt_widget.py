"""SAM by hand: clicks become prompts, answers, and a file that the next run repeats; the model is the real one."""

import json
from unittest.mock import Mock

import numpy as np
import pytest
from IPython.utils.capture import capture_output

from labkit.io.errors import LabkitError
from labkit.locale import text
from labkit.photos import Photo
from labkit.viewer import prompt
from labkit.viewer.prompt_widget import Prompter
from labkit.viewer.viewer import MARK

MIDDLE = {"points": [[470, 330]], "point_labels": [1], "box": None, "polygon": None}
kitten = pytest.fixture(lambda default_photos: default_photos["cat_kitten"])
kept = pytest.fixture(lambda tmp_path: tmp_path / "prompts.json")


def click(hand: Prompter, **asked) -> None:
    """What the page does after a click: it writes all prompts so far."""
    serial = hand.viewer.asked.get("serial", 0) + 1
    hand.viewer.asked = {"points": [], "point_labels": [], "box": None, "polygon": None, **asked, "serial": serial}


def test_click(load, kitten, kept):
    """A point gives what `model.prompt` gives; it is in `points`, on the page and in the file."""
    hand = Prompter(load(4), kitten, kept)
    assert hand.points == [] and hand.result.segments == [] and not kept.exists()
    click(hand, **MIDDLE)
    load(4).set_photo(kitten)
    expected = load(4).prompt(points=[[470, 330]], point_labels=[1])
    assert [s.area for s in hand.result.segments] == [s.area for s in expected.segments]
    assert (hand.points, hand.point_labels, hand.boxes, hand.polygon) == ([[470, 330]], [1], [], None)
    assert hand.viewer.items[0]["answers"] and len(hand.viewer.items[0]["segments"]) == len(expected.segments)
    asked = {"points": [[470, 330]], "point_labels": [1]}
    assert json.loads(kept.read_text()) == {"cat_kitten": {"sha256": kitten.sha256, **asked}}


def test_box_and_contour(load, kitten, kept):
    """A box and a contour are kept under their names; their masks are on the kitten."""
    hand = Prompter(load(4), kitten, kept)
    click(hand, box=[245, 125, 655, 615])
    assert hand.boxes == [[245, 125, 655, 615]] and hand.result.segments[0].mask[330, 470]
    corners = [[250, 130], [650, 130], [650, 610], [250, 610]]
    click(hand, polygon=corners)
    assert hand.boxes == [] and hand.polygon == corners and hand.result.segments[0].mask[330, 470]


def test_next_run_repeats(load, kitten, kept, default_photos):
    """A new run asks again what was kept and shows the same mask; other photos start afresh."""
    hand = Prompter(load(4), kitten, kept)
    click(hand, **MIDDLE)
    again = Prompter(load(4), kitten, kept)
    assert again.points == [[470, 330]] and np.array_equal(again.result.ids, hand.result.ids)
    assert again.viewer.asked["points"] == [[470, 330]]
    assert Prompter(load(4), default_photos["sheep"], kept).points == []
    assert Prompter(load(4), Photo.from_pixels("cat_kitten", kitten.pixels[::-1].copy()), kept).points == []


def test_clear(load, kitten, kept):
    """Cleared, nothing is left: no answer, no entry; other photos keep theirs."""
    kept.write_text('{"other": {"sha256": "x", "points": [[1, 1]], "point_labels": [1]}}')
    hand = Prompter(load(4), kitten, kept)
    click(hand, **MIDDLE)
    assert json.loads(kept.read_text()).keys() == {"other", "cat_kitten"}
    click(hand)
    assert hand.result.segments == [] and hand.points == [] and json.loads(kept.read_text()).keys() == {"other"}


def test_two_photos_share_a_model(load, kitten, default_photos):
    """Each click is answered on its own photo."""
    first, second = Prompter(load(4), kitten), Prompter(load(4), default_photos["sheep"])
    click(second, points=[[400, 300]], point_labels=[1])
    click(first, **MIDDLE)
    click(second, points=[[400, 300], [20, 20]], point_labels=[1, 0])
    assert first.result.photo is kitten and second.result.photo is default_photos["sheep"]
    assert second.result.segments[0].mask[300, 400]


def test_only_background(load, kitten):
    """Points that ask for nothing are answered in words, not with a traceback."""
    hand = Prompter(load(4), kitten)
    click(hand, points=[[5, 5]], point_labels=[0])
    assert hand.result.segments == [] and "фон" in hand.viewer.message
    click(hand, points=[[5, 5], [470, 330]], point_labels=[0, 1])
    assert hand.result.segments and hand.viewer.message == ""


@pytest.mark.parametrize(
    "content, said",
    [
        ("{", text("files.json", line=1, column=2)),
        ("[]", text("prompt.no_kept")),
        ('{"cat_kitten": 3}', text("prompt.no_kept")),
        ("[" * 100_000, ""),
    ],
    ids=["cut", "list", "number", "deep"],
)
def test_damaged_file(load, kitten, kept, content, said):
    """A file that is no table of prompts is named, with why, and left as it is."""
    kept.write_text(content)
    with pytest.raises(LabkitError, match=rf"prompts\.json.*\({said}"):
        Prompter(load(4), kitten, kept)
    assert kept.read_text() == content


def test_a_folder_in_place_of_the_file(load, kitten, kept):
    """It is told as what it is."""
    kept.mkdir()
    with pytest.raises(LabkitError, match=r"prompts\.json"):
        Prompter(load(4), kitten, kept)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1251"])
def test_a_file_from_an_editor_of_windows(load, kitten, kept, encoding):
    """It is read as it was, whatever encoding the editor has given it."""
    kept.write_text(
        json.dumps({"кот": {}, kitten.name: {"sha256": kitten.sha256, "points": [[5, 5]]}}, ensure_ascii=False),
        encoding,
    )
    assert Prompter(load(4), kitten, kept).points == [[5, 5]]


def test_what_goes_wrong_is_said(load, kitten, kept, monkeypatch):
    """Prompts that cannot be kept are answered all the same; any other error is said too, and the next click works."""
    hand = Prompter(load(4), kitten, kept)
    kept.mkdir()
    click(hand, **MIDDLE)
    assert "prompts.json" in hand.viewer.message and "права" in hand.viewer.message and hand.result.segments
    with monkeypatch.context() as patch:
        patch.setattr(hand.model, "prompt", Mock(side_effect=RuntimeError("not enough memory")))
        click(hand, **MIDDLE)
        assert "RuntimeError (not enough memory). Попробуйте ещё раз" in hand.viewer.message
    kept.rmdir()
    click(hand, **MIDDLE)
    assert hand.viewer.message == "" and kept.is_file()


@pytest.mark.parametrize("given", ["cat.jpg", [], None])
def test_no_photo(load, given):
    """What is no photo is said before anything is shown."""
    with pytest.raises(LabkitError, match="Нужно фото, а дано"):
        Prompter(load(4), given)


def test_other_models(load, kitten):
    """Only SAM takes prompts: the message says which variant that is."""
    with pytest.raises(LabkitError, match="load_model\\(4\\)"):
        prompt(load(1), kitten, keep=None)


def test_display(shell, load, kitten, kept):
    """One bundle: the widget, and for a page without a kernel the viewer with the same answer."""
    with capture_output() as captured:
        prompt(load(4), kitten, keep=kept)
    page = captured.outputs[0].data["text/html"]
    assert page.startswith("<div data-labkit-prompts=") and "Подсказок пока нет" in page
    Prompter(load(4), kitten, kept)._asked(MIDDLE)
    with capture_output() as captured:
        hand = prompt(load(4), kitten, keep=kept)
    (output,) = captured.outputs
    assert "application/vnd.jupyter.widget-view+json" in output.data and MARK in output.data["text/html"]
    assert "[[470, 330]]" in output.data["text/plain"] and hand.points == [[470, 330]]
