"""Heads on features that are computed once: the first stage of training from the teacher.

While the encoder stays still, its features of a photo never change: they are written to disk, plain and mirrored, with
the labels and the teacher's maps, and a step costs the heads alone. What is left for the later stages is little.
"""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

from labkit.classes import IGNORE, VOC
from labkit.evaluation.dataset import Dataset
from labkit.models.semantic import network_input
from labkit.training.loop import Learner, Recipe, Stream
from labkit.training.shared_encoder import SharedEncoder, at, loss
from labkit.training.teacher import MAP_SIDE, Teacher

__all__ = ["CachedFeatures", "CachedHeads"]

SIDE = 416  # side, in pixels, of the squares whose features are kept
_STRIDES = (4, 8, 16, 16)  # of the encoder's last four stages; the last one is dilated
_WINDOW = 16  # cells of stride 16 on a side of the window in which the decoders that go down to stride 4 are trained
_SEEN = 10  # cells of stride 4 that a class has to fill to count as shown by a photo

_LEFT_OUT = 0.5, 0.25
"""How often a photo goes without the branch that the teacher has taught (ASPP's 1x1, the pyramid's mean), and without
each other one: else nothing would ever ask those. In the second half of a run it happens ever more seldom."""

Sample = tuple[list[torch.Tensor], torch.Tensor, torch.Tensor]


class CachedFeatures(Stream):
    """An endless stream of `(features, labels, maps)` of whole photos; a photo is drawn ~ (photos of its class)^-0.5.

    `features`: four `hxwxC` float16 of strides 4, 8, 16 and 16 of a square of `SIDE` pixels; `labels`: `hxw`
    uint8 at stride 4 (255: not labelled); `maps`: the teacher's, `21x48x48` float16. `folder` takes 2.7 MB a photo.
    """

    def __init__(self, dataset: Dataset, teacher: Teacher, folder: Path, seed: int = 0, say=print):
        super().__init__(seed)
        rows, done = 2 * len(dataset), folder / "names.txt"  # each photo plain, then mirrored
        known = done.exists() and done.read_text(encoding="utf-8").split() == dataset.names
        folder.mkdir(parents=True, exist_ok=True)

        def array(name: str, dtype: type, *shape: int) -> np.memmap:
            return np.lib.format.open_memmap(folder / f"{name}.npy", "r+" if known else "w+", dtype, (rows, *shape))

        levels = enumerate(zip(_STRIDES, teacher.encoder.out_channels[2:], strict=True))
        self._features = [array(f"features{n}", np.float16, SIDE // s, SIDE // s, width) for n, (s, width) in levels]
        self._labels = array("labels", np.uint8, SIDE // 4, SIDE // 4)
        self._maps = array("maps", np.float16, len(VOC), MAP_SIDE, MAP_SIDE)
        if not known:
            self._compute(dataset, teacher, say)
            done.write_text("\n".join(dataset.names), encoding="utf-8")
        labels = self._labels[::2].reshape(len(dataset), -1)
        shows = np.array([np.bincount(row, minlength=256)[1 : len(VOC)] > _SEEN for row in labels], float)
        photos = np.maximum(shows.sum(0), 1)
        chances = (shows / photos**0.5).sum(1) + 1e-4
        self._chances = chances / chances.sum()

    @torch.inference_mode()
    def _compute(self, dataset: Dataset, teacher: Teacher, say) -> None:
        for k, name in enumerate(dataset.names):
            pixels, labels = dataset.image(name), dataset.semantic(name)
            maps, x = teacher.maps(pixels), network_input(pixels, SIDE)
            height, width = x.shape[1:]
            square = np.full((SIDE, SIDE), IGNORE, np.uint8)
            square[:height, :width] = Image.fromarray(labels).resize((width, height), Image.Resampling.NEAREST)
            x = F.pad(x, (0, SIDE - width, 0, SIDE - height))[None]
            for row in (2 * k, 2 * k + 1):
                features = teacher.encoder(x.contiguous(memory_format=torch.channels_last))[2:]
                for kept, feature in zip(self._features, features, strict=True):
                    kept[row] = feature[0].permute(1, 2, 0).numpy()
                self._labels[row], self._maps[row] = square[2::4, 2::4], maps.numpy()
                x, square, maps = x.flip(3), square[:, ::-1], maps.flip(2)
            if k % 500 == 0:
                say(f"features of {k} photos of {len(dataset)}")

    def draw(self, rng: np.random.Generator) -> Sample:
        """One photo, plain or mirrored."""
        row = 2 * rng.choice(len(self._chances), p=self._chances) + rng.integers(2)
        *features, labels, maps = (
            torch.from_numpy(np.array(kept[row])) for kept in (*self._features, self._labels, self._maps)
        )
        return features, labels, maps


class CachedHeads(Learner):
    """The decoders of a `SharedEncoder` as a learner on `CachedFeatures`.

    U-Net's two finest levels need finer features than are kept: its score of stride 4 is trained in their place.
    Branches of ASPP and of the pyramid are left out by chance (drop-path: Larsson et al., 2017, FractalNet, section 3);
    `progress`, in [0, 1], is the stream's. Heads that start as the teacher's have its BatchNorms, which claim mean 0
    and variance 1: these stay, and the encoder is frozen.
    """

    def __init__(self, shared: SharedEncoder, progress: torch.Tensor):
        super().__init__()
        self.shared, self.progress, self.steady = shared, progress, [self]
        shared.encoder.requires_grad_(False)
        decoders = shared.decoders
        aspp = decoders["deeplab"].aspp[0].convs if "deeplab" in decoders else ()
        for branches in (aspp, decoders["pspnet"].pools if "pspnet" in decoders else ()):
            for n, branch in enumerate(branches):
                branch.register_forward_hook(partial(self._leave_out, _LEFT_OUT[min(n, 1)]))

    def _leave_out(self, chance: float, _branch, _inputs, output: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return output
        left = chance * min(1.0, 2 * (1 - self.progress.item()))
        return output * (torch.rand(len(output), 1, 1, 1, device=output.device) >= left)

    def parts(self) -> list[nn.Module]:
        return self.shared.parts()

    def losses(self, batch: list[Sample], recipe: Recipe, rng: torch.Generator) -> dict[str, torch.Tensor]:
        """The loss of each output, at a quarter of the cells of stride 4."""
        levels, labels, maps = zip(*batch, strict=True)
        features = [torch.stack(one).to(self.device).permute(0, 3, 1, 2).float() for one in zip(*levels, strict=True)]
        labels = torch.stack(labels).to(self.device).long()
        maps = torch.stack(maps).to(self.device).float()
        size = labels.shape[1] // 2
        row, column = torch.randint(2, (2,), generator=rng).tolist()
        top, left = (2 * torch.randint((2 * size // 4 - _WINDOW) // 2 + 1, (2,), generator=rng)).tolist()
        outputs = self.shared.decode(features, (top, left, _WINDOW))
        whole = labels[:, row::2, column::2], F.interpolate(maps, (size, size), mode="bilinear")
        window = [part[..., 2 * top : 2 * (top + _WINDOW), 2 * left : 2 * (left + _WINDOW)] for part in whole]
        losses = {}
        for name, logits in outputs.items():
            target, teacher = window if name == "deeplab" or name in self.shared.scores else whole
            logits = at(logits, target.shape[1:], row, column)
            losses[name] = self.shared.weight(name) * loss(logits, target, recipe, teacher)
        return losses
