"""Training Mask R-CNN: torchvision's own losses, with places that nobody labelled left out of them."""

import torch
from torch import nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.image_list import ImageList

from labkit.classes import IGNORE
from labkit.training.loop import Learner, Recipe, freeze_stages, mixed, normalised
from labkit.training.scenes import Scene, mask_boxes

__all__ = ["MaskRCNNLearner"]

_UNLABELLED = 0.4  # a proposal of which more than this share is not labelled counts as neither object nor background


class MaskRCNNLearner(Learner):
    """Mask R-CNN with its losses on scenes (Ren et al., 2015, equation 1; He et al., 2017, section 3)."""

    def __init__(self, network: MaskRCNN):
        super().__init__()
        self.network = network
        freeze_stages(network.backbone.encoder)
        network.rpn._pre_nms_top_n = {"training": 600, "testing": 500}
        network.rpn._post_nms_top_n = {"training": 300, "testing": 300}
        network.roi_heads.fg_bg_sampler.batch_size_per_image = 96
        self._unlabelled: list[torch.Tensor] = []
        self._leave_out(network.rpn, "assign_targets_to_anchors", 0)
        self._leave_out(network.roi_heads, "assign_targets_to_proposals", 1)
        for part in (network.backbone.fpn, network.rpn.head, network.roi_heads.box_head, network.roi_heads.mask_head):
            _run_mixed(part)

    def train(self, mode: bool = True):
        super().train(mode)
        self.network.backbone.encoder.eval()
        return self

    def parts(self) -> list[nn.Module]:
        backbone = self.network.backbone
        return [backbone.encoder, backbone.fpn, self.network.rpn, self.network.roi_heads]

    def losses(self, batch: list[Scene], recipe: Recipe, rng: torch.Generator) -> dict[str, torch.Tensor]:
        """The five losses: objectness and boxes of the proposals; class, box and mask of the heads."""
        x = normalised(torch.stack([scene.pixels for scene in batch]).to(self.device))
        targets = [_target(scene, self.device) for scene in batch]
        self._unlabelled[:] = [_integral(scene.numbers.to(self.device) == IGNORE) for scene in batch]
        images = ImageList(x, [tuple(x.shape[-2:])] * len(batch))
        features = self.network.backbone(x)
        proposals, first = self.network.rpn(images, features, targets)
        _, second = self.network.roi_heads(features, [p.detach() for p in proposals], images.image_sizes, targets)
        losses = {name.removeprefix("loss_"): value for name, value in {**first, **second}.items()}
        if not any(len(target["boxes"]) for target in targets):  # perhaps no box counts: the mean over none is NaN
            losses = {name: value.nan_to_num() for name, value in losses.items()}
        return losses

    def _leave_out(self, part: nn.Module, method: str, labels: int) -> None:
        """Makes an assignment, of whose answer `labels` are those of boxes, say -1 for background nobody labelled."""
        assign = getattr(part, method)

        def assigned(boxes: list[torch.Tensor], *targets):
            answer = assign(boxes, *targets)
            for own, table, some in zip(answer[labels], self._unlabelled, boxes, strict=True):
                own[(own == 0) & (_share(table, some) > _UNLABELLED)] = -1
            return answer

        setattr(part, method, assigned)


def _target(scene: Scene, device: torch.device) -> dict[str, torch.Tensor]:
    objects = torch.tensor(scene.objects(), dtype=torch.int64)
    masks = scene.numbers == objects[:, None, None]
    labels = scene.labels[objects].long()
    return {"boxes": mask_boxes(masks).to(device), "labels": labels.to(device), "masks": masks.to(device, torch.uint8)}


def _integral(unlabelled: torch.Tensor) -> torch.Tensor:
    """The summed-area table of a mask, one row and column larger."""
    return nn.functional.pad(unlabelled.float().cumsum(0).cumsum(1), (1, 0, 1, 0))


def _share(table: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """Which share of each box (`xyxy`) is not labelled."""
    side = table.shape[0] - 1
    x0, y0, x1, y1 = boxes.detach().round().long().clamp(0, side).unbind(1)
    inside = table[y1, x1] - table[y0, x1] - table[y1, x0] + table[y0, x0]
    return inside / ((x1 - x0) * (y1 - y0)).clamp(min=1)


def _run_mixed(part: nn.Module) -> None:
    """Lets a part of dense convolutions compute as `mixed` does and answer in float32."""
    forward = part.forward

    def faster(x):
        with mixed(next(part.parameters()).device):
            return _floats(forward(x))

    part.forward = faster


def _floats(value):
    if isinstance(value, torch.Tensor):
        return value.float()
    if isinstance(value, dict):
        return {name: one.float() for name, one in value.items()}
    return type(value)(_floats(one) for one in value)
