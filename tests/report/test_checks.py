"""The checks: each passes where it should and fails, with the reason, where it should."""

import pytest

from labkit.locale import use_language
from labkit.report.checks import NAMES, checks, found_on
from labkit.weights.catalogue import OFFICIAL


def failed(data, *arguments, **options) -> dict[str, str]:
    """The checks that fail, and why."""
    return {check.name: check.reason for check in checks(data, *arguments, **options) if not check.ok}


def test_all_pass(data):
    """A whole report has eight ticks, each with a reason; what the page shows otherwise is told."""
    found = checks(data)
    assert tuple(check.name for check in found) == NAMES and all(check.ok and check.reason for check in found)
    assert "другие маски" in failed(data, ["другие маски"])["run"]


def test_variant(data):
    """The notebook of one variant with the model of another, and no model at all."""
    data["variant_number"] = 1
    assert failed(data)["variant"] == "запущена модель 3 FCN-8s, а тетрадь — варианта 1 DeepLabV3+"
    for made_by in ({}, {"variant": "yolo"}):
        assert failed({**data, "made_by": made_by})["variant"] == "модель не запускалась"


def test_photos(data):
    """As many as the notebook asks for, or as the grader does."""
    assert "photos" in failed({**data, "wanted": {"photos": 10, "target": ""}})
    assert failed(data, wanted=4)["photos"] == "разных фото: 3, нужно не меньше 4"
    assert "photos" not in failed(data, wanted=3)


def test_a_photo_that_came_twice_counts_once(data):
    """Under whatever names: whoever grades counts it so."""
    data["photos"].append({**data["photos"][0], "name": "IMG_1 (1)"})
    assert failed(data, wanted=4)["photos"] == "разных фото: 3, нужно не меньше 4"


def test_results(data):
    """A photo without a result and a file that gave no photo are named."""
    lost = {**data, "results": data["results"][1:], "skipped": [{"name": "bad.jpg", "reason": "пуст"}]}
    assert failed(lost)["results"] == "нет результата: cat_kitten, bad.jpg"
    assert "results" in failed({**data, "results": [], "photos": []})


def test_objects(data):
    """The sought class photo by photo, in both languages; stray pixels, an unknown class, SAM, which has none."""
    told = {"objects": "нет на фото: officer; искали: кошка"}
    assert failed(data, target="кошка") == failed(data, target="cat") | told
    assert found_on(data, "человек") == {"cat_kitten": False, "cat_yarn": False, "officer": True}
    assert failed(data, target="кошки")["objects"].startswith("класса «кошки» сеть не знает: впишите в target")
    assert "objects" not in failed({**data, "made_by": {"variant": "sam"}}, target="кошка")
    for segment in data["results"][2]["segments"]:
        segment["area"] = 10
    assert failed(data)["objects"] == "нет на фото: officer; искали: любой объект не меньше 0,5 % фото"
    assert found_on({**data, "results": []}, "") == dict.fromkeys(("cat_kitten", "cat_yarn", "officer"))


def test_text(data):
    """Too few words, an open question, no question at all, one text pasted into all answers."""
    assert (
        failed({**data, "conclusions": "Всё хорошо."})["conclusions"]
        == "2 слова под заголовком «Выводы», нужно не меньше 10"
    )
    data["answers"].append({"question": "**2.**", "answer": "—"})
    assert failed(data)["answers"] == "на 1 из 2; после слов «Ваш ответ:» нет своего ответа: «2.»"
    assert failed({**data, "answers": []})["answers"] == "на 0 из 0"
    pasted = [{"question": f"**{n}.**", "answer": f"Сеть ошиблась  {'у' if n else 'У'} края."} for n in range(4)]
    assert failed({**data, "answers": pasted})["answers"].startswith("на 1 из 4: один и тот же ответ")
    assert "answers" not in failed({**data, "answers": [{"question": f"**{n}.**", "answer": "Да."} for n in range(2)]})


def test_weights(data):
    """Embedded and official files by their hash; another hash, another variant's hash, a file of one's own."""
    made_by = data["made_by"]
    release = OFFICIAL["fcn_resnet50"]
    whole = release.hash.partition(":")[2].ljust(64, "0")
    official = {**made_by, "weights": "official/fcn_resnet50", "sha256": whole}
    assert "weights" not in failed({**data, "made_by": official})
    for wrong in (
        {**official, "sha256": "0" * 64},
        {**official, "variant": "deeplab"},
        {**made_by, "sha256": "ab" * 32},
        {**made_by, "weights": "my.safetensors", "sha256": "cd" * 32},
        {**made_by, "variant": "unet"},
        {},
    ):
        assert "weights" in failed({**data, "made_by": wrong})
    people = {**made_by, "variant": "unet", "weights": "official/unet_people", "sha256": "ab" * 32}
    (check,) = [check for check in checks({**data, "made_by": people}) if check.name == "weights"]
    assert check.ok and "не опубликован" in check.reason


@pytest.mark.parametrize(
    "run, reason",
    [({"error": "ValueError: нет"}, "ValueError"), ({"executed": 2}, "2 из 3"), ({"in_order": False}, "не по порядку")],
)
def test_run(data, run, reason):
    """A cell that failed, one that was not run, one that was run twice."""
    assert reason in failed({**data, "run": {**data["run"], **run}})["run"]


def test_language(data):
    """In English every word is, also of what is listed and cut short."""
    names = [{"name": f"{n}.jpg", "reason": "empty"} for n in range(12)]
    lost = {**data, "skipped": names, "results": [{**one, "segments": []} for one in data["results"]]}
    with use_language("en"):
        told = failed(lost, target="")
    assert {"results", "objects"} <= set(told) and told["results"].endswith("and 2 more")
    assert not any("а" <= letter <= "я" for reason in told.values() for letter in reason.lower())
