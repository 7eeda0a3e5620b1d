"""Masks made again: honest reports agree with the model, others do not, hostile ones cost only themselves."""

import copy
import json
from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest
import requests
import torch
from pictured import written
from PIL import Image
from scipy import ndimage
from torch import nn

from labkit.grading.reproduce import own_iou
from labkit.io.rle import decode_mask, encode_mask
from labkit.locale import use_language
from labkit.models.base import Model, Setting
from labkit.models.prompted import PromptedModel
from labkit.photos import load_photos
from labkit.report.data import results_data

OWN = 0.98
GROWN = partial(ndimage.binary_dilation, structure=np.ones((3, 3)), iterations=5)
NAMES = ("cat_chelsea", "horses")


@pytest.fixture(scope="module")
def photos(root):
    """Two photos as a report carries them."""
    return load_photos([root / "data" / "images" / f"{name}.jpg" for name in NAMES], for_report=True, quiet=True)


@pytest.fixture(scope="module")
def jpegs(photos):
    """Their files, by name."""
    return {photo.name: photo.jpeg for photo in photos}


@pytest.fixture(scope="module")
def reported(photos, load):
    """A report of a model's results on the photos; of a variant's own, honest ones, a fresh copy at each call."""

    @cache
    def honest(variant: int) -> str:
        return json.dumps(results_data(load(variant).variant, photos, [load(variant).segment(one) for one in photos]))

    def report(model, results=None, **more):
        if results is None:
            return json.loads(honest(model))
        return json.loads(json.dumps(results_data(model.variant, photos, results, **more)))

    return report


@pytest.fixture(scope="module")
def prompted(photos, load, reported):
    """A report with SAM's answers to prompts of each kind."""
    model = load(4)
    model.set_photo(photos[0])
    height, width = photos[0].pixels.shape[:2]
    prompts = [{"points": [[160, 200], [420, 60]], "point_labels": [1, 0]}, {"points": [[160, 200]]}]
    prompts += [{"box": [20, 20, width - 20, height - 20]}, {"polygon": [[60, 40], [400, 60], [380, 290], [40, 280]]}]
    found = [model.prompt(**one) for one in prompts]
    return reported(model, [], prompted=[*found, model.prompt(**prompts[1], mask=found[0].segments[0].mask)])


def edited(data, change):
    """The data with the mask of each photo's largest segment changed, of those whose score is far from a threshold."""
    for result in data["results"]:
        segment = max(result["segments"], key=lambda one: (one["score"] > 0.6, one["area"]))
        segment["rle"] = encode_mask(change(decode_mask(segment["rle"], tuple(result["size"]))))
    return data


def cut(mask: np.ndarray) -> np.ndarray:
    """A mask without its lower fifth."""
    rows = np.flatnonzero(mask.any(1))
    mask = mask.copy()
    mask[rows[0] + (rows[-1] - rows[0]) * 4 // 5 :] = False
    return mask


@pytest.mark.parametrize("variant", [1, 2, 3, 5, 6])
def test_honest(variant, reported, jpegs):
    """An honest report has the model's own masks, and another run would say no more."""
    found = own_iou(reported(variant), jpegs)
    assert found.reason is None and found.iou.keys() == set(NAMES) and found.final and found.missing == ()
    assert min(found.iou.values()) > 0.999


@pytest.mark.parametrize("variant", [1, 6])
def test_honest_on_other_hardware(variant, reported, photos, jpegs, load):
    """What a GPU rounds otherwise is no difference: half precision in each layer, the last bits of Mask R-CNN's."""
    model = copy.deepcopy(load(variant))
    noise = torch.Generator().manual_seed(0)

    def rounded(layer, given, out):
        return out.half().float() if model.half else out * (1 + 1e-6 * torch.randn(out.shape, generator=noise))

    for layer in model.network.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear, nn.ConvTranspose2d)):
            layer.register_forward_hook(rounded)
    results = [model.segment(photo) for photo in photos]
    assert any(not np.array_equal(one.confidence, load(variant).segment(one.photo).confidence) for one in results)
    found = own_iou(reported(model, results), jpegs)
    assert found.reason is None and min(found.iou.values()) >= OWN


@pytest.mark.parametrize("variant", [1, 2, 3, 5, 6])
@pytest.mark.parametrize("change", [cut, GROWN, np.zeros_like], ids=["cut", "grown", "deleted"])
def test_edited_masks(variant, change, reported, jpegs):
    """A mask that was cut, grown or deleted is not the model's own, on any photo."""
    found = own_iou(edited(reported(variant), change), jpegs)
    assert found.reason is None and max(found.iou.values()) < OWN


@pytest.mark.parametrize("variant", [1, 6])
def test_added_object(variant, reported, jpegs):
    """An object that the model does not find, whatever its score says."""
    data = reported(variant)
    for result in data["results"]:
        mask = np.zeros(result["size"], bool)
        mask[:100, :100] = True
        more = {"label_id": 12, "score": 0.5, "rle": encode_mask(mask), "area": 10000}
        result["segments"].append({**result["segments"][0], **more})
    assert max(own_iou(data, jpegs).iou.values()) < 0.5


def test_masks_of_changed_weights(reported, photos, jpegs, load):
    """Weights of which each is off by a few hundredths."""
    model = copy.deepcopy(load(3))
    torch.manual_seed(1)
    for weights in model.network.parameters():
        weights.data *= 1 + 0.05 * torch.randn_like(weights)
    data = reported(model, [model.segment(photo) for photo in photos])
    assert max(own_iou(data, jpegs).iou.values()) < OWN


def test_another_photo(reported, photos, jpegs, root):
    """Masks of one photo beside another of the same size."""
    first, second = NAMES
    other = load_photos(root / "data" / "images" / "cat_yarn.jpg", for_report=True, quiet=True)[0]
    resized = Image.fromarray(other.pixels).resize(photos[1].pixels.shape[1::-1])
    found = own_iou(reported(1), {**jpegs, second: written(resized, "JPEG")})
    assert found.iou[first] > 0.999 and found.iou[second] < 0.5


def test_prompts(prompted, jpegs):
    """SAM is asked again what the report says: points, boxes, contours and masks."""
    found = own_iou(prompted, jpegs)
    assert found.reason is None and found.iou["cat_chelsea"] > 0.999
    data = edited({**prompted, "results": [copy.deepcopy(prompted["prompted"][3])]}, cut)
    assert own_iou(data, jpegs).iou["cat_chelsea"] < OWN
    data["prompted"] = [*prompted["prompted"], {**prompted["prompted"][0], "segments": []}]
    assert own_iou(data, jpegs).iou == {"cat_chelsea": 0.0}  # of several results the worst one counts


def test_automatic_mode(reported, photos, jpegs, load, monkeypatch):
    """SAM's automatic masks, whole and without the largest one; on the chosen photos, on all unless some are chosen."""
    settings = PromptedModel.settings.fget
    few = property(lambda self: {**settings(self), "points_per_side": Setting(3, 1, 64)})  # usually 12
    monkeypatch.setattr(PromptedModel, "settings", few)
    model = load(4)
    results = [model.segment(photo, points_per_side=2) for photo in photos]
    data = reported(model, results)
    assert own_iou(data, jpegs).iou == dict.fromkeys(NAMES, pytest.approx(1.0))
    first = data["results"][0]
    first["segments"] = [one for one in first["segments"] if one["area"] < results[0].largest.area]
    found = own_iou(data, jpegs, sample=lambda names: names[:1])
    assert found.iou.keys() == {NAMES[0]} and found.iou[NAMES[0]] < OWN


@pytest.mark.parametrize(
    "prompts",
    [
        {"points": [[1e300, 1]]},
        {"points": [[10**400, 1]]},
        {"points": [[1, 1]] * 5000},
        {"points": [[1], [2, 3]]},
        {"points": {"x": 1}},
        {"mask": {"size": [300, 451], "counts": "0" * 1000}},
        {"mask": 7},
        {"box": [0, 0, 9, 9], "answers": 3},
        {"box": [0, 0, 9, 9], "self": 1},
        {},
    ],
    ids=lambda prompts: str(prompts)[:30],
)
def test_hostile_prompts(prompts, prompted, jpegs):
    """Prompts that mean nothing cost their own photo only."""
    made = [{**one, "made_by": {**one["made_by"], "prompts": prompts}} for one in prompted["prompted"]]
    found = own_iou({**prompted, "prompted": made}, jpegs)
    assert not found.iou and "cat_chelsea" in found.reason


@pytest.mark.parametrize(
    ("made_by", "told"),
    [
        ({"weights": "my.safetensors"}, "my.safetensors нет в каталоге"),
        ({"weights": "../../etc/passwd"}, "нет в каталоге"),
        ({"weights": "embedded/unet"}, "нет в каталоге"),
        ({"weights": "official/deeplabv3_resnet50"}, "нет на этой машине"),
        ({"sha256": "0" * 64}, "не тот, что в каталоге"),
        ({"variant": "yolo"}, "такой модели"),
        ({"prompts": {"box": [0, 0, 9, 9]}}, "не понимает подсказок"),
        ({"settings": {"working_side": 2048}}, "слишком долгого"),
        ({"settings": {"working_side": 10**9}}, "нет настройки working_side"),
        ({"settings": {"working_side": "all"}}, "нет настройки working_side"),
        ({"settings": {"working_side": True}}, "нет настройки"),
        ({"settings": {"working_side": None}}, "нет настройки"),
        ({"settings": {"photo": 1}}, "нет настройки photo"),
    ],
    ids=str,
)
def test_what_is_not_run(made_by, told, reported, jpegs, monkeypatch, tmp_path):
    """Weights that are not the catalogue's, or not here, are not looked for; settings that take hours are none."""
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path))
    monkeypatch.setattr(requests.Session, "request", lambda *_, **__: pytest.fail("it asked the network"))
    data = reported(1)
    data["made_by"].update(made_by)
    monkeypatch.setattr(Model, "segment", lambda *_, **__: pytest.fail("it was run"))
    found = own_iou(data, jpegs)
    assert not found.iou and told in found.reason and "horses" in found.reason
    assert found.final == ("official" not in str(made_by))  # these may be here another time


@pytest.mark.parametrize(
    ("carried", "counts", "told"),
    [
        (lambda one, other: {}, None, "horses — в отчёте нет самого фото."),
        (lambda one, other: {"horses": one}, None, "не того размера"),
        (lambda one, other: {"horses": other[:2000]}, None, "horses"),
        (lambda one, other: {"horses": other}, "1000", "маски в данных повреждены"),
    ],
    ids=["absent", "another size", "cut", "masks"],
)
def test_missing_and_broken_photos(carried, counts, told, reported, jpegs):
    """A photo that the report does not carry, that or whose masks are damaged, or of another size costs only itself."""
    (first, second), data = NAMES, reported(3)
    data["results"][1]["segments"][0]["rle"] |= {"counts": counts} if counts else {}
    found = own_iou(data, {first: jpegs[first], **carried(jpegs[first], jpegs[second])})
    assert found.iou.keys() == {first} and told in found.reason and found.reason.startswith("Маски не пересчитаны: ")


def test_exception_in_a_model(reported, jpegs, monkeypatch):
    """Whatever a model raises on one photo, the other is checked; another run may go otherwise."""
    segment = Model.segment

    def failing(model, photo, **settings):
        if photo.name == "horses":
            raise RuntimeError("a tensor\nof another size")
        return segment(model, photo, **settings)

    monkeypatch.setattr(Model, "segment", failing)
    found = own_iou(reported(1), jpegs)
    assert found.iou.keys() == {"cat_chelsea"} and found.reason.endswith("horses — ошибка: a tensor of another size.")
    assert not found.final


@pytest.mark.parametrize("variant", [1, 4])
def test_time_runs_out(variant, reported, photos, jpegs, load):
    """What does not fit into the seconds is left out and told; SAM's automatic mode is foreseen and not begun."""
    model = load(variant)
    result = model.segment(photos[0], **({"points_per_side": 2} if variant == 4 else {}))
    data = reported(model, [replace(result, made_by={**result.made_by, "settings": {}})])
    found = own_iou(data, jpegs, seconds=2 if variant == 4 else 0)
    assert not found.iou and "не хватило времени" in found.reason and not found.final


def test_a_cat_painted_into_undecided_pixels(reported, photos, jpegs, load):
    """What no one can decide pixel by pixel is no object of a class that the model does not find."""
    data, own = reported(3), load(3).segment(photos[0])
    assert not own.mask_of("sheep").any()
    sheep, open_ = own.classes.id("sheep"), own.confidence < 0.52
    more = {"id": 99, "label_id": sheep, "score": 0.9, "rle": encode_mask(open_), "area": int(open_.sum())}
    segments = data["results"][0]["segments"]
    segments.append({**segments[0], **more})
    assert photos[0].name in own_iou(data, jpegs, target="sheep").missing


def test_a_high_threshold_makes_nothing_optional(reported, photos, jpegs, load):
    """Objects that are left out of a report whose threshold is near 1 are missed."""
    data = reported(load(6), [load(6).segment(photo, score_threshold=0.96) for photo in photos])
    assert min(own_iou(data, jpegs).iou.values()) > 0.99
    result = max(data["results"], key=lambda one: len(one["segments"]))
    assert result["segments"][0]["score"] > 0.98
    result["segments"] = result["segments"][1:]
    assert own_iou(data, jpegs).iou[result["photo"]] < OWN


def test_an_object_of_a_low_threshold_only(reported, photos, jpegs, load):
    """What the model finds at settings of the student's own, and not at the usual ones, is named."""
    model = load(6)
    results, usual = ([model.segment(photo, score_threshold=score) for photo in photos] for score in (0.05, 0.45))
    more = {(r.photo.name, s.label_id) for r in results for s in r.segments if s.area > 0.01 * r.ids.size}
    name, label_id = min(more - {(r.photo.name, s.label_id) for r in usual for s in r.segments})
    found = own_iou(reported(model, results), jpegs, target=model.classes.names[label_id])
    assert name in found.missing and found.iou[name] > 0.99


def test_a_part_of_an_object(reported, photos, jpegs, load):
    """A report of before such parts were dropped has it; of one since it may miss what the threshold just drops."""
    model, low = load(6), {"score_threshold": 0.03}
    results, ruled = ([model.segment(photo, inside_threshold=n, **low) for photo in photos] for n in (1.0, 0.8))
    assert all(len(one.segments) > len(other.segments) > 0 for one, other in zip(results, ruled, strict=True))
    for made, rule in ((results, {}), (ruled, {"inside_threshold": 0.8}), (ruled, {"inside_threshold": 0.85})):
        data = reported(model, made)
        for one in (data, *data["results"]):
            settings = one.get("made_by", {}).get("settings", {})
            settings.pop("inside_threshold", None)
            settings.update(rule if settings else {})
        assert min(own_iou(data, jpegs).iou.values()) > 0.99


def test_the_sentence_is_in_the_language_asked_for(reported):
    """Without results too."""
    found = own_iou({**reported(3), "results": []}, {})
    assert found.iou == {} and "нет ни одного результата" in found.reason and found.final
    with use_language("en"):
        assert own_iou(reported(3), {}).reason.startswith("Masks were not recomputed: cat_chelsea")
