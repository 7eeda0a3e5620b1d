"""The prompted variant: SAM segments everything, or what points, a box or a contour ask for."""

import time
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from PIL import Image
from scipy import ndimage
from scipy.special import expit
from segment_anything import SamPredictor
from torch import nn
from torch.nn import functional as F

from labkit.io.errors import LabkitError
from labkit.locale import text
from labkit.models.automatic import everything
from labkit.models.base import Model, Setting
from labkit.models.memory import at_once, until_it_fits
from labkit.models.prompts import check
from labkit.models.sam import OUTLINE_LOGIT
from labkit.photos import Photo, photos_of
from labkit.segmentation import Segment, Segmentation, box_of
from labkit.weights.find import Weights

__all__ = ["PromptedModel", "without_specks"]

_CPU_POINTS, _GPU_POINTS, _POINT_MEGABYTES = 4, 256, 100
"""Points that the automatic mode asks at once: few stay in a processor's cache, on a GPU as many as fit."""

_SPECK = 25  # islands and holes of fewer pixels are none


class PromptedModel(Model):
    """Segment Anything: `segment` finds everything; `set_photo`, once a photo, then `prompt`, which is cheap."""

    classes = None

    def __init__(self, network: nn.Module, weights: Weights, device: torch.device):
        self.half = weights.release is not None  # the neck of ours squares hundreds: beyond float16
        super().__init__(network, weights, device)
        self.photo: Photo | None = None  # the one that was set, embedded in the predictor
        self._predictor = SamPredictor(network)
        cuda = device.type == "cuda"
        self.points_at_once = at_once(device, _POINT_MEGABYTES, _GPU_POINTS) if cuda else _CPU_POINTS
        if self.precision != torch.float32:  # the heads compare their answers with thresholds: they stay exact
            encoder = network.image_encoder
            encoder.forward = torch.autocast(device.type, self.precision)(encoder.forward)
            encoder.register_forward_hook(lambda module, given, embedding: embedding.float())
            self._mixed = nullcontext

    @property
    def settings(self) -> dict[str, Setting]:
        """The settings of the automatic mode, those of segment_anything's `SamAutomaticMaskGenerator`.

        The official networks have that generator's own values; the embedded one, which sees less, lower ones.

        `points_per_side`: a grid of so many points by so many asks for objects. `score_threshold`: the least IoU that
        SAM predicts for its mask. `stability_threshold`: the least IoU of the masks cut at a logit of +1 and -1.
        `nms_threshold`: of two masks whose boxes have a larger IoU the one with the lower score is dropped.
        """
        points, score, stability = (32, 0.88, 0.95) if self.weights.release else (12, 0.4, 0.7)
        return {
            "points_per_side": Setting(points, 1, 64),
            "score_threshold": Setting(score),
            "stability_threshold": Setting(stability),
            "nms_threshold": Setting(0.7),
        }

    def _predict(self, photos: Sequence[Photo], settings: dict[str, Any]) -> list[Segmentation]:
        results = []
        for photo in photos:
            masks, scores = everything(self._embed(photo), self.points_at_once, **settings)
            results.append(_result(photo, self._cleaned(masks), scores, None))
        return results

    @torch.inference_mode()
    def set_photo(self, photo: Photo) -> None:
        """Embeds a photo: the dear step, once a photo. Where a GPU's memory is not enough, the CPU does it."""
        photos_of([photo])
        self._predictor = until_it_fits(lambda: self._embed(photo), self, photo.name, {})
        self.photo = photo

    def _embed(self, photo: Photo) -> SamPredictor:
        """segment_anything's predictor, looking at a photo."""
        predictor = SamPredictor(self.network)
        sides = predictor.transform.get_preprocess_shape(*photo.pixels.shape[:2], predictor.transform.target_length)
        height, width = (max(1, side) for side in sides)  # of a strip of 3000x2 pixels nothing would be left
        small = Image.fromarray(photo.pixels).resize((width, height), Image.Resampling.BILINEAR)
        x = torch.from_numpy(np.array(small)).permute(2, 0, 1)[None]
        predictor.set_torch_image(x.to(self.device), photo.pixels.shape[:2])
        return predictor

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
        its box. `answers` is 3 or 1; where nothing is said, one lone point, which may mean a part or the whole, gets
        three. `score` is the IoU that SAM predicts. LabkitError, with what is valid, for prompts that ask for nothing
        and before `set_photo`.
        """
        if self.photo is None:
            raise LabkitError(text("prompt.no_photo"))
        started = time.perf_counter()
        asked, mask = check(self.photo, points, point_labels, box, mask, polygon)
        if answers is None:
            answers = 3 if asked.keys() == {"points", "point_labels"} and len(asked["points"]) == 1 else 1
        Setting(3, choices=(1, 3)).check("answers", answers)
        logits, scores = self.answer(asked, mask, answers)
        order = np.argsort(-scores, kind="stable")[:answers]
        logits, scores = logits[order], scores[order].tolist()
        result = _result(self.photo, self._cleaned(logits > 0), scores, logits)
        seconds = round(time.perf_counter() - started, 4)
        result.made_by.update(self._made_by({"answers": answers}), prompts=asked, seconds=seconds)
        return result

    def answer(self, asked: dict[str, Any], mask: np.ndarray | None, answers: int) -> tuple[np.ndarray, np.ndarray]:
        """The logits of 3 answers or 1, `AxHxW` at the photo's size, and their predicted IoU, in the decoder's order.

        `asked` has `points` with `point_labels` or a `box`, checked, in pixels of the photo that was set.
        """
        names = {"points": "point_coords", "point_labels": "point_labels", "box": "box"}
        given = {names[key]: np.array(value) for key, value in asked.items() if key in names}
        if mask is not None:
            (height, width), side = self._predictor.input_size, self._predictor.transform.target_length
            seen = F.interpolate(torch.from_numpy(mask)[None, None].float(), (height, width), mode="area")
            seen = F.pad(seen, (0, side - width, 0, side - height))
            low = F.avg_pool2d(seen, side // self.network.prompt_encoder.mask_input_size[0])
            given["mask_input"] = ((low[0] * 2 - 1) * OUTLINE_LOGIT).numpy()
        self._predictor.features = self._predictor.features.to(self.device)  # memory may have run out since
        logits, scores, _ = self._predictor.predict(**given, multimask_output=answers == 3, return_logits=True)
        return logits, scores

    def _cleaned(self, masks: Iterable[np.ndarray]) -> list[np.ndarray]:
        return [mask if self.weights.release else without_specks(mask) for mask in masks]


def without_specks(mask: np.ndarray) -> np.ndarray:
    """A mask (`HxW` bool) whose holes, then islands, of fewer than 25 pixels are gone; one that is all specks stays.

    So does `SamAutomaticMaskGenerator` with `min_mask_region_area` (Kirillov et al., 2023, appendix B).
    """
    x0, y0, x1, y1 = box_of(mask)
    # What is cut off so far from the mask leaves no small piece of the background here.
    near = slice(max(0, y0 - _SPECK), y1 + _SPECK), slice(max(0, x0 - _SPECK), x1 + _SPECK)
    part = mask[near]
    for inside in (False, True):
        regions, _ = ndimage.label(part == inside)
        small = np.bincount(regions.ravel()) < _SPECK
        small[0] = False  # the places that are not of this kind
        if not small[1:].all():
            part = part ^ small[regions]
    cleaned = np.zeros_like(mask)
    cleaned[near] = part
    return cleaned


def _result(photo: Photo, masks: list[np.ndarray], scores: list[float], logits: np.ndarray | None) -> Segmentation:
    """Masks, best first, as a result: the smaller on top, or of answers, whose logits (`AxHxW`) are given, the better.

    The confidence of a pixel is the mask's score, times the probability of its logit where there is one.
    """
    ids = np.zeros(photo.pixels.shape[:2], np.int32)
    confidence = np.zeros(ids.shape, np.float32)
    found = [n for n, mask in enumerate(masks) if mask.any()]
    segments = [Segment(id, 0, "object", min(max(scores[n], 0.0), 1.0), masks[n]) for id, n in enumerate(found, 1)]
    for segment in sorted(segments, key=lambda s: -s.area if logits is None else -s.id):
        mask = segment.mask
        ids[mask] = segment.id
        confidence[mask] = segment.score
        if logits is not None:
            confidence[mask] *= expit(logits[found[segment.id - 1]][mask])
    return Segmentation(photo, ids, confidence, segments, None)
