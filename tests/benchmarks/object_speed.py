"""Seconds of Mask R-CNN and SAM on ten photos of 480 px, labkit's whole way against the bare library call.

    python tests/benchmarks/object_speed.py [--rounds 5]

Bare, with the same weights, not folded, contiguous memory: torchvision's `MaskRCNN` on a tensor that is ready
beforehand, at the same thresholds; `SamPredictor.set_image` and `predict` with a box and with a point;
`SamAutomaticMaskGenerator.generate` with the same grid and thresholds. labkit: `segment`, `set_photo`, `prompt`, from
pixels to `Segmentation`. Both take turns on each photo, and the sums of the medians are compared: each ratio must be
at most 1.0, that of the automatic mode 0.25, and a prompt may take 60 ms.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from segment_anything import SamAutomaticMaskGenerator, SamPredictor

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from segment_speed import at_480, turns  # noqa: E402

from labkit.models import load_model, load_weights, network_for  # noqa: E402
from labkit.photos import Photo, load_photos  # noqa: E402
from labkit.weights.find import embedded_path  # noqa: E402

Pairs = list[tuple[str, Callable[[Photo], object], Callable[[Photo], object]]]


def main() -> int:
    """Prints the table; exit code 1 where a ratio or a prompt's time is above its bar."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    photos = [at_480(photo) for photo in load_photos(ROOT / "data" / "images", quiet=True)]
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {len(photos)} photos, {rounds} rounds")
    print(f"{'what':20} {'bare ms':>8} {'labkit ms':>10} {'ratio':>6}   (a photo or a prompt)")
    good = True
    for name, bare, ours in [*mask_rcnn(), *sam()]:
        few = 2 if "automatic" in name else rounds
        first, second = (1000 * seconds / len(photos) for seconds in turns(photos, bare, ours, few))
        print(f"{name:20} {first:8.1f} {second:10.1f} {second / first:6.2f}")
        good &= second / first <= (0.25 if "automatic" in name else 1.0) and ("prompt" not in name or second <= 60)
    return 0 if good else 1


def mask_rcnn() -> Pairs:
    """One photo, everything."""
    model, plain = load_model(6, "embedded", "cpu"), _plain("mask_rcnn")
    heads, defaults = plain.roi_heads, model.defaults
    heads.score_thresh, heads.nms_thresh = defaults["score_threshold"], defaults["nms_threshold"]
    tensors: dict[str, torch.Tensor] = {}

    def bare(photo: Photo) -> object:
        if photo.name not in tensors:
            tensors[photo.name] = torch.from_numpy(photo.pixels).permute(2, 0, 1).contiguous() / 255
        (found,) = plain([tensors[photo.name]])
        return found["masks"] > defaults["mask_threshold"]

    return [("Mask R-CNN", bare, model.segment)]


def sam() -> Pairs:
    """The embedding, two kinds of prompts, and the automatic mode."""
    model, plain = load_model(4, "embedded", "cpu"), _plain("sam")
    predictor, defaults = SamPredictor(plain), model.defaults
    generator = SamAutomaticMaskGenerator(
        plain,
        points_per_side=defaults["points_per_side"],
        pred_iou_thresh=defaults["score_threshold"],
        stability_score_thresh=defaults["stability_threshold"],
        box_nms_thresh=defaults["nms_threshold"],
    )
    ready: dict[str, str] = {}

    def set_both(photo: Photo) -> None:
        if ready.get("name") != photo.name:
            predictor.set_image(photo.pixels)
            model.set_photo(photo)
            ready["name"] = photo.name

    def middle(photo: Photo) -> tuple[float, float]:
        height, width = photo.pixels.shape[:2]
        return width / 2, height / 2

    def box(photo: Photo) -> list[float]:
        x, y = middle(photo)
        return [x / 2, y / 2, 1.5 * x, 1.5 * y]

    def bare_box(photo: Photo) -> object:
        set_both(photo)
        return predictor.predict(box=np.array(box(photo)), multimask_output=False)

    def bare_point(photo: Photo) -> object:
        set_both(photo)
        return predictor.predict(np.array([middle(photo)]), np.array([1]))

    def embed(photo: Photo) -> object:
        ready.clear()
        return model.set_photo(photo)

    return [
        ("SAM, embedding", lambda photo: predictor.set_image(photo.pixels), embed),
        ("SAM, prompt: box", bare_box, lambda photo: model.prompt(box=box(photo))),
        ("SAM, prompt: point", bare_point, lambda photo: model.prompt(points=[middle(photo)])),
        ("SAM, automatic", lambda photo: generator.generate(photo.pixels), model.segment),
    ]


def _plain(name: str) -> torch.nn.Module:
    network = network_for(embedded_path(name), name).eval().requires_grad_(False)
    load_weights(network, embedded_path(name))
    return network


if __name__ == "__main__":
    sys.exit(main())
