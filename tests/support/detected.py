"""What the tests of Mask R-CNN's parts look at: a photo in ours, and in the official one with random weights."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import torch
from matplotlib.figure import Figure

from labkit.explain.mask_rcnn import Stages, stages_of
from labkit.figures import svg
from labkit.models import build_release
from labkit.models.instance import InstanceModel
from labkit.photos import Photo
from labkit.variants import find_variant
from labkit.weights.catalogue import OFFICIAL
from labkit.weights.find import Weights

KINDS = ("embedded", "official")


@cache
def official_model() -> InstanceModel:
    """Torchvision's Mask R-CNN with a ResNet-50 and random weights, so tamed that its boxes stay in the photo."""
    release = OFFICIAL["maskrcnn_resnet50_fpn"]
    torch.manual_seed(0)
    network = build_release(release)
    for name, parameter in network.named_parameters():
        if name.endswith("bbox_pred.weight"):
            torch.nn.init.normal_(parameter, std=1e-4)
    weights = Weights(find_variant(6), "official/test", Path("none"), "0", "test", release)
    return InstanceModel(network, weights, torch.device("cpu"))


@cache
def stages_for(kind: str, photo: Photo, load) -> Stages:
    """The stages of a photo: of the embedded weights, or of the official network at a small size."""
    if kind == "embedded":
        return stages_of(load(6), photo)
    return stages_of(official_model(), photo, working_side=192, score_threshold=0.0, max_detections=6)


def decoded(shifts: np.ndarray, boxes: np.ndarray, weights: tuple[float, ...]) -> np.ndarray:
    """Boxes shifted by hand (Ren et al., 2015, equation 2): `Nx4` of each, the shifts divided by `weights`."""
    tx, ty, tw, th = (shifts / np.array(weights)).T
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    x, y = boxes[:, 0] + width / 2 + tx * width, boxes[:, 1] + height / 2 + ty * height
    half_w, half_h = width * np.exp(tw) / 2, height * np.exp(th) / 2
    return np.stack([x - half_w, y - half_h, x + half_w, y + half_h], 1)


def clipped(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Boxes cut at the photo's edges."""
    return np.clip(boxes, 0, [size[1], size[0]] * 2)


def box_iou(a: np.ndarray, b: np.ndarray) -> float:
    """The IoU of two boxes, by hand."""
    width, height = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return width * height / (sum(areas) - width * height)


def words(drawn: Figure) -> list[str]:
    """The text in a figure, as its SVG has it."""
    nodes = ElementTree.fromstring(re.sub("<!DOCTYPE[^>]*>", "", svg(drawn))).iter("{http://www.w3.org/2000/svg}text")
    return ["".join(node.itertext()).strip() for node in nodes]


def grey() -> Photo:
    """A photo on which there is nothing."""
    return Photo.from_pixels("серое", np.full((120, 160, 3), 127, np.uint8))
