"""SAM's network: the embedding's shape, and prompts that are drawn besides."""

import pytest
import torch
from segment_anything.modeling import MaskDecoder, PromptEncoder, Sam
from torch.nn import functional as F

from labkit.models.sam import OUTLINE_LOGIT, SIDE, build, smooth


@pytest.fixture(scope="module")
def network():
    """The network with random weights."""
    torch.manual_seed(0)
    return build().eval()


def test_parts_are_the_library_s(network):
    """Sam, its prompt encoder and its mask decoder; our own image encoder embeds 512 pixels on a grid of 64."""
    assert type(network) is Sam and isinstance(network.mask_decoder, MaskDecoder)
    assert isinstance(network.prompt_encoder, PromptEncoder)
    with torch.inference_mode():
        embedding = network.image_encoder(torch.zeros(1, 3, SIDE, SIDE))
    assert embedding.shape == (1, 512, *network.prompt_encoder.image_embedding_size) == (1, 512, 64, 64)


@torch.inference_mode()
def test_details_are_added_where_masks_are_enlarged(network):
    """Without details the decoder is the library's, smoothed; a detail changes the masks two pixels around at most."""
    sizes = {"transformer_dim": 128, "iou_head_depth": 3, "iou_head_hidden_dim": 128}
    plain = MaskDecoder(transformer=network.mask_decoder.transformer, num_multimask_outputs=3, **sizes).eval()
    plain.load_state_dict(network.mask_decoder.state_dict())
    embedding = torch.randn(1, 512, 64, 64)
    embedding[:, 128:] = 0
    places = network.prompt_encoder.get_dense_pe()
    sparse, dense = network.prompt_encoder(
        points=(torch.tensor([[[100.0, 60.0]]]), torch.tensor([[1]])), boxes=None, masks=None
    )
    masks, scores = network.mask_decoder(embedding, places, sparse, dense, True)
    theirs, their_scores = plain(embedding[:, :128], places, sparse, dense, True)
    assert torch.allclose(masks, smooth(smooth(theirs).mT).mT, atol=1e-4) and torch.allclose(
        scores, their_scores, atol=1e-5
    )
    finest = torch.zeros(1, 16, 256, 256)
    finest[..., 77, 201] = 5.0
    embedding[:, 256:] = F.pixel_unshuffle(finest, 4)
    changed = (network.mask_decoder(embedding, places, sparse, dense, True)[0] - masks).abs().amax(1)[0] > 1e-4
    assert changed[75:80, 199:204].all() and changed.sum() == 25


def test_squares_are_smoothed_away():
    """What alternates from pixel to pixel vanishes, what is even or rises stays, up to the ends."""
    even, rising = torch.ones(3, 8), torch.arange(8.0)
    alternating = torch.tensor([1.0, -1.0]).repeat(4)
    assert torch.equal(smooth(even), even) and torch.equal(smooth(rising)[2:-2], rising[2:-2])
    assert smooth(alternating)[2:-2].abs().max() == 0 and smooth(alternating).abs().max() < 0.7


def test_box_is_drawn(network):
    """Inside the box the mask prompt says yes, outside no, at half the resolution of the input."""
    drawn = network.prompt_encoder.draw(None, torch.tensor([[100.0, 50.0, 200.0, 300.0]]), None)
    inside = drawn[0, 0] > 0
    assert drawn.shape == (1, 1, SIDE // 2, SIDE // 2)
    assert drawn.unique().tolist() == [-OUTLINE_LOGIT / 2, OUTLINE_LOGIT / 2]
    assert inside[25:150, 50:100].all() and inside.sum() == 125 * 50


def test_points_are_drawn(network):
    """A disc at each point, yes or no by its label, that fades out; the padding label -1 draws nothing."""
    points = torch.tensor([[[100.0, 60.0], [300.0, 200.0], [0.0, 0.0]]])
    drawn = network.prompt_encoder.draw((points, torch.tensor([[1, 0, -1]])), None, None)[0, 0]
    assert drawn[30, 50] > 2 * OUTLINE_LOGIT and drawn[100, 150] < -2 * OUTLINE_LOGIT
    assert drawn[30, 60] < drawn[30, 50] and drawn[30, 60] > drawn[30, 90] > 0
    assert abs(drawn[0, 0]) < OUTLINE_LOGIT / 2


def test_a_mask_stays_what_it_is(network):
    """Of a mask prompt only the discs at the points change; a box beside it is not drawn over it."""
    mask = torch.randn(1, 1, SIDE // 2, SIDE // 2)
    point = (torch.tensor([[[100.0, 60.0]]]), torch.tensor([[1]]))
    assert torch.equal(network.prompt_encoder.draw(None, torch.tensor([[0.0, 0.0, 9.0, 9.0]]), mask), mask)
    changed = network.prompt_encoder.draw(point, None, mask) != mask
    rows, columns = changed[0, 0].nonzero().unbind(1)
    assert 26 <= rows.min() and rows.max() <= 34 and 46 <= columns.min() and columns.max() <= 54
    assert network.prompt_encoder.draw(None, None, None) is None


def test_same_as_the_library_given_the_drawing(network):
    """With the drawn mask handed to segment_anything's own prompt encoder the embeddings are equal."""
    boxes = torch.tensor([[10.0, 20.0, 200.0, 220.0], [50.0, 60.0, 90.0, 100.0]])
    encoder = network.prompt_encoder
    with torch.inference_mode():
        ours = encoder(points=None, boxes=boxes, masks=None)
        theirs = PromptEncoder.forward(encoder, points=None, boxes=boxes, masks=encoder.draw(None, boxes, None))
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))
