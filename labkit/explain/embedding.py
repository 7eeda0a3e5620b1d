"""SAM's image embedding: what it keeps of a photo, and what it costs against a prompt.

The image encoder runs once a photo, the prompt encoder and the mask decoder at each prompt (Kirillov et al., 2023,
arXiv:2304.02643, section 3 and appendix A).
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from PIL import Image
from segment_anything.utils.transforms import ResizeLongestSide
from torch.utils.flop_counter import FlopCounterMode

from labkit.explain.hooks import recorded
from labkit.figures import cut, display_svg, panels, plain_table, small
from labkit.io.errors import LabkitError
from labkit.locale import number, text
from labkit.models.base import Model
from labkit.models.prompted import PromptedModel
from labkit.photos import Photo
from labkit.viewer.viewer import MARK

__all__ = ["Components", "Cost", "Embedding", "components", "cost", "cost_text", "display_cost", "display_embedding"]
__all__ += ["embedded", "embedding_figure", "embedding_table", "inside", "need_sam"]

_PANEL = 1.8
_COMPONENTS = 3
_OPPONENT = np.array([[0.55, 0.3, 0.45], [0.55, 0.3, -0.45], [0.55, -0.6, 0.0]])
"""Red, green and blue of the three components."""


@dataclass(frozen=True, eq=False)
class Embedding:
    """What the image encoder made of a photo: `features`, `CxRxK` float32, of which the photo fills `rows`x`columns`.

    The rest, below or to the right, stands for the padding. `side` is the encoder's input, a square, in pixels;
    `size` (height, width) what the photo fills of it.
    """

    photo: Photo
    features: np.ndarray
    side: int
    size: tuple[int, int]

    @property
    def stride(self) -> int:
        """How many pixels of the input a place of the embedding stands for, in a row and in a column."""
        return self.side // self.features.shape[-1]

    @property
    def places(self) -> np.ndarray:
        """`features` where the photo is, `Cxrxk`."""
        rows, columns = inside(self.size, self.side, self.features.shape[1:])
        return self.features[:, :rows, :columns]


@dataclass(frozen=True, eq=False)
class Components:
    """Principal components: their shares of the variance, largest first, in [0, 1], and their maps, `Nxrxk` float."""

    shares: np.ndarray
    maps: np.ndarray

    def colors(self) -> np.ndarray:
        """The first three as colours, `rxkx3` uint8: brightness, then yellow to blue, then red to green.

        So the first can be seen in grey print, and the first two by people who do not tell red from green. Each runs
        from its 2nd to its 98th percentile.
        """
        low, high = (np.percentile(self.maps, p, axis=(1, 2), keepdims=True) for p in (2, 98))
        spread = np.where(high - low > 1e-6, high - low, 1)
        scaled = np.full((3, *self.maps.shape[1:]), 0.5)
        scaled[: len(self.maps)] = np.clip((self.maps - low) / spread, 0, 1)[:3]
        return np.round(255 * np.clip(np.einsum("ck,krn->rnc", _OPPONENT, scaled - 0.5) + 0.5, 0, 1)).astype(np.uint8)


@dataclass(frozen=True)
class Cost:
    """Of one embedding and of one point as a prompt: operations (a multiplication and an addition are two), seconds."""

    embedding: int
    prompt: int
    embedding_seconds: float
    prompt_seconds: float

    @property
    def ratio(self) -> float:
        """How many prompts cost what one embedding does."""
        return self.embedding / self.prompt


def need_sam(model: Model) -> None:
    """LabkitError for a model that takes no prompts."""
    if not isinstance(model, PromptedModel):
        raise LabkitError(text("explain.sam_needed", given=model.variant.title))


def inside(size: tuple[int, int], side: int, shape: tuple[int, int]) -> tuple[int, int]:
    """How many rows and columns of a map of `shape` over the padded input the photo, `size` of `side` pixels, fills."""
    rows, columns = (-(-extent * cells // side) for extent, cells in zip(size, shape, strict=True))
    return rows, columns


def embedded(model: PromptedModel, photo: Photo) -> Embedding:
    """The embedding of a photo, from a forward hook; the photo is then the one that prompts ask about."""
    need_sam(model)
    side = model.network.image_encoder.img_size
    with recorded({"embedding": model.network.image_encoder}) as seen:
        model.set_photo(photo)
    size = ResizeLongestSide.get_preprocess_shape(*photo.pixels.shape[:2], side)
    channels = model.network.mask_decoder.transformer_dim  # behind them our encoder hands details on
    return Embedding(photo, seen["embedding"][-1][0][:channels].numpy(), side, size)


def components(embedding: Embedding, count: int = _COMPONENTS) -> Components:
    """The principal components of the embedding's places where the photo is; `count` at most.

    A component's sign means nothing: the channel that has the largest part in it counts upwards.
    """
    channels, rows, columns = embedding.places.shape
    x = embedding.places.reshape(channels, -1).T.astype(np.float64)
    x = x - x.mean(0)
    variances, axes = np.linalg.eigh(x.T @ x)
    variances, axes = variances[::-1].clip(0), axes[:, ::-1]
    axes = axes * np.sign(axes[np.abs(axes).argmax(0), np.arange(channels)])
    shares = variances / max(variances.sum(), 1e-12)
    return Components(shares[:count], (x @ axes[:, :count]).T.reshape(-1, rows, columns))


def embedding_table(embedding: Embedding) -> str:
    """A row each, in plain text: the photo, the encoder's input, the embedding and one place of it, in numbers."""
    height, width = embedding.photo.pixels.shape[:2]
    side, (channels, rows, columns) = embedding.side, embedding.features.shape
    head = [text(f"explain.sam_{key}") for key in ("what", "size", "numbers")]
    shapes = {"photo": (height, width, 3), "input": (3, side, side), "embedding": (channels, rows, columns)}
    table = [
        [text(f"explain.sam_{key}"), "×".join(map(str, shape)), f"{np.prod(shape):,}".replace(",", " ")]
        for key, shape in shapes.items()
    ]
    scale = max(height, width) / side
    pixels = round(embedding.stride * scale)
    place = text("explain.sam_place", stride=embedding.stride, pixels=pixels)
    return plain_table([head, *table, [place, f"{channels}×1×1", str(channels)]])


def embedding_figure(embedding: Embedding) -> Figure:
    """The photo, and beside it the first three components as red, green and blue, a square a place."""
    found = components(embedding)
    photo = small(embedding.photo.pixels, _PANEL)
    colors = Image.fromarray(found.colors())
    times = max(1, round(photo.width / colors.width / 2))  # a square is a few pixels, which JPEG does not blur
    colors = colors.resize((times * colors.width, times * colors.height), Image.Resampling.NEAREST)
    share = f"{found.shares.sum():.0%}".replace("%", " %")
    _, rows, columns = embedding.places.shape
    told = text("explain.sam_components", rows=rows, columns=columns, share=share)
    drawn = panels([photo, colors], [f"{cut(embedding.photo.name, 0.9 * _PANEL)}\n", told], 2, _PANEL)
    drawn.set_label(f"{embedding.photo.name}: {told}".replace("\n", " "))
    return drawn


def display_embedding(embedding: Embedding) -> None:
    """Shows `embedding_figure` in the notebook."""
    display_svg(embedding_figure(embedding))


def cost(model: PromptedModel, photo: Photo) -> Cost:
    """What embedding a photo costs, and what a point in its middle does.

    Operations of convolutions, matrix products and attention, counted while they run: the same on every computer.
    Seconds are this computer's, of one embedding and the median of three prompts.
    """
    need_sam(model)
    height, width = photo.pixels.shape[:2]
    middle = [(width // 2, height // 2)]
    with FlopCounterMode(display=False) as embedding:
        model.set_photo(photo)
    with FlopCounterMode(display=False) as prompt:
        model.prompt(points=middle)
    started = time.perf_counter()
    model.set_photo(photo)
    seconds = time.perf_counter() - started
    prompts = sorted(model.prompt(points=middle).made_by["seconds"] for _ in range(3))
    return Cost(embedding.get_total_flops(), prompt.get_total_flops(), seconds, prompts[1])


def cost_text(found: Cost) -> str:
    """The operations in words, and how many prompts one embedding is worth: nothing that another run would change."""
    billions = {name: number(getattr(found, name) / 1e9, 1) for name in ("embedding", "prompt")}
    return text("explain.sam_cost", ratio=number(found.ratio, 1), **billions)


def display_cost(found: Cost) -> None:
    """Shows `cost_text` in the notebook, and in the open notebook and the report the measured milliseconds besides."""
    from IPython.display import display

    plain = cost_text(found)
    measured = {name: f"{1000 * getattr(found, f'{name}_seconds'):.0f}" for name in ("embedding", "prompt")}
    lines = [*plain.splitlines(), text("explain.sam_seconds", **measured)]
    page = f"<p>{'<br>'.join(lines)}</p><!-- {MARK} as of a viewer: git keeps the plain text alone -->"
    display({"text/plain": plain, "text/html": page}, raw=True)
