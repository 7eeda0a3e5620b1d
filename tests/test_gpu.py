"""On a GPU: half precision gives the masks of float32, batches fit, and what does not fit is made smaller."""

import pytest
import torch

from labkit.evaluation.metrics import iou
from labkit.models import load_model
from labkit.variants import VARIANTS

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here: torch.cuda.is_available()")


@pytest.mark.parametrize("row", VARIANTS, ids=lambda row: row.name)
def test_masks_of_float32(row, load, default_photos):
    """Each variant's masks agree with the CPU's float32 on at least 99.5 % of the pixels of each photo."""
    model = load_model(row, "embedded", "cuda")
    exact = load(row.name)
    assert model.precision == (torch.float16 if row.kind == "semantic" else torch.float32)
    for photo in default_photos.values():
        if row.kind == "prompted":
            height, width = photo.pixels.shape[:2]
            box = (0.2 * width, 0.2 * height, 0.8 * width, 0.8 * height)
            for one in (model, exact):
                one.set_photo(photo)
            first, second = (one.prompt(box=box).ids for one in (model, exact))
        else:
            first, second = (one.segment(photo).labels for one in (model, exact))
        assert (first == second).mean() >= 0.995, photo.name


def test_batches(default_photos):
    """Photos of one size go through together, as many as fit, with the masks they have alone."""
    model = load_model("deeplab", "embedded", "cuda")
    assert 1 < model.batch <= 16
    photo = default_photos["sheep"]
    results = model.segment_all([photo] * 5)
    assert all((result.ids == results[0].ids).mean() > 0.999 for result in results)


def test_automatic_mode(default_photos):
    """SAM finds the same things as on the CPU, many points at once."""
    model, exact = (load_model("sam", "embedded", device) for device in ("cuda", "cpu"))
    found, expected = (one.segment(default_photos["sheep"], points_per_side=8) for one in (model, exact))
    large = [s for s in expected.segments if s.area > 0.05 * expected.ids.size]
    assert large and all(max(iou(s.mask, other.mask) for other in found.segments) > 0.9 for s in large)


def test_real_memory_runs_out(default_photos):
    """With nearly no memory allowed the kernel lives on, and the photo is segmented all the same."""
    model = load_model("unet", "embedded", "cuda")
    torch.cuda.set_per_process_memory_fraction(0.0005)
    try:
        result = model.segment(default_photos["sheep"])
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert result.ids.shape == default_photos["sheep"].pixels.shape[:2]


def test_sam_goes_on_where_the_network_is(default_photos):
    """A photo that was set on the GPU still answers when memory has since driven the network to the CPU."""
    model, exact = (load_model("sam", "embedded", device) for device in ("cuda", "cpu"))
    photo, box = default_photos["sheep"], (100, 100, 400, 400)
    for one in (model, exact):
        one.set_photo(photo)
    model.device = torch.device("cpu")
    model.network.to(model.device)
    assert (model.prompt(box=box).ids == exact.prompt(box=box).ids).mean() >= 0.995
