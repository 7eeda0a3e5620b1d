"""The models of a comparison: which weights each takes and why, what is left out, and SAM asked for a class."""

import copy
import dataclasses
import hashlib
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from official import recorded

from labkit import models
from labkit.comparison import figures as comparison
from labkit.comparison.models import ask_sam, fitting_releases, load_models
from labkit.io.errors import LabkitError
from labkit.variants import VARIANTS, find_variant
from labkit.weights import catalogue
from labkit.weights.catalogue import OFFICIAL
from labkit.weights.find import EMBEDDED, embedded_path, find_weights


@pytest.fixture
def quick(load, tmp_path, monkeypatch):
    """An empty cache without a network; embedded weights are verified, but their networks built once for all tests."""
    real = models.load_model

    def load_model(variant, weights="auto", device="auto"):
        if weights != "embedded":
            return real(variant, weights, device)
        find_weights(variant, weights)
        return copy.copy(load(find_variant(variant).number))

    monkeypatch.setattr(models, "load_model", load_model)
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "кэш"))
    monkeypatch.setenv("LABKIT_OFFLINE", "1")
    (tmp_path / "кэш").mkdir()
    return tmp_path / "кэш"


def put(name: str, folder, monkeypatch) -> None:
    """A release with random weights in the cache, its hash in the catalogue."""
    release = OFFICIAL[name]
    torch.save(recorded(name, "cpu"), folder / release.file)
    digest = hashlib.sha256((folder / release.file).read_bytes()).hexdigest()
    monkeypatch.setitem(catalogue.OFFICIAL, name, dataclasses.replace(release, hash=f"sha256:{digest}"))


def test_cached(quick, monkeypatch, capsys):
    """Official where they are in the cache, of whichever release; each of the others says why it is embedded."""
    put("deeplabv3_mobilenet_v3_large", quick, monkeypatch)
    loaded = load_models("cat", "cached", "cpu")
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "1 DeepLabV3+: веса official/deeplabv3_mobilenet_v3_large (официальные, уже скачаны)"
    assert told[1] == "2 U-Net: веса embedded/unet (официальные веса не знают класс «кошка»)"
    assert [line.partition("(")[2] for line in told[2:]] == ["официальные веса не скачаны)"] * 4
    assert [model.weights.release is not None for model in loaded.values()] == [True] + [False] * 5
    assert loaded[2].weights.reason in told[1]  # it goes into the provenance


def test_official_without_a_network(quick, capsys):
    """What cannot be had is replaced, with the reason in one line; nothing is lost."""
    loaded = load_models("кошка", "official", "cpu")
    told = capsys.readouterr().out.splitlines()
    assert [model.weights.name for model in loaded.values()] == [f"embedded/{row.name}" for row in VARIANTS]
    assert len(told) == 6 and all("official взять не удалось" in told[n] for n in (0, 2, 3, 4, 5))
    assert "LABKIT_OFFLINE" in told[0] and "не знают класс «кошка»" in told[1]


def test_weights_of_one_variant(quick, monkeypatch, capsys):
    """A named release is that variant's, also where it does not know the class, which is said; the others say whose."""
    put("unet_people", quick, monkeypatch)
    loaded = load_models("кошка", "official/unet_people", "cpu")
    told = capsys.readouterr().out.splitlines()
    assert loaded[2].weights.release is not None and told[1].startswith("2 U-Net: веса official/unet_people (")
    assert told[2] == "  official/unet_people: класса «кошка» эти веса не знают, маска будет пустой"
    assert told[0].endswith("(official/unet_people — веса другой модели, U-Net)")
    load_models("кошка", embedded_path("fcn"), "cpu")
    told = capsys.readouterr().out.splitlines()
    assert told[2] == "3 FCN-8s: веса fcn.safetensors (указан файл)"
    assert "embedded/deeplab" in told[0] and "fcn.safetensors — веса модели fcn" in told[0]


def test_one_that_does_not_load(quick, monkeypatch, capsys):
    """It is named and left out; the other five are there."""
    monkeypatch.setitem(EMBEDDED, "fcn", "0" * 64)
    assert list(load_models("кошка", device="cpu")) == [1, 2, 4, 5, 6]
    left = capsys.readouterr().out.splitlines()[2]
    assert left.startswith("3 FCN-8s: не загрузилась и в сравнении не участвует (") and "0000" in left


@pytest.mark.parametrize("wrong", [{"weights": "embeded"}, {"weights": "official/нет"}, {"device": "cuda:77"}])
def test_wrong_calls(wrong):
    """A slip is an error at once, not six models that were not meant."""
    with pytest.raises(LabkitError):
        load_models("кошка", **{"device": "cpu", **wrong})


def test_fitting_releases():
    """Those whose classes have the sought one; SAM's know none and fit all."""

    def names(variant, target):
        return [release.name for release in fitting_releases(variant, target)]

    assert names("unet", "кошка") == [] and names("unet", "person") == ["unet_people"]
    assert names("pspnet", "cat") == ["pspnet_resnetd101b_voc", "pspnet_resnetd101b_coco"]
    assert "pspnet_resnetd101b_cityscapes" in names("pspnet", "person") and len(names("sam", "овца")) == 3


@pytest.fixture(scope="module")
def seen(load, default_photos):
    """A kitten and horses by DeepLab and Mask R-CNN."""
    photos = [default_photos[name] for name in ("cat_kitten", "horses")]
    return {number: load(number).segment_all(photos) for number in (1, 6)}


def test_ask_sam(seen, load, capsys):
    """It is SAM's own answer to Mask R-CNN's box, with seconds; where there is no cat, SAM is not asked."""
    kitten, horses = ask_sam(load(4), seen, "кошка")
    box = seen[6][0].segments[0].box
    assert kitten.made_by["prompts"] == {"boxes": [[float(n) for n in box]]} and kitten.made_by["seconds"] > 0
    assert kitten.record()["made_by"]["sha256"] == load(4).weights.sha256
    load(4).set_photo(kitten.photo)
    assert np.array_equal(kitten.mask_of("cat"), load(4).prompt(box=box).segments[0].mask)
    assert horses.made_by == {} and not horses.mask_of("cat").any()
    assert "не обработано" not in capsys.readouterr().out


def test_another_class_after_sam_was_asked(seen, load):
    """SAM would have found none of it, which is not so: the cell that asks must be run again."""
    results = {**seen, 4: ask_sam(load(4), seen, "кошка")}
    assert "—" in comparison.areas(results, "кошка")
    with pytest.raises(LabkitError, match="класса «лошадь».*ask_sam"):
        comparison.areas(results, "horse")
    assert comparison.areas({**seen, 4: ask_sam(load(4), seen, "лошадь")}, "horse")
    with pytest.raises(LabkitError, match="Класса 'кот' нет"):
        comparison.areas(results, "кот")


def test_ask_sam_without_a_detector(seen, load):
    """Where Mask R-CNN could not be loaded, the boxes are those of the semantic mask; without both nothing is asked."""
    kitten, _ = ask_sam(load(4), {1: seen[1]}, "кошка")
    semantic = seen[1][0]
    (cat,) = (segment for segment in semantic.segments if segment.label == "cat")
    assert kitten.made_by["prompts"]["boxes"] == [[float(n) for n in cat.box]]
    assert comparison.iou(kitten.mask_of("cat"), semantic.mask_of("cat")) > 0.8
    assert ask_sam(load(4), {}, "кошка") == []


def test_one_photo_that_sam_fails_on(seen, load, capsys):
    """It is named with the reason, left out of all, and costs no other photo."""
    sam = copy.copy(load(4))
    sam.set_photo = Mock(side_effect=RuntimeError("память кончилась\nи так далее"))
    answered = ask_sam(sam, seen, "кошка")
    assert [result.photo.name for result in answered] == ["horses"]
    assert answered.failed == [("cat_kitten", "память кончилась и так далее")]
    results = comparison.aligned({**seen, 4: answered})
    assert [[r.photo.name for r in found] for found in results.values()] == [["horses"]] * 3
    told = capsys.readouterr().out
    assert "cat_kitten: не обработано: память кончилась и так далее\n" in told and "не все модели: cat_kitten." in told
