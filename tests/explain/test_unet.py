"""U-Net's figures: every shape stands at its level, and the channels that are shown vary most."""

import numpy as np
import torch
from drawn import grey

from labkit.explain.unet import maps_figure, paths_figure, shape
from labkit.figures import svg

PHOTO = grey(64, 64)
CHANNELS = (3, 16, 24, 40)  # of the input and of three levels below it


def flow(side: int = 64) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Maps as a U-Net's hooks would see them: down to an eighth, and up again."""
    generator = torch.Generator().manual_seed(0)
    down = [torch.rand(1, c, side >> n, side >> n, generator=generator) for n, c in enumerate(CHANNELS)]
    up = [torch.rand(1, 8 * (n + 1), side >> n, side >> n, generator=generator) for n in (2, 1, 0)]
    return down, up


def test_the_u_has_every_shape():
    """Each map's shape is written once, and a skip's channels between its two ends: the input is joined to nothing."""
    down, up = flow()
    drawn = paths_figure(PHOTO, down, up)
    texts = [text.get_text() for text in drawn.axes[0].texts]
    assert {shape(one) for one in (*down, *up)} <= set(texts)
    assert [text for text in texts if text.startswith("+")] == ["+16", "+24"]
    words = svg(drawn)
    assert "вдвое меньше" in words and "64×64×3 → 32×32×16" in drawn.get_label() and len(words) < 40_000


def test_boxes_stand_at_their_levels():
    """Two boxes of one level have one height and lie on one line; the bottom has one."""
    drawn = paths_figure(PHOTO, *flow())
    boxes = [patch for patch in drawn.axes[0].patches if hasattr(patch, "get_width")]
    middles = [round(box.get_y() + box.get_height() / 2, 6) for box in boxes]
    assert sorted(middles) == [-3, -2, -2, -1, -1, 0, 0] and len({round(box.get_height(), 6) for box in boxes}) == 4


def test_maps_without_padding():
    """Of each map the part that is the photo's; the photo stands for the input, nothing for the missing bottom."""
    down, up = flow()
    drawn = maps_figure(PHOTO, down, up, (1, 0.5))
    assert len(drawn.axes) == 8 and "сжимающий путь" in drawn.axes[0].get_title()
    assert "1/8: 8×8×40" in drawn.axes[3].get_title() and "1: 64×64×8" in drawn.axes[4].get_title()
    sheet = np.asarray(drawn.axes[1].images[0].get_array())
    assert sheet.shape[0] > sheet.shape[1]  # half as wide as it is high: the panel is widened with white


def test_the_channels_that_vary_most():
    """Of many dead channels and four live ones the live ones are shown: none of the four tiles is flat."""
    down, up = flow()
    down[1] = torch.zeros(1, 16, 32, 32)
    down[1][0, 3:7] = torch.rand(4, 32, 32, generator=torch.Generator().manual_seed(1))
    sheet = np.asarray(maps_figure(PHOTO, down, up).axes[1].images[0].get_array(), int)
    tiles = [sheet[y : y + 60, x : x + 60] for y in (2, 68) for x in (2, 68)]
    assert all(tile.std() > 20 for tile in tiles)
