"""The shared encoder: the loss, and its equality with each variant's own forward pass."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from labkit.classes import IGNORE, VOC
from labkit.models import SEMANTIC, build_network
from labkit.models.backbone import MEAN, STD
from labkit.training.loop import Recipe
from labkit.training.shared_encoder import Details, SharedEncoder, loss


def plain(dice: float, smoothing: float = 0.0) -> Recipe:
    """What counts in the loss, with all of a teacher."""
    return Recipe(dice=dice, smoothing=smoothing, distil=1.0)


def test_loss_against_plain_formulas():
    """Cross entropy is the library's; Dice is 1 - 2|A∩B| / (|A| + |B|), the mean over the classes shown."""
    torch.manual_seed(0)
    logits, labels = torch.randn(2, 5, 8, 8), torch.randint(0, 3, (2, 8, 8))
    labels[0, :2] = IGNORE
    entropy = F.cross_entropy(logits, labels, ignore_index=IGNORE)
    assert torch.allclose(loss(logits, labels, plain(0.0)), entropy)
    valid = (labels != IGNORE).numpy()
    probabilities = logits.softmax(1).numpy()
    terms = []
    for label_id in range(3):
        p, t = probabilities[:, label_id][valid], (labels.numpy() == label_id)[valid]
        terms.append(1 - (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1))
    assert loss(logits, labels, plain(1.0)).item() == pytest.approx(entropy.item() + np.mean(terms), abs=1e-5)


def test_ignored_pixels_carry_no_gradient():
    """Where nobody labelled, nothing is learned; crops without any label are no NaN in what is said of the run."""
    logits = torch.randn(1, 4, 4, 4, requires_grad=True)
    labels = torch.full((1, 4, 4), IGNORE)
    assert loss(logits, labels, plain(0.5, 0.02)) == 0 == loss(logits, labels, plain(0.3))
    labels[0, 0, 0] = 1
    loss(logits, labels, plain(0.5, 0.02)).backward()
    assert logits.grad[:, :, 1:].abs().max() == 0 and logits.grad[:, :, 0, 0].abs().max() > 0


@torch.inference_mode()
def test_shared_encoder_is_each_variant_s_own():
    """Logits from the one dilated encoder equal those of every network run by itself (algorithme à trous)."""
    torch.manual_seed(0)
    networks = {name: build_network(name) for name in SEMANTIC}
    encoder = networks["deeplab"].encoder
    pixels = torch.randint(0, 256, (1, 3, 128, 160), dtype=torch.uint8)
    together = SharedEncoder(networks, encoder).eval()(pixels)
    for name, network in networks.items():
        network.encoder.load_state_dict(encoder.state_dict())
        alone = network.eval()((pixels.float() / 255 - MEAN) / STD)
        enlarge = network.decoder.up["8"] if name == "fcn" else network.segmentation_head[1]
        assert (enlarge(together[name]) - alone).abs().mean() < 0.05 * alone.abs().max(), name  # much is in bfloat16
    assert {"fcn-16s", "fcn-32s", "unet-0", "unet-2"} <= together.keys()


@torch.inference_mode()
def test_coarse_logits_are_those_of_the_whole():
    """From features of strides 4 to 16 alone come the same logits; DeepLab's in the window, away from its edge."""
    torch.manual_seed(0)
    networks = {name: build_network(name) for name in SEMANTIC}
    model = SharedEncoder(networks, networks["deeplab"].encoder).eval()
    pixels = torch.randint(0, 256, (1, 3, 192, 192), dtype=torch.uint8)
    whole = model(pixels)
    features = model.encoder((pixels.float() / 255 - MEAN) / STD)[2:]
    coarse = model.decode(features, (2, 4, 8))
    inside = {name for name in coarse if coarse[name].shape != whole[name].shape}
    assert inside == {"deeplab", "unet-0", "unet-1", "unet-2"} and "unet" not in coarse
    for name in ("fcn", "fcn-32s", "pspnet"):
        assert (coarse[name] - whole[name]).abs().mean() < 0.05 * whole[name].abs().max(), name
    cut = whole["deeplab"][:, :, 8:40, 16:48]
    assert (coarse["deeplab"] - cut)[..., 6:-6, 6:-6].abs().mean() < 0.05 * cut.abs().max()


def test_statistics_of_few_places_stay():
    """In training mode neither the encoder's BatchNorms move nor that of the branch that pools a photo to one place."""
    networks = {"deeplab": build_network("deeplab")}
    model = SharedEncoder(networks, networks["deeplab"].encoder).train()
    before = {name: value.clone() for name, value in model.state_dict().items() if "running" in name}
    model(torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8))
    after = model.state_dict()
    moved = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert moved and not any(name.startswith("encoder.") or "aspp.0.convs.4" in name for name in moved)


def test_the_teacher_speaks_where_labels_are_missing():
    """Its maps teach where nobody labelled, half as much where a label stands, and not on a class it knows badly."""
    logits = torch.zeros(1, 21, 1, 3, requires_grad=True)
    teacher = torch.zeros(1, 21, 1, 3)
    teacher[:, 8] = 1
    labels = torch.tensor([[[IGNORE, 8, VOC.id("chair")]]])
    (loss(logits, labels, plain(0.0), teacher) - loss(logits, labels, plain(0.0))).backward()
    unlabelled, labelled, weak = logits.grad[0, 8, 0].abs().tolist()
    assert unlabelled == pytest.approx(2 * labelled) and labelled > 0 and weak == 0


def test_what_was_said_before_is_taught():
    """Unlabelled, networks that moved are drawn to their former answers; those are neither trained nor saved."""
    torch.manual_seed(0)
    networks = {name: build_network(name) for name in ("fcn", "pspnet", "unet")}
    learner = SharedEncoder(networks, build_network("deeplab").encoder)
    learner.steady.append(learner)
    learner.train()
    names, recipe = learner.state_dict().keys(), Recipe(distil=1.0, dice=0.0, smoothing=0.0)
    pixels = torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8)
    batch = [(pixels, torch.full((64, 64), IGNORE, dtype=torch.uint8))] * 2
    batch[0][1][0, :2] = 8  # cross entropy wants a label somewhere

    def told():
        return learner._quarter(batch, torch.Generator().manual_seed(0))[2]

    assert told() is None
    learner.remember()
    before = told()
    assert before.sum(1).sub(1).abs().max() < 1e-4 and learner.state_dict().keys() == names
    optimizer = torch.optim.SGD(learner.parameters(), 0.01)
    with torch.no_grad():
        learner.heads["pspnet"][0].bias.add_(torch.randn(21))
    losses = []
    for _ in range(8):
        total = learner.losses(batch, recipe, torch.Generator().manual_seed(0))["pspnet"]
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        losses.append(total.item())
    assert losses[-1] < losses[0] and torch.allclose(told(), before, atol=1e-5)


def test_details_move_alone():
    """U-Net's two finest levels and its head learn, from the labels and from the score below; nothing else does."""
    network = build_network("unet")
    shared = SharedEncoder({"unet": network}, build_network("deeplab").encoder)
    learner = Details(shared, network).train()
    batch = [(torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8), torch.full((64, 64), 8, dtype=torch.uint8))] * 2
    losses = learner.losses(batch, Recipe(distil=1.0), torch.Generator().manual_seed(0))
    assert losses.keys() == {"labels", "below"}
    sum(losses.values()).backward()
    moved = {name for name, p in learner.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert moved and all(
        name.startswith(("decoders.unet.blocks.3", "decoders.unet.blocks.4", "heads")) for name in moved
    )
