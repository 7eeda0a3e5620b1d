"""MobileSAM's published weights as the kit's own file: where the embedded SAM comes from.

python -m tools.mobile_sam MOBILE_SAM.pt OUT.safetensors
"""

import argparse
from pathlib import Path

import torch
from segment_anything.modeling import Sam

from labkit.models import build_network
from labkit.training import export

__all__ = ["read_mobile_sam"]

_ENCODER = "image_encoder."


def read_mobile_sam(path: Path) -> Sam:
    """The network of variant 4 with the weights of `mobile_sam.pt` (Zhang et al., 2023).

    The encoder's tensors line up with those of timm's TinyViT, in order and in shape, but for ImageNet's classifier.
    Error of torch's where the file is another.
    """
    state, network = torch.load(path, map_location="cpu", weights_only=True), build_network("sam")
    theirs = [
        value for name, value in state.items() if name.startswith(_ENCODER) and not name.startswith(f"{_ENCODER}head.")
    ]
    ours = [name for name in network.state_dict() if name.startswith(_ENCODER)]
    rest = {name: value for name, value in state.items() if not name.startswith(_ENCODER)}
    network.load_state_dict(rest | dict(zip(ours, theirs, strict=True)))
    return network


def main() -> None:
    """Reads the published file, writes ours."""
    parser = argparse.ArgumentParser(description="Take over MobileSAM's published weights.")
    parser.add_argument("weights", metavar="MOBILE_SAM.pt", type=Path)
    parser.add_argument("out", metavar="OUT.safetensors", type=Path)
    arguments = parser.parse_args()
    print(export(read_mobile_sam(arguments.weights), "sam", arguments.out))


if __name__ == "__main__":
    main()
