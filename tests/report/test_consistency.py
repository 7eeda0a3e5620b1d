"""Whether page and data agree: every kind of change to one of them is seen."""

import copy
import json
from itertools import product

import numpy as np
import pytest
from executed import code_cells, executed, handed_in

from labkit.figures import summary
from labkit.io.rle import decode_mask, encode_mask
from labkit.locale import text
from labkit.photos import Photo
from labkit.report.answers import outputs_text
from labkit.report.consistency import carried_photos, disagreements, read_image, viewer_items
from labkit.segmentation import Segmentation


@pytest.fixture(scope="module")
def page(notebook):
    """The text of the outputs."""
    return outputs_text(notebook)


def told(page, data):
    """The disagreements of a page and data."""
    return disagreements(data, viewer_items(page), page)


def test_agree(page, data, default_photos, load):
    """What the kit made agrees with itself, objects over one another, and none at all, too."""
    assert told(page, data) == [] and len(viewer_items(page)) == 3
    photo = default_photos["horses"]
    empty = Segmentation.nothing(Photo("пусто", photo.pixels))
    results = [load(6).segment(photo), empty]
    handed = handed_in(6, [result.photo for result in results], results)
    page = outputs_text(executed(handed, results))
    assert len(results[0].segments) > 1 and told(page, handed.data) == []
    assert carried_photos(handed.data, viewer_items(page)) == {}  # not loaded for a report: none is exact


def moved(data):
    """The mask moves by a pixel: the area stays."""
    segment, size = data["results"][0]["segments"][0], data["results"][0]["size"]
    segment["rle"] = encode_mask(np.roll(decode_mask(segment["rle"], tuple(size)), 1, axis=1))


CHANGES = {
    "score": lambda data: data["results"][0]["segments"][0].update(score=0.999),
    "area": lambda data: data["results"][0]["segments"][0].update(area=10),
    "class": lambda data: data["results"][0]["segments"][0].update(label_id=1),
    "no such class": lambda data: data["results"][0]["segments"][0].update(label_id=99),
    "no table": lambda data: data.update(summary=""),
    "removed": lambda data: data["results"][0]["segments"].pop(),
    "moved": moved,
    "broken": lambda data: data["results"][0]["segments"][0]["rle"].update(counts="zzz0"),
    "renamed": lambda data: data["results"][0].update(photo="cat_yarn"),
    "other size": lambda data: data["results"][0].update(size=[10, 10]),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_changed_data(page, data, change):
    """A number or a mask that was changed in the data is not what the viewer shows."""
    change(data)
    assert told(page, data)


def test_changed_page(page, data):
    """A number that was changed in the table, a viewer without a photo, or none at all."""
    row = data["summary"].splitlines()[2]
    forged = page.replace(row, row.replace("кошка", "тигр!"))
    assert forged != page and "кошка" in told(forged, data)[0]
    assert len(told(page.replace('"name": "officer"', '"name": "другое"'), data)) == 1
    assert len(told("", data)) == 4


def test_another_table(page, data, report_photos, load):
    """A summary of the student's own, of a part or of another model, is told as one, with what to do."""
    for results in (load(3).segment_all(report_photos)[:1], load(1).segment_all(report_photos)):
        own = summary(results)
        (sentence,) = told(f"{own}\n{page}", data)
        assert sentence == told(f"{page}\n{own}", data)[0] == text("consistency.other_table")
        assert "нет строки" in told(page.replace(data["summary"], own), data)[-1]


def test_a_show_of_a_part(notebook, data, report_photos, load):
    """A show of some of the results agrees: its summary stands where no viewer can, and on no page."""
    notebook = copy.deepcopy(notebook)
    notebook.cells += code_cells(load(3).segment_all(report_photos)[:2], {})[:1]
    assert told(outputs_text(notebook), data) == []


def test_carried_photos(page, data, report_photos):
    """The files that travel are those that were loaded, known by their hash and not by their name."""
    items = viewer_items(page)
    assert carried_photos(data, items) == {photo.name: photo.jpeg for photo in report_photos}
    items[0]["photo"] = items[1]["photo"]
    assert set(carried_photos(data, items)) == {"cat_yarn", "officer"}
    for wrong in (None, 7, "data:image/jpeg;base64,***", "data:image/jpeg;base64,AAAA", "https://a.org/x.jpg"):
        items[1]["photo"] = items[0]["photo"] = wrong
        assert set(carried_photos(data, items)) == {"officer"}


@pytest.mark.parametrize(
    "arguments",
    ['{"items": 1}', '{"items": [1, null]}', '{"items": [{]}', '{"no": []}', '{"items": ' + "[" * 100_000, None],
)
def test_hostile_viewers(arguments, page):
    """What is no viewer's data is passed over."""
    mount = 'mountMarked("0123456789abcdef", '
    script = f"{mount}{arguments});\n</script>" if arguments else f"{mount}{{" * 1000
    assert viewer_items(script) == []
    assert viewer_items(page + script) == viewer_items(page)


ANYTHING = [None, 7, "x", [], [None], {"a": 1}, ["data:image/png;base64,AAAA"]]
NO_NUMBERS = [float("nan"), float("inf"), 10**400, None, "1", []]
HOSTILE = [*product(["size", "photo_size", "layers", "segments", "photo", "name"], ANYTHING)]
HOSTILE += product(["share", "score", "id"], NO_NUMBERS)


@pytest.mark.parametrize("field, value", HOSTILE, ids=lambda value: str(value)[:12])
def test_hostile_items(page, data, field, value):
    """An item, or a segment of it, with anything in the place of anything raises nothing and agrees with nothing."""
    items = viewer_items(page)
    one = items[0] if field in items[0] else items[0]["segments"][0]
    one[field] = value
    assert len(disagreements(data, items, page)) == (field != "photo")
    carried_photos(data, items)


def test_images(page):
    """Only a whole PNG or JPEG of a sane size is decoded."""
    items = viewer_items(page)
    assert read_image(items[0]["layers"][0]).size == tuple(items[0]["size"])
    with pytest.raises(ValueError, match="at most 100"):
        read_image(items[0]["layers"][0], pixels=100)
    for wrong in ("", None, "data:image/svg+xml;base64,PHN2Zz4=", "data:image/png;base64,iVBORw0KGgo=", json):
        with pytest.raises(ValueError):
            read_image(wrong)
    with pytest.raises(ValueError):
        read_image(items[0]["layers"][0][:200])
