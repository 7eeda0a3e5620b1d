"""The instance variant: Mask R-CNN's detections as segments, each with its own mask, score and box."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import nms

from labkit.models.base import Model, Setting
from labkit.models.mask_rcnn import SIDE
from labkit.models.semantic import network_input, pad
from labkit.photos import Photo
from labkit.segmentation import Segment, Segmentation

__all__ = ["InstanceModel", "paste"]

_OFFICIAL_SIDE = 1333
_SHORTER = 800 / _OFFICIAL_SIDE
"""Torchvision's detectors scale a photo's shorter side to 800 pixels, if its longer one then has at most 1333."""


class InstanceModel(Model):
    """A network that finds objects: torchvision's `MaskRCNN`, its parts called one after the other.

    Always in float32: an object whose score or overlap is near a threshold comes or goes with the last bits.
    """

    half = False

    @property
    def settings(self) -> dict[str, Setting]:
        """`working_side`: the longest side, in pixels, to which the photo is scaled, also up: small objects gain by it.

        `score_threshold`: the least class score of an object. `nms_threshold`: of two boxes of one class with a larger
        IoU the one with the lower score is dropped. `cross_nms_threshold`: the same for boxes of different classes,
        which torchvision leaves as two objects. `mask_threshold`: the least probability of a mask's pixel.
        `max_detections`: at most so many objects, the best ones.
        """
        return {
            "working_side": Setting(_OFFICIAL_SIDE if self.weights.release else SIDE, 64, 2048),
            "score_threshold": Setting(0.5),
            "nms_threshold": Setting(0.5),
            "cross_nms_threshold": Setting(0.7),
            "mask_threshold": Setting(0.5),
            "max_detections": Setting(100, 1, 1000),
        }

    def _predict(self, photos: Sequence[Photo], settings: dict[str, Any]) -> list[Segmentation]:
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):  # TF32 has float16's mantissa
            return [self._result(photo, self._find(photo, settings), settings["mask_threshold"]) for photo in photos]

    def _find(self, photo: Photo, settings: dict[str, Any]) -> dict[str, torch.Tensor]:
        """Torchvision's `boxes` (in pixels of the photo), `labels`, `scores` and `masks` (`Nx1xMxM`), best first."""
        heads = self.network.roi_heads
        heads.score_thresh, heads.nms_thresh = settings["score_threshold"], settings["nms_threshold"]
        heads.detections_per_img = settings["max_detections"]
        images = self._images(photo, settings["working_side"])
        features = self.network.backbone(images.tensors)
        proposals, _ = self.network.rpn(images, features)
        (found,), _ = heads(features, proposals, images.image_sizes)
        kept = nms(found["boxes"].float(), found["scores"].float(), settings["cross_nms_threshold"])
        found = {name: values[kept].cpu() for name, values in found.items()}
        ((height, width),) = images.image_sizes
        found["boxes"] *= torch.tensor([photo.pixels.shape[1] / width, photo.pixels.shape[0] / height] * 2)
        return found

    def _result(self, photo: Photo, found: dict[str, torch.Tensor], least: float) -> Segmentation:
        """Each mask where its probability is at least `least`; what lies below a better one keeps its whole mask."""
        size = photo.pixels.shape[:2]
        ids, confidence = np.zeros(size, np.int32), np.zeros(size, np.float32)
        segments: list[Segment] = []
        boxes, scores, label_ids = (found[name].tolist() for name in ("boxes", "scores", "labels"))
        for box, probabilities, score, label_id in zip(boxes, found["masks"][:, 0], scores, label_ids, strict=True):
            rows, columns, pasted = paste(probabilities, box, size)
            inside = pasted >= least
            if not inside.any():
                continue
            mask = np.zeros(size, bool)
            mask[rows, columns] = inside
            segments.append(Segment(len(segments) + 1, label_id, self.classes.names[label_id], score, mask))
            free = inside & (ids[rows, columns] == 0)
            ids[rows, columns][free] = len(segments)
            confidence[rows, columns][free] = score * pasted[free]
        return Segmentation(photo, ids, confidence, segments, self.classes)

    def _images(self, photo: Photo, side: int) -> ImageList:
        """The photo as the network wants it; the official ones have torchvision's own transform."""
        if self.weights.release:
            transform = self.network.transform
            transform.min_size, transform.max_size = (round(side * _SHORTER),), side
            images, _ = transform([torch.from_numpy(photo.pixels).permute(2, 0, 1).to(self.device) / 255])
            return images
        x = network_input(photo.pixels, side, least=side)
        padded = pad(x)[None].to(self.device, memory_format=torch.channels_last)
        return ImageList(padded, [tuple(x.shape[1:])])


def paste(probabilities: torch.Tensor, box: Sequence[float], size: tuple[int, int]) -> tuple[slice, slice, np.ndarray]:
    """A box's mask (`MxM` float, on the CPU) at its place in a photo of `size` (HxW).

    Returns the rows and columns it covers and its probabilities there, `hxw` float32. As in torchvision, the mask gets
    a border of zeros and the box grows with it, so that it fades out at its edge.
    """
    side = probabilities.shape[-1]
    x0, y0, x1, y1 = box
    grow_x, grow_y = (x1 - x0) / side, (y1 - y0) / side
    left, top = int(x0 - grow_x), int(y0 - grow_y)
    width = max(1, int(x1 + grow_x) - left + 1)
    height = max(1, int(y1 + grow_y) - top + 1)
    large = F.interpolate(F.pad(probabilities, (1, 1, 1, 1))[None, None], (height, width), mode="bilinear")[0, 0]
    rows = slice(max(top, 0), max(min(top + height, size[0]), 0))
    columns = slice(max(left, 0), max(min(left + width, size[1]), 0))
    return rows, columns, large[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left].numpy()
