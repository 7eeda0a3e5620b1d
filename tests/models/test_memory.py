"""When memory runs out: fewer at once, a smaller side, the processor; nothing stops the rest."""

import numpy as np
import pytest
import torch

from labkit.io.errors import LabkitError
from labkit.models import load_model
from labkit.photos import Photo


class Scarce:
    """A network's `forward` with too little memory: it runs out where `enough` says no."""

    def __init__(self, module, enough):
        self.forward, self.enough, self.failures = module.forward, enough, 0
        module.forward = self

    def __call__(self, x, *args, **kwargs):
        if not self.enough(x):
            self.failures += 1
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")
        return self.forward(x, *args, **kwargs)


def test_fewer_photos(default_photos, capsys):
    """Where four photos do not fit at once, two do: all are done, it is said once, and the next set starts with two."""
    model = load_model("unet", "embedded", "cpu")
    pixels = default_photos["sheep"].pixels
    photos = [Photo.from_pixels(str(n), pixels[:, n : n + 700]) for n in range(5)]
    alone = [model.segment(photo) for photo in photos]
    scarce = Scarce(model.network, lambda x: len(x) <= 2)
    model.batch = 4
    results = model.segment_all(photos)
    assert [r.photo.name for r in results] == list("01234") and not results.failed
    assert all((one.ids == other.ids).mean() > 0.999 for one, other in zip(alone, results, strict=True))
    assert scarce.failures == 1 and model.batch == 2 and capsys.readouterr().out.count("за раз") == 1


@pytest.mark.parametrize("variant", ["deeplab", "mask_rcnn"])
def test_a_smaller_side(variant, default_photos, capsys):
    """Where one photo does not fit, the working side shrinks; `made_by` has the side that was worked at."""
    model = load_model(variant, "embedded", "cpu")
    network = model.network.backbone if variant == "mask_rcnn" else model.network
    scarce = Scarce(network, lambda x: max(x.shape[2:]) <= 320)
    first = model.segment(default_photos["sheep"])
    assert scarce.failures > 0 and first.made_by["settings"]["working_side"] <= 320 and len(first.segments) > 0
    assert "рабочий размер" in capsys.readouterr().out
    failures = scarce.failures
    model.segment(default_photos["officer"])
    assert scarce.failures == failures, "the next photo starts at the side that fits"


def test_the_processor_goes_on(default_photos, monkeypatch, capsys):
    """Where even a small photo does not fit the GPU, the processor goes on, at the full side, and says so."""
    model = load_model("fcn", "embedded", "cpu")
    expected = model.segment(default_photos["sheep"])
    predict, model.device = model._predict, torch.device("cuda")

    def gpu(photos, settings):
        if model.device.type == "cuda":
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return predict(photos, settings)

    monkeypatch.setattr(model, "_predict", gpu)
    result = model.segment(default_photos["sheep"])
    assert model.device.type == "cpu" and result.made_by["device"] == "cpu"
    assert result.made_by["settings"] == model.defaults and result.made_by["precision"] == "float32"
    assert np.array_equal(result.ids, expected.ids) and "процессор" in capsys.readouterr().out


def test_sam_asks_fewer_points(default_photos, capsys, monkeypatch):
    """SAM asks fewer points at once; a photo that can be embedded nowhere is named."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)  # each further one would have points of its own
    model, asked = load_model("sam", "embedded", "cpu"), []

    def enough(tokens):
        asked.append(len(tokens))
        return asked[-1] == 1

    Scarce(model.network.mask_decoder.transformer.norm_final_attn, enough)
    every = {"points_per_side": 2, "score_threshold": 0.0, "stability_threshold": 0.0}
    result = model.segment(default_photos["sheep"], **every)
    assert result.segments and asked[:3] == [4, 2, 1] and set(asked[2:]) == {1}
    assert "точек за раз" in capsys.readouterr().out
    Scarce(model.network.image_encoder, lambda x: False)
    with pytest.raises(LabkitError, match="sheep: памяти не хватает"):
        model.set_photo(default_photos["sheep"])


def test_never_enough(default_photos):
    """A photo for which nothing helps is named with what to do, and stops none of the others."""
    model = load_model("pspnet", "embedded", "cpu")
    photos = [default_photos["sheep"], default_photos["officer"]]
    Scarce(model.network, lambda x: x.shape[2] > x.shape[3])  # the officer stands upright
    results = model.segment_all(photos)
    assert [r.photo.name for r in results] == ["officer"]
    assert results.failed[0][0] == "sheep" and "памяти не хватает" in results.failed[0][1]


def test_other_errors_are_not_memory(default_photos):
    """Any other failure comes through as it is."""
    model = load_model("fcn", "embedded", "cpu")

    def forward(x):
        raise RuntimeError("shapes cannot be multiplied")

    model.network.forward = forward
    with pytest.raises(RuntimeError, match="multiplied"):
        model.segment(default_photos["sheep"])
