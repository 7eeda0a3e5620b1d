"""Reports that were written before the kit changed: they are read, checked and graded as they were."""

import pytest

from labkit.grading.facts import other_facts
from labkit.grading.reproduce import own_iou
from labkit.grading.submissions import read
from labkit.locale import text
from labkit.report.checks import checks
from labkit.report.consistency import disagreements
from labkit.weights.find import EMBEDDED, is_former

PHOTOS = ("cat_kitten", "dog_shepherd", "officer")
PASSED = {"variant": True, "photos": False, "results": True, "objects": True, "conclusions": False, "answers": False}


@pytest.fixture(params=[1, 4, 6])
def frozen(request, root):
    """A report of labkit-report-1 on three of the kit's photos, made with the weights of e70e37c."""
    return read((root / "tests" / "frozen_reports" / f"variant_{request.param}.html").read_bytes())


def test_is_read_whole(frozen):
    """Its seals hold, its page agrees with its data, and each photo is in it."""
    assert frozen.edited == () and disagreements(frozen.data, frozen.items, frozen.page) == []
    assert disagreements(frozen.data, frozen.items, frozen.prose) == [] and other_facts(frozen.data, frozen.page) == {}
    assert frozen.data["student"] == "Иванова Анна" and tuple(frozen.jpegs) == PHOTOS
    assert [result["photo"] for result in frozen.data["results"]] == list(PHOTOS)


def test_is_checked_the_same(frozen):
    """The same checks pass and fail; its weights are known by their hash as those of the version it was made with."""
    data = frozen.data
    rows = {check.name: check for check in checks(data, wanted=10, target="")}
    assert {key: rows[key].ok for key in PASSED} == PASSED
    assert rows["weights"].ok and rows["run"].ok
    variant, sha256 = data["made_by"]["variant"], data["made_by"]["sha256"]
    former = is_former(variant, sha256)
    assert former != (sha256 == EMBEDDED[variant])
    if former:
        assert rows["weights"].reason == text("checks.weights_former", name=f"embedded/{variant}")


def test_masks_of_former_weights_are_not_called_another_model_s(frozen):
    """What the kit no longer has cannot be run again, and that is what is said."""
    variant, sha256 = frozen.data["made_by"]["variant"], frozen.data["made_by"]["sha256"]
    if not is_former(variant, sha256):
        pytest.skip("these weights still travel with the kit")
    made = own_iou(frozen.data, frozen.jpegs)
    assert made.iou == {} and text("recompute.former", name=f"embedded/{variant}") in made.reason
