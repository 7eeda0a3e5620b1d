"""The provenance: complete, the same at every run, and safe to put into a page."""

import html
import json
from dataclasses import replace

import pytest

from labkit.classes import VOC
from labkit.photos import Photo
from labkit.report.provenance import MIME, Provenance, provenance
from labkit.segmentation import Segmentation

MARKUP = "<img src=x onerror=alert(1)>"
MADE_BY = {
    "variant": "fcn",
    "weights": "embedded/fcn",
    "weights_reason": "так указано",
    "sha256": "ab" * 32,
    "classes": "PASCAL VOC",
    "device": "cpu",
    "settings": {"working_side": 384, "mask_threshold": 0.5},
    "seconds": 0.25,
    "versions": {"labkit": "0.1.0", "torch": "2.9.0"},
}


def told(facts):
    """The lines that a terminal shows, by name."""
    return dict(line.split(": ", 1) for line in facts._repr_mimebundle_()["text/plain"].splitlines())


@pytest.fixture(scope="module")
def results(default_photos):
    """Two results of one model."""
    photos = [default_photos["cat_yarn"], default_photos["officer"]]
    return [
        Segmentation.from_labels(p, p.pixels[..., 0] * 0, made_by={**MADE_BY, "seconds": n})
        for n, p in enumerate(photos)
    ]


def test_facts(results):
    """Student, variant, weights with their hash, device, settings and versions, each under its name; no seconds."""
    assert told(provenance(results, "Иванова А. А.", "ИУ5-101")) == {
        "Студент": "Иванова А. А.",
        "Группа": "ИУ5-101",
        "Вариант": "3 FCN-8s",
        "Веса": "embedded/fcn",
        "Почему эти веса": "так указано",
        "sha256 весов": "ab" * 32,
        "Устройство": "cpu",
        "Настройки": "Рабочий размер, пикс.: 384 · Порог маски: 0,5",
        "Версии": "labkit 0.1.0, torch 2.9.0",
    }
    assert "seconds" not in json.dumps(provenance(results).data) and results[0].made_by["seconds"] == 0


def test_several_models(results):
    """One table: what is the same in all stands once, else there is a column a model; each photo once."""
    made_by = {**MADE_BY, "variant": "sam", "weights": "embedded/sam", "versions": {"torch": "2.9.0", "timm": "1"}}
    both = provenance([*results, replace(results[0], made_by=made_by)], "Ли")
    values = both.values()
    assert values["weights"] == ["embedded/fcn", "embedded/sam"] and values["device"] == ["cpu"]
    assert values["versions"] == ["labkit 0.1.0, torch 2.9.0, timm 1"]
    assert 'colspan="2">cpu<' in both.to_html() and len(both.data["photos"]) == 2


@pytest.mark.parametrize("student, group", [("", ""), (None, None), (0, [])])
def test_what_is_not_known(student, group):
    """No result, no name: dashes, not None and not an error."""
    empty = provenance([], student, group)
    assert set(told(empty).values()) == set(told(Provenance({})).values()) == {"—"}
    assert "None" not in empty.to_html() and ": 0</summary>" in empty.to_html()


def test_every_value_is_escaped(default_photos):
    """Whatever is put in, from the student's name to a version, comes out as text."""
    made_by = {**MADE_BY, "weights": MARKUP, "weights_reason": MARKUP, "sha256": MARKUP, "device": MARKUP}
    made_by |= {"settings": {MARKUP: MARKUP}, "versions": {MARKUP: MARKUP}}
    photo = Photo(MARKUP, default_photos["sheep"].pixels, digest=MARKUP)
    result = Segmentation.from_labels(photo, photo.pixels[..., 0] * 0, classes=VOC, made_by=made_by)
    page = provenance([result], MARKUP, MARKUP).to_html()
    assert "<img" not in page and page.count(html.escape(MARKUP)) == 2 + 4 + 2 + 2 + 2


def test_bundle(results):
    """A notebook gets a table, a terminal lines, and the report the data, which is JSON."""
    bundle = provenance(results, "Ли")._repr_mimebundle_(include=None, exclude=None)
    assert set(bundle) == {"text/plain", "text/html", MIME}
    assert bundle["text/plain"].startswith("Студент: Ли\n") and bundle["text/html"].startswith("<table")
    assert Provenance(json.loads(json.dumps(bundle[MIME]))).to_html() == bundle["text/html"]
