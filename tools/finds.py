"""How many of the objects that Mask R-CNN finds are objects, at the usual settings and with one of them changed.

A find is right where its IoU with an object of its class that no better find has is at least a half; where nobody
labelled it counts neither way, as in `labkit.evaluation.metrics.mask_ap`.

python -m tools.finds --dataset DATASET --split val.txt [--setting inside_threshold=1]
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from labkit.classes import IGNORE, VOC
from labkit.evaluation.benchmark import objects_of
from labkit.evaluation.dataset import Dataset
from labkit.evaluation.metrics import iou
from labkit.evaluation.scores import within
from labkit.models import load_model
from labkit.segmentation import Segment

__all__ = ["right_and_wrong"]


def right_and_wrong(found: Sequence[Segment], objects: Sequence[Segment], ignored: np.ndarray) -> tuple[int, int]:
    """How many finds, best first, are objects, and how many are not; `ignored` (`HxW` bool) is not labelled."""
    free, wrong = list(objects), 0
    for segment in found:
        fits = [iou(one.mask, segment.mask) * (one.label_id == segment.label_id) for one in free]
        if max(fits, default=0) >= 0.5:
            free.pop(int(np.argmax(fits)))
        elif ignored[segment.mask].mean() <= 0.5:
            wrong += 1
    return len(objects) - len(free), wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--split", required=True)
    parser.add_argument("--weights", default="embedded")
    parser.add_argument("--setting", metavar="NAME=VALUE", action="append", default=[])
    options = parser.parse_args()
    settings = {name: float(value) for name, value in (one.split("=") for one in options.setting)}
    model, totals = load_model("mask_rcnn", options.weights), np.zeros(3, int)
    for photo, numbers, instances in objects_of(Dataset(options.dataset, options.split)):
        objects = [segment for segment in instances if segment.label_id]
        found = within(VOC, model.segment(photo, **settings)).segments
        totals += [*right_and_wrong(found, objects, numbers == IGNORE), len(objects)]
    print("right {}, wrong {}, objects {}".format(*totals))


if __name__ == "__main__":
    main()
