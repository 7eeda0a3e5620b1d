"""The shared model test: every variant passes it, with its embedded weights, on the kit's photos."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from labkit.io.errors import LabkitError
from labkit.models import load_model
from labkit.models.base import Setting
from labkit.photos import Photo
from labkit.segmentation import load_segmentation
from labkit.variants import VARIANTS

CHEAP = {"sam": {"points_per_side": 2, "score_threshold": 0.0, "stability_threshold": 0.0}}
"""SAM asks once a grid point; a few points show as much here as many. Without thresholds it always finds something."""

model = pytest.fixture(params=VARIANTS, ids=lambda row: row.name)(lambda request, load: load(request.param.name))


def cheap(model) -> dict[str, float]:
    """The settings with which a variant answers quickly."""
    return CHEAP.get(model.variant.name, {})


def test_result_is_complete(model, default_photos, tmp_path):
    """Every part has the documented type, range and size, `made_by` says how it came to be, and files hold all."""
    photo = default_photos["dog_shepherd"]
    result = model.segment(photo, **cheap(model))
    size = photo.pixels.shape[:2]
    assert result.photo is photo and result.ids.shape == result.confidence.shape == size
    assert result.ids.dtype == np.int32 and result.confidence.dtype == np.float32
    assert 0 <= result.confidence.min() and result.confidence.max() <= 1
    assert [s.id for s in result.segments] == [*range(1, len(result.segments) + 1)]
    assert 0 < result.ids.max() <= len(result.segments)
    for segment in result.segments:
        assert segment.mask.dtype == bool and segment.mask.shape == size and segment.area > 0
        assert segment.mask[result.ids == segment.id].all()
        assert type(segment.score) is float and 0 <= segment.score <= 1
        if result.classes is not None:
            assert segment.label_id > 0 and segment.label == result.classes.names[segment.label_id]
    assert (result.ids > 0)[np.logical_or.reduce([s.mask for s in result.segments])].all()
    assert result.classes is model.classes and (result.classes is None) == (model.variant.kind == "prompted")
    made_by = result.made_by
    assert made_by["variant"] == model.variant.name and made_by["sha256"] == model.weights.sha256
    assert made_by["device"] == "cpu" and made_by["settings"] == {**model.defaults, **cheap(model)}
    assert made_by["seconds"] > 0 and {"labkit", "torch"} <= made_by["versions"].keys()
    assert json.loads(json.dumps(made_by)) == made_by

    again = load_segmentation(result.save(tmp_path)[0], photo)
    assert np.array_equal(again.ids, result.ids) and again.made_by == made_by and again.classes is result.classes
    for one, other in zip(result.segments, again.segments, strict=True):
        assert np.array_equal(one.mask, other.mask) and one.score == pytest.approx(other.score, abs=1e-6)
        assert (one.id, one.label_id, one.label) == (other.id, other.label_id, other.label)


def test_same_photo_same_mask(model, default_photos):
    """A second run, and a second model, give the same bits."""
    photo = default_photos["sheep"]
    other = load_model(model.variant, "embedded", "cpu")
    first, second = (one.segment(photo, **cheap(model)) for one in (model, other))
    assert np.array_equal(first.ids, second.ids) and np.array_equal(first.confidence, second.confidence)


@pytest.mark.parametrize("size", [(1, 1), (40, 40), (33, 257), (2048, 300), (700, 31)])
def test_any_size(model, default_photos, size):
    """Masks come back at the photo's own size, whatever it is."""
    pixels = np.resize(default_photos["cat_kitten"].pixels, (*size, 3))
    result = model.segment(Photo.from_pixels("odd", pixels), **cheap(model))
    assert result.ids.shape == result.confidence.shape == size
    assert all(segment.mask.shape == size for segment in result.segments)


def test_settings_are_checked(model, default_photos):
    """An unknown setting is named together with the valid ones, a value of another type or range with what fits."""
    photo = default_photos["sheep"]
    with pytest.raises(LabkitError, match="scoring.*" + ".*".join(model.settings)):
        model.segment(photo, scoring=0.5)
    for name, setting in model.settings.items():
        for wrong in (setting.low - 1, setting.high + 1, "много", None, True):
            with pytest.raises(LabkitError, match=f"{name} = .*{setting.value}"):
                model.segment(photo, **{name: wrong})
            with pytest.raises(LabkitError, match=name):
                model.segment_all([photo], **{name: wrong})


def test_no_photo(model, default_photos):
    """A path, pixels, or a list where one photo is wanted: what was given and how photos are loaded."""
    photo = default_photos["cat_kitten"]
    calls = [model.segment, model.segment_all, *([model.set_photo] if hasattr(model, "set_photo") else [])]
    for given in ("data/images/cat_kitten.jpg", Path("cat.jpg"), photo.pixels, None, [photo]):
        said = f"Нужно фото, а дано {type(given).__name__} .*labkit.load_photos"
        for call in calls:
            if not (isinstance(given, list) and call == model.segment_all):
                with pytest.raises(LabkitError, match=said):
                    call(given)


def test_one_bad_photo_stops_nothing(model, default_photos, capsys):
    """A photo that cannot be segmented is named; the others are done."""
    broken = Photo.from_pixels("битое", default_photos["sheep"].pixels)
    object.__setattr__(broken, "pixels", None)
    photos = [default_photos["sheep"], broken, default_photos["officer"]]
    results = model.segment_all(photos, **cheap(model))
    assert [result.photo.name for result in results] == ["sheep", "officer"]
    assert [name for name, _ in results.failed] == ["битое"] and "битое" in capsys.readouterr().out


@pytest.mark.parametrize(
    "setting, valid, wrong",
    [
        (Setting(0.5), [0, 1, 0.25, np.float64(0.3)], [-0.1, 1.01, float("nan"), float("inf"), True, "0.5", None]),
        (Setting(16, 1, 64), [1, 16, 64], [0, 65, 16.0, False, "16", [16]]),
        (Setting(8, choices=(8, 16, 32)), [8, 16, 32], [4, 8.0, 1, True, "8", None]),
    ],
)
def test_setting(setting, valid, wrong):
    """A share may be a whole number, a whole number no share; a truth value is neither."""
    for given in valid:
        setting.check("side", given)
    for given in wrong:
        with pytest.raises(LabkitError) as caught:
            setting.check("side", given)
        assert f"side = {given!r}" in str(caught.value) and str(setting.value) in str(caught.value)


@pytest.mark.parametrize("name", ["dog_shepherd", "astronaut"])
def test_half_precision_changes_next_to_nothing(model, default_photos, name):
    """With float16 convolutions at least 99.5 % of the pixels belong to the same thing as with float32."""
    if not model.half:
        assert model.variant.kind != "semantic" and model.precision == torch.float32
        return
    photo = default_photos[name]
    half = copy.copy(model)
    half.precision = torch.float16
    results = [one.segment(photo, working_side=320) for one in (model, half)]  # a CPU is slow with float16
    assert [one.made_by["precision"] for one in results] == ["float32", "float16"]
    exact, near = (one.labels for one in results)
    assert (exact == near).mean() >= 0.995


def test_overflow_in_half_precision(default_photos):
    """Logits beyond the largest float16 are computed again in float32, not taken for a mask."""
    model = load_model("fcn", "embedded", "cpu")
    expected = model.segment(default_photos["sheep"])
    real, model.precision = model.network.forward, torch.float16

    def forward(x):
        logits = real(x)
        return logits * float("inf") if torch.is_autocast_enabled("cpu") else logits

    model.network.forward = forward
    assert np.array_equal(model.segment(default_photos["sheep"]).ids, expected.ids)
