"""MobileSAM's published file: its tensors find their places in ours."""

import pytest
import torch

from labkit.models import build_network
from tools.mobile_sam import read_mobile_sam


def test_tensors_find_their_places(tmp_path):
    """The encoder's go in by order, whatever they are called, without ImageNet's classifier; the others by name."""
    torch.manual_seed(0)
    network = build_network("sam")
    state, published = network.state_dict(), {}
    for n, (name, value) in enumerate(state.items()):
        if n == len(state) // 2:
            published["image_encoder.head.weight"] = torch.zeros(1000, 320)
        published[f"image_encoder.layer.{n}" if name.startswith("image_encoder.") else name] = value
    path = tmp_path / "mobile_sam.pt"
    torch.save(published, path)
    read = read_mobile_sam(path).state_dict()
    assert all(torch.equal(read[name], value) for name, value in state.items())
    del published["image_encoder.layer.5"]
    torch.save(published, path)
    with pytest.raises(ValueError, match="shorter"):
        read_mobile_sam(path)
