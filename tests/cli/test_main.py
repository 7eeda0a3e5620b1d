"""The command line: exit codes, and one-line errors without a traceback."""

import json
import re
import subprocess
import sys

import pytest

from labkit.__main__ import main
from labkit.weights.find import EMBEDDED, embedded_path


def test_help_without_torch(root):
    """`--help` of every command never imports torch or NumPy."""
    commands = [[], *([name] for name in "segment report compare grade evaluate train weights".split())]
    code = "import sys, runpy; sys.argv = ['labkit'] + {0!r}\ntry: runpy.run_module('labkit', run_name='__main__')\n"
    code += "except SystemExit as stop: assert stop.code == 0\nassert not {{'torch', 'numpy'}} & sys.modules.keys()"
    for command in commands:
        subprocess.run([sys.executable, "-c", code.format([*command, "--help"])], check=True, cwd=root, stdout=-3)


@pytest.mark.parametrize("arguments", [["weights"], ["segment", "3", "{images}", "--out", "{out}"]])
def test_reader_that_has_enough(tmp_path, root, arguments):
    """`| head` ends it: no traceback, and nothing is called not processed."""
    values = {"images": root / "data" / "images", "out": tmp_path}
    command = [sys.executable, "-u", "-m", "labkit", *(argument.format(**values) for argument in arguments)]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""


@pytest.mark.parametrize(
    "arguments",
    [
        "segment 11 {photo} --out {out}",
        "segment 1 нет.jpg --out {out}",
        "segment 1 {photo} --out {out} --weights {unet}",
        "segment 1 {photo} --out {out} --weights {photo}",
        "segment 1 {photo} --out {out} --device cuda:77",
        "segment 5 {photo} --out {photo}",
        "segment 1 {photo} --out {out} --point 10,10",
        "segment 6 {photo} --out {out} --background-point -1,5",
        "segment unet {photo} --out {out} --box 0,0,10,10",
        "report 9 --out {out}",
        "report 1 --photos {out} --out {out}",
        "report 1 --weights нет.safetensors --out {out}",
        "report 1 --weights official --out {out}",
        "report 1 --device cuda:77 --out {out}",
        "report 1 --out {photo}",
        "compare --out {photo}/x",
        "compare {empty} --out {out}",
        "compare нет.jpg --out {out}",
        "compare --target кот --out {out}",
        "compare --weights embeded --out {out}",
        "compare --weights {photo} --out {out}",
        "compare --weights official/sam_vit_l --out {out}",
        "compare --device cuda:77 --out {out}",
        "grade нет --out {out}",
        "grade {empty}",
        "grade {photo} --out {out}",
        "grade {images} --out {out} --target единорог",
        "grade {images} --out {out} --roster {photo}",
        "grade {images} --out {out} --rubric нет.toml",
        "evaluate 1 --dataset {out} --split val.txt",
        "train 1 --dataset {out} --out {out}/w.safetensors",
    ],
)
def test_wrong_calls(arguments, tmp_path, root, monkeypatch, capsys):
    """Exit code 2, one line of words on stderr, the name of the program first; nothing is run and nothing written."""
    monkeypatch.setattr("labkit.report.run.run_notebook", None)
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "кэш"))
    monkeypatch.setenv("LABKIT_OFFLINE", "1")
    (tmp_path / "пусто").mkdir()
    images = root / "data" / "images"
    values = {"images": images, "photo": images / "sheep.jpg", "unet": embedded_path("unet")}
    values |= {"out": tmp_path / "out", "empty": tmp_path / "пусто"}
    assert main([argument.format(**values) for argument in arguments.split()]) == 2
    error = capsys.readouterr().err
    assert error.startswith("labkit: ") and error.count("\n") == 1
    in_words = f"Не удалось прочитать или записать {values['photo']}" in error
    assert "Errno" not in error and in_words == ("--out {photo}" in arguments)
    assert not (tmp_path / "out").exists() and not list((tmp_path / "пусто").iterdir())


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["dance"], "usage"),
        (["segment", "1"], "usage"),
        ([], "usage"),
        (["train", "3", "--dataset", "x", "--out", "y", "--minutes", "nan"], "'nan': нужно число минут"),
        (["grade", "x", "--wanted", "2.5"], "'2.5': нужно целое число"),
        *(
            ([*command.split(), "--out", "отчёт.HTML"], "'отчёт.HTML': файлы получают имена сами, нужна папка")
            for command in ("report 1", "compare", "grade x", "segment 1 x")
        ),
        *(
            (["segment", "4", "x", "--out", "y", prompt], "argument {}: '{}'.*например".format(*prompt.split("=")))
            for prompt in ("--point=5", "--point=5,6,7", "--point=5,x", "--point=nan,1", "--box=1,2,3")
        ),
    ],
)
def test_usage_errors_are_argparse_s(arguments, said, tmp_path, monkeypatch, capsys):
    """An unknown command, a missing argument, numbers that are none exit with 2 as well, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2 and re.search(said, capsys.readouterr().err) and not list(tmp_path.iterdir())


def test_evaluate_and_train(tiny_dataset, tmp_path, capsys):
    """`train` writes weights that `evaluate` scores; --json is JSON."""
    out = tmp_path / "pspnet.safetensors"
    arguments = ["--dataset", str(tiny_dataset), "--device", "cpu"]
    assert main(["train", "5", *arguments, "--out", str(out), "--minutes", "0.02"]) == 0
    capsys.readouterr()
    assert main(["evaluate", "5", *arguments, "--split", "val.txt", "--weights", str(out), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["photos"] == 2 and scores["weights"] == out.name and scores["iou"]["person"] > 0.3


def test_weights(tmp_path, monkeypatch, capsys):
    """`list` and `verify` go through all files without a network; `fetch` says why it could not, and goes on."""
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "кэш"))
    monkeypatch.setenv("LABKIT_OFFLINE", "1")
    assert main(["weights"]) == 0 and main(["weights", "verify"]) == 0
    assert capsys.readouterr().out.count("ok") == len(EMBEDDED)
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
