"""The instance variant: Mask R-CNN's detections as segments, each with its own mask, score and box."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import expand_boxes, expand_masks, paste_mask_in_image
from torchvision.ops import box_iou

from labkit.models.base import Model, Setting
from labkit.models.mask_rcnn import SIDE
from labkit.models.roi_align import RoIAlign
from labkit.models.semantic import network_input, pad
from labkit.photos import Photo
from labkit.segmentation import Segment, Segmentation
from labkit.weights.find import Weights

__all__ = ["InstanceModel"]

_OFFICIAL_SIDE = 1333
_SHORTER = 800 / _OFFICIAL_SIDE
"""Torchvision's detectors scale a photo's shorter side to 800 pixels, if its longer one then has at most 1333."""


class InstanceModel(Model):
    """A network that finds objects: torchvision's `MaskRCNN`, its parts called one after the other.

    Always in float32: an object whose score or overlap is near a threshold comes or goes with the last bits.
    """

    half = False

    def __init__(self, network: nn.Module, weights: Weights, device: torch.device):
        super().__init__(network, weights, device)
        for pool in (self.network.roi_heads.box_roi_pool, self.network.roi_heads.mask_roi_pool):
            pool.__class__ = RoIAlign

    @property
    def settings(self) -> dict[str, Setting]:
        """`working_side`: the longest side, in pixels, to which the photo is scaled, also up: small objects gain by it.

        `score_threshold`: the least class score of an object. `nms_threshold`: of two boxes of one class with a larger
        IoU the one with the lower score is dropped. `cross_nms_threshold`: the same for boxes of different classes,
        which torchvision leaves as two objects. `inside_threshold`: an object of which a larger share lies in a better
        one of its class, as a head does in an animal, is dropped; 1, which official weights have, drops none.
        `mask_threshold`: the least probability of a mask's pixel. `max_detections`: at most so many objects, the best
        ones.
        """
        return {
            "working_side": Setting(_OFFICIAL_SIDE if self.weights.release else SIDE, 64, 2048),
            "score_threshold": Setting(0.5),
            "nms_threshold": Setting(0.5),
            "cross_nms_threshold": Setting(0.7),
            "inside_threshold": Setting(1.0 if self.weights.release else 0.8),
            "mask_threshold": Setting(0.5),
            "max_detections": Setting(100, 1, 1000),
        }

    def _predict(self, photos: Sequence[Photo], settings: dict[str, Any]) -> list[Segmentation]:
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):  # TF32 has float16's mantissa
            return [self._result(photo, self._find(photo, settings), settings) for photo in photos]

    def _find(self, photo: Photo, settings: dict[str, Any]) -> dict[str, torch.Tensor]:
        """Torchvision's `boxes` (in pixels of the photo), `labels`, `scores` and `masks` (`Nx1xMxM`), best first."""
        heads = self.network.roi_heads
        heads.score_thresh, heads.nms_thresh = settings["score_threshold"], settings["nms_threshold"]
        heads.detections_per_img = settings["max_detections"]
        images = self._images(photo, settings["working_side"])
        features = self.network.backbone(images.tensors)
        proposals, _ = self.network.rpn(images, features)
        (found,), _ = heads(features, proposals, images.image_sizes)
        found = {name: values.cpu() for name, values in found.items()}
        boxes, labels, kept = found["boxes"].float(), found["labels"], list[int]()
        rivals = (box_iou(boxes, boxes) > settings["cross_nms_threshold"]) & (labels[:, None] != labels)
        for n, rival in enumerate(rivals):  # NMS between classes: those of one class have had their own
            if not rival[kept].any():
                kept.append(n)
        found = {name: values[kept] for name, values in found.items()}
        ((height, width),) = images.image_sizes
        found["boxes"] *= torch.tensor([photo.pixels.shape[1] / width, photo.pixels.shape[0] / height] * 2)
        return found

    def _result(self, photo: Photo, found: dict[str, torch.Tensor], settings: dict[str, Any]) -> Segmentation:
        """Each mask where its probability reaches the threshold; what lies below a better one keeps its whole mask."""
        size, least = photo.pixels.shape[:2], settings["mask_threshold"]
        ids, confidence = np.zeros(size, np.int32), np.zeros(size, np.float32)
        segments: list[Segment] = []
        masks, scale = expand_masks(found["masks"], 1)
        boxes = expand_boxes(found["boxes"], scale).long()
        scores, label_ids = found["scores"].tolist(), found["labels"].tolist()
        for box, small, score, label_id in zip(boxes, masks[:, 0], scores, label_ids, strict=True):
            x0, y0, x1, y1 = box.tolist()
            whole = paste_mask_in_image(small, box - box[[0, 1, 0, 1]], y1 - y0 + 1, x1 - x0 + 1).numpy()
            pasted = whole[max(-y0, 0) : size[0] - y0, max(-x0, 0) : size[1] - x0]  # the box's part in the photo
            part = slice(max(y0, 0), y1 + 1), slice(max(x0, 0), x1 + 1)
            inside = pasted >= least
            most = settings["inside_threshold"] * np.count_nonzero(inside)
            better = [segment.mask[part] for segment in segments if segment.label_id == label_id]
            if not inside.any() or any(np.count_nonzero(inside & mask) > most for mask in better):
                continue
            mask = np.zeros(size, bool)
            mask[part] = inside
            segments.append(Segment(len(segments) + 1, label_id, self.classes.names[label_id], score, mask))
            free = inside & (ids[part] == 0)
            ids[part][free] = len(segments)
            confidence[part][free] = score * pasted[free]
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
