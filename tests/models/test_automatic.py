"""SAM's automatic mode: the same numbers and the same masks as segment_anything's, from less work."""

import threading

import numpy as np
import pytest
import torch
from segment_anything import SamAutomaticMaskGenerator
from segment_anything.build_sam import _build_sam

from labkit.evaluation.metrics import iou
from labkit.models import automatic
from labkit.models.automatic import decode
from labkit.models.sam import build


def tiny_vit():
    """segment_anything's own SAM around a tiny ViT."""
    return _build_sam(encoder_embed_dim=32, encoder_depth=1, encoder_num_heads=2, encoder_global_attn_indexes=[0])


@pytest.mark.parametrize("network", [build, tiny_vit], ids=["ours", "official"])
@pytest.mark.parametrize("part", [(1, 1), (0.75, 1), (1, 0.59)])
@torch.inference_mode()
def test_decoder_is_segment_anything_s(network, part):
    """Predicted IoU and logits of three points: the plain decoder's, where the photo is."""
    torch.manual_seed(0)
    network = network().eval()
    for parameter in network.mask_decoder.parameters():  # biases too, which begin as zeros
        parameter.add_(0.05 * torch.randn_like(parameter))
    side, encoder = network.image_encoder.img_size, network.prompt_encoder
    embedding = torch.randn(1, 256, *encoder.image_embedding_size)
    inner = tuple(round(side * share) for share in part)
    points = torch.rand(3, 2) * torch.tensor(inner[::-1])
    prompts = encoder(points=(points[:, None], torch.ones(3, 1)), boxes=None, masks=None)
    places = encoder.get_dense_pe()
    expected, scores = network.mask_decoder(embedding, places, *prompts, multimask_output=True)

    def found_above(threshold):
        parts = decode(network, embedding, places, points, inner, threshold, points_at_once=2)
        return (torch.cat(part) for part in zip(*parts, strict=True))

    masks, found = found_above(-1e9)
    (height, width), scale = masks.shape[1:], side // encoder.mask_input_size[0]
    assert (height - 1) * scale < inner[0] <= height * scale and (width - 1) * scale < inner[1] <= width * scale
    expected = expected.flatten(0, 1)[:, :height, :width]
    assert torch.allclose(masks[:, :height, :width], expected, atol=1e-4 * expected.abs().max())
    assert torch.allclose(found, scores.flatten(), atol=1e-5)
    some, high = found_above(float(found.median()))
    assert torch.equal(high, found[found > found.median()]) and len(some) == len(high)


def test_segments_are_segment_anything_s(load, plain, sheep):
    """The same segments as `SamAutomaticMaskGenerator` finds; small ones lie on top of large ones."""
    result = load("sam").segment(sheep, points_per_side=3, score_threshold=0.3, stability_threshold=0.5)
    generator = SamAutomaticMaskGenerator(plain, 3, pred_iou_thresh=0.3, stability_score_thresh=0.5, box_nms_thresh=0.7)
    expected = sorted(generator.generate(sheep.pixels), key=lambda row: -row["predicted_iou"])
    assert len(result.segments) == len(expected) > 0
    for segment, row in zip(result.segments, expected, strict=True):
        assert segment.score == pytest.approx(min(1.0, row["predicted_iou"]), abs=1e-3)
        assert iou(segment.mask, row["segmentation"]) > 0.99
    sizes = {segment.id: segment.area for segment in result.segments}
    for segment in result.segments:
        assert all(sizes[number] <= segment.area for number in np.unique(result.ids[segment.mask]))


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_share_the_points(load, sheep, monkeypatch, threads):
    """However many threads: the same segments, at most so many computing at once, and torch has its own back."""
    expected, before = load("sam").segment(sheep, points_per_side=4, score_threshold=0.5), torch.get_num_threads()
    seen = set()

    def watched(*arguments):
        seen.add((threading.get_ident(), torch.get_num_threads()))
        return decode(*arguments)

    monkeypatch.setattr(automatic, "decode", watched)
    torch.set_num_threads(threads)
    try:
        result, after = load("sam").segment(sheep, points_per_side=4, score_threshold=0.5), torch.get_num_threads()
        with pytest.raises(TypeError):  # what goes wrong on a thread
            automatic._side_by_side(len, [None] * threads, threads)
        assert (after, torch.get_num_threads()) == (threads, threads)
    finally:
        torch.set_num_threads(before)
    assert 1 <= len(seen) <= threads and {own for _, own in seen} == {1}
    assert len(result.segments) == len(expected.segments) > 0
    assert all(iou(a.mask, b.mask) > 0.99 for a, b in zip(result.segments, expected.segments, strict=True))


def test_nothing_found(load, default_photos):
    """Where no mask is good enough the result is empty."""
    result = load("sam").segment(default_photos["cat_kitten"], points_per_side=2, score_threshold=1.0)
    assert result.segments == [] and not result.ids.any() and not result.confidence.any()
