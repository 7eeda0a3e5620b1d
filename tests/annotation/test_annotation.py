"""`annotate`: what is clicked on gets a name and is ground truth, in a file that labelme and the scores read."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from executed import executed, handed_in
from IPython.utils.capture import capture_output
from PIL import Image

import labkit
from labkit.annotation import Annotator, annotate
from labkit.evaluation.annotations import find_ground_truth
from labkit.evaluation.scores import scores, scores_table
from labkit.io.errors import LabkitError
from labkit.photos import Photo, load_photos
from labkit.report.answers import outputs_text
from labkit.report.consistency import disagreements, viewer_items
from labkit.viewer.viewer import MARK

MIDDLE, CORNER = {"points": [[330, 230]], "point_labels": [1]}, {"box": [20, 20, 120, 200]}


@pytest.fixture
def photo(root, tmp_path):
    """A photo of one's own: larger than it is in a report, its name Cyrillic."""
    shutil.copy(root / "data" / "images" / "dog_shepherd.jpg", tmp_path / "мой пёс.jpg")
    return load_photos(tmp_path, for_report=True, quiet=True)[0]


def click(hand: Annotator, **asked) -> None:
    """What the page does after a click."""
    hand.viewer.asked = {**asked, "serial": hand.viewer.asked.get("serial", 0) + 1}


def add(hand: Annotator, name: str, **asked) -> None:
    """What a person does to name what is clicked on."""
    hand._name.value = name
    click(hand, **asked)
    hand.add()


def test_objects_become_ground_truth(load, photo):
    """Each object has SAM's mask and its name, is scored, and the scores say whose help it was made with."""
    assert photo.original_size != photo.pixels.shape[:2]
    hand = Annotator(photo, "собака", load(4))
    click(hand, **MIDDLE)
    mask = hand.result.segments[-1].mask
    assert mask[230, 330] and len(hand.result.segments) == 1
    hand.add()
    assert hand.objects == ["собака"] and hand.prompts == {} and "points" not in hand.viewer.asked
    add(hand, "person", **CORNER)
    assert hand.objects == ["собака", "person"] and hand.path.name == "мой пёс.json"
    truth = find_ground_truth(photo)
    assert [segment.label for segment in truth.segments] == ["dog", "person"]
    assert np.array_equal(truth.segments[0].mask, mask)
    record = json.loads(hand.path.read_text(encoding="utf-8"))
    assert [record["imageHeight"], record["imageWidth"]] == list(photo.original_size)
    assert "SAM: мой пёс" in scores_table(scores([load(3).segment(photo)]))


def test_a_photo_that_exif_turned(load, photo):
    """It is seen upright, and so were the clicks: nobody is told to see to it that the mask is."""
    turned = replace(photo, orientation=3)
    add(Annotator(turned, "собака", load(4)), "собака", **MIDDLE)
    assert find_ground_truth(turned).made_by.get("notes", []) == []


def test_going_on_and_taking_back(load, photo):
    """A second call finds the objects of the first, COCO's too; they can be taken out, with the last one the file."""
    first = Annotator(photo, "собака", load(4))
    add(first, "собака", **MIDDLE)
    add(first, "жираф", **CORNER)
    second = Annotator(photo, "кошка", load(4))
    assert second.objects == ["собака", "жираф"]
    assert [segment.label for segment in second.result.segments] == ["dog", "giraffe"]
    second.drop()
    click(second, **CORNER)
    assert second.objects == ["собака"] and len(second.result.segments) == 2
    second.drop()
    assert second.objects == [] and not second.path.exists() and len(second.result.segments) == 0


def test_objects_of_labelme_stay(load, photo, tmp_path):
    """What a person drew in labelme is kept as it is, beside what SAM adds, in whatever encoding it was."""
    shape = {"label": "cat", "points": [[10, 10], [90, 10], [90, 90]], "shape_type": "polygon", "group_id": 3}
    record = {"imageWidth": 800, "imageHeight": 600, "shapes": [shape], "extra": 1}
    (tmp_path / "мой пёс.json").write_text(json.dumps(record), encoding="utf-16")
    add(hand := Annotator(photo, model=load(4)), "собака", **MIDDLE)
    written = json.loads(hand.path.read_text(encoding="utf-8"))
    assert written["shapes"][0] == shape and written["extra"] == 1 and hand.objects == ["cat", "собака"]


def test_two_photos_of_one_stem(load, photo, tmp_path):
    """Each has a file of its own, and the scores read it."""
    Image.fromarray(photo.pixels).save(tmp_path / "мой пёс.png")
    truths = []
    for one in load_photos(tmp_path, quiet=True):
        add(Annotator(one, model=load(4)), "собака" if one.path == photo.path else "кошка", **CORNER)
        truths.append([segment.label for segment in find_ground_truth(one).segments])
    assert truths == [["dog"], ["cat"]] and (tmp_path / "мой пёс.png.json").exists()


@pytest.mark.parametrize(
    "name, asked, said", [("кракозябра", MIDDLE, "кошка"), (" ", MIDDLE, "Сначала впишите"), ("кошка", {}, "ещё не")]
)
def test_what_cannot_be_written(load, photo, name, asked, said):
    """A name that no label set has, or nothing outlined: words, no file, and the outline stays."""
    add(hand := Annotator(photo, model=load(4)), name, **asked)
    assert said in hand.viewer.message and not hand.path.exists() and len(hand.result.segments) == bool(asked)


@pytest.mark.parametrize("name", ["", "фон", "кракозябра"])
def test_an_outline_without_a_class(load, photo, name):
    """It is not called background, and has another name as soon as one stands in the field."""
    add(hand := Annotator(photo, model=load(4)), "собака", **MIDDLE)
    hand._name.value = name
    click(hand, **CORNER)
    assert not {"фон", "background"} & {row["ru"] for row in hand.viewer.items[0]["segments"]}
    hand.add()
    assert hand.viewer.message
    hand._name.value = "кошка"
    assert {row["ru"] for row in hand.viewer.items[0]["segments"]} == {"собака", "кошка"} and not hand.viewer.message


def test_two_cells_for_one_photo(load, photo):
    """What another cell has written meanwhile stays, and is what is taken back first."""
    one, other = (Annotator(photo, model=load(4)) for _ in range(2))
    add(one, "собака", **MIDDLE)
    add(other, "кошка", **CORNER)
    kept = [shape["label"] for shape in json.loads(one.path.read_text("utf-8"))["shapes"]]
    assert other.objects == kept == ["собака", "кошка"]
    one.drop()
    assert one.objects == ["собака"]
    one.path.unlink()
    add(other, "кошка", **CORNER)
    assert other.objects == ["кошка"]


def test_a_file_that_cannot_be_written(load, photo, monkeypatch):
    """The page says so, the outline stays, and once it can be written there is one object."""
    hand = Annotator(photo, "собака", load(4))
    add_button = hand.widget.children[1].children[1]
    click(hand, **MIDDLE)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", Mock(side_effect=PermissionError(13, "Permission denied")))
        add_button.click()
    assert "мой пёс.json" in hand.viewer.message and hand.objects == [] and hand.result.segments
    add_button.click()
    assert hand.objects == ["собака"] and hand.viewer.message == ""


def test_other_files(load, photo, tmp_path):
    """A file that is something else is left as it is; a photo without a folder says what to write."""
    (tmp_path / "мой пёс.json").write_text("[]")
    with pytest.raises(LabkitError, match="мой пёс"):
        Annotator(photo, "собака", load(4))
    with pytest.raises(LabkitError, match="folder="):
        annotate(Photo.from_pixels("x", photo.pixels), model=load(4))
    assert Annotator(Photo.from_pixels("x", photo.pixels), model=load(4), folder=tmp_path).path == tmp_path / "x.json"


def test_display(shell, load, photo):
    """One bundle; a page without a kernel says that there is nothing yet, or that SAM has helped."""
    with capture_output() as captured:
        hand = labkit.annotate(photo, "собака", load(4))
    (output,) = captured.outputs
    assert "application/vnd.jupyter.widget-view+json" in output.data and "Разметки пока нет" in output.data["text/html"]
    assert repr(hand) == "мой пёс: —"
    add(hand, "собака", **MIDDLE)
    assert "с помощью SAM" in hand.page() and "мой пёс.json: собака" in hand.page()
    assert repr(hand) == "мой пёс: собака" and MARK not in hand.page()


def test_a_report_with_its_cell(load, photo):
    """A photo that is annotated in the notebook does not make its report differ from its data."""
    result = load(3).segment(photo)
    add(hand := Annotator(photo, "собака", load(4)), "собака", **MIDDLE)
    handed = handed_in(3, [photo], [result])
    page = outputs_text(executed(handed, [result])) + hand.page()
    assert disagreements(handed.data, viewer_items(page), page) == []
