"""The training loop: any learner on any stream, with an average of the weights and checkpoints that resume."""

import io
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from labkit.io.errors import LabkitError, one_line
from labkit.io.files import write_whole
from labkit.locale import language, text, use_language
from labkit.models.backbone import MEAN, STD

__all__ = ["FROZEN", "Learner", "Recipe", "Stream", "freeze_stages", "mixed", "normalised", "train"]

FROZEN = 2  # of an encoder's stages the first ones, which never move


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
    distil: float = 0.0
    seed: int = 0


class Learner(nn.Module, ABC):
    """What can be trained. The BatchNorms of what is in `steady` keep the statistics that they have."""

    steady: Sequence[nn.Module] = ()

    @abstractmethod
    def parts(self) -> Sequence[nn.Module]:
        """The encoder, then what learns at the decoder's rate."""

    @abstractmethod
    def losses(self, batch: list[Any], recipe: Recipe, rng: torch.Generator) -> dict[str, torch.Tensor]:
        """The losses on a batch, which add up."""

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def train(self, mode: bool = True):
        super().train(mode)
        for module in (module for part in self.steady for module in part.modules()):
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self


class Stream(IterableDataset, ABC):
    """An endless stream of what `draw` gives; `progress`, in [0, 1], is moved by the loop and read by the worker."""

    def __init__(self, seed: int):
        self.seed, self.progress = seed, torch.zeros(1).share_memory_()

    def __iter__(self):
        worker = get_worker_info()
        rng = np.random.default_rng((self.seed, worker.id if worker else 0))
        while True:
            yield self.draw(rng)

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> Any:
        """One member of a batch."""


def normalised(pixels: torch.Tensor) -> torch.Tensor:
    """Photos (`Bx3xHxW` uint8) as the encoder's input, float32."""
    return ((pixels.float() / 255 - MEAN) / STD).contiguous(memory_format=torch.channels_last)


def mixed(device: torch.device, enabled: bool = True) -> torch.autocast:
    """bfloat16 where the device computes in it, which halves the time of dense convolutions; elsewhere float32.

    Emulated, on a processor without AVX-512, a step of SAM took 15 times as long.
    """
    if device.type == "cuda":
        able = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        able = device.type == "cpu" and "AVX512" in torch.backends.cpu.get_cpu_capability()
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled and able)


def freeze_stages(encoder: nn.Module) -> None:
    """Takes the encoder's stem and first stages out of training."""
    for part in (encoder.model.conv_stem, encoder.model.bn1, *encoder.model.blocks[:FROZEN]):
        part.requires_grad_(False)


def train(
    learner: Learner,
    stream: Stream,
    recipe: Recipe,
    checkpoint: Path,
    resume: bool = False,
    device: str = "cpu",
    say=print,
    clock: Callable[[], float] = time.monotonic,
) -> Learner:
    """Trains a learner on a stream (`Crops`, `Scenes`) and returns it with averaged (EMA) weights.

    `checkpoint` is written every two minutes and at the end; with `resume` a run goes on from it. `clock` gives the
    seconds that the run's minutes are counted in.
    """
    torch.manual_seed(recipe.seed)
    model = learner.to(device, memory_format=torch.channels_last)
    average = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    groups = []
    for n, part in enumerate(model.parts()):
        rate = recipe.decoder_rate if n else recipe.encoder_rate
        if learning := [parameter for parameter in part.parameters() if parameter.requires_grad]:
            groups.append({"params": learning, "lr": rate, "rate": rate})
    optimizer = torch.optim.AdamW(groups, weight_decay=recipe.weight_decay)
    step, seconds = 0, 0.0
    if resume and not checkpoint.exists():
        say(text("train.no_checkpoint", path=checkpoint))
    elif resume:
        try:
            state = torch.load(checkpoint, map_location=device, weights_only=True)
            model.load_state_dict(state["model"])
            average = state["average"]
            optimizer.load_state_dict(state["optimizer"])
            step, seconds = state["step"], state["seconds"]
        except Exception as error:  # torch raises nearly every kind for a file that is cut or another run's
            raise LabkitError(text("train.checkpoint", path=checkpoint, error=one_line(error, 150))) from error
        say(f"resumed at step {step}, {seconds / 60:.1f} min")
        if seconds >= recipe.minutes * 60:
            say(text("train.over", path=checkpoint))
    stream.seed = recipe.seed + step
    stream.progress.fill_(min(1.0, seconds / (recipe.minutes * 60)))
    speak = partial(_speak, language())
    loader = DataLoader(stream, recipe.batch, num_workers=1, prefetch_factor=4, collate_fn=list, worker_init_fn=speak)
    batches = iter(loader)
    rng = torch.Generator().manual_seed(recipe.seed + step)
    running, saved = {}, seconds
    model.train()
    while seconds < recipe.minutes * 60:
        started = clock()
        done = seconds / (recipe.minutes * 60)
        stream.progress.fill_(done)
        factor = (1 - done) ** 0.9
        for group in optimizer.param_groups:
            group["lr"] = group["rate"] * factor * min(1.0, (done + 1e-4) / recipe.warmup)
        parts = model.losses(next(batches), recipe, rng)
        total = sum(parts.values())
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
        seconds += clock() - started
        if step % 50 == 0:
            losses = " ".join(f"{name} {value:.3f}" for name, value in running.items())
            say(f"step {step} {seconds / 60:.1f} min lr x{factor:.3f} {losses}")
        if seconds - saved > 120 or seconds >= recipe.minutes * 60:
            saved = seconds
            _save(checkpoint, model, average, optimizer, step, seconds, recipe)
    model.load_state_dict(average)
    return model.eval()


def _speak(name: str, _worker: int) -> None:
    use_language(name)


def _save(path: Path, model, average, optimizer, step: int, seconds: float, recipe: Recipe) -> None:
    state = {"model": model.state_dict(), "average": average, "optimizer": optimizer.state_dict()}
    content = io.BytesIO()  # on a full disk torch itself says nothing of it
    torch.save({**state, "step": step, "seconds": seconds, "recipe": asdict(recipe)}, content)
    write_whole(path, content.getvalue())
