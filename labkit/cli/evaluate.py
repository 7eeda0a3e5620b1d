"""Score a model against reference masks (IoU of each class)."""

import json
from argparse import ArgumentParser
from pathlib import Path

from labkit.cli.options import VARIANT, add_dataset, add_weights

__all__ = ["arguments", "run"]


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("variant", metavar="VARIANT", help=VARIANT)
    add_dataset(parser)
    parser.add_argument("--split", metavar="FILE", required=True, help="names, one a line; for instance val.txt")
    parser.add_argument("--json", dest="as_json", action="store_true", help="print JSON")
    add_weights(parser)


def run(variant: str, dataset: Path, split: str, weights: str, device: str, as_json: bool) -> int:
    from labkit.evaluation.benchmark import evaluate, score_table
    from labkit.models import load_model

    scores = evaluate(load_model(variant, weights, device), dataset, split)
    print(json.dumps(scores, ensure_ascii=False, indent=1) if as_json else score_table(scores))
    return 0
