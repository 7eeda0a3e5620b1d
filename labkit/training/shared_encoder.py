"""Training the semantic variants: several decoders on one shared encoder.

The encoder is the dear part of a step, so the four semantic variants are trained together: one pass of the encoder
serves all decoders, and all get the same data, the same steps and the same features. A stride-32 decoder sees the
averages of the stride-16 features, as in its own encoder, so each variant's own forward pass is what is trained. One
variant alone goes the same way.

Networks that have learned (`labkit.training.cached`) go on here together with their encoder, and what they said before
of the very crop stands in the teacher's place, above all where nobody labelled: so they forget little (Li and Hoiem,
2016, Learning without Forgetting, section 3).
"""

import copy
from collections.abc import Callable
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from labkit.classes import IGNORE, VOC
from labkit.models.backbone import NEIGHBOURS
from labkit.training.loop import Learner, Recipe, freeze_stages, mixed, normalised

__all__ = ["Details", "SharedEncoder", "at", "loss"]

_WEAK = ("bottle", "chair", "pottedplant", "sofa")  # classes of which the true masks know more than the teacher
_LABELLED = 0.5  # how much the teacher counts where there is a label, against where there is none


Crop = tuple[torch.Tensor, torch.Tensor]  # pixels and labels, as `Crops` gives them


class SharedEncoder(Learner):
    """The semantic networks `{variant: network}` on one encoder: `Bx3xHxW` uint8 to `{output: BxCxhxw logits}`.

    The encoder's BatchNorm statistics stay: small batches would only blur them.
    The logits have each decoder's own stride: what enlarges them last has nothing to learn (FCN's last transposed
    convolution stays bilinear, as in Long et al., section 4.3, and is left out with the others).
    FCN has three outputs, one a stride, so that FCN-32s and FCN-16s are trained besides FCN-8s. U-Net's expanding path
    is deeply supervised (Lee et al., 2015): 1x1 score layers, dropped afterwards, look at strides 16, 8 and 4.
    """

    _before: Callable[[torch.Tensor], dict[str, torch.Tensor]] | None = None

    def __init__(self, networks: dict[str, nn.Module], encoder: nn.Module):
        super().__init__()
        self.encoder = encoder
        self.decoders = nn.ModuleDict({name: network.decoder for name, network in networks.items()})
        self.heads = nn.ModuleDict({name: network.segmentation_head for name, network in networks.items()})
        self.strides = {name: network.encoder.output_stride for name, network in networks.items()}
        self.scores = nn.ModuleDict()
        pooled = [part for part in self.decoders.modules() if isinstance(part, nn.Sequential) and _pools(part[0])]
        self.steady: list[nn.Module] = [encoder, *pooled]  # one place a photo: statistics of a batch would be noise
        self._seen: dict[str, torch.Tensor] = {}
        if "unet" in networks:
            for level, block in enumerate(networks["unet"].decoder.blocks[:3]):
                channels, classes = block.conv2[0].out_channels, networks["unet"].segmentation_head[0].out_channels
                self.scores[f"unet-{level}"] = nn.Conv2d(channels, classes, 1)
                block.register_forward_hook(partial(self._see, f"unet-{level}"))
        freeze_stages(encoder)

    def _see(self, name: str, _block, _inputs, output: torch.Tensor) -> None:
        self._seen[name] = output

    def forward(self, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        x = normalised(pixels)
        moving = any(parameter.requires_grad for parameter in self.encoder.parameters())
        with torch.set_grad_enabled(moving), mixed(pixels.device):
            features = [feature.float() for feature in self.encoder(x)]
        return self.decode(features)

    def decode(
        self, features: list[torch.Tensor], window: tuple[int, int, int] | None = None
    ) -> dict[str, torch.Tensor]:
        """The logits from the encoder's features; with a `window` those of strides 4, 8, 16 and 16 are enough.

        It is top, left and side in cells of stride 16, all even: there alone DeepLab's decoder goes down to stride 4,
        and as far, to its scores, U-Net's expanding path.
        """
        outputs = {}
        averaged = [*features[:-1], NEIGHBOURS(features[-1])]
        for name, decoder in self.decoders.items():
            own = features if self.strides[name] == 16 else averaged
            with mixed(own[-1].device, name != "fcn" or window is not None):
                if name == "fcn":
                    scores = decoder.scores(own)
                    outputs |= {"fcn" if s == 8 else f"fcn-{s}s": score for s, score in scores.items()}
                elif window and name == "deeplab":
                    high = decoder.up(_cut(decoder.aspp(own[-1]), 16, *window))
                    joined = torch.cat([high, decoder.block1(_cut(own[-4], 4, *window))], 1)
                    outputs[name] = self.heads[name][0](decoder.block2(joined))
                elif window and name == "unet":
                    x = _cut(decoder.center(own[-1]), 32, *window)
                    for block, skip, stride in zip(decoder.blocks, own[-2::-1], (16, 8, 4), strict=False):
                        skip = _cut(skip, stride, *window)
                        x = block(x, *skip.shape[2:], skip_connection=skip)
                else:
                    outputs[name] = self.heads[name][0](decoder(own))
        for name, score in self.scores.items():
            outputs[name] = score(self._seen.pop(name).float())
        return {name: logits.float() for name, logits in outputs.items()}

    def weight(self, name: str) -> float:
        """What an output's loss counts: the extra ones carry three tenths."""
        return 1.0 if name in self.decoders else 0.3

    def remember(self) -> None:
        """From now on what the networks say today is taught besides the labels."""
        before = copy.deepcopy(self).eval().requires_grad_(False)
        self._before = lambda pixels: before.to(pixels.device)(pixels)

    def _quarter(
        self, batch: list[Crop], rng: torch.Generator
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor, torch.Tensor | None]:
        """The outputs on a batch of crops, its labels, and what was said of it before (probabilities, the mean over
        the decoders; U-Net, which judges worst, has no say), at the quarter of the pixels that carries the loss."""
        pixels, labels = (torch.stack(part).to(self.device) for part in zip(*batch, strict=True))
        row, column = torch.randint(2, (2,), generator=rng).tolist()
        labels = labels[:, row::2, column::2].long()
        quarter = partial(at, size=labels.shape[1:], row=row, column=column)
        told = None
        if self._before:
            with torch.no_grad():
                before = self._before(pixels)
                answers = [quarter(before[name]).softmax(1) for name in self.decoders if name != "unet"]
                told = torch.stack(answers).mean(0)
        return {name: quarter(logits) for name, logits in self(pixels).items()}, labels, told

    def parts(self) -> list[nn.Module]:
        return [self.encoder, self.scores, self.decoders, self.heads]

    def losses(self, batch: list[Crop], recipe: Recipe, rng: torch.Generator) -> dict[str, torch.Tensor]:
        """The loss of each output on a batch of crops."""
        outputs, labels, told = self._quarter(batch, rng)
        return {name: self.weight(name) * loss(logits, labels, recipe, told) for name, logits in outputs.items()}


class Details(SharedEncoder):
    """U-Net's two finest levels, which no cached features train, while everything below them stays still.

    They learn from the labels and from the score of stride 4 below them, so that no class is lost on the way up.
    """

    def __init__(self, shared: SharedEncoder, network: nn.Module):
        super().__init__({"unet": network}, shared.encoder)
        self.steady.append(network.decoder)
        self.scores.load_state_dict(shared.scores.state_dict())
        for below in (self.encoder, network.decoder.center, network.decoder.blocks[:3], self.scores):
            below.requires_grad_(False)

    def parts(self) -> list[nn.Module]:
        return [self.encoder, self.decoders["unet"].blocks[3:], self.heads]

    def losses(self, batch: list[Crop], recipe: Recipe, rng: torch.Generator) -> dict[str, torch.Tensor]:
        """Four tenths of the labels' loss, and the cross entropy against the score below."""
        outputs, labels, _ = self._quarter(batch, rng)
        own, below = outputs["unet"], outputs["unet-2"]
        taught = -(below.detach().softmax(1) * own.log_softmax(1)).sum(1).mean()
        return {"labels": 0.4 * loss(own, labels, recipe), "below": recipe.distil * taught}


def _pools(part: nn.Module) -> bool:
    """Whether a part's output is the mean of a photo."""
    return isinstance(part, nn.AdaptiveAvgPool2d) and part.output_size == 1


def _cut(x: torch.Tensor, stride: int, top: int, left: int, side: int) -> torch.Tensor:
    """A window, given in cells of stride 16, of features of another stride."""
    y0, x0, n = (part * 16 // stride for part in (top, left, side))
    return x[:, :, y0 : y0 + n, x0 : x0 + n].contiguous(memory_format=torch.channels_last)


def at(logits: torch.Tensor, size: torch.Size, row: int, column: int) -> torch.Tensor:
    """Logits of any stride at every second pixel."""
    if logits.shape[-2] > size[0]:
        return logits[:, :, row::2, column::2]
    return F.interpolate(logits, size, mode="bilinear")


def loss(
    logits: torch.Tensor, labels: torch.Tensor, recipe: Recipe, teacher: torch.Tensor | None = None
) -> torch.Tensor:
    """Cross entropy plus `dice` x soft Dice loss over the classes that the batch shows, plus `distil` x a teacher's.

    These and the labels' `smoothing` are the recipe's. `logits` and `teacher` (probabilities): `BxCxHxW`;
    `labels`: `BxHxW` int64, 255 ignored by all but the teacher, who counts half where there is a label, and not at all
    where it is of a class that the teacher knows badly. Dice: Milletari et al. (2016), section 3.
    """
    logits = logits.float()
    valid = labels != IGNORE  # perhaps nowhere: a mean of nothing would be NaN
    total = F.cross_entropy(logits, labels, ignore_index=IGNORE, label_smoothing=recipe.smoothing, reduction="sum")
    total = total / valid.sum().clamp(min=1)
    if recipe.dice:
        probabilities = logits.softmax(1) * valid[:, None]
        truth = torch.zeros_like(probabilities).scatter_(1, labels.where(valid, 0)[:, None], valid[:, None].float())
        overlap = (probabilities * truth).sum((0, 2, 3))
        both, shown = (probabilities + truth).sum((0, 2, 3)), truth.sum((0, 2, 3)) > 0
        total = total + recipe.dice * ((1 - (2 * overlap + 1) / (both + 1)) * shown).sum() / shown.sum().clamp(min=1)
    if teacher is not None and recipe.distil:
        weak = torch.tensor([VOC.id(name) for name in _WEAK], device=labels.device)
        share = torch.where(valid, _LABELLED, 1.0).masked_fill(torch.isin(labels, weak), 0)
        total = total - recipe.distil * (share * (teacher * logits.log_softmax(1)).sum(1)).mean()
    return total
