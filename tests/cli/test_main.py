"""The command line: files, exit codes, and one-line errors without a traceback."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from labkit.__main__ import main
from labkit.evaluation.metrics import iou
from labkit.models.base import Setting
from labkit.models.prompted import PromptedModel
from labkit.segmentation import load_segmentation
from labkit.weights.find import EMBEDDED, embedded_path


def test_help_is_quick_and_without_torch(root):
    """`--help` of every command takes half a second of the processor at most and never imports torch or NumPy."""
    commands = [[], ["segment"], ["report"], ["evaluate"], ["train"], ["grade"], ["weights"]]
    code = "import sys, runpy; sys.argv = ['labkit'] + {0!r}\ntry: runpy.run_module('labkit', run_name='__main__')\n"
    code += "except SystemExit as stop: assert stop.code == 0\nassert not {{'torch', 'numpy'}} & sys.modules.keys()"
    for command in commands:
        subprocess.run([sys.executable, "-c", code.format([*command, "--help"])], check=True, cwd=root, stdout=-3)
    spent = []
    for _ in range(3):
        before = os.times()
        subprocess.run([sys.executable, "-m", "labkit", "--help"], check=True, cwd=root, stdout=-3)
        after = os.times()
        spent.append(after.children_user + after.children_system - before.children_user - before.children_system)
    assert min(spent) <= 0.5


def test_segment_writes_three_files_a_photo(tmp_path, root, default_photos, capsys):
    """`segment` writes the documented files, which load again as the model's own result."""
    source = root / "data" / "images" / "cat_kitten.jpg"
    assert main(["segment", "unet", str(source), "--out", str(tmp_path), "--device", "cpu"]) == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        f"cat_kitten{end}" for end in (".classes.png", ".ids.png", ".json")
    ]
    record = json.loads((tmp_path / "cat_kitten.json").read_text(encoding="utf-8"))
    assert record["made_by"]["variant"] == "unet" and record["size"] == [675, 900]
    again = load_segmentation(tmp_path / "cat_kitten.json", default_photos["cat_kitten"])
    with Image.open(tmp_path / "cat_kitten.classes.png") as image:
        assert np.array_equal(np.array(image), again.labels)
    assert "cat_kitten.json" in capsys.readouterr().out


def test_bad_photo_costs_only_itself(tmp_path, root, capsys):
    """A broken file among good ones: named on stderr, exit code 1, the others written."""
    shutil.copy(root / "data" / "images" / "sheep.jpg", tmp_path / "овца.jpg")
    (tmp_path / "битый.jpg").write_bytes(b"not a photo")
    assert main(["segment", "5", str(tmp_path), "--out", str(tmp_path / "out"), "--device", "cpu"]) == 1
    error = capsys.readouterr().err
    assert "битый.jpg" in error and "Traceback" not in error
    assert (tmp_path / "out" / "овца.json").exists()


def test_segment_by_prompt(tmp_path, root, load, default_photos, capsys):
    """The options are `prompt`'s arguments, which the record keeps; a photo that they do not fit costs only itself."""
    folder = root / "data" / "images"
    arguments = ["segment", "4", str(folder / "cat_kitten.jpg"), str(folder / "cat_chelsea.jpg"), "--device", "cpu"]
    prompts = ["--point", "450,320", "--point=400.5,560", "--background-point", "100,100", "--box", "-5,130,650,610"]
    assert main([*arguments, *prompts, "--out", str(tmp_path)]) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cat_kitten.ids.png", "cat_kitten.json"]
    error = capsys.readouterr().err
    assert error.startswith("cat_chelsea: ") and "(450, 320)" in error and error.count("\n") == 1
    record = json.loads((tmp_path / "cat_kitten.json").read_text(encoding="utf-8"))
    points = [[450, 320], [400.5, 560], [100, 100]]
    asked = {"points": points, "point_labels": [1, 1, 0], "box": [0, 130, 650, 610]}
    assert record["made_by"]["prompts"] == asked
    model = load(4)
    model.set_photo(default_photos["cat_kitten"])
    again = load_segmentation(tmp_path / "cat_kitten.json", default_photos["cat_kitten"])
    assert again.classes is None and np.array_equal(again.ids, model.prompt(**asked).ids)


def test_prompt_outside_every_photo(tmp_path, root, capsys):
    """A minus is no option: the point is named as one that lies outside the photo."""
    photo = str(root / "data" / "images" / "cat_chelsea.jpg")
    for point in (["--point", "-5,3"], ["--point=-5,3"]):
        assert main(["segment", "sam", photo, *point, "--out", str(tmp_path), "--device", "cpu"]) == 1
        assert "(-5, 3) вне фото 451×300" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_prompts_in_pixels_of_the_file(tmp_path, root, capsys):
    """A box measured on a large file finds the same cat; that the masks are smaller is said and stands in the JSON."""
    with Image.open(root / "data" / "images" / "cat_kitten.jpg") as image:
        image.resize((2700, 2025)).save(tmp_path / "big.jpg", quality=95)
        image.resize((2048, 1536)).save(tmp_path / "work.jpg", quality=95)
    masks = []
    for name, scale in (("big", 3), ("work", 2048 / 900)):
        box = ",".join(str(round(n * scale)) for n in (249, 142, 641, 609))
        arguments = ["--box", box, "--out", str(tmp_path / "out"), "--device", "cpu"]
        assert main(["segment", "4", str(tmp_path / f"{name}.jpg"), *arguments]) == 0
        masks.append(np.array(Image.open(tmp_path / "out" / f"{name}.ids.png")) > 0)
        assert ("2700×2025" in capsys.readouterr().err) == (name == "big")
    assert iou(*masks) > 0.95 and masks[0].shape == (1536, 2048)
    record = json.loads((tmp_path / "out" / "big.json").read_text(encoding="utf-8"))
    assert (record["size"], record["file_size"]) == ([1536, 2048], [2025, 2700])
    outside = {"--point": ("2701,3", "(2701, 3) вне фото"), "--box": ("2800,9,2900,50", "(2800, 9, 2900, 50)")}
    for prompt, (given, said) in outside.items():
        arguments = [prompt, given, "--out", str(tmp_path), "--device", "cpu"]
        assert main(["segment", "4", str(tmp_path / "big.jpg"), *arguments]) == 1
        error = capsys.readouterr().err
        assert said in error and "фото 2700×2025" in error and "умножьте" not in error


@pytest.mark.parametrize("arguments", [["weights"], ["segment", "3", "{images}", "--out", "{out}"]])
def test_reader_that_has_enough(tmp_path, root, arguments):
    """`| head` ends it: no traceback, and nothing is called not processed."""
    values = {"images": root / "data" / "images", "out": tmp_path}
    command = [sys.executable, "-u", "-m", "labkit", *(argument.format(**values) for argument in arguments)]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""


def test_segment_everything(tmp_path, root, monkeypatch, capsys):
    """Without a prompt variant 4 runs its automatic mode: no prompt in the record, and no classes."""
    settings = PromptedModel.settings.fget
    few = property(lambda self: {**settings(self), "points_per_side": Setting(2, 1, 64)})
    monkeypatch.setattr(PromptedModel, "settings", few)
    photo = str(root / "data" / "images" / "cat_kitten.jpg")
    assert main(["segment", "4", photo, "--out", str(tmp_path), "--device", "cpu"]) == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cat_kitten.ids.png", "cat_kitten.json"]
    made_by = json.loads((tmp_path / "cat_kitten.json").read_text(encoding="utf-8"))["made_by"]
    assert made_by["variant"] == "sam" and made_by["settings"]["points_per_side"] == 2
    assert not {"prompts", "classes"} & made_by.keys()


@pytest.mark.parametrize(
    "arguments",
    [
        ["segment", "11", "{photo}", "--out", "{out}"],
        ["segment", "1", "нет.jpg", "--out", "{out}"],
        ["segment", "1", "{photo}", "--out", "{out}", "--weights", "{unet}"],
        ["segment", "1", "{photo}", "--out", "{out}", "--weights", "{photo}"],
        ["segment", "1", "{photo}", "--out", "{out}", "--device", "cuda:77"],
        ["segment", "1", "{photo}", "--out", "{out}", "--point", "10,10"],
        ["segment", "6", "{photo}", "--out", "{out}", "--background-point", "-1,5"],
        ["segment", "unet", "{photo}", "--out", "{out}", "--box", "0,0,10,10"],
        ["report", "1", "--photos", "{out}", "--out", "{out}"],
        ["report", "1", "--device", "cuda:77", "--out", "{out}"],
        ["evaluate", "1", "--dataset", "{out}", "--split", "val.txt"],
        ["train", "1", "--dataset", "{out}", "--out", "{out}/w.safetensors"],
    ],
)
def test_wrong_calls(arguments, tmp_path, root, capsys):
    """Exit code 2, one line on stderr that begins with the program's name, nothing written."""
    values = {
        "photo": str(root / "data" / "images" / "sheep.jpg"),
        "out": str(tmp_path / "out"),
        "unet": str(embedded_path("unet")),
    }
    assert main([argument.format(**values) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("labkit: ") and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_usage_errors_are_argparse_s(capsys):
    """An unknown command or a missing argument exits with 2 as well."""
    for arguments in (["dance"], ["segment", "1"], []):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 2
    assert "usage" in capsys.readouterr().err


@pytest.mark.parametrize("prompt", ["--point=5", "--point=5,6,7", "--point=5,x", "--point=nan,1", "--box=1,2,3"])
def test_malformed_prompts_are_usage_errors(prompt, tmp_path, root, capsys):
    """Exit code 2 with what was given and an example of what is valid."""
    with pytest.raises(SystemExit) as stop:
        main(["segment", "4", str(root / "data" / "images" / "sheep.jpg"), "--out", str(tmp_path / "out"), prompt])
    assert stop.value.code == 2
    name, given = prompt.split("=")
    error = capsys.readouterr().err
    assert f"argument {name}: '{given}'" in error and "например" in error
    assert not (tmp_path / "out").exists()


def test_evaluate_and_train(tiny_dataset, tmp_path, capsys):
    """`train` writes weights that `evaluate` scores; --json is JSON."""
    out = tmp_path / "pspnet.safetensors"
    arguments = ["--dataset", str(tiny_dataset), "--device", "cpu"]
    assert main(["train", "5", *arguments, "--out", str(out), "--minutes", "0.02"]) == 0
    capsys.readouterr()
    assert main(["evaluate", "5", *arguments, "--split", "val.txt", "--weights", str(out), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["photos"] == 2 and scores["weights"] == out.name and scores["iou"]["person"] > 0.3


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


def test_photo_names_in_any_terminal(tmp_path, root):
    """Cyrillic names and messages do not fail where the terminal cannot show them."""
    shutil.copy(root / "data" / "images" / "sheep.jpg", tmp_path / "овца.jpg")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": str(root)}
    command = [sys.executable, "-m", "labkit", "segment", "5", str(tmp_path / "овца.jpg"), "--out", str(tmp_path)]
    done = subprocess.run(command, env=environment, cwd=root, capture_output=True)
    assert done.returncode == 0, done.stderr
