"""More objects to learn from: what a larger SAM finds on the photos of a dataset, in layers.

The labels of a few hundred photos name few kinds of things, and of them no parts. MobileSAM (Zhang et al., 2023,
arXiv:2306.14289), whose masks learned from SAM's billion, is asked at points all over each photo; its sure and stable
masks (Kirillov et al., 2023, section 4), parts and wholes, become the objects of a dataset beside those that people
drew. Masks that overlap lie in several layers of a photo, each a photo of the new dataset with numbers of its own.

python -m labkit.training.layers MOBILE_SAM.pt --dataset DATASET --split SPLIT --out FOLDER
"""

import argparse
import csv
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import timm
import torch
from PIL import Image
from segment_anything import SamPredictor
from segment_anything.modeling import MaskDecoder, PromptEncoder, Sam, TwoWayTransformer
from segment_anything.modeling.common import LayerNorm2d
from torch import nn

from labkit.evaluation.dataset import Dataset
from labkit.evaluation.metrics import iou

__all__ = ["build_teacher", "layered", "masks_of"]

_SIDE, _CHANNELS = 768, 256
"""MobileSAM sees 1024 pixels; at 768 its boxes are as good (IoU 0.79 on 38 objects of validation), in half the time."""

_POINTS = 36
_SCORE, _STABILITY, _ALIKE = 0.8, 0.85, 0.75
"""A mask's least predicted IoU and stability, and the IoU at which two are one."""

_LEAST, _MOST = 200, 0.9
"""The least pixels and the largest part of a photo of a mask."""

_KNOWN = 0.08
"""A point in a mask that covers less than this part of the photo is not asked about again."""

_LAYERS, _OVERLAP = 4, 0.03
"""At most so many layers of a photo; within one, masks hide at most this part of another."""


class _ImageEncoder(nn.Module):
    """TinyViT-5M, whose last stage keeps stride 16, and SAM's neck."""

    def __init__(self):
        super().__init__()
        self.img_size = _SIDE
        self.trunk = timm.create_model("tiny_vit_5m_224", num_classes=0)
        self.trunk.stages[3].downsample.conv2.conv.stride = (1, 1)
        self.neck = nn.Sequential(
            nn.Conv2d(self.trunk.num_features, _CHANNELS, 1, bias=False),
            LayerNorm2d(_CHANNELS),
            nn.Conv2d(_CHANNELS, _CHANNELS, 3, padding=1, bias=False),
            LayerNorm2d(_CHANNELS),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.neck(self.trunk.forward_features(x))


def build_teacher(path: Path) -> Sam:
    """MobileSAM of a file `mobile_sam.pt`; its encoder's tensors line up with timm's TinyViT, in order and in shape."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    encoder, places = _ImageEncoder(), (_SIDE // 16, _SIDE // 16)
    transformer = TwoWayTransformer(depth=2, embedding_dim=_CHANNELS, num_heads=8, mlp_dim=2048)
    decoder = MaskDecoder(transformer_dim=_CHANNELS, transformer=transformer)
    sam = Sam(encoder, PromptEncoder(_CHANNELS, places, (_SIDE, _SIDE), mask_in_chans=16), decoder)
    theirs = {name: value for name, value in state.items() if name.startswith("image_encoder.")}
    known = {name: value for name, value in state.items() if name not in theirs}
    values = [value for name, value in theirs.items() if not name.startswith("image_encoder.head.")]
    known |= {f"image_encoder.{name}": value for name, value in zip(encoder.state_dict(), values, strict=True)}
    sam.load_state_dict(known)
    return sam.eval()


@torch.inference_mode()
def masks_of(predictor: SamPredictor, pixels: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """What the teacher finds on a photo (`HxWx3` uint8): masks `HxW` bool, no two of them alike, the surest first."""
    height, width = pixels.shape[:2]
    predictor.set_image(pixels)
    found: list[tuple[float, np.ndarray]] = []
    for x, y in _points(height, width, rng):
        if any(mask[int(y), int(x)] and mask.mean() < _KNOWN for _, mask in found):
            continue
        logits, scores, _ = predictor.predict(np.array([[x, y]]), np.array([1]), return_logits=True)
        for answer, score in zip(logits, scores, strict=True):
            mask, stable = answer > 0, (answer > 1).sum() / max(1, (answer > -1).sum())
            if score >= _SCORE and stable >= _STABILITY and _LEAST <= mask.sum() <= _MOST * mask.size:
                found.append((float(score), mask))
    kept: list[np.ndarray] = []
    for _, mask in sorted(found, key=lambda one: -one[0]):
        if all(iou(mask, other) < _ALIKE for other in kept):
            kept.append(mask)
    return kept


def _points(height: int, width: int, rng: np.random.Generator) -> Iterator[tuple[float, float]]:
    """One point (x, y) in each cell of a grid, in any order."""
    rows = max(1, round((_POINTS * height / width) ** 0.5))
    columns = max(1, round(_POINTS / rows))
    for cell in rng.permutation(rows * columns):
        row, column = divmod(cell, columns)
        yield (column + rng.uniform(0.1, 0.9)) * width / columns, (row + rng.uniform(0.1, 0.9)) * height / rows


def layered(masks: list[np.ndarray]) -> list[np.ndarray]:
    """Masks as layers of numbers, `HxW` uint8: in each they hardly overlap, the largest first; some find no place."""
    layers: list[np.ndarray] = []
    for mask in sorted(masks, key=lambda one: -one.sum()):
        free = (one for one in layers if one.max() < 250 and (mask & (one > 0)).sum() < _OVERLAP * mask.sum())
        layer = next(free, None)
        if layer is None and len(layers) < _LAYERS:
            layer = np.zeros(mask.shape, np.uint8)
            layers.append(layer)
        if layer is not None:
            layer[mask & (layer == 0)] = layer.max() + 1
    return layers


def main() -> None:
    """Writes a dataset: the photos of a split with their own objects, and each with every layer of the teacher's."""
    parser = argparse.ArgumentParser(description="Write a dataset with what a larger SAM finds besides.")
    parser.add_argument("teacher", metavar="MOBILE_SAM.pt", type=Path)
    parser.add_argument("--dataset", metavar="DIR", type=Path, required=True)
    parser.add_argument("--split", metavar="FILE", default="train.txt", help="default: train.txt")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True)
    arguments = parser.parse_args()
    data, out = Dataset(arguments.dataset, arguments.split), arguments.out
    for folder in ("images", "semantic", "instances"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    own = [[i.name, i.number, i.label_id, i.area, *i.box] for i in data.instances()]
    predictor, rng, names, rows = SamPredictor(build_teacher(arguments.teacher)), np.random.default_rng(0), [], own
    for name in data.names:
        pixels = data.image(name)
        layers = {name: data.instance_numbers(name)}
        for n, layer in enumerate(layered(masks_of(predictor, pixels, rng))):
            layers[f"layer{n}_{name}"] = layer
            for number in range(1, layer.max() + 1):
                y, x = np.nonzero(layer == number)
                rows.append([f"layer{n}_{name}", number, 0, len(x), x.min(), y.min(), x.max() + 1, y.max() + 1])
        for layer_name, layer in layers.items():
            shutil.copy(data.photo_path(name), out / "images" / f"{layer_name}.jpg")
            Image.fromarray(layer).save(out / "instances" / f"{layer_name}.png")
        names += layers
        print(name, len(layers) - 1, flush=True)
    (out / "train.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    with (out / "instances.csv").open("w", newline="", encoding="utf-8") as file:
        header = ["image", "instance", "voc_id", "area_px", "x0", "y0", "x1", "y1"]
        csv.writer(file).writerows([header, *rows])


if __name__ == "__main__":
    main()
