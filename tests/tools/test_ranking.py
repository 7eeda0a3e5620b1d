"""Teaching SAM's ranking: what is kept of each prompt, what is learned from it, and that nothing else moves."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from labkit.evaluation.dataset import Dataset
from labkit.models import load_model
from tools import ranking
from tools.ranking import collect, order_loss, tune


def test_collect(load, tiny_dataset):
    """Three prompts an object: two points with the IoU of three answers, a box with that of one; the head is heard."""
    model, data = load(4), Dataset(tiny_dataset, "val")
    tokens, ious = collect(model, data)
    objects = sum(instance.area >= 400 for instance in data.instances())
    assert tokens.shape == (3 * objects, 256) and ious.shape == (3 * objects, 4)
    points = ious[:, 0].isnan()
    assert points.reshape(-1, 3).tolist() == [[True, True, False]] * objects
    assert ious[points, 1:].isfinite().all() and ious[~points, 1:].isnan().all()
    predicted = model.network.mask_decoder.iou_prediction_head(tokens)
    known = ious.isfinite()
    assert (predicted[known] - ious[known]).abs().mean() < 0.25
    assert not model.network.mask_decoder.iou_prediction_head._forward_pre_hooks


def test_order_loss():
    """Zero for the same order and distances, larger the more it is turned about; a common offset does not count."""
    true = torch.tensor([[0.9, 0.5, 0.1]])
    assert order_loss(true - 0.3, true).item() == pytest.approx(0, abs=1e-6)
    assert 0 < order_loss(torch.tensor([[0.7, 0.7, 0.1]]), true) < order_loss(torch.tensor([[0.1, 0.5, 0.9]]), true)


def test_tune():
    """A head learns an order that its tokens tell, the given one stays as it was, and the seed decides the rest."""
    rng = torch.Generator().manual_seed(0)
    tokens = torch.randn(600, 8, generator=rng)
    ious = torch.sigmoid(tokens[:, :4])
    ious[:200, 1:] = np.nan
    ious[200:, 0] = np.nan
    head = torch.nn.Linear(8, 4)
    before = head.weight.clone()
    tuned = tune(head, tokens, ious, steps=400, rate=1e-2)
    assert torch.equal(head.weight, before) and not any(one.requires_grad for one in tuned.parameters())
    best = ious[200:, 1:].argmax(1)

    def right(one):
        return (one(tokens[200:])[:, 1:].argmax(1) == best).float().mean().item()

    assert right(tuned) > 0.9 > right(head)
    assert torch.equal(tuned.weight, tune(head, tokens, ious, steps=400, rate=1e-2).weight)


def test_writes_weights(tiny_dataset, tmp_path, monkeypatch, root, capsys):
    """The command writes SAM's weights again; only the head's differ, and they can be loaded."""
    out = tmp_path / "sam.safetensors"
    arguments = ["ranking", "embedded", "--dataset", str(tiny_dataset), "--split", "val.txt", "--out", str(out)]
    monkeypatch.setattr("sys.argv", arguments)
    ranking.main()
    before, after = load_file(root / "labkit" / "weights" / "embedded" / "sam.safetensors"), load_file(out)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and all("iou_prediction_head" in name for name in changed)
    assert load_model(4, out, "cpu").weights.sha256 in capsys.readouterr().out
