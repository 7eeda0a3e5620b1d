"""RoIAlign as a sum of weighted rows: torchvision's own numbers, in a fraction of the time."""

import pytest
import torch
from torchvision.ops import MultiScaleRoIAlign

from labkit.models.roi_align import RoIAlign

HEIGHT, WIDTH = 160, 224


@pytest.fixture(scope="module")
def pyramid() -> dict[str, torch.Tensor]:
    """Four levels of eight channels, strides 4 to 32, and a fifth that no box is cut out of."""
    generator = torch.Generator().manual_seed(0)
    strides = {"0": 4, "1": 8, "2": 16, "3": 32, "pool": 64}
    return {
        name: torch.randn(1, 8, -(-HEIGHT // stride), -(-WIDTH // stride), generator=generator)
        for name, stride in strides.items()
    }


def boxes_of(count: int) -> torch.Tensor:
    """Boxes of all sizes, from a pixel to beyond the image (`Nx4`)."""
    generator = torch.Generator().manual_seed(count)
    centres = torch.rand(count, 2, generator=generator) * torch.tensor([WIDTH, HEIGHT])
    sides = torch.exp(torch.rand(count, 2, generator=generator) * 6)
    return torch.cat([centres - sides / 2, centres + sides / 2], 1)


def pools(size: int | tuple[int, int] = 7, ratio: int = 2) -> tuple[MultiScaleRoIAlign, RoIAlign]:
    return MultiScaleRoIAlign([*"0123"], size, ratio), RoIAlign([*"0123"], size, ratio)


@pytest.mark.parametrize(("size", "ratio"), [(7, 2), (14, 2), ((3, 5), 1), (4, 3)])
def test_as_torchvision(pyramid, size, ratio):
    """The same features for boxes of every size and level, beyond the edges too, however they lie in memory."""
    theirs, ours = pools(size, ratio)
    given = pyramid, [boxes_of(200)], [(HEIGHT, WIDTH)]
    expected = theirs(*given)
    assert expected.abs().max() > 1
    found = ours(*given)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    last = {name: level.contiguous(memory_format=torch.channels_last) for name, level in pyramid.items()}
    assert torch.equal(ours(last, *given[1:]), found)
    assert ours(pyramid, [boxes_of(0)], given[2]).shape == (0, *expected.shape[1:])


def test_several_photos(pyramid):
    """More than one photo is left to torchvision."""
    theirs, ours = pools()
    pair = {name: torch.cat([level, -level]) for name, level in pyramid.items()}
    given = pair, [boxes_of(20), boxes_of(10)], [(HEIGHT, WIDTH)] * 2
    assert torch.equal(ours(*given), theirs(*given))


@pytest.mark.parametrize(("image", "padded"), [((40, WIDTH), (64, WIDTH)), ((65, 65), (96, 96))], ids=["flat", "tiny"])
def test_padding_is_without_consequence(pyramid, image, padded):
    """A photo that is mostly padding is cut at the levels' own strides, and so is the photo after it."""
    theirs, ours = pools()
    sides = {name: [-(-side // stride) for side in padded] for name, stride in zip("0123", (4, 8, 16, 32), strict=True)}
    small = {name: pyramid[name][:, :, :height, :width] for name, (height, width) in sides.items()}
    boxes = [torch.tensor([[20.0, 2.0, 60.0, 38.0], [5.0, 5.0, 64.0, 39.0]])]
    expected = theirs(small, boxes, [padded])
    torch.testing.assert_close(ours(small, boxes, [image]), expected, atol=1e-4, rtol=1e-4)
    given = pyramid, [boxes_of(20)], [(HEIGHT, WIDTH)]
    torch.testing.assert_close(ours(*given), theirs(*given), atol=1e-4, rtol=1e-4)
