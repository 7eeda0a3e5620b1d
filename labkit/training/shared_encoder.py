"""Training the semantic variants: several decoders on one shared encoder.

The encoder is the dear part of a step, so the four semantic variants are trained together: one pass of the encoder
serves all decoders, and all get the same data, the same steps and the same features. A stride-32 decoder sees every
second place of the dilated stride-16 features, which are equal to the undilated ones (algorithme à trous, Chen et
al., 2018, section 3.1), so each variant's own forward pass is what is trained. One variant alone goes the same way.

Where DeepLab starts as the teacher (`labkit.training.teacher`), its answer to the very crop is also what the others
learn from (Hinton et al., 2015, section 2), above all where nobody labelled; it learns from labels alone.
"""

from __future__ import annotations

import torch
from segmentation_models_pytorch.decoders.deeplabv3.decoder import ASPPPooling
from torch import nn
from torch.nn import functional as F

from labkit.classes import IGNORE
from labkit.models.backbone import MEAN, STD
from labkit.training.loop import Recipe, freeze_stages

__all__ = ["SharedEncoder", "loss"]


class SharedEncoder(nn.Module):
    """The semantic networks `{variant: network}` on one encoder: `Bx3xHxW` uint8 to `{output: BxCxhxw logits}`.

    The logits have each decoder's own stride: what enlarges them last has nothing to learn (FCN's last transposed
    convolution stays bilinear, as in Long et al., section 4.3, and is left out with the others).
    FCN has three outputs, one a stride, so that FCN-32s and FCN-16s are trained besides FCN-8s. U-Net's expanding path
    is deeply supervised (Lee et al., 2015): two 1x1 score layers, dropped afterwards, look at its stride 16 and 4.
    """

    def __init__(self, networks: dict[str, nn.Module], encoder: nn.Module, frozen_stages: int):
        super().__init__()
        self.encoder = encoder
        self.decoders = nn.ModuleDict({name: network.decoder for name, network in networks.items()})
        self.heads = nn.ModuleDict({name: network.segmentation_head for name, network in networks.items()})
        self.strides = {name: getattr(network.encoder, "output_stride", 32) for name, network in networks.items()}
        self.scores = nn.ModuleDict()
        self._seen: dict[str, torch.Tensor] = {}
        if "unet" in networks:
            for level in (0, 2):
                block = networks["unet"].decoder.blocks[level]
                channels, classes = block.conv2[0].out_channels, networks["unet"].segmentation_head[0].out_channels
                self.scores[f"unet-{level}"] = nn.Conv2d(channels, classes, 1)
                block.register_forward_hook(self._see(f"unet-{level}"))
        freeze_stages(encoder, frozen_stages)

    def _see(self, name: str):
        def hook(_block, _inputs, output):
            self._seen[name] = output

        return hook

    def train(self, mode: bool = True):
        super().train(mode)
        self.encoder.eval()  # the BatchNorm statistics that it came with stay: small batches would only blur them
        for part in self.decoders.modules():
            if isinstance(part, ASPPPooling):  # one place a photo: the statistics of eight of them are noise
                part.eval()
        return self

    def forward(self, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        x = ((pixels.float() / 255 - MEAN) / STD).contiguous(memory_format=torch.channels_last)
        moving = any(parameter.requires_grad for parameter in self.encoder.parameters())
        with torch.set_grad_enabled(moving), torch.autocast(pixels.device.type, torch.bfloat16):
            features = [feature.float() for feature in self.encoder(x)]
        undilated = [*features[:-1], features[-1][:, :, ::2, ::2].contiguous(memory_format=torch.channels_last)]
        outputs = {}
        for name, decoder in self.decoders.items():
            own = features if self.strides[name] == 16 else undilated
            with torch.autocast(pixels.device.type, torch.bfloat16, enabled=name != "fcn"):
                if name == "fcn":
                    for stride, score in decoder.scores(own).items():
                        outputs[name if stride == 8 else f"fcn-{stride}s"] = score
                else:
                    outputs[name] = self.heads[name][0](decoder(own))
        for name, score in self.scores.items():
            outputs[name] = score(self._seen.pop(name).float())
        return {name: logits.float() for name, logits in outputs.items()}

    def rates(self, recipe: Recipe) -> list[tuple[nn.Module, float, float]]:
        """The parts, their learning rates, and how long they stay still.

        A DeepLab that starts as the teacher has little to learn, and much to forget: a quarter of the others' rate.
        """
        rate = recipe.decoder_rate
        parts = [(self.encoder, recipe.encoder_rate, recipe.still), (self.scores, rate, 0.0)]
        for name in self.decoders:
            own = rate / 4 if name == "deeplab" and recipe.distil else rate
            parts += [(self.decoders[name], own, 0.0), (self.heads[name], own, 0.0)]
        return parts

    def losses(
        self, batch: list[tuple[torch.Tensor, torch.Tensor]], recipe: Recipe, rng: torch.Generator
    ) -> dict[str, torch.Tensor]:
        """The loss of each output on a batch of crops; the extra outputs carry three tenths."""
        device = next(self.parameters()).device
        pixels, labels = (torch.stack(part).to(device) for part in zip(*batch, strict=True))
        outputs = self(pixels)
        row, column = torch.randint(2, (2,), generator=rng).tolist()  # a quarter of the pixels carries the loss
        labels = labels[:, row::2, column::2].long()
        outputs = {name: _at(logits, labels.shape[1:], row, column) for name, logits in outputs.items()}
        teacher = outputs["deeplab"].detach().softmax(1) if recipe.distil else None
        losses = {}
        for name, logits in outputs.items():
            value = loss(logits, labels, recipe.dice, recipe.smoothing)
            if teacher is not None and name != "deeplab":
                value = value - recipe.distil * (teacher * logits.log_softmax(1)).sum(1).mean()
            losses[name] = (1.0 if name in self.decoders else 0.3) * value
        return losses


def _at(logits: torch.Tensor, size: torch.Size, row: int, column: int) -> torch.Tensor:
    """Logits of any stride at every second pixel."""
    if logits.shape[-2] > size[0]:
        return logits[:, :, row::2, column::2]
    return F.interpolate(logits, size, mode="bilinear")


def loss(logits: torch.Tensor, labels: torch.Tensor, dice: float, smoothing: float) -> torch.Tensor:
    """Cross entropy plus `dice` x soft Dice loss over the classes that the batch shows.

    `logits` is `BxCxHxW`, `labels` `BxHxW` int64 with 255 ignored. Dice: Milletari et al. (2016), section 3.
    """
    logits = logits.float()
    cross_entropy = F.cross_entropy(logits, labels, ignore_index=IGNORE, label_smoothing=smoothing)
    if not dice:
        return cross_entropy
    valid = labels != IGNORE
    probabilities = logits.softmax(1) * valid[:, None]
    truth = torch.zeros_like(probabilities).scatter_(1, labels.where(valid, 0)[:, None], valid[:, None].float())
    overlap = (probabilities * truth).sum((0, 2, 3))
    total, shown = (probabilities + truth).sum((0, 2, 3)), truth.sum((0, 2, 3)) > 0
    return cross_entropy + dice * (1 - (2 * overlap + 1) / (total + 1))[shown].mean()
