"""SAM's automatic mode: a grid of points asks for everything (Kirillov et al., 2023, appendix B), at a CPU's pace.

What segment_anything's `SamAutomaticMaskGenerator` finds, from the same weights, with less work:

* what the first layer asks of the photo's features, which are the same for every point, is worked out once;
* between a few tokens and thousands of places the attention's projections go to the tokens, (W·x)·k = x·(Wᵀ·k);
* a point's features are enlarged only where a mask's predicted IoU passes, and only where the photo is;
* masks are compared at the decoder's size, and only what is left is brought to the photo's;
* each core has points of its own, where torch's threads would wait for each other at every small product.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from segment_anything import SamPredictor
from segment_anything.modeling import MaskDecoder, Sam, TwoWayTransformer
from segment_anything.modeling.transformer import Attention, TwoWayAttentionBlock
from segment_anything.utils.amg import build_point_grid, calculate_stability_score
from torch.nn import functional as F
from torchvision.ops import nms

__all__ = ["decode", "everything"]

_POINTS = 64  # of which the first layer asks at once, at most; fewer where memory allows few of the others


def everything(
    seen: SamPredictor,
    points_at_once: int,
    points_per_side: int,
    score_threshold: float,
    stability_threshold: float,
    nms_threshold: float,
) -> tuple[list[np.ndarray], list[float]]:
    """The masks (`HxW` bool) that a grid of points finds in the photo seen, and their predicted IoU, best first."""
    network, inner, size = seen.model, seen.input_size, seen.original_size
    places = network.prompt_encoder.get_dense_pe()
    grid = torch.from_numpy(build_point_grid(points_per_side)).float().to(seen.device)
    points = grid * torch.tensor([inner[1], inner[0]], device=seen.device)
    scale = network.image_encoder.img_size // network.prompt_encoder.mask_input_size[0]
    enlarge = [_enlarging(inner, scale, side) for side in (min(inner, size), size)]  # to compare, to keep

    def find(asked: torch.Tensor) -> list[torch.Tensor]:
        """Masks at the decoder's size, their predicted IoU and their boxes."""
        found = []
        for masks, score in decode(network, seen.features, places, asked, inner, score_threshold, points_at_once):
            logits = enlarge[0](masks)
            stable = calculate_stability_score(logits, network.mask_threshold, 1.0) >= stability_threshold
            found.append((masks[stable], score[stable], _boxes(logits, network.mask_threshold)[stable]))
        return [torch.cat(part) for part in zip(*found, strict=True)]

    threads = torch.get_num_threads() if points.device.type == "cpu" else 1
    group = max(points_at_once, min(16 * points_at_once, _POINTS))
    groups = points.chunk(threads * math.ceil(len(points) / threads / group))
    low, scores, boxes = (torch.cat(part) for part in zip(*_side_by_side(find, groups, threads), strict=True))
    kept = nms(boxes.float(), scores, nms_threshold)
    large = [(enlarge[1](mask) > network.mask_threshold).cpu().numpy() for mask in low[kept]]
    return large, scores[kept].tolist()


def _side_by_side(
    work: Callable[[torch.Tensor], list[torch.Tensor]], parts: Sequence[torch.Tensor], threads: int
) -> list[list[torch.Tensor]]:
    """What `work` gives of each part, on so many threads of which torch makes no further ones."""
    if threads == 1:
        return [work(part) for part in parts]
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(torch.inference_mode()(work), parts))
    finally:
        torch.set_num_threads(threads)


def _enlarging(inner: tuple[int, int], scale: int, size: tuple[int, int]) -> Callable[[torch.Tensor], torch.Tensor]:
    """Bilinear interpolation of `...xhxw` by `scale`, cut at `inner`, and from there to `size`, as two matrices.

    Torch's own is several times slower on a CPU.
    """
    sides = []
    for length, target in zip(inner, size, strict=True):
        line = F.interpolate(torch.eye(-(-length // scale))[None], scale_factor=scale, mode="linear")[..., :length]
        sides.append(F.interpolate(line, target, mode="linear")[0])
    rows, columns = sides
    return lambda low: torch.einsum("...ij,iy->...yj", low @ columns.to(low.device), rows.to(low.device))


def _boxes(logits: torch.Tensor, threshold: float) -> torch.Tensor:
    """The boxes, `Kx4`, of what is above the threshold, as segment_anything counts them: zeros where nothing is."""
    ends = []
    for side in (-2, -1):
        inside = (logits.amax(side) > threshold).int()
        ends.append(torch.stack([inside.argmax(1), inside.shape[1] - 1 - inside.flip(1).argmax(1)], 1))
    return torch.stack(ends, 2).flatten(1) * inside.any(1)[:, None]


def decode(
    network: Sam,
    embedding: torch.Tensor,
    places: torch.Tensor,
    points: torch.Tensor,
    inner: tuple[int, int],
    score_threshold: float,
    points_at_once: int,
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The decoder's masks for points (`Px2`, pixels of its input), each alone, whose IoU passes; some points at a time.

    `embedding` is of a photo that fills `inner` (HxW) of the encoder's input, `places` are its places' codes. Given
    are logits `Kxhxw` at a quarter of its stride, of the part where the photo is, and their IoU, `K`.
    """
    decoder, (down, across) = network.mask_decoder, embedding.shape[-2:]
    stride = network.image_encoder.img_size // across
    rows, columns = (math.ceil(side / stride) for side in inner)
    height, width = (math.ceil(4 * side / stride) for side in inner)
    labels = torch.ones(len(points), 1, device=points.device)
    sparse, dense = network.prompt_encoder((points[:, None], labels), boxes=None, masks=None)
    single, *several = decoder.mask_tokens.weight.split(1)  # the first, for a prompt that leaves no doubt, is not read
    own = torch.cat([decoder.iou_token.weight, *several, single])
    asked = torch.cat([own.expand(len(points), -1, -1), sparse], 1)
    image = (embedding + dense[:1]).permute(0, 2, 3, 1).flatten(1, 2).contiguous()
    places = places.permute(0, 2, 3, 1).flatten(1, 2)
    for tokens, features in _two_way(decoder.transformer, asked, image, places, points_at_once, answers=len(own) - 1):
        scores = decoder.iou_prediction_head(tokens[:, 0])[:, 1:]
        passed = scores > score_threshold
        some = passed.any(1)
        masks = _enlarged(decoder, features[some].unflatten(1, (down, across))[:, :rows, :columns], tokens[some])
        yield masks[passed[some]][:, :height, :width], scores[passed]


def _two_way(
    transformer: TwoWayTransformer,
    prompts: torch.Tensor,
    image: torch.Tensor,
    places: torch.Tensor,
    points_at_once: int,
    answers: int,
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """segment_anything's two-way transformer: tokens `PxTxC` and features `1xNxC` attend to each other.

    The first layer asks once for all points; after that each has features of its own, and a few are done at a time.
    Only the first `answers` tokens of each point are asked for in the end, and given.
    """
    first, *others = transformer.layers
    placed_image = image + places
    everywhere = _asked(first, prompts, prompts, placed_image, image)
    heard = _told(first.cross_attn_image_to_token, placed_image, everywhere + prompts, everywhere)
    few = (x.split(points_at_once) for x in (prompts, everywhere, *heard))
    for asked, tokens, weights, told in zip(*few, strict=True):
        features = first.norm4(torch.baddbmm(image, weights.mT, told))
        for layer in others:
            placed = features + places
            tokens = _asked(layer, tokens, asked, placed, features)
            weights, told = _told(layer.cross_attn_image_to_token, placed, tokens + asked, tokens)
            features = layer.norm4(features.baddbmm_(weights.mT, told))
        tokens, asked = tokens[:, :answers], asked[:, :answers]
        attended = _from_image(transformer.final_attn_token_to_image, tokens + asked, features + places, features)
        yield transformer.norm_final_attn(tokens + attended), features


def _asked(
    layer: TwoWayAttentionBlock, tokens: torch.Tensor, asked: torch.Tensor, placed: torch.Tensor, image: torch.Tensor
) -> torch.Tensor:
    """A layer's tokens, after they have attended to each other and to the places."""
    if layer.skip_first_layer_pe:
        tokens = layer.self_attn(tokens, tokens, tokens)
    else:
        tokens = tokens + layer.self_attn(tokens + asked, tokens + asked, tokens)
    tokens = layer.norm1(tokens)
    tokens = layer.norm2(tokens + _from_image(layer.cross_attn_token_to_image, tokens + asked, placed, image))
    return layer.norm3(tokens + layer.mlp(tokens))


def _from_image(attention: Attention, tokens: torch.Tensor, placed: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
    """What the tokens (`PxTxC`) take from the places; the keys' bias is the same for all of them and cancels."""
    if len(image) == 1:  # the same places for all: the tokens of all points stand in one row
        return attention(tokens.flatten(0, 1)[None], placed, image).view_as(tokens)
    heads = attention.num_heads
    queries = attention.q_proj(tokens).unflatten(2, (heads, -1)) / math.sqrt(attention.internal_dim // heads)
    asked = torch.einsum("pthd,hdc->phtc", queries, _by_head(attention.k_proj.weight, heads)).flatten(1, 2)
    seen = ((asked @ placed.mT).softmax(-1) @ image).unflatten(1, (heads, -1))
    values = torch.einsum("phtc,hdc->pthd", seen, _by_head(attention.v_proj.weight, heads)).flatten(2)
    return attention.out_proj(values + attention.v_proj.bias)


def _told(
    attention: Attention, placed: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the places take from the tokens: each head's weights, `PxHTxN`, and what its tokens tell, `PxHTxC`.

    Each head's weights sum to 1 and bring the biases.
    """
    heads = attention.num_heads
    keys = attention.k_proj(keys).unflatten(2, (heads, -1)) / math.sqrt(attention.internal_dim // heads)
    if len(placed) == 1:
        logits = torch.einsum("pthd,nhd->hptn", keys, attention.q_proj(placed[0]).unflatten(1, (heads, -1)))
        weights = logits.softmax(2).transpose(0, 1).flatten(1, 2)
    else:
        asked = torch.einsum("pthd,hdc->phtc", keys, _by_head(attention.q_proj.weight, heads)).flatten(1, 2)
        bias = torch.einsum("pthd,hd->pht", keys, attention.q_proj.bias.unflatten(0, (heads, -1))).flatten(1)
        logits = torch.baddbmm(bias[..., None], asked, placed.mT).unflatten(1, (heads, -1))
        weights = logits.softmax(2).flatten(1, 2)
    values = attention.v_proj(values).unflatten(2, (heads, -1))
    told = torch.einsum("pthd,hdc->phtc", values, _by_head(attention.out_proj.weight.T, heads)).flatten(1, 2)
    return weights, told + attention.out_proj.bias / heads


def _by_head(weight: torch.Tensor, heads: int) -> torch.Tensor:
    return weight.unflatten(0, (heads, -1))


def _enlarged(decoder: MaskDecoder, image: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Masks `Px3x(4h)x(4w)` of features `PxhxwxC`: the transposed convolutions as products of matrices, place by place.

    A pixel's place in its cell is an axis of its own, so that nothing moves before the end.
    """
    first, norm, active, second, last = decoder.output_upscaling
    x = _transposed(first, image)  # PxhxwxYxXxc: Y, X: the pixel in the cell of stride 2
    x = F.layer_norm(x, x.shape[-1:], norm.weight, norm.bias, norm.eps)
    x = _transposed(second, active(x))  # PxhxwxYxXxyxxxc
    x = last(x)
    hyper = torch.stack([mlp(tokens[:, n]) for n, mlp in enumerate(decoder.output_hypernetworks_mlps[1:], 1)], 1)
    masks = (hyper @ x.flatten(1, -2).mT).unflatten(2, x.shape[1:-1])
    return masks.permute(0, 1, 2, 4, 6, 3, 5, 7).flatten(2, 4).flatten(3)


def _transposed(layer: torch.nn.ConvTranspose2d, x: torch.Tensor) -> torch.Tensor:
    """A transposed convolution of kernel and stride 2: `...xc` to `...x2x2xd`."""
    product = F.linear(x, layer.weight.permute(2, 3, 1, 0).flatten(0, 2)).unflatten(-1, (2, 2, -1))
    return product if layer.bias is None else product.add_(layer.bias)
