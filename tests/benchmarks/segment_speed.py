"""Seconds to segment ten photos of 480 px, labkit's whole way against the bare eager library call.

    python tests/benchmarks/segment_speed.py [--rounds 7]

Bare: the same network with the same weights, not folded, contiguous memory, called on tensors of the same photos at the
same size that are ready beforehand; nothing is decoded, resized or turned into masks. labkit: `segment`, from pixels to
`Segmentation`. Both take turns on each photo, and the sums of the medians are compared: the ratio must be at most 0.85.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from labkit.models import SEMANTIC, load_model, load_weights, network_for  # noqa: E402
from labkit.models.semantic import network_input, pad  # noqa: E402
from labkit.photos import Photo, load_photos  # noqa: E402

SIDE = 480


def main() -> int:
    """Prints the table; exit code 1 where a ratio is above 0.85 or ten photos take more than 6 s."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    photos = [at_480(photo) for photo in load_photos(ROOT / "data" / "images", quiet=True)]
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {len(photos)} photos, {rounds} rounds")
    print(f"{'variant':9} {'bare s':>8} {'labkit s':>9} {'ratio':>6}")
    good = True
    for name in SEMANTIC:
        bare, ours = times(name, photos, rounds)
        print(f"{name:9} {bare:8.2f} {ours:9.2f} {ours / bare:6.2f}")
        good &= ours / bare <= 0.85 and ours <= 6
    return 0 if good else 1


def times(name: str, photos: list[Photo], rounds: int) -> tuple[float, float]:
    """Seconds for all photos, the sum of each photo's median: the bare network, and `segment`."""
    model = load_model(name, "embedded", "cpu")
    plain = network_for(model.weights.path, name).eval()
    load_weights(plain, model.weights.path)
    side = model.defaults["working_side"]
    inputs = {photo.name: pad(network_input(photo.pixels, side))[None].contiguous() for photo in photos}
    return turns(photos, lambda photo: plain(inputs[photo.name]), model.segment, rounds)


def turns(
    photos: list[Photo], bare: Callable[[Photo], object], ours: Callable[[Photo], object], rounds: int
) -> tuple[float, float]:
    """Both take turns on each photo; seconds for all photos, the sum of each photo's median."""
    total = {"bare": 0.0, "ours": 0.0}
    for photo in photos:
        took: dict[str, list[float]] = {"bare": [], "ours": []}
        for turn in range(rounds + 1):  # the first turn warms up
            for key, run in (("bare", bare), ("ours", ours)):
                started = time.perf_counter()
                with torch.no_grad():
                    run(photo)
                if turn:
                    took[key].append(time.perf_counter() - started)
        for key, seconds in took.items():
            total[key] += statistics.median(seconds)
    return total["bare"], total["ours"]


def at_480(photo: Photo) -> Photo:
    """A photo whose longest side is 480 pixels."""
    image = Image.fromarray(photo.pixels)
    factor = SIDE / max(image.size)
    image = image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.LANCZOS)
    return Photo.from_pixels(photo.name, np.array(image))


if __name__ == "__main__":
    sys.exit(main())
