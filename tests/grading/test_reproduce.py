"""Masks made again: honest reports agree with the model, others do not, hostile ones cost only themselves."""

from __future__ import annotations

import copy
import io
import json
import subprocess
import sys
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from labkit.grading.reproduce import own_iou
from labkit.io.rle import decode_mask, encode_mask
from labkit.locale import use_language
from labkit.models.base import Model
from labkit.photos import load_photos
from labkit.report.data import results_data

OWN = 0.98
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
    """A variant's honest report, a fresh copy at each call."""

    @cache
    def written(variant: int) -> str:
        return as_json(load(variant), photos, [load(variant).segment(photo) for photo in photos])

    return lambda variant: json.loads(written(variant))


@pytest.fixture(scope="module")
def prompted(photos, load):
    """A report with SAM's answers to prompts of each kind."""
    model = load(4)
    model.set_photo(photos[0])
    height, width = photos[0].pixels.shape[:2]
    whole = model.prompt(points=[[160, 200], [420, 60]], point_labels=[1, 0])
    answers = [
        whole,
        model.prompt(points=[[160, 200]]),
        model.prompt(box=[20, 20, width - 20, height - 20]),
        model.prompt(polygon=[[60, 40], [400, 60], [380, 290], [40, 280]]),
        model.prompt(points=[[160, 200]], mask=whole.segments[0].mask),
    ]
    return json.loads(as_json(model, photos, [], prompted=answers))


def as_json(model, photos, results, **more) -> str:
    """The data block as a report has it."""
    return json.dumps(results_data(model.variant, photos, results, **more))


def edited(data, change):
    """The data with the mask of each photo's largest segment changed."""
    for result in data["results"]:
        segment = max(result["segments"], key=lambda one: one["area"])
        segment["rle"] = encode_mask(change(decode_mask(segment["rle"], tuple(result["size"]))))
    return data


def grown(mask: np.ndarray, steps: int) -> np.ndarray:
    """A mask with `steps` more pixels around it."""
    for _ in range(steps):
        wide = np.pad(mask, 1)
        mask = np.logical_or.reduce(
            [wide[y : y + len(mask), x : x + mask.shape[1]] for y in range(3) for x in range(3)]
        )
    return mask


def cut(mask: np.ndarray) -> np.ndarray:
    """A mask without its lower fifth."""
    rows = np.flatnonzero(mask.any(1))
    mask = mask.copy()
    mask[rows[0] + (rows[-1] - rows[0]) * 4 // 5 :] = False
    return mask


@pytest.mark.parametrize("variant", [1, 2, 3, 5, 6])
def test_honest(variant, reported, jpegs):
    """An honest report has the model's own masks."""
    found = own_iou(reported(variant), jpegs)
    assert found.reason is None and found.iou.keys() == set(NAMES)
    assert min(found.iou.values()) > 0.999


@pytest.mark.parametrize("variant", [1, 6])
def test_honest_on_other_hardware(variant, photos, jpegs, load):
    """What a GPU rounds otherwise leaves the masks the model's own.

    That is half precision in every layer, but for Mask R-CNN, which stays in float32 there: its last bits.
    """
    model = copy.copy(load(variant))
    model.network = copy.deepcopy(model.network)
    noise = torch.Generator().manual_seed(0)

    def half(layer, given, out):
        return out.half().float()

    def last_bits(layer, given, out):
        return out * (1 + 1e-6 * torch.randn(out.shape, generator=noise))

    for layer in model.network.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear, nn.ConvTranspose2d)):
            layer.register_forward_hook(half if model.half else last_bits)
    results = [model.segment(photo) for photo in photos]
    exact = [load(variant).segment(photo) for photo in photos]
    assert any(not np.array_equal(a.confidence, b.confidence) for a, b in zip(results, exact, strict=True))
    found = own_iou(json.loads(as_json(model, photos, results)), jpegs)
    assert found.reason is None and min(found.iou.values()) >= OWN


@pytest.mark.parametrize("variant", [1, 2, 3, 5, 6])
@pytest.mark.parametrize("change", [cut, lambda mask: grown(mask, 5), np.zeros_like], ids=["cut", "grown", "deleted"])
def test_edited_masks(variant, change, reported, jpegs):
    """A mask that was cut, grown or deleted is not the model's own, on any photo."""
    found = own_iou(edited(reported(variant), change), jpegs)
    assert found.reason is None and max(found.iou.values()) < OWN


def test_added_object(reported, jpegs):
    """An object that the model does not find, whatever its score says."""
    for variant in (1, 6):
        data = reported(variant)
        for result in data["results"]:
            mask = np.zeros(result["size"], bool)
            mask[:100, :100] = True
            result["segments"].append(
                {**result["segments"][0], "label_id": 12, "score": 0.5, "rle": encode_mask(mask), "area": 10000}
            )
        assert max(own_iou(data, jpegs).iou.values()) < 0.5


def test_masks_of_another_model(reported, jpegs):
    """Another variant's masks, and those of weights that were changed."""
    data = reported(2)
    data["made_by"] = reported(1)["made_by"]
    assert min(own_iou(data, jpegs).iou.values()) < OWN


def test_masks_of_changed_weights(photos, jpegs, load):
    """Weights of which each is off by a few hundredths."""
    model = copy.copy(load(3))
    model.network = copy.deepcopy(model.network)
    torch.manual_seed(1)
    for weights in model.network.parameters():
        weights.data *= 1 + 0.05 * torch.randn_like(weights)
    data = json.loads(as_json(model, photos, [model.segment(photo) for photo in photos]))
    assert max(own_iou(data, jpegs).iou.values()) < OWN


def test_another_photo(reported, jpegs, root):
    """Masks of one photo beside another of the same size."""
    first, second = jpegs
    data = reported(1)
    other = load_photos(root / "data" / "images" / "cat_yarn.jpg", for_report=True, quiet=True)[0]
    size = tuple(next(r["size"] for r in data["results"] if r["photo"] == second))
    swapped = Image.fromarray(other.pixels).resize(size[::-1])
    buffer = io.BytesIO()
    swapped.save(buffer, "JPEG")
    found = own_iou(data, {**jpegs, second: buffer.getvalue()})
    assert found.iou[first] > 0.999 and found.iou[second] < 0.5


def test_prompts(prompted, jpegs):
    """SAM is asked again what the report says: points, boxes, contours and masks."""
    found = own_iou(prompted, jpegs)
    assert found.reason is None and found.iou["cat_chelsea"] > 0.999
    data = copy.deepcopy(prompted)
    data["results"] = [data["prompted"][3]]
    assert own_iou(edited(data, cut), jpegs).iou["cat_chelsea"] < OWN


def test_automatic_mode(photos, jpegs, load):
    """SAM's automatic masks, whole and without the largest one."""
    model, settings = load(4), {"points_per_side": 3}
    result = model.segment(photos[0], **settings)
    data = json.loads(as_json(model, photos, [result]))
    assert own_iou(data, jpegs).iou == {photos[0].name: pytest.approx(1.0)}
    data["results"][0]["segments"] = [s for s in data["results"][0]["segments"] if s["area"] < result.largest.area]
    assert own_iou(data, jpegs).iou[photos[0].name] < OWN


def test_smaller_of_both(prompted, photos, jpegs, load):
    """A photo with several results has the worst one's IoU."""
    data = copy.deepcopy(prompted)
    data["prompted"].append(copy.deepcopy(data["prompted"][0]))
    data["prompted"][-1]["segments"] = []
    assert own_iou(data, jpegs).iou == {"cat_chelsea": 0.0}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"working_side": 2048}, "слишком долгого"),
        ({"working_side": 10**9}, "нет настройки working_side"),
        ({"working_side": "all"}, "нет настройки working_side"),
        ({"working_side": True}, "нет настройки"),
        ({"photo": 1}, "нет настройки photo"),
        ({"working_side": None}, "нет настройки"),
    ],
)
def test_hostile_settings(settings, told, reported, jpegs, monkeypatch):
    """Settings that the model has not, or that take hours, are told and never run."""
    monkeypatch.setattr(Model, "segment", lambda *_, **__: pytest.fail("it was run"))
    data = reported(1)
    data["made_by"]["settings"] = settings
    found = own_iou(data, jpegs)
    assert not found.iou and told in found.reason and "horses" in found.reason


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
    data = copy.deepcopy(prompted)
    for result in data["prompted"]:
        result["made_by"]["prompts"] = prompts
    data["made_by"].pop("prompts", None)
    found = own_iou(data, jpegs)
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
    ],
)
def test_other_weights(made_by, told, reported, jpegs, monkeypatch, tmp_path):
    """Weights that are not the catalogue's are not looked for, nothing is downloaded."""
    import requests

    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path))
    monkeypatch.setattr(requests.Session, "request", lambda *_, **__: pytest.fail("it asked the network"))
    data = reported(1)
    data["made_by"].update(made_by)
    found = own_iou(data, jpegs)
    assert not found.iou and told in found.reason


def test_missing_and_broken_photos(reported, jpegs):
    """A photo that the report does not carry, or of another size, costs itself; so do damaged masks."""
    first, second = NAMES
    found = own_iou(reported(3), {first: jpegs[first]})
    assert found.iou.keys() == {first} and found.reason == f"Маски не пересчитаны: {second} — в отчёте нет самого фото."
    found = own_iou(reported(3), {first: jpegs[first], second: jpegs[first]})
    assert found.iou.keys() == {first} and "не того размера" in found.reason
    found = own_iou(reported(3), {first: jpegs[first], second: jpegs[second][:2000]})
    assert found.iou.keys() == {first} and second in found.reason
    data = reported(3)
    data["results"][1]["segments"][0]["rle"]["counts"] = "1000"
    found = own_iou(data, jpegs)
    assert found.iou.keys() == {first} and "маски в данных повреждены" in found.reason
    data["results"] = []
    assert own_iou(data, jpegs).iou == {} and "нет ни одного результата" in own_iou(data, jpegs).reason


def test_exception_in_a_model(reported, jpegs, monkeypatch):
    """Whatever a model raises on one photo, the other is checked."""
    segment = Model.segment

    def failing(model, photo, **settings):
        if photo.name == "horses":
            raise RuntimeError("a tensor\nof another size")
        return segment(model, photo, **settings)

    monkeypatch.setattr(Model, "segment", failing)
    found = own_iou(reported(1), jpegs)
    assert found.iou.keys() == {"cat_chelsea"} and found.reason.endswith("horses — ошибка: a tensor of another size.")


def test_time_runs_out(reported, photos, jpegs, load):
    """What does not fit into the seconds is left out and told; SAM's automatic mode is foreseen and not begun."""
    found = own_iou(reported(1), jpegs, seconds=0)
    assert not found.iou and "не хватило времени, 0 с" in found.reason
    model = load(4)
    result = model.segment(photos[0], points_per_side=2)
    data = json.loads(as_json(model, photos, [replace(result, made_by={**result.made_by, "settings": {}})]))
    found = own_iou(data, jpegs, seconds=2)
    assert not found.iou and "не хватило времени" in found.reason


def test_a_cat_painted_into_undecided_pixels(reported, photos, jpegs, load):
    """What no one can decide pixel by pixel is no object of a class that the model does not find."""
    data = reported(3)
    own = load(3).segment(photos[0])
    sheep = own.classes.id("sheep")
    assert all(one.label_id != sheep for one in own.segments)
    open_ = own.confidence < 0.52
    result = next(one for one in data["results"] if one["photo"] == photos[0].name)
    rle, area = encode_mask(open_), int(open_.sum())
    painted = {**result["segments"][0], "id": 99, "label_id": sheep, "score": 0.9, "rle": rle, "area": area}
    result["segments"].append(painted)
    assert photos[0].name in own_iou(data, jpegs, target="sheep").missing
    assert own_iou(reported(3), jpegs).missing == ()


def test_a_high_threshold_makes_nothing_optional(photos, jpegs, load):
    """Objects that are left out of a report whose threshold is near 1 are missed."""
    model, settings = load(6), {"score_threshold": 0.96}
    results = [model.segment(photo, **settings) for photo in photos]
    data = json.loads(as_json(model, photos, results))
    whole = own_iou(data, jpegs)
    assert min(whole.iou.values()) > 0.99 and "score_threshold = 0.96" in whole.settings[0]
    result = max(data["results"], key=lambda one: len(one["segments"]))
    assert result["segments"][0]["score"] > 0.98
    result["segments"] = result["segments"][1:]
    assert own_iou(data, jpegs).iou[result["photo"]] < OWN


def test_an_object_of_a_low_threshold_only(photos, jpegs, load):
    """What the model finds at settings of the student's own, and not at the usual ones, is named."""
    model = load(6)
    results = [model.segment(photo, score_threshold=0.05) for photo in photos]
    usual = [model.segment(photo, score_threshold=0.45) for photo in photos]
    more = {(r.photo.name, s.label_id) for r in results for s in r.segments if s.area > 0.01 * r.ids.size}
    more -= {(r.photo.name, s.label_id) for r in usual for s in r.segments}
    assert more
    name, label_id = sorted(more)[0]
    found = own_iou(json.loads(as_json(model, photos, results)), jpegs, target=model.classes.names[label_id])
    assert name in found.missing and found.iou[name] > 0.99


def test_only_what_is_final_is_final(reported, jpegs, monkeypatch, tmp_path):
    """Time that ran out, weights that are not here and a model that failed may be otherwise the next time."""
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path))
    assert own_iou(reported(1), jpegs).final and own_iou(reported(1), {}).final
    assert not own_iou(reported(1), jpegs, seconds=0).final
    data = reported(1)
    data["made_by"]["weights"] = "official/deeplabv3_resnet50"
    assert not own_iou(data, jpegs).final
    monkeypatch.setattr(Model, "segment", lambda *_, **__: 1 / 0)
    assert not own_iou(reported(1), jpegs).final


def test_a_sample_of_sam_s_photos(photos, jpegs, load):
    """SAM's automatic mode is run on the photos that are chosen, on all unless some are."""
    model = load(4)
    results = [model.segment(photo, points_per_side=2) for photo in photos]
    data = json.loads(as_json(model, photos, results))
    assert own_iou(data, jpegs, sample=lambda names: names[:1]).iou.keys() == {NAMES[0]}
    assert own_iou(data, jpegs).iou.keys() == set(NAMES)


def test_english_and_no_torch(reported, jpegs, root):
    """The sentence is in the language asked for; the module is imported without torch."""
    with use_language("en"):
        assert own_iou(reported(3), {}).reason.startswith("Masks were not recomputed: cat_chelsea")
    code = "import sys, labkit.grading.reproduce; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=root).returncode == 0
