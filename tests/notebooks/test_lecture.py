"""The lecture's cells with the official networks, whose parts are other classes' (nbval runs them with ours)."""

from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from IPython.utils.capture import capture_output
from official import random_official
from PIL import Image
from torchvision.ops import box_iou

import labkit
from labkit.models import build_release
from labkit.models.instance import InstanceModel
from labkit.photos import Photo
from labkit.variants import find_variant
from labkit.weights.catalogue import OFFICIAL
from labkit.weights.find import Weights

LECTURE = ("lecture-", "chosen", "cell-18")
RELEASES = {1: ("deeplabv3_mobilenet_v3_large", 192), 3: ("fcn_resnet50", 192), 5: ("pspnet_resnetd101b_voc", 128)}
"""The networks and their working sides, small to be quick."""


def instance_model() -> InstanceModel:
    """Torchvision's Mask R-CNN with random weights, so tamed that its boxes stay in the photo."""
    release = OFFICIAL["maskrcnn_resnet50_fpn"]
    torch.manual_seed(0)
    network = build_release(release)
    for name, parameter in network.named_parameters():
        if name.endswith("bbox_pred.weight"):
            torch.nn.init.normal_(parameter, std=1e-4)
    weights = Weights(find_variant(6), "official/test", Path("none"), "0", "test", release)
    return InstanceModel(network, weights, torch.device("cpu"))


def run(root, shell, number: int, model, photo: Photo, names: tuple[str, ...] = LECTURE) -> str:
    """The cells whose names begin so, in one namespace; what they print."""
    cells = nbformat.read(root / "notebooks" / find_variant(number).notebook, 4).cells
    results = [model.segment(photo)]
    shell.user_ns.update({"labkit": labkit, "device": "cpu", "model": model, "photos": [photo], "results": results})
    with capture_output() as captured:
        for cell in cells:
            if cell.cell_type == "code" and cell.id.startswith(names):
                result = shell.run_cell(cell.source)
                assert result.success, f"{cell.id}: {result.error_in_exec or result.error_before_exec}"
    return captured.stdout


@pytest.mark.parametrize("number", RELEASES)
def test_semantic(root, shell, number, default_photos):
    """Branches, levels and class maps of the libraries' own networks are found, silenced and drawn."""
    said = run(root, shell, number, random_official(*RELEASES[number]), default_photos["cat_kitten"])
    assert {1: "rate  ", 3: "FCN-32s – FCN-16s", 5: "без всей пирамиды"}[number] in said


def test_instances(root, shell, default_photos, monkeypatch):
    """Torchvision's detector, sure of nothing: five levels, and a figure of what was found."""
    model = instance_model()
    values = {"working_side": 192, "score_threshold": 0.0, "max_detections": 4}
    usual = model.settings
    changed = {name: replace(usual[name], value=value) for name, value in values.items()}
    monkeypatch.setattr(InstanceModel, "settings", {**usual, **changed})
    said = run(root, shell, 6, model, default_photos["cat_kitten"])
    assert "уровней 5" in said and "P6" in said


@pytest.mark.parametrize("number", [1, 2, 3, 5, 6])
def test_a_photo_without_any_object(root, shell, load, number):
    """Where nothing is found the cells run to their end all the same."""
    run(root, shell, number, load(number), Photo.from_pixels("серое", np.full((120, 160, 3), 127, np.uint8)))


@pytest.mark.parametrize("number", range(1, 7))
def test_by_hand_on_a_small_photo(root, shell, load, default_photos, number):
    """The cell's last line holds for a thumbnail as well, where a contour is many of the pixels."""
    small = np.array(Image.fromarray(default_photos["cat_kitten"].pixels).resize((40, 30)))
    run(root, shell, number, load(number), Photo.from_pixels("kitten", small), ("chosen", "by-hand"))


@pytest.mark.parametrize("number", [1, 2])
def test_an_annotation_that_cannot_be_read(root, shell, load, tmp_path, number):
    """The cells run to their end as without it."""
    (tmp_path / "серое.json").write_text('{"shapes": [{"label": "кот"}]}', encoding="utf-8")
    grey = Photo.from_pixels("серое", np.full((120, 160, 3), 127, np.uint8))
    run(root, shell, number, load(number), replace(grey, path=tmp_path / "серое.jpg"))


@pytest.mark.parametrize("number", [1, 2, 3, 5, 6])
def test_interrupted(root, shell, load, default_photos, monkeypatch, number):
    """A cell that is interrupted while the network runs takes its hooks off, and can be run again."""
    model = load(number)
    hooks = ("_forward_hooks", "_forward_pre_hooks")
    before = [len(getattr(part, kind)) for part in model.network.modules() for kind in hooks]

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    def run_twice(source: str):
        with monkeypatch.context() as patch:
            patch.setattr(model, "segment", interrupt)
            result = run_cell(source)
        after = [len(getattr(part, kind)) for part in model.network.modules() for kind in hooks]
        assert after == before, source
        return result if result.success else run_cell(source)

    run_cell = shell.run_cell
    monkeypatch.setattr(shell, "run_cell", run_twice)
    run(root, shell, number, model, default_photos["cat_kitten"])


def test_proposals_are_the_network_s_own(root, shell, load, default_photos):
    """What the cell leaves after NMS, level by level, are the boxes that the network's RPN hands to its heads."""
    cells = ("chosen", "lecture-parts", "lecture-stages", "lecture-pyramid", "lecture-levels", "lecture-rpn")
    run(root, shell, 6, load(6), default_photos["cat_kitten"], cells)
    proposals = shell.user_ns["proposals"]
    best = shell.user_ns["steps"]["после NMS"][: len(proposals)]
    assert (box_iou(best, proposals).amax(1) > 0.999).float().mean() > 0.98  # equal scores may come in another order


def test_branches_add_up(root, shell, load, default_photos):
    """What the cell says that each branch adds is, all together and with the bias, what ASPP's convolution gives."""
    run(root, shell, 1, load(1), default_photos["cat_kitten"], ("chosen", "lecture-a"))
    names = shell.user_ns
    project, outputs = names["aspp"].project[0], names["outputs"].values()
    parts = [torch.conv2d(x, w) for x, w in zip(outputs, names["weights_of"], strict=True)]
    whole = project(torch.cat(list(outputs), 1))
    bias = 0 if project.bias is None else project.bias[:, None, None]
    assert torch.allclose(sum(parts) + bias, whole, atol=1e-3)
