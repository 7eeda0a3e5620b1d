"""SAM's ranking, learned once more when all else is learned: only the head that predicts the IoU of each answer moves.

While SAM trains, the head runs after answers that change, and its squared error says nothing of their order. Here each
object is asked for by its innermost point, by another point and by its box (Kirillov et al., 2023, appendix A); what
the head sees and how good the answers are is kept; then the head alone learns, from that error and from the order.

python -m tools.ranking WEIGHTS --dataset DATASET --out FILE
"""

import argparse
import copy
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from labkit.classes import IGNORE
from labkit.evaluation.benchmark import MIN_AREA, objects_of
from labkit.evaluation.dataset import Dataset
from labkit.evaluation.metrics import innermost, iou
from labkit.models import load_model, load_weights, network_for
from labkit.models.prompted import PromptedModel
from labkit.segmentation import Segment
from labkit.training import export

__all__ = ["collect", "order_loss", "tune"]

_MOST = 5
_TEMPERATURE, _ORDER = 0.1, 0.3
"""How sharply two IoU differ, and what their order weighs beside the squared error."""


def collect(model: PromptedModel, data: Dataset, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Asks for at most five objects of each photo, each by two points and by its box.

    Of N prompts what the head sees (`NxC` float32), and the true IoU of the single answer and the three (`Nx4`), NaN
    where an answer was not given: a point has three, a box the single one.
    """
    rng = np.random.default_rng(seed)
    tokens: list[torch.Tensor] = []
    ious: list[list[float]] = []
    head = model.network.mask_decoder.iou_prediction_head
    hook = head.register_forward_pre_hook(lambda _, given: tokens.append(given[0].detach().clone()))
    with hook:
        for photo, numbers, objects in objects_of(data):
            if wanted := [one for one in objects if one.area >= MIN_AREA]:
                model.set_photo(photo)
                for n in rng.permutation(len(wanted))[:_MOST]:
                    ious += _ask(model, wanted[n], numbers != IGNORE, rng)
    return torch.cat(tokens), torch.tensor(ious)


@torch.inference_mode()
def _ask(model: PromptedModel, target: Segment, valid: np.ndarray, rng: np.random.Generator) -> list[list[float]]:
    rows, columns = np.nonzero(target.mask)
    other = rng.integers(len(rows))
    points = [innermost(target.mask), (int(columns[other]), int(rows[other]))]
    found = []
    for point in points:
        logits, _ = model.answer({"points": [[float(side) for side in point]], "point_labels": [1]}, None, 3)
        found.append([np.nan, *(iou((answer > 0) & valid, target.mask) for answer in logits)])
    logits, _ = model.answer({"box": list(target.box)}, None, 1)
    return [*found, [iou((logits[0] > 0) & valid, target.mask), np.nan, np.nan, np.nan]]


def order_loss(predicted: torch.Tensor, ious: torch.Tensor) -> torch.Tensor:
    """How far the order of three predicted IoU is from that of the true ones (both `Nx3`): KL of their softmax, `N`."""
    true = (ious / _TEMPERATURE).softmax(1)
    return _TEMPERATURE * F.kl_div((predicted / _TEMPERATURE).log_softmax(1), true, reduction="none").sum(1)


def tune(
    head: nn.Module, tokens: torch.Tensor, ious: torch.Tensor, steps: int = 300, rate: float = 3e-4, seed: int = 0
) -> nn.Module:
    """A copy of the head that has gone on learning from what `collect` gives, by AdamW, the rate falling to 0."""
    rng = torch.Generator().manual_seed(seed)
    head = copy.deepcopy(head).float().requires_grad_(True)
    optimizer = torch.optim.AdamW(head.parameters(), lr=rate)
    tokens, ious = tokens.clone(), ious.clone()  # no longer of inference mode
    for step in range(steps):
        chosen = torch.randint(len(tokens), (256,), generator=rng)
        predicted, true = head(tokens[chosen]), ious[chosen]
        known = true.isfinite()
        points = known[:, 1:].all(1)
        loss = F.mse_loss(predicted[known], true[known])
        if points.any():
            loss = loss + _ORDER * order_loss(predicted[points, 1:], true[points, 1:]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        optimizer.param_groups[0]["lr"] = rate * (1 - (step + 1) / steps)
    return head.requires_grad_(False).eval()


def main() -> None:
    """Reads weights of SAM, teaches their head, writes them."""
    parser = argparse.ArgumentParser(description="Teach SAM's ranking once more, all else fixed.")
    parser.add_argument("weights", metavar="WEIGHTS", help="embedded or a file")
    parser.add_argument("--dataset", metavar="DIR", type=Path, required=True)
    parser.add_argument("--split", metavar="FILE", default="train.txt", help="default: train.txt")
    parser.add_argument("--out", metavar="FILE", type=Path, required=True)
    arguments = parser.parse_args()
    model = load_model("sam", arguments.weights, "cpu")
    tokens, ious = collect(model, Dataset(arguments.dataset, arguments.split))
    network = network_for(model.weights.path, "sam")
    load_weights(network, model.weights.path)
    network.mask_decoder.iou_prediction_head = tune(network.mask_decoder.iou_prediction_head, tokens, ious)
    print(len(tokens), export(network, "sam", arguments.out))


if __name__ == "__main__":
    main()
