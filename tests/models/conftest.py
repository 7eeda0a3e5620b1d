"""What the tests of SAM share: its network as segment_anything has it, and a photo that nobody scales."""

import numpy as np
import pytest
from PIL import Image

from labkit.models import load_weights, network_for
from labkit.models.sam import SIDE
from labkit.photos import Photo


@pytest.fixture(scope="session")
def plain(load):
    """segment_anything's own model with the embedded weights."""
    path = load("sam").weights.path
    network = network_for(path, "sam").eval()
    load_weights(network, path)
    return network


@pytest.fixture(scope="session")
def sheep(default_photos):
    """A photo whose longest side is what SAM's encoder sees."""
    image = Image.fromarray(default_photos["sheep"].pixels)
    image.thumbnail((SIDE, SIDE))
    assert max(image.size) == SIDE
    return Photo.from_pixels("sheep", np.array(image))
