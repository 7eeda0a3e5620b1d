"""Which photos of a split cost a class most: its IoU on all photos, and on all but one.

IoU is over all pixels of a split, so that one photo which an object fills can weigh as much as fifty others.

python -m tools.hardest 5 --dataset DATASET --split val.txt [--classes cat,person] [--photos 3]
"""

import argparse
from pathlib import Path

import numpy as np

from labkit.classes import VOC
from labkit.evaluation.benchmark import confusions
from labkit.evaluation.dataset import Dataset
from labkit.evaluation.metrics import class_scores
from labkit.models import load_model

__all__ = ["scores_without"]


def scores_without(matrices: np.ndarray) -> np.ndarray:
    """The IoU of each class (`NxC`) on all photos but the n-th, from the photos' confusion matrices `NxCxC`."""
    return np.array([class_scores(others)[0] for others in matrices.sum(0) - matrices])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variant")
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--split", required=True)
    parser.add_argument("--weights", default="embedded")
    parser.add_argument("--classes", default="cat,dog,person,horse")
    parser.add_argument("--photos", type=int, default=3)
    options = parser.parse_args()
    model, data = load_model(options.variant, options.weights), Dataset(options.dataset, options.split)
    matrices = confusions(model, data)
    (scores, *_), without = class_scores(matrices.sum(0)), scores_without(matrices)
    for label in map(VOC.id, options.classes.split(",")):
        worst = np.argsort(-without[:, label])[: options.photos]
        told = (f"{without[n, label]:.3f} without {data.names[n]}" for n in worst)
        print(f"{VOC.names[label]} {scores[label]:.3f}: {', '.join(told)}")


if __name__ == "__main__":
    main()
