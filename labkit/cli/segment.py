"""Segment photos: for each, NAME.json, NAME.ids.png and, but for 4, NAME.classes.png."""

import argparse
import math
import sys
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from labkit.cli.options import VARIANT, add_weights, folder
from labkit.io.errors import LabkitError
from labkit.locale import text
from labkit.variants import find_variant

__all__ = ["PROMPTS", "arguments", "run"]

PROMPTS = ("--point", "--background-point", "--box")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("variant", metavar="VARIANT", help=VARIANT)
    parser.add_argument("photos", metavar="PHOTO", nargs="+", help="files, folders or zip archives")
    parser.add_argument("--out", metavar="DIR", type=folder, required=True, help="where the results are written")
    add_weights(parser)
    prompts = parser.add_argument_group(
        "prompts", "For variant 4, in pixels of the file from the left and the top; without any it segments everything."
    )
    point, box = partial(_numbers, 2, "cli.point"), partial(_numbers, 4, "cli.box")
    repeated = {"metavar": "X,Y", "type": point, "action": "append", "default": []}
    prompts.add_argument("--point", help="a point on the object; may be repeated", **repeated)
    prompts.add_argument("--background-point", help="a point that is not on it; may be repeated", **repeated)
    prompts.add_argument("--box", metavar="X0,Y0,X1,Y1", type=box, help="a box around the object")


def _numbers(count: int, message: str, given: str) -> list[float]:
    with suppress(ValueError):
        numbers = [float(part) for part in given.split(",")]
        if len(numbers) == count and all(map(math.isfinite, numbers)):
            return numbers
    raise argparse.ArgumentTypeError(text(message, given=given))


def run(variant: str, photos: list[str], out: Path, weights: str, device: str, **prompts: Any) -> int:
    prompted = any(prompts.values())
    if prompted and (row := find_variant(variant)).kind != "prompted":
        raise LabkitError(text("cli.no_prompts", variant=row.title))
    from labkit.models import load_model
    from labkit.photos import load_photos

    loaded = load_photos(photos, quiet=True)
    model = load_model(variant, weights, device)
    out.mkdir(parents=True, exist_ok=True)
    code = 1 if loaded.skipped else 0
    for skipped in loaded.skipped:
        print(text("model.failed", name=skipped.name, reason=skipped.reason), file=sys.stderr)
    print(text("weights.taken", name=model.weights.name, reason=model.weights.reason))
    for photo in loaded:
        for note in photo.notes:
            print(f"{photo.name}: {note}", file=sys.stderr)
        if photo.scale != (1, 1):
            print(f"{photo.name}: {text('cli.scaled')}", file=sys.stderr)
        if prompted and photo.orientation != 1:
            height, width = photo.original_size or ()
            print(f"{photo.name}: {text('cli.turned', width=width, height=height)}", file=sys.stderr)
        try:
            if prompted:
                model.set_photo(photo)
                result = model.prompt(**_in_work(photo, **prompts))
            else:
                result = model.segment(photo)
            paths = result.save(out)
        except Exception as error:  # one photo's failure must not cost the others
            code = 1
            print(text("model.failed", name=photo.name, reason=error), file=sys.stderr)
        else:
            print(*paths, sep="\n")
    return code


def _in_work(photo: Any, point: list, background_point: list, box: Any) -> dict[str, Any]:
    """Prompts in pixels of the photo's file, checked there, as pixels of the photo in work."""
    import numpy as np

    from labkit.models.prompts import check

    file = replace(photo, pixels=np.broadcast_to(np.uint8(0), (*photo.original_size, 3)))
    labels = [1] * len(point) + [0] * len(background_point)
    asked, _ = check(file, point + background_point, labels, box, None, None)
    for key in asked.keys() & {"points", "box"}:
        asked[key] = (np.reshape(asked[key], (-1, 2)) * photo.scale).reshape(np.shape(asked[key])).tolist()
    return asked
