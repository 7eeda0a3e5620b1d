"""How the embedded weights came to be, and fine-tuning for students: `labkit train`."""

import hashlib
import shutil
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import safetensors.torch
import torch
from torch import nn
from torchvision.models.detection import MaskRCNN

from labkit.classes import VOC
from labkit.evaluation.dataset import Dataset
from labkit.io.errors import LabkitError
from labkit.io.files import make_writable, write_whole
from labkit.locale import text
from labkit.models import SEMANTIC, build_network, load_weights, pick_device, sam
from labkit.models.backbone import ENCODER
from labkit.models.packing import packed
from labkit.models.sam import SIDE
from labkit.training.cached import CachedFeatures, CachedHeads
from labkit.training.crops import Crops
from labkit.training.detection import MaskRCNNLearner
from labkit.training.loop import Recipe, train
from labkit.training.prompting import SamLearner
from labkit.training.scenes import Scenes
from labkit.training.shared_encoder import Details, SharedEncoder
from labkit.training.teacher import Teacher, load_encoder, read_teacher, start_heads
from labkit.variants import find_variant
from labkit.weights.find import FORMAT, find_weights

__all__ = ["RECIPES", "STARTS", "export", "recipe_for", "train_variants"]

STARTS = ("embedded", "encoder")
"""From a variant's embedded weights (fine-tuning); from the encoder of the embedded U-Net. Else: a teacher's file."""

RECIPES = {
    "semantic": Recipe(
        side=416, batch=6, encoder_rate=4e-5, decoder_rate=3e-4, dice=0.3, smoothing=0.0, distil=0.7, ema=0.995
    ),
    "instance": Recipe(side=448, batch=4, encoder_rate=2e-4, decoder_rate=6e-4),
    "prompted": Recipe(side=SIDE, batch=4, encoder_rate=2e-5, decoder_rate=1e-4),
}
"""How each kind of variant is trained from embedded weights or their encoder; the semantic ones from a teacher so:"""

_HEADS = Recipe(batch=16, decoder_rate=5e-4, dice=0.3, distil=0.7, ema=0.99)
_DETAILS = Recipe(side=320, batch=6, decoder_rate=2e-3, dice=0.1, smoothing=0.0, distil=1.0, ema=0.98)
_DETAILS_SHARE = 0.25
"""The heads learn on cached features of the still encoder, then U-Net's finest levels over this share of the run.
Several together go on from embedded weights, with their encoder."""

_KEPT = 0.5
"""The share of its start in what has learned from a teacher: 0.3 and 0.5 were tried in decoders, 0 to 0.7 in all of the
networks together, and 0.5 is the best."""

_SCALES = (300, 620)  # pixels of a photo's longest side before a crop is cut: `WORKING_SIDE` is in their middle


def recipe_for(variant: str, minutes: float) -> Recipe:
    """The recipe of a variant's kind over so many minutes."""
    return replace(RECIPES[find_variant(variant).kind], minutes=minutes)


def train_variants(
    variants: list[str],
    dataset: str | Path,
    out: Path,
    recipe: Recipe,
    resume: bool = False,
    start: str = "embedded",
    split: str = "train",
    device: str = "auto",
    say=print,
) -> list[Path]:
    """Trains variants and writes their weights; returns the paths.

    Several semantic ones share one encoder.

    `start` is one of `STARTS` or a teacher's file. `out` is a file for one variant, a folder for several;
    `OUT.checkpoint` beside it is what `resume` goes on from.
    """
    names = [find_variant(variant).name for variant in variants]
    if len(names) > 1 and not set(names) <= set(SEMANTIC):
        raise LabkitError(text("train.one"))
    if names == ["sam"] and start != "embedded":
        raise LabkitError(text("train.start_sam", start=start))
    torch.manual_seed(recipe.seed)
    kept = names if start == "embedded" else ["mask_rcnn"]  # under a new encoder too its heads have less to learn
    networks = {name: _embedded(name) if name in kept else build_network(name) for name in names}
    data, checkpoint = Dataset(dataset, split), out.parent / f"{out.name}.checkpoint"
    paths = [out] if len(names) == 1 else [out / f"{name}.safetensors" for name in networks]
    for path in (checkpoint, *paths):  # now, not after half an hour
        if path.is_dir():
            raise LabkitError(text("train.folder", path=path, example=path / f"{names[0]}.safetensors"))
        make_writable(path.parent)
    teach = partial(train, resume=resume, device=pick_device(device).type, say=say)
    if names[0] in SEMANTIC:
        _train_semantic(networks, data, recipe, start, checkpoint, teach, say)
    else:
        _train_objects(networks[names[0]], data, recipe, start, checkpoint, teach)
    note = {"recipe": str(asdict(recipe)), "start": Path(start).name, "trained_together": ",".join(names)}
    for (name, network), path in zip(networks.items(), paths, strict=True):
        export(network, name, path, note)
    return paths


def _embedded(name: str) -> nn.Module:
    network = build_network(name)
    load_weights(network, find_weights(name, "embedded").path)
    return network


def _start_encoder(encoder: nn.Module, start: str) -> None:
    if start == "encoder":
        encoder.load_state_dict(_embedded("unet").encoder.state_dict())
    elif start != "embedded":
        load_encoder(encoder, read_teacher(start))


def _train_semantic(networks, data, recipe, start, checkpoint, teach, say) -> None:
    dilated = [network.encoder for network in networks.values() if network.encoder.output_stride == 16]
    encoder = dilated[0] if dilated else build_network("deeplab").encoder
    learner = SharedEncoder(networks, encoder)
    if start not in STARTS:
        _train_heads(learner, networks, data, recipe, read_teacher(start), checkpoint, teach, say)
    else:
        started = {}
        if start == "embedded":
            encoder.load_state_dict(next(iter(networks.values())).encoder.state_dict())
            learner.steady.append(learner)  # decoders that have learned keep their statistics too
            recipe = replace(recipe, decoder_rate=recipe.decoder_rate / 2)
            if len(networks) > 1:  # else nobody knows more than the labels
                learner.remember()
                started = _state(learner)
        _start_encoder(encoder, start)
        teach(learner, _crops(data, recipe), recipe, checkpoint)
        _average(learner, started)
    for network in networks.values():  # their decoders are the learner's own
        network.encoder.load_state_dict(encoder.state_dict())


def _train_heads(learner, networks, data, recipe, state, checkpoint, teach, say) -> None:
    """Decoders from a teacher, whose encoder stays as it is; what has learned is averaged with where it started.

    U-Net, whose finest levels lean on the coarser ones' very scores, gains nothing by it here.
    """
    folder = checkpoint.with_suffix(".features")
    load_encoder(learner.encoder, state)
    start_heads(networks, state, learner.scores)
    started = {key: value for key, value in _state(learner).items() if "unet" not in key}
    details = replace(_DETAILS, minutes=recipe.minutes * (_DETAILS_SHARE if "unet" in networks else 0))
    heads = replace(_HEADS, minutes=recipe.minutes - details.minutes)
    cached = CachedFeatures(data, Teacher(state), folder, recipe.seed, say)
    teach(CachedHeads(learner, cached.progress), cached, heads, checkpoint)
    if details.minutes:
        unet = Details(learner, networks["unet"])
        teach(unet, _crops(data, details), details, checkpoint.with_suffix(".details"))
    _average(learner, started)
    shutil.rmtree(folder)


def _state(learner: nn.Module) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in learner.state_dict().items() if value.is_floating_point()}


def _average(learner: nn.Module, started: dict[str, torch.Tensor]) -> None:
    """Averages what has learned with where it started, which keeps what the training photos seldom show.

    Wortsman et al. (2022), arXiv:2109.01903, section 3.
    """
    state = learner.state_dict()
    for key, start in started.items():
        state[key].lerp_(start.to(state[key].device), _KEPT)


def _crops(data: Dataset, recipe: Recipe) -> Crops:
    return Crops(data, side=recipe.side, scales=_SCALES)


def _train_objects(network, data, recipe, start, checkpoint, teach) -> None:
    if isinstance(network, MaskRCNN):
        _start_encoder(network.backbone.encoder, start)
        learner = MaskRCNNLearner(network)
        scenes = Scenes(data, recipe.side, scales=(360, 860), by_class=True)
    else:
        learner = SamLearner(network)
        scenes = Scenes(data, recipe.side, scales=(448, 720), by_class=False, centred=0.7, pasted=0.1)
    teach(learner, scenes, recipe, checkpoint)


def export(network: nn.Module, variant: str, path: Path, note: dict[str, str] | None = None) -> str:
    """Writes a network's weights as fp16 safetensors that say which variant they are; returns the sha256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    classes, encoder = (VOC.name, ENCODER) if variant != "sam" else ("", sam.ENCODER)
    state = packed(state) if variant == "sam" else {name: tensor.half() for name, tensor in state.items()}
    metadata = {"format": FORMAT, "variant": variant, "classes": classes, "encoder": encoder, **(note or {})}
    data = safetensors.torch.save(state, metadata)
    write_whole(path, data)
    return hashlib.sha256(data).hexdigest()
