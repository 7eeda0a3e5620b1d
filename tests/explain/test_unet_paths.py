"""U-Net's paths: the recorded features are those that flow, and table and figures say their shapes."""

from __future__ import annotations

import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from official import random_official
from torch.nn import functional as F

from labkit.explain.unet_paths import find_unet, maps_figure, paths, paths_figure, paths_table
from labkit.figures import svg
from labkit.io.errors import LabkitError
from labkit.locale import use_language
from labkit.models.semantic import network_input, pad

TABLE = """\
уровень  сжимающий путь  соединение  расширяющий путь
───────  ──────────────  ──────────  ────────────────
1        384×352×3       —           384×352×16
1/2      192×176×16      +16 →       192×176×32
1/4      96×88×24        +24 →       96×88×48
1/8      48×44×40        +40 →       48×44×64
1/16     24×22×112       +112 →      24×22×128
1/32     12×11×320       —           дно"""


@pytest.fixture(scope="module")
def portrait(load, default_photos):
    """The paths of a photo in portrait format, which is padded."""
    return paths(load("unet"), default_photos["officer"])


@pytest.fixture(scope="module")
def official():
    """The library's U-Net of the official weights, its tensors random, on small inputs."""
    return random_official("unet_people", 64)


def test_features_by_hand(portrait, load):
    """Each level of the expanding path is two convolutions over the doubled one below and the joined features."""
    unet = find_unet(load("unet").network)
    below = portrait.levels[-1].contracting[None]
    with torch.inference_mode():
        for block, level in zip(unet.decoder.blocks, portrait.levels[-2::-1], strict=True):
            doubled = F.interpolate(below, scale_factor=2, mode="nearest")
            skip = [level.contracting[None]] if level.joined else []
            assert level.joined == (len(level.contracting) if skip else 0)
            below = block.conv2(block.conv1(torch.cat([doubled, *skip], dim=1)))
            assert torch.allclose(below[0], level.expanding, atol=1e-4)
        assert torch.allclose(unet.segmentation_head(below)[0], portrait.output, atol=1e-4)


def test_input_and_the_photos_part_of_it(portrait):
    """The first features are the input itself; the photo's part of it is known without asking the model."""
    x = network_input(portrait.photo.pixels, 384)
    assert torch.equal(portrait.levels[0].contracting, pad(x)) and portrait.size == tuple(x.shape[1:]) == (384, 328)
    assert [level.stride for level in portrait.levels] == [1, 2, 4, 8, 16, 32]
    assert [level.joined for level in portrait.levels] == [0, 16, 24, 40, 112, 0]
    assert portrait.levels[-1].expanding is None


def test_table(portrait):
    """A row a level, as it flowed."""
    assert paths_table(portrait) == TABLE
    with use_language("en"):
        english = paths_table(portrait)
    assert english.splitlines()[0] == "level  contracting path  skip    expanding path"
    assert english.splitlines()[-1].endswith("bottom")


def test_diagram_names_every_shape(portrait):
    """Each recorded shape and each skip stands in the U once, within the figure and on no other word."""
    drawn = paths_figure(portrait)
    words = [one for one in drawn.axes[0].texts if one.get_text()]
    assert sorted(one.get_text() for one in words) == sorted(
        [shape for line in TABLE.splitlines()[2:] for shape in line.split() if "×" in shape]
        + ["+16", "+24", "+40", "+112", "выход: 384×352×21"]
    )
    FigureCanvasAgg(drawn).draw()
    boxes = [one.get_window_extent() for one in words] + [drawn.legends[0].get_window_extent()]
    for n, box in enumerate(boxes):
        assert drawn.bbox.x0 <= box.x0 and box.x1 <= drawn.bbox.x1
        assert drawn.bbox.y0 <= box.y0 and box.y1 <= drawn.bbox.y1
        assert not any(box.overlaps(other) for other in boxes[n + 1 :])
    with use_language("en"):
        assert "skip connection" in paths_figure(portrait).legends[0].get_texts()[2].get_text()


def test_maps_are_small(portrait):
    """The photo, and a sheet of four channels a level and path; little to store."""
    drawn = maps_figure(portrait)
    sheets = [image for ax in drawn.axes for image in ax.images]
    assert len(sheets) == 11 and all(max(sheet.get_size()) <= 320 for sheet in sheets)
    assert len(svg(drawn)) < 120_000
    assert [drawn.axes[n].get_ylabel() for n in (0, 6)] == ["сжимающий путь", "расширяющий путь"]


def test_paths_of_the_official_network(official, default_photos):
    """The same parts of the library's larger U-Net: its own channels, its one class and our background apart."""
    found = paths(official, default_photos["cat_kitten"])
    assert [level.stride for level in found.levels] == [1, 2, 4, 8, 16, 32] and len(found.output) == 1
    assert [len(level.contracting) for level in found.levels] == [3, 40, 32, 48, 136, 384]
    assert [level.joined for level in found.levels] == [0, 40, 32, 48, 136, 0]
    assert found.size == (64, 85) and paths_figure(found)
    with use_language("en"):
        assert maps_figure(found)


def test_no_unet_in_another_network(load):
    """What was given, and which variant has it."""
    with pytest.raises(LabkitError, match=r"PSPNet.*load_model\(2\)"):
        find_unet(load("pspnet").network)
