"""`labkit weights`: the list, fetching and verifying."""

from labkit.__main__ import main
from labkit.weights.find import EMBEDDED


def test_weights(capsys):
    """`weights` lists the embedded files; `verify` checks each."""
    assert main(["weights"]) == 0 and main(["weights", "verify"]) == 0
    assert capsys.readouterr().out.count("ok") == len(EMBEDDED)


def test_weights_of_the_catalogue(tmp_path, monkeypatch, capsys):
    """`weights fetch` wants to know what, says why it could not, and goes on; `list` and `verify` ask no network."""
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "кэш"))
    monkeypatch.setenv("LABKIT_OFFLINE", "1")
    assert main(["weights", "fetch"]) == 2 and "weights list" in capsys.readouterr().err
    assert main(["weights", "fetch", "1", "sam_vit_l"]) == 1
    error = capsys.readouterr().err
    assert "deeplabv3_resnet101_coco-586e9e4e.pth" in error and "sam_vit_l_0b3195.pth" in error
    assert "LABKIT_OFFLINE" in error and "mobilenet" not in error
    assert main(["weights", "list", "unet"]) == 0
    listed = capsys.readouterr().out
    assert "embedded/unet" in listed and "official/unet_people  50 MB  people" in listed and "fcn" not in listed
    (tmp_path / "кэш").mkdir(exist_ok=True)
    (tmp_path / "кэш" / "fcn_resnet50_coco-1167a1af.pth").write_bytes(b"<html>")
    assert main(["weights", "verify", "fcn_resnet50"]) == 1 and "1167a1af" in capsys.readouterr().err
    assert main(["weights", "fetch", "7"]) == 2 and "deeplab" in capsys.readouterr().err
