"""Milliseconds of Mask R-CNN and SAM on a photo of 480 px, labkit's whole way against the bare library call.

    python tests/benchmarks/object_speed.py [--rounds 5]

Bare, with the same weights, not folded, contiguous memory: torchvision's `MaskRCNN` on a tensor that is ready
beforehand, at the same thresholds; `SamPredictor.set_image` and `predict` with a box and with a point;
`SamAutomaticMaskGenerator.generate` with the same grid and thresholds. labkit: `segment`, `set_photo`, `prompt`, from
pixels to `Segmentation`. Both take turns on each photo, and the sums of the medians are compared: each ratio must be
at most 1.0, that of the automatic mode 0.25, and a prompt may take 60 ms.
"""

import sys
from functools import cache, lru_cache
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from segment_anything import SamAutomaticMaskGenerator, SamPredictor

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from segment_speed import Pair, plain, table  # noqa: E402

from labkit.models import load_model  # noqa: E402
from labkit.photos import Photo  # noqa: E402


def main() -> int:
    """Prints the table; exit code 1 where a ratio or a prompt's time is above its bar."""

    def good(name: str, ratio: float, milliseconds: float) -> bool:
        return ratio <= (0.25 if "automatic" in name else 1.0) and ("prompt" not in name or milliseconds <= 60)

    return table(__doc__, chain.from_iterable(make() for make in (mask_rcnn, sam)), 5, good)


def mask_rcnn() -> list[Pair]:
    """One photo, everything."""
    model, network = load_model(6, "embedded", "cpu"), plain("mask_rcnn")
    heads, defaults = network.roi_heads, model.defaults
    heads.score_thresh, heads.nms_thresh = defaults["score_threshold"], defaults["nms_threshold"]
    tensor = cache(lambda photo: torch.from_numpy(photo.pixels).permute(2, 0, 1).contiguous() / 255)

    def bare(photo: Photo) -> object:
        (found,) = network([tensor(photo)])
        return found["masks"] > defaults["mask_threshold"]

    return [("Mask R-CNN", bare, model.segment)]


def sam() -> list[Pair]:
    """The embedding, two kinds of prompts, and the automatic mode."""
    model, network = load_model(4, "embedded", "cpu"), plain("sam")
    predictor, defaults = SamPredictor(network), model.defaults
    generator = SamAutomaticMaskGenerator(
        network,
        points_per_side=defaults["points_per_side"],
        pred_iou_thresh=defaults["score_threshold"],
        stability_score_thresh=defaults["stability_threshold"],
        box_nms_thresh=defaults["nms_threshold"],
    )

    @lru_cache(maxsize=1)
    def middle(photo: Photo) -> tuple[float, float]:
        """Of a photo that both have been given, so that a prompt is all that is measured."""
        predictor.set_image(photo.pixels)
        model.set_photo(photo)
        height, width = photo.pixels.shape[:2]
        return width / 2, height / 2

    def box(photo: Photo) -> list[float]:
        x, y = middle(photo)
        return [x / 2, y / 2, 1.5 * x, 1.5 * y]

    def bare_box(photo: Photo) -> object:
        return predictor.predict(box=np.array(box(photo)), multimask_output=False)

    def bare_point(photo: Photo) -> object:
        return predictor.predict(np.array([middle(photo)]), np.array([1]))

    return [
        ("SAM, embedding", lambda photo: predictor.set_image(photo.pixels), model.set_photo),
        ("SAM, prompt: box", bare_box, lambda photo: model.prompt(box=box(photo))),
        ("SAM, prompt: point", bare_point, lambda photo: model.prompt(points=[middle(photo)])),
        ("SAM, automatic", lambda photo: generator.generate(photo.pixels), model.segment),
    ]


if __name__ == "__main__":
    sys.exit(main())
