"""The public networks: every published checkpoint fits, masks are the library's own, and a file becomes a result."""

import dataclasses
import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from official import official_model, recorded
from PIL import Image
from server import Answer, Server, serve
from torch.nn import functional as F
from torchvision.models import get_model_builder, get_model_weights, list_models, segmentation
from torchvision.models._api import WeightsEnum

from labkit.evaluation.metrics import iou
from labkit.io.errors import LabkitError
from labkit.models import build_release, load_model, load_weights
from labkit.models.base import Model
from labkit.models.official import published_state
from labkit.photos import Photo
from labkit.weights import catalogue
from labkit.weights.catalogue import OFFICIAL
from labkit.weights.find import find_weights

SMALLEST = {row.variant: row.name for row in sorted(OFFICIAL.values(), key=lambda row: -row.megabytes)}.values()


def in_double(network: torch.nn.Module) -> torch.nn.Module:
    """The network in float64, also where it is given float32.

    Random weights blow the last bits of float32 up, and another processor sums in another order (a confidence 0.0014
    off was seen): in float64 both sides agree on any processor.
    """
    network.register_forward_pre_hook(lambda module, given: tuple(x.double() for x in given))
    return network.double()


def random_model(name: str, double: bool = False) -> tuple[Model, dict[str, torch.Tensor]]:
    """A release's model with random weights on the CPU, and these weights; `double`: it computes in float64."""
    network, state = build_release(OFFICIAL[name]), recorded(name, "cpu")
    network.load_state_dict(published_state(network, state), strict=False)
    return official_model(name, in_double(network) if double else network), state


@pytest.mark.parametrize("name", OFFICIAL)
def test_published_checkpoint_fits(name):
    """Every tensor of the published file has its place in the network, of the same shape, and none is left over."""
    with torch.device("meta"):
        network = build_release(OFFICIAL[name])
    state = published_state(network, recorded(name, "meta"))
    found = torch.nn.Module.load_state_dict(network, state, strict=False, assign=True)
    assert not found.unexpected_keys
    assert all(key.endswith("num_batches_tracked") for key in found.missing_keys)


def library(name: str, state: dict[str, torch.Tensor], monkeypatch) -> torch.nn.Module:
    """Torchvision's network as its users get it, with `state` in place of the download."""
    monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda self, *args, **kwargs: dict(state))
    weights = get_model_weights(name).DEFAULT
    return get_model_builder(name)(weights=weights, progress=False).eval()


@pytest.mark.parametrize(
    "name, shown",
    [("deeplabv3_mobilenet_v3_large", 3), ("fcn_resnet50", 3), ("pspnet_resnetd50b_ade20k", 2), ("unet_people", 2)],
)
def test_semantic_masks_are_the_library_s(name, shown, default_photos, monkeypatch):
    """Labels and confidence are those of torchvision's transforms and the library's network, at the size that it sees.

    PSPNet's classes come after a background that never wins; the people's logit is against a background of 0.
    What rounding leaves is up to 6e-5. With a photo one grey level brighter a confidence is off by 0.02 to 0.65, in
    BGR by 0.19 to 0.65.
    """
    model, state = random_model(name, double=True)
    if name in list_models(segmentation):
        plain = library(name, state, monkeypatch)
    else:
        plain = build_release(OFFICIAL[name]).network.eval()
        plain.load_state_dict({key.removeprefix("model."): tensor for key, tensor in state.items()})
    pixels = np.array(Image.fromarray(default_photos["cat_kitten"].pixels).resize((192, 128)))
    preset = get_model_weights("fcn_resnet50").DEFAULT.transforms(resize_size=128)
    with torch.inference_mode():
        logits = in_double(plain)(preset(Image.fromarray(pixels))[None])
    logits = logits["out"] if isinstance(logits, dict) else logits[0] if isinstance(logits, tuple) else logits
    if len(logits[0]) != len(model.classes):
        logits = F.pad(logits, (0, 0, 0, 0, 1, 0), value=0.0 if name == "unet_people" else -np.inf)
    sure, labels = logits[0].softmax(0).max(0)
    result = model.segment(Photo.from_pixels("x", pixels), working_side=128)
    assert (result.labels == labels.numpy()).mean() > 0.999 and len(labels.unique()) >= shown
    assert np.abs(result.confidence - sure.numpy())[result.ids > 0].max() < 1e-3
    assert result.classes.name == OFFICIAL[name].classes


def test_the_photo_is_scaled_as_in_the_preset(default_photos):
    """Without a word on the size the shorter side is 520 pixels, normalised as torchvision does it."""
    model, _ = random_model("deeplabv3_mobilenet_v3_large")
    photo = default_photos["dog_shepherd"]
    seen = []
    model.network.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    model.segment(photo)
    expected = get_model_weights("deeplabv3_mobilenet_v3_large").DEFAULT.transforms()(Image.fromarray(photo.pixels))
    assert torch.equal(seen[0][0], expected) and min(expected.shape[1:]) == 520


def test_instances_are_torchvision_s(default_photos, monkeypatch):
    """Boxes, labels, scores and masks of torchvision's own Mask R-CNN, its frozen BatchNorm and its transform."""
    name = "maskrcnn_resnet50_fpn"
    model, state = random_model(name)
    plain = library(name, state, monkeypatch)
    side = 224
    plain.transform.min_size, plain.transform.max_size = (round(side * 800 / 1333),), side
    plain.roi_heads.detections_per_img, plain.roi_heads.score_thresh = 10, 0.0
    photo = default_photos["cat_kitten"]
    with torch.inference_mode():
        (expected,) = plain([torch.from_numpy(photo.pixels).permute(2, 0, 1) / 255])
    result = model.segment(photo, working_side=side, score_threshold=0.0, max_detections=10, cross_nms_threshold=1.0)
    masks = expected["masks"][:, 0].numpy() >= 0.5
    kept = masks.any((1, 2))
    assert len(result.segments) == kept.sum() > 3
    assert [s.label_id for s in result.segments] == expected["labels"].numpy()[kept].tolist()
    for segment, mask in zip(result.segments, masks[kept], strict=True):
        assert iou(segment.mask, mask) > 0.99


@pytest.fixture
def publish(tmp_path, monkeypatch):
    """Puts a checkpoint with random values on a server on this machine in its real format, and the catalogue's row."""
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "кэш"))
    for variable in ("LABKIT_OFFLINE", "LABKIT_MIRROR"):
        monkeypatch.delenv(variable, raising=False)
    with serve() as server:

        def put(name: str) -> Server:
            release, state, body = OFFICIAL[name], recorded(name, "cpu"), io.BytesIO()
            torch.save({"state_dict": state, "epoch": 3} if name == "unet_people" else state, body)
            digest = body.getvalue()
            algorithm, _, digits = release.hash.partition(":")
            if algorithm:
                digits = hashlib.new(algorithm, digest).hexdigest()[: len(digits)]
            if release.url.endswith(".zip"):
                body = io.BytesIO()
                with zipfile.ZipFile(body, "w") as zipped:
                    zipped.writestr(release.file, digest)
            url = server.put(f"/{release.url.rsplit('/', 1)[1]}", Answer(body.getvalue()))
            row = {"url": url, "hash": f"{algorithm}:{digits}" if algorithm else "", "megabytes": 1}
            monkeypatch.setitem(catalogue.OFFICIAL, name, dataclasses.replace(release, **row))
            return server

        yield put


@pytest.mark.parametrize("name", SMALLEST)
def test_from_server_to_mask(name, publish, tmp_path, default_photos):
    """Downloaded, verified, loaded, one photo segmented: the whole way of each family, with files in their format."""
    server, release = publish(name), catalogue.OFFICIAL[name]
    model = load_model(release.variant, f"official/{name}", "cpu")
    cached = model.weights.path
    assert cached.is_relative_to(tmp_path / "кэш") and cached.name == release.file
    small = Image.fromarray(default_photos["cat_kitten"].pixels).resize((120, 80))
    photo = Photo.from_pixels("kitten", np.array(small))
    if release.variant == "sam":
        del model.network.image_encoder.blocks[1:]  # twelve layers of random weights take half a minute
        model.set_photo(photo)
        result = model.prompt(points=[(60, 40)])
    else:
        result = model.segment(photo, working_side=128)
    assert result.ids.shape == (80, 120) and result.made_by["weights"] == f"official/{name}"
    assert result.made_by["sha256"] == hashlib.sha256(cached.read_bytes()).hexdigest()
    assert (result.classes.name if result.classes else "") == release.classes
    server.answers.clear()
    again = find_weights(release.variant, f"official/{name}")
    assert again.sha256 == model.weights.sha256, "from the cache"


@pytest.mark.parametrize("content", [b"\x80\x02.", b"\x80\x02J1", b"\x80\x02(c"], ids=["empty", "cut", "garbled"])
def test_damaged_pickles_are_refused(tmp_path, content):
    """Whatever error they end in, the file is named."""
    (tmp_path / "weights.pth").write_bytes(content)
    with pytest.raises(LabkitError, match="weights.pth"):
        load_weights(build_release(OFFICIAL["deeplabv3_mobilenet_v3_large"]), tmp_path / "weights.pth")


def test_code_in_a_file_is_not_run(tmp_path):
    """A published file whose pickle would call something is refused, and nothing is called."""

    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "touched",))

    path = tmp_path / "weights.pth"
    torch.save({"state_dict": Evil()}, path)
    with pytest.raises(LabkitError, match="код"):
        load_weights(build_release(OFFICIAL["deeplabv3_mobilenet_v3_large"]), path)
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize("saved", [torch.zeros(3), {"a": torch.zeros(1)}, [1, 2]], ids=["tensor", "other", "list"])
def test_other_checkpoints_are_refused(tmp_path, saved):
    """A file that is no checkpoint of this network is named, with what is wrong."""
    path = tmp_path / "weights.pth"
    torch.save(saved, path)
    with pytest.raises(LabkitError, match="weights.pth"):
        load_weights(build_release(OFFICIAL["deeplabv3_mobilenet_v3_large"]), path)
