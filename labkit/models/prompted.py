"""The prompted variant: SAM segments everything, or what points, a box or a contour ask for."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from PIL import Image
from segment_anything import SamAutomaticMaskGenerator, automatic_mask_generator
from segment_anything.utils.transforms import ResizeLongestSide
from torch import nn
from torch.nn import functional as F

from labkit.io.errors import LabkitError
from labkit.io.rle import encode_mask
from labkit.locale import plural, text
from labkit.models.base import Model, Setting, is_out_of_memory, photos_at_once
from labkit.models.prompts import any_given, check_box, check_mask, check_points, check_polygon
from labkit.models.sam import OUTLINE_LOGIT, DrawnPrompts
from labkit.photos import Photo
from labkit.segmentation import Segment, Segmentation
from labkit.weights.find import Weights

__all__ = ["PromptedModel"]

_LABEL = "object"

_CPU_POINTS, _GPU_POINTS, _POINT_MEGABYTES = 4, 256, 100
"""Points that the automatic mode asks at once: few stay in a processor's cache, on a GPU as many as fit."""


class PromptedModel(Model):
    """Segment Anything: `segment` finds everything; `set_photo`, once a photo, then `prompt`, which is cheap."""

    classes = None

    def __init__(self, network: nn.Module, weights: Weights, device: torch.device):
        super().__init__(network, weights, device)
        self.photo: Photo | None = None
        self._resize = ResizeLongestSide(network.image_encoder.img_size)
        self._points = _CPU_POINTS if device.type == "cpu" else photos_at_once(device, _POINT_MEGABYTES, _GPU_POINTS)
        if self.precision != torch.float32:  # the heads compare their answers with thresholds: they stay exact
            encoder = network.image_encoder
            encoder.forward = torch.autocast(device.type, self.precision)(encoder.forward)
            encoder.register_forward_hook(lambda module, given, embedding: embedding.float())
            self._mixed = nullcontext

    @property
    def settings(self) -> dict[str, Setting]:
        """The settings of the automatic mode, those of segment_anything's `SamAutomaticMaskGenerator`.

        The official networks have that generator's own values, ours, which is less sure of itself, lower ones.

        `points_per_side`: a grid of so many points by so many asks for objects. `score_threshold`: the least IoU that
        SAM predicts for its mask. `stability_threshold`: the least IoU of the masks cut at a logit of +1 and -1.
        `nms_threshold`: of two masks whose boxes have a larger IoU the one with the lower score is dropped.
        """
        points, score, stability = (32, 0.88, 0.95) if self.weights.release else (12, 0.4, 0.5)
        return {
            "points_per_side": Setting(points, 1, 64),
            "score_threshold": Setting(score),
            "stability_threshold": Setting(stability),
            "nms_threshold": Setting(0.7),
        }

    def _predict(
        self, photos: Sequence[Photo], settings: dict[str, Any], made_by: dict[str, Any]
    ) -> list[Segmentation]:
        return [self._everything(photo, settings, dict(made_by)) for photo in photos]

    def _everything(self, photo: Photo, settings: dict[str, Any], made_by: dict[str, Any]) -> Segmentation:
        generator = SamAutomaticMaskGenerator(
            self.network,
            points_per_side=settings["points_per_side"],
            points_per_batch=self._points,
            pred_iou_thresh=settings["score_threshold"],
            stability_score_thresh=settings["stability_threshold"],
            box_nms_thresh=settings["nms_threshold"],
        )
        height, width = photo.pixels.shape[:2]
        scale = self._resize.target_length / max(height, width)
        if self.weights.release:
            scale = min(scale, 1.0)
        small = Image.fromarray(photo.pixels).resize((max(1, round(width * scale)), max(1, round(height * scale))))
        with _nms_on_one_device():
            found = generator.generate(np.array(small))
        found.sort(key=lambda row: -row["predicted_iou"])
        masks = [
            np.array(Image.fromarray(row["segmentation"].astype(np.uint8) * 255).resize((width, height))) > 127
            for row in found
        ]
        return self._result(photo, masks, [row["predicted_iou"] for row in found], None, made_by)

    def _shrink(self, settings: dict[str, Any]) -> bool:
        if self._points == 1:
            return super()._shrink(settings)
        self._points //= 2
        print(plural("model.memory_points", self._points))
        return True

    @torch.inference_mode()
    def set_photo(self, photo: Photo) -> None:
        """Embeds a photo: the dear step, once a photo. Where a GPU's memory is not enough, the CPU does it."""
        while True:
            try:
                return self._embed(photo)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                self._free()
                if not super()._shrink({}):
                    raise LabkitError(text("model.memory", name=photo.name)) from error

    def _embed(self, photo: Photo) -> None:
        sides = self._resize.get_preprocess_shape(*photo.pixels.shape[:2], self._resize.target_length)
        height, width = (max(1, side) for side in sides)  # of a strip of 3000x2 pixels nothing would be left
        small = Image.fromarray(photo.pixels).resize((width, height), Image.Resampling.BILINEAR)
        x = torch.from_numpy(np.array(small)).permute(2, 0, 1)
        self._size = tuple(x.shape[1:])
        x = self.network.preprocess(x[None].to(self.device)).contiguous(memory_format=torch.channels_last)
        self._embedding = self.network.image_encoder(x)
        self._places = self.network.prompt_encoder.get_dense_pe()
        self.photo = photo

    @torch.inference_mode()
    def prompt(
        self,
        points: Sequence[Sequence[float]] | np.ndarray | None = None,
        point_labels: Sequence[int] | np.ndarray | None = None,
        box: Sequence[float] | np.ndarray | None = None,
        mask: np.ndarray | None = None,
        polygon: Sequence[Sequence[float]] | np.ndarray | None = None,
        answers: int | None = None,
    ) -> Segmentation:
        """What the prompts ask for in the photo that was set: the answers as segments, best first.

        `points` are `(x, y)` in pixels of the photo, `point_labels` 1 (in the object, the default) or 0 (not in it),
        `box` is `x0, y0, x1, y1`, `mask` an `HxW` bool mask to go on from (an earlier answer, which the points correct;
        without points its box goes in with it), `polygon` a contour of at least three points: it goes in as a mask and
        its box. Our SAM is asked twice for several points, the second time with the first answer as the mask: it has
        learned to mend its own masks (Kirillov et al., 2023, appendix A). `answers` is 3 or 1; where nothing is said,
        one lone point, which may mean a part or the whole, gets three. `score` is the IoU that SAM predicts.
        LabkitError, with what is valid, for prompts that ask for nothing and before `set_photo`.
        """
        if self.photo is None:
            raise LabkitError(text("prompt.no_photo"))
        started = time.perf_counter()
        size, file_size = self.photo.pixels.shape[:2], self.photo.original_size
        asked: dict[str, Any] = {}
        if any_given(points):
            asked["points"], asked["point_labels"] = check_points(points, point_labels, size, file_size)
        elif any_given(point_labels):
            raise LabkitError(text("prompt.labels", points=0, labels=np.size(point_labels)))
        if polygon is not None:
            if mask is not None:
                raise LabkitError(text("prompt.both"))
            asked["polygon"], mask = check_polygon(polygon, size, file_size)
        if mask is not None:
            mask = check_mask(mask, size)
            if polygon is None:
                asked["mask"] = encode_mask(mask)
            if box is None and (polygon is not None or "points" not in asked):
                box = Segment(1, 0, _LABEL, 1.0, mask).box
        if box is not None:
            asked["box"] = check_box(box, size, file_size)
        if not asked:
            raise LabkitError(text("prompt.nothing"))
        if not any(asked.get("point_labels", ())) and "box" not in asked:
            raise LabkitError(text("prompt.only_background"))
        if answers is None:
            answers = 3 if asked.keys() == {"points", "point_labels"} and len(asked["points"]) == 1 else 1
        Setting(3, choices=(1, 3)).check("answers", answers)
        logits, scores = self.answer(asked, mask, answers)
        mends = isinstance(self.network.prompt_encoder, DrawnPrompts) and mask is None
        if mends and len(asked.get("points", ())) > 1 and (first := logits[scores.argmax()] > 0).any():
            logits, scores = self.answer(asked, first, 3)
        order = np.argsort(-scores, kind="stable")[:answers]
        result = self._result(
            self.photo,
            [logits[n] > 0 for n in order],
            [float(scores[n]) for n in order],
            [1 / (1 + np.exp(-logits[n])) for n in order],
            {**self._made_by({"answers": answers}), "prompts": asked},
        )
        result.made_by["seconds"] = round(time.perf_counter() - started, 4)
        return result

    def answer(self, asked: dict[str, Any], mask: np.ndarray | None, answers: int) -> tuple[np.ndarray, np.ndarray]:
        """The logits of 3 answers or 1, `AxHxW` at the photo's size, and their predicted IoU, in the decoder's order.

        `asked` has `points` with `point_labels` or a `box`, checked, in pixels of the photo that was set.
        """
        size = self.photo.pixels.shape[:2]
        scale = torch.tensor([self._size[1] / size[1], self._size[0] / size[0]])
        points = boxes = dense = None
        if "points" in asked:
            points = (
                (torch.tensor(asked["points"]) * scale)[None].to(self.device),
                torch.tensor(asked["point_labels"])[None].to(self.device),
            )
        if "box" in asked:
            boxes = (torch.tensor(asked["box"], dtype=torch.float32) * scale.repeat(2))[None].to(self.device)
        if mask is not None:
            size_in = self.network.prompt_encoder.mask_input_size
            step = self._resize.target_length // size_in[0]
            inner = [max(1, -(-side // step)) for side in self._size]
            small = F.interpolate(torch.from_numpy(mask)[None, None].float(), inner, mode="area")
            small = F.pad(small, (0, size_in[1] - inner[1], 0, size_in[0] - inner[0]))
            dense = ((small * 2 - 1) * OUTLINE_LOGIT).to(self.device)
        sparse, dense = self.network.prompt_encoder(points=points, boxes=boxes, masks=dense)
        low, scores = self.network.mask_decoder(self._embedding, self._places, sparse, dense, answers == 3)
        logits = self.network.postprocess_masks(low, self._size, size)
        return logits[0].cpu().numpy(), scores[0].cpu().numpy()

    def _result(
        self,
        photo: Photo,
        masks: list[np.ndarray],
        scores: list[float],
        probabilities: list[np.ndarray] | None,
        made_by: dict[str, Any],
    ) -> Segmentation:
        """Masks, best first, as a result; without probabilities smaller masks lie on top, else better ones do."""
        segments: list[Segment] = []
        kept: list[np.ndarray | float] = []
        for n, (mask, score) in enumerate(zip(masks, scores, strict=True)):
            if mask.any():
                score = min(max(score, 0.0), 1.0)
                segments.append(Segment(len(segments) + 1, 0, _LABEL, score, mask))
                kept.append(score * probabilities[n] if probabilities is not None else score)
        ids = np.zeros(photo.pixels.shape[:2], np.int32)
        confidence = np.zeros(ids.shape, np.float32)
        order = segments[::-1] if probabilities is not None else sorted(segments, key=lambda s: -s.area)
        for segment in order:
            sure = kept[segment.id - 1]
            ids[segment.mask] = segment.id
            confidence[segment.mask] = sure[segment.mask] if isinstance(sure, np.ndarray) else sure
        return Segmentation(photo, ids, confidence, segments, None, made_by)


@contextmanager
def _nms_on_one_device() -> Iterator[None]:
    """segment_anything 1.0 leaves its boxes' categories on the CPU: with many boxes on a GPU its NMS then fails."""
    library = automatic_mask_generator.batched_nms
    automatic_mask_generator.batched_nms = lambda boxes, scores, idxs, iou_threshold: library(
        boxes, scores, idxs.to(boxes.device), iou_threshold
    )
    try:
        yield
    finally:
        automatic_mask_generator.batched_nms = library
