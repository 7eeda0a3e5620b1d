"""Training SAM: every object of a scene is asked for by simulated prompts, again and again (Kirillov et al., 2023, A).

A first prompt (a box, a point, several points, a rough outline) is followed, half of the time, by points where the
answer was wrong, with the answer itself as a mask prompt, as its mask (`prompt(mask=...)` gives that) or as its logits
(`SamPredictor` gives those). All four masks learn from each prompt: the best of the three answers, and the single one.
"""

import torch
from segment_anything.modeling import Sam
from torch import nn
from torch.nn import functional as F
from torchvision.ops import roi_align

from labkit.classes import IGNORE
from labkit.models.sam import OUTLINE_LOGIT
from labkit.training.loop import FROZEN, Learner, Recipe, mixed
from labkit.training.scenes import Scene, mask_boxes

__all__ = ["SamLearner", "box_prompt", "correction", "draw_objects", "mask_loss", "outline_prompt", "point_prompt"]

_OBJECTS = 4  # at most so many objects of a scene are asked for

_KINDS = {"box": 0.25, "point": 0.45, "points": 0.2, "outline": 0.1}
_CORRECTIONS = (0.5, 0.25, 0.25)  # chances of none, one and two corrections after the first prompt
_AS_MASK = 0.7  # how often a correction is given the answer's mask, not its logits
_OTHERS = 0.1  # what all three answers count beside the best, so that none is left behind

_WINDOW = 64

_EDGE, _EDGE_PLACES, _EDGE_WIDTH = 0.5, 512, 5
"""What the places of the band around an object's edge count, how many of them are drawn, and the band's width."""


class SamLearner(Learner):
    """SAM with its losses on scenes, class-agnostic."""

    def __init__(self, network: Sam):
        super().__init__()
        self.network = network
        trunk = network.image_encoder.trunk
        for part in (trunk.patch_embed, *trunk.stages[:FROZEN]):
            part.requires_grad_(False)
        self.steady = [network.image_encoder]

    def parts(self) -> list[nn.Module]:
        image = self.network.image_encoder
        return [image.trunk, image.neck, self.network.prompt_encoder, self.network.mask_decoder]

    def losses(self, batch: list[Scene], recipe: Recipe, rng: torch.Generator) -> dict[str, torch.Tensor]:
        """The losses of the best of three masks, of the single mask, and of the predicted IoU."""
        x = self.network.preprocess(torch.stack([scene.pixels for scene in batch]).to(self.device))
        with mixed(self.device):
            embeddings = self.network.image_encoder(x).float()
        parts: dict[str, list[torch.Tensor]] = {"best": [], "single": [], "iou": []}
        for scene, embedding in zip(batch, embeddings, strict=True):
            objects = draw_objects(scene, rng)
            if not objects:
                continue
            masks = torch.stack([scene.numbers == number for number in objects]).to(self.device)
            self._ask(embedding[None], masks, (scene.numbers != IGNORE).to(self.device), rng, parts)
        zero = embeddings.sum() * 0
        return {name: torch.stack(values).mean() if values else zero for name, values in parts.items()}

    def _ask(self, embedding, masks, valid, rng, parts) -> None:
        kind = list(_KINDS)[torch.multinomial(torch.tensor(list(_KINDS.values())), 1, generator=rng).item()]
        count = len(masks)
        points = torch.zeros(count, 0, 2, device=masks.device)
        labels = torch.zeros(count, 0, device=masks.device)
        boxes, previous = None, None
        if kind == "box":
            boxes = box_prompt(masks, rng)
        elif kind == "outline":
            boxes, previous = box_prompt(masks, rng, noise=0.02), outline_prompt(masks, rng)
        else:
            more = 1 if kind == "point" else torch.randint(2, 5, (1,), generator=rng).item()
            points, labels = point_prompt(masks, more, rng)
        corrections = torch.multinomial(torch.tensor(_CORRECTIONS), 1, generator=rng).item()
        for turn in range(corrections + 1):
            logits, scores = self._answer(embedding, points, labels, boxes, previous)
            loss, iou = mask_loss(logits, masks, valid, rng)
            parts["best"].append((loss[:, 1:].amin(1) + _OTHERS * loss[:, 1:].mean(1)).mean())
            parts["single"].append(loss[:, 0].mean())
            parts["iou"].append(F.mse_loss(scores, iou))
            if turn == corrections:
                break
            lone = points.shape[1] == 1 and boxes is None
            best = scores[:, 1:].argmax(1) + 1 if lone else torch.zeros(count, dtype=torch.int64, device=masks.device)
            previous = logits.detach()[torch.arange(count), best][:, None].clamp(-32, 32)
            if torch.rand(1, generator=rng) < _AS_MASK:
                previous = torch.where(previous > 0, OUTLINE_LOGIT, -OUTLINE_LOGIT)
            more, signs = correction(previous, masks & valid, valid, rng)
            points, labels = torch.cat([points, more[:, None]], 1), torch.cat([labels, signs[:, None]], 1)

    def _answer(self, embedding, points, labels, boxes, previous):
        network = self.network
        with mixed(embedding.device):
            asked = (points, labels) if points.shape[1] else None
            sparse, dense = network.prompt_encoder(points=asked, boxes=boxes, masks=previous)
            logits, scores = network.mask_decoder.predict_masks(
                embedding, network.prompt_encoder.get_dense_pe(), sparse, dense
            )
        return logits.float(), scores.float()


def draw_objects(scene: Scene, rng: torch.Generator) -> list[int]:
    """The numbers of at most four of a scene's objects, drawn ~ area^0.5."""
    objects = scene.objects()
    if not objects:
        return []
    areas = torch.bincount(scene.numbers.flatten().long(), minlength=256)[objects]
    drawn = areas.sqrt().multinomial(min(_OBJECTS, len(objects)), generator=rng)
    return [objects[n] for n in drawn.tolist()]


def box_prompt(masks: torch.Tensor, rng: torch.Generator, noise: float = 0.1) -> torch.Tensor:
    """The boxes (`Nx4`, xyxy) of masks `NxSxS` bool, some drawn with care, some roughly.

    Each side moves by up to about `noise` of the box, another part of it for each box, and by at most 2 % of the photo
    (SAM's 20 of 1024 pixels, appendix A).
    """
    boxes, side = mask_boxes(masks), masks.shape[-1]
    extent = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    rough = torch.rand(len(boxes), 1, generator=rng).to(masks.device) * noise
    moved = torch.randn(boxes.shape, generator=rng).to(masks.device) * rough * extent
    return (boxes + moved.clamp(-20 / 1024 * side, 20 / 1024 * side)).clamp(0, side)


def point_prompt(masks: torch.Tensor, count: int, rng: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Points (`NxKx2`, xy) and their labels (`NxK`): the first in the object, the others in it or around it.

    Half of the first points are the place of the object that is nearest to its middle.
    """
    boxes = mask_boxes(masks)
    points, labels = [], []
    for mask, box in zip(masks, boxes, strict=True):
        inside = mask.nonzero().flip(1).float()
        own = inside[torch.randint(len(inside), (count,), generator=rng)]
        if torch.rand(1, generator=rng) < 0.5:
            own[0] = inside[(inside - inside.mean(0)).square().sum(1).argmin()]
        sign = torch.ones(count, device=masks.device)
        for k in range(1, count):
            if torch.rand(1, generator=rng) < 0.4:
                extent = box[2:] - box[:2]
                near = box[:2] - 0.25 * extent + torch.rand(2, generator=rng).to(box) * 1.5 * extent
                column, row = near.long().clamp(0, mask.shape[-1] - 1).tolist()
                own[k], sign[k] = near.clamp(0, mask.shape[-1] - 1), float(mask[row, column])
        points.append(own)
        labels.append(sign)
    return torch.stack(points), torch.stack(labels)


def outline_prompt(masks: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """A rough outline as a mask prompt: `Nx1xMxM` logits, M = S/4, of the masks coarsened to a few cells a side."""
    rough = []
    for mask, (x0, y0, x1, y1) in zip(masks, mask_boxes(masks).long().tolist(), strict=True):
        cells = torch.randint(5, 16, (1,), generator=rng).item()
        part = mask[y0:y1, x0:x1][None, None].float()
        coarse = F.interpolate(F.adaptive_avg_pool2d(part, cells), part.shape[-2:], mode="bilinear")
        whole = torch.zeros(mask.shape, device=masks.device)
        whole[y0:y1, x0:x1] = (coarse[0, 0] > 0.5).float()
        rough.append(whole)
    small = F.avg_pool2d(torch.stack(rough)[:, None], 4)
    return (small * 2 - 1) * OUTLINE_LOGIT


def correction(
    logits: torch.Tensor, masks: torch.Tensor, valid: torch.Tensor, rng: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """For each object a point (`Nx2`, xy) where the answer is wrong, and its label; in the object where nothing is."""
    answer, side = F.interpolate(logits, masks.shape[-2:], mode="bilinear")[:, 0] > 0, masks.shape[-1]
    wrong, inside = ((answer != masks) & valid).flatten(1), masks.flatten(1)
    chances = torch.where(wrong.any(1, keepdim=True), wrong, inside).float().cpu()
    chances[:, 0] += 1e-9  # for an object that is nowhere to be seen
    places = chances.multinomial(1, generator=rng).to(masks.device)
    return torch.cat([places % side, places // side], 1).float(), inside.gather(1, places)[:, 0].float()


def mask_loss(
    logits: torch.Tensor, masks: torch.Tensor, valid: torch.Tensor, rng: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss and the true IoU of each answer, both `NxA`, for logits `NxAxMxM` and masks `NxSxS` bool.

    Cross entropy and Dice on 64x64 places of a window twice the object's box, so that a small object weighs as much
    as a large one, cross entropy on a coarse grid over all of the photo, and on places along the object's edge, at the
    photo's own resolution (the uncertain places of PointRend, Kirillov et al., 2020, section 3.3, by the truth).
    `valid` is `SxS` bool.
    """
    side, step = masks.shape[-1], masks.shape[-1] // logits.shape[-1]
    truth = torch.stack([masks.float(), valid.float().expand_as(masks)], 1)
    boxes = mask_boxes(masks)
    centre, extent = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    half, n = extent.clamp(min=24), torch.arange(len(boxes), device=boxes.device)
    windows = torch.cat([n[:, None], centre - half, centre + half], 1)
    near, wanted = (roi_align(x, windows, _WINDOW, x.shape[-1] / side, 1, aligned=True) for x in (logits, truth))
    target, weight = wanted[:, :1], (wanted[:, 1:] > 0.99).float()
    total = weight.sum((2, 3)).clamp(min=1)
    entropy = (F.binary_cross_entropy_with_logits(near, target.expand_as(near), reduction="none") * weight).sum((2, 3))
    probability = near.sigmoid() * weight
    overlap = (probability * target).sum((2, 3))
    dice = 1 - (2 * overlap + 1) / (probability.sum((2, 3)) + (target * weight).sum((2, 3)) + 1)
    row, column = torch.randint(8, (2,), generator=rng).tolist()
    far = logits[:, :, row // step :: 8 // step, column // step :: 8 // step]
    seen = truth[:, :, row::8, column::8]
    coarse = F.binary_cross_entropy_with_logits(far, seen[:, :1].expand_as(far), reduction="none") * seen[:, 1:]
    loss = entropy / total + dice + coarse.mean((2, 3)) + _EDGE * _edge_loss(logits, masks, valid, rng)
    with torch.no_grad():
        answer = (logits > 0) & valid[::step, ::step]
        object_ = (masks & valid)[:, None, ::step, ::step]
        iou = (answer & object_).sum((2, 3)) / (answer | object_).sum((2, 3)).clamp(min=1)
    return loss, iou


def _edge_loss(logits: torch.Tensor, masks: torch.Tensor, valid: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Cross entropy (`NxA`) at places drawn from the band around each mask's edge."""
    side = masks.shape[-1]
    inside = masks[:, None].float()
    near_in, near_out = (F.max_pool2d(x, _EDGE_WIDTH, 1, _EDGE_WIDTH // 2) for x in (inside, 1 - inside))
    band = ((near_in * near_out)[:, 0] * valid).flatten(1)
    places = (band + 1e-9).cpu().multinomial(_EDGE_PLACES, replacement=True, generator=rng).to(masks.device)
    rows, columns = places // side, places % side
    grid = (torch.stack([columns, rows], -1) + 0.5) / side * 2 - 1
    answer = F.grid_sample(logits, grid[:, None], mode="bilinear", padding_mode="border", align_corners=False)[:, :, 0]
    truth = masks.flatten(1).gather(1, places)[:, None].float().expand_as(answer)
    counted = band.gather(1, places)[:, None]
    entropy = F.binary_cross_entropy_with_logits(answer, truth, reduction="none") * counted
    return entropy.sum(2) / counted.sum(2).clamp(min=1)
