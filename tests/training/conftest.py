"""What the tests of training share: a teacher's file, and scenes made by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from labkit.models import build_network
from labkit.training.scenes import Scene


@pytest.fixture(scope="session")
def teacher_file(tmp_path_factory):
    """A file of the teacher's form with random numbers of the right shapes."""
    rng = np.random.default_rng(0)
    encoder = build_network("deeplab").encoder
    shapes = [module.weight.shape for module in encoder.modules() if isinstance(module, nn.Conv2d)]
    heads = {62: (256, 320, 1, 1), 63: (256, 320, 1, 1), 67: (256, 512, 1, 1), 68: (21, 256, 1, 1)}
    numbers = [k for k in range(62) if k % 6 != 5][: len(shapes)]  # the graph counts its additions too: gaps
    arrays = {}
    for k, shape in [*zip(numbers, shapes, strict=True), *heads.items()]:
        fan = int(np.prod(shape[1:]))
        arrays[f"{k}_w"] = rng.normal(0, (2 / fan) ** 0.5, shape).astype(np.float16)
        arrays[f"{k}_b"] = rng.normal(0, 0.1, shape[0]).astype(np.float16)
    path = tmp_path_factory.mktemp("teacher") / "teacher.npz"
    np.savez(path, **arrays)
    return path


@pytest.fixture(scope="session")
def scene_of():
    """Makes a scene of noise from the number of the object at each pixel; all objects are cats."""

    def made(numbers: torch.Tensor) -> Scene:
        rng = torch.Generator().manual_seed(0)
        pixels = torch.randint(0, 256, (3, *numbers.shape), dtype=torch.uint8, generator=rng)
        return Scene(pixels, numbers.to(torch.uint8), torch.full((256,), 8, dtype=torch.uint8))

    return made
