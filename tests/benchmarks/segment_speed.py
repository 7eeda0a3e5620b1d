"""Milliseconds to segment a photo of 480 px, labkit's whole way against the bare eager library call.

    python tests/benchmarks/segment_speed.py [--rounds 7]

Bare: the same network with the same weights, not folded, contiguous memory, called on tensors of the same photos at the
same size that are ready beforehand; nothing is decoded, resized or turned into masks. labkit: `segment`, from pixels to
`Segmentation`. Both take turns on each photo, and the sums of the medians are compared: the ratio must be at most 0.85.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from labkit.models import SEMANTIC, load_model, load_weights, network_for  # noqa: E402
from labkit.models.semantic import network_input, pad  # noqa: E402
from labkit.photos import Photo, load_photos  # noqa: E402
from labkit.weights.find import embedded_path  # noqa: E402

Call = Callable[[Photo], object]
Pair = tuple[str, Call, Call]
"""What is measured, by its name: the bare library call, and labkit's."""


def main() -> int:
    """Prints the table; exit code 1 where a ratio is above 0.85 or ten photos take more than 6 s."""
    return table(__doc__, map(semantic, SEMANTIC), 7, lambda name, ratio, ms: ratio <= 0.85 and ms <= 600)


def semantic(name: str) -> Pair:
    """The bare network on tensors, and `segment`."""
    model, network = load_model(name, "embedded", "cpu"), plain(name)
    side = model.defaults["working_side"]
    tensor = cache(lambda photo: pad(network_input(photo.pixels, side))[None].contiguous())
    return name, lambda photo: network(tensor(photo)), model.segment


def table(said: str, pairs: Iterable[Pair], rounds: int, good: Callable[[str, float, float], bool]) -> int:
    """Prints what each pair takes; exit code 1 where a name, its ratio and its milliseconds are not good."""
    parser = argparse.ArgumentParser(description=said.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=rounds)
    rounds = parser.parse_args().rounds
    photos = [at_480(photo) for photo in load_photos(ROOT / "data" / "images", quiet=True)]
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {len(photos)} photos, {rounds} rounds")
    print(f"{'what':20} {'bare ms':>8} {'labkit ms':>10} {'ratio':>6}   (a photo or a prompt)")
    passed = True
    for name, bare, ours in pairs:
        seconds = turns(photos, bare, ours, 2 if "automatic" in name else rounds)
        first, second = 1000 * seconds / len(photos)
        print(f"{name:20} {first:8.1f} {second:10.1f} {second / first:6.2f}")
        passed &= good(name, second / first, second)
    return 0 if passed else 1


def plain(name: str) -> torch.nn.Module:
    """A variant's network with its embedded weights, as its own library runs it."""
    network = network_for(embedded_path(name), name).eval().requires_grad_(False)
    load_weights(network, embedded_path(name))
    return network


def turns(photos: list[Photo], bare: Call, ours: Call, rounds: int) -> np.ndarray:
    """Both take turns on each photo; seconds for all photos, the sum of each photo's median, of both."""
    total = np.zeros(2)
    for photo in photos:
        took = np.zeros((rounds + 1, 2))
        for turn in took:
            for n, run in enumerate((bare, ours)):
                started = time.perf_counter()
                with torch.no_grad():
                    run(photo)
                turn[n] = time.perf_counter() - started
        total += np.median(took[1:], axis=0)  # the first turn warms up
    return total


def at_480(photo: Photo) -> Photo:
    """A photo whose longest side is 480 pixels."""
    image = ImageOps.contain(Image.fromarray(photo.pixels), (480, 480), Image.Resampling.LANCZOS)
    return Photo.from_pixels(photo.name, np.array(image))


if __name__ == "__main__":
    sys.exit(main())
