"""The training loop: several decoders on one shared encoder, with checkpoints that resume.

The encoder is the dear part of a step, so the four semantic variants are trained together: one pass of the encoder
serves all decoders, and all get the same data, the same steps and the same features. A stride-32 decoder sees every
second place of the dilated stride-16 features, which are equal to the undilated ones (algorithme à trous, Chen et
al., 2018, section 3.1), so each variant's own forward pass is what is trained. One variant alone goes the same way.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from labkit.classes import IGNORE
from labkit.models.backbone import MEAN, STD
from labkit.training.crops import Crops

__all__ = ["Recipe", "SharedEncoder", "loss", "train"]


@dataclass(frozen=True)
class Recipe:
    """The numbers of a run; `minutes` is training time, and the learning rate decays over it."""

    minutes: float = 30.0
    side: int = 256
    batch: int = 8
    encoder_rate: float = 3e-4
    decoder_rate: float = 1e-3
    weight_decay: float = 1e-2
    warmup: float = 0.02
    dice: float = 0.5
    smoothing: float = 0.02
    ema: float = 0.998
    frozen_stages: int = 2
    seed: int = 0


class SharedEncoder(nn.Module):
    """The semantic networks `{variant: network}` on one encoder: `Bx3xHxW` uint8 to `{output: BxCxHxW logits}`.

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
        backbone = encoder.model
        for stage in (backbone.conv_stem, backbone.bn1, *backbone.blocks[:frozen_stages]):
            stage.requires_grad_(False)

    def _see(self, name: str):
        def hook(_block, _inputs, output):
            self._seen[name] = output

        return hook

    def train(self, mode: bool = True):
        super().train(mode)
        self.encoder.eval()  # the BatchNorm statistics of ImageNet stay: small batches would only blur them
        return self

    def forward(self, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        x = ((pixels.float() / 255 - MEAN) / STD).contiguous(memory_format=torch.channels_last)
        features = self.encoder(x)
        undilated = [*features[:-1], features[-1][:, :, ::2, ::2].contiguous(memory_format=torch.channels_last)]
        outputs = {}
        for name, decoder in self.decoders.items():
            own = features if self.strides[name] == 16 else undilated
            with torch.autocast(pixels.device.type, torch.bfloat16, enabled=name != "fcn"):
                if name == "fcn":
                    for stride, score in decoder.scores(own).items():
                        outputs[name if stride == 8 else f"fcn-{stride}s"] = decoder.up[str(stride)](score)
                else:
                    outputs[name] = self.heads[name](decoder(own))
        for name, score in self.scores.items():
            logits = score(self._seen.pop(name).float())
            outputs[name] = F.interpolate(logits, pixels.shape[-2:], mode="bilinear")
        return outputs


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


def train(
    networks: dict[str, nn.Module],
    encoder: nn.Module,
    crops: Crops,
    recipe: Recipe,
    checkpoint: Path,
    resume: bool = False,
    device: str = "cpu",
    say=print,
) -> SharedEncoder:
    """Trains `networks` in place of their random weights and returns them with averaged (EMA) weights.

    `checkpoint` is written every two minutes and at the end; with `resume` a run goes on from it.
    """
    torch.manual_seed(recipe.seed)
    model = SharedEncoder(networks, encoder, recipe.frozen_stages).to(device, memory_format=torch.channels_last)
    average = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    rates = [(model.encoder, recipe.encoder_rate), (model.decoders, recipe.decoder_rate)]
    rates += [(model.heads, recipe.decoder_rate), (model.scores, recipe.decoder_rate)]
    groups = [
        {"params": [p for p in part.parameters() if p.requires_grad], "lr": rate, "rate": rate} for part, rate in rates
    ]
    optimizer = torch.optim.AdamW([g for g in groups if g["params"]], weight_decay=recipe.weight_decay)
    step, seconds = 0, 0.0
    if resume and checkpoint.exists():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        model.load_state_dict(state["model"])
        average = state["average"]
        optimizer.load_state_dict(state["optimizer"])
        step, seconds = state["step"], state["seconds"]
        say(f"resumed at step {step}, {seconds / 60:.1f} min")
    crops.seed = recipe.seed + step
    crops.progress.fill_(min(1.0, seconds / (recipe.minutes * 60)))
    loader = iter(torch.utils.data.DataLoader(crops, batch_size=recipe.batch, num_workers=1, prefetch_factor=4))
    rng = torch.Generator().manual_seed(recipe.seed + step)
    running, saved = {}, seconds
    model.train()
    while seconds < recipe.minutes * 60:
        started = time.monotonic()
        done = seconds / (recipe.minutes * 60)
        crops.progress.fill_(done)
        factor = min(1.0, (done + 1e-4) / recipe.warmup) * (1 - done) ** 0.9
        for group in optimizer.param_groups:
            group["lr"] = group["rate"] * factor
        pixels, labels = (t.to(device) for t in next(loader))
        outputs = model(pixels)
        row, column = torch.randint(2, (2,), generator=rng).tolist()  # a random quarter of the pixels carries the loss
        labels = labels[:, row::2, column::2].long()
        parts = {
            name: loss(logits[:, :, row::2, column::2], labels, recipe.dice, recipe.smoothing)
            for name, logits in outputs.items()
        }
        total = sum(part * (1.0 if name in networks else 0.3) for name, part in parts.items())
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        step += 1
        keep = min(recipe.ema, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, value in model.state_dict().items():
                mean = average[name]
                if mean.is_floating_point():
                    mean.lerp_(value, 1 - keep)
                else:
                    mean.copy_(value)
        for name, part in parts.items():
            running[name] = 0.98 * running.get(name, part.item()) + 0.02 * part.item()
        seconds += time.monotonic() - started
        if step % 50 == 0:
            losses = " ".join(f"{name} {value:.3f}" for name, value in running.items())
            say(f"step {step} {seconds / 60:.1f} min lr x{factor:.3f} {losses}")
        if seconds - saved > 120 or seconds >= recipe.minutes * 60:
            saved = seconds
            _save(checkpoint, model, average, optimizer, step, seconds, recipe)
    model.load_state_dict(average)
    return model.eval()


def _save(path: Path, model, average, optimizer, step: int, seconds: float, recipe: Recipe) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {"model": model.state_dict(), "average": average, "optimizer": optimizer.state_dict()}
    part = path.with_suffix(path.suffix + ".part")
    torch.save({**state, "step": step, "seconds": seconds, "recipe": asdict(recipe)}, part)
    part.replace(path)
