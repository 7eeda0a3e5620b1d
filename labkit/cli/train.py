"""Train or fine-tune embedded-size weights."""

from argparse import ArgumentParser
from functools import partial
from pathlib import Path
from typing import Any

from labkit.cli.options import VARIANT, add_dataset, add_device, numeric

__all__ = ["arguments", "run"]


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("variant", metavar="VARIANT", help=f"{VARIANT}; several, joined by commas, share one encoder")
    add_dataset(parser)
    parser.add_argument(
        "--out", metavar="FILE", type=Path, required=True, help="weights file (several variants: folder)"
    )
    minutes = partial(numeric, "minutes", 1e-6, 1e6, float)
    parser.add_argument("--minutes", metavar="M", type=minutes, default=30.0, help="training time (default 30)")
    parser.add_argument("--resume", action="store_true", help="go on from FILE.checkpoint")
    start = "embedded (default: its own; SAM has no other), encoder (that of the embedded U-Net), or a teacher's .npz"
    parser.add_argument("--start", metavar="START", default="embedded", help=start)
    parser.add_argument("--split", metavar="FILE", default="train.txt", help="default: train.txt")
    add_device(parser)


def run(variant: str, minutes: float, **options: Any) -> int:
    from labkit.training import recipe_for, train_variants

    variants = variant.split(",")
    recipe = recipe_for(variants[0], minutes)
    for path in train_variants(variants, recipe=recipe, say=partial(print, flush=True), **options):
        print(path)
    return 0
