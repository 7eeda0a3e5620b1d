"""SAM's network: the library's own parts around MobileSAM's image encoder."""

import torch
from segment_anything.modeling import MaskDecoder, PromptEncoder, Sam

from labkit.models.sam import SIDE, build


@torch.inference_mode()
def test_parts_are_the_library_s():
    """Sam, its prompt encoder and its mask decoder; the encoder embeds 512 pixels on a grid of 32."""
    network = build().eval()
    assert type(network) is Sam and type(network.mask_decoder) is MaskDecoder
    assert type(network.prompt_encoder) is PromptEncoder
    embedding = network.image_encoder(torch.zeros(1, 3, SIDE, SIDE))
    assert embedding.shape == (1, 256, *network.prompt_encoder.image_embedding_size) == (1, 256, 32, 32)
