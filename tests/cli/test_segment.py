"""`labkit segment`: files, prompts, and what a bad photo costs."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
from PIL import Image

from labkit.__main__ import main
from labkit.evaluation.metrics import iou
from labkit.models.base import Setting
from labkit.models.prompted import PromptedModel
from labkit.segmentation import load_segmentation


def test_segment_writes_three_files_a_photo(tmp_path, root, default_photos, capsys):
    """`segment` writes the documented files, which load again as the model's own result."""
    source = root / "data" / "images" / "cat_kitten.jpg"
    assert main(["segment", "unet", str(source), "--out", str(tmp_path), "--device", "cpu"]) == 0
    written = [f"cat_kitten{end}" for end in (".classes.png", ".ids.png", ".json")]
    assert sorted(p.name for p in tmp_path.iterdir()) == written
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
    """A box measured on a large file finds the same cat, as on a turned one; what may surprise is said."""
    exif = Image.Exif()
    exif[0x0112] = 3
    with Image.open(root / "data" / "images" / "cat_kitten.jpg") as image:
        image.resize((2700, 2025)).save(tmp_path / "big.jpg", quality=95)
        image.resize((2048, 1536)).rotate(180).save(tmp_path / "work.jpg", quality=95, exif=exif)
    masks = []
    for name, scale in (("big", 3), ("work", 2048 / 900)):
        box = ",".join(str(round(n * scale)) for n in (249, 142, 641, 609))
        arguments = ["--box", box, "--out", str(tmp_path / "out"), "--device", "cpu"]
        assert main(["segment", "4", str(tmp_path / f"{name}.jpg"), *arguments]) == 0
        masks.append(np.array(Image.open(tmp_path / "out" / f"{name}.ids.png")) > 0)
        error = capsys.readouterr().err
        assert ("2700×2025" in error, "EXIF" in error) == (name == "big", name == "work")
    assert iou(*masks) > 0.95 and masks[0].shape == (1536, 2048)
    record = json.loads((tmp_path / "out" / "big.json").read_text(encoding="utf-8"))
    assert (record["size"], record["file_size"]) == ([1536, 2048], [2025, 2700])
    outside = {"--point": ("2701,3", "(2701, 3) вне фото"), "--box": ("2800,9,2900,50", "(2800, 9, 2900, 50)")}
    for prompt, (given, said) in outside.items():
        arguments = [prompt, given, "--out", str(tmp_path), "--device", "cpu"]
        assert main(["segment", "4", str(tmp_path / "big.jpg"), *arguments]) == 1
        error = capsys.readouterr().err
        assert said in error and "фото 2700×2025" in error and "умножьте" not in error


def test_segment_everything(tmp_path, root, monkeypatch):
    """Without a prompt variant 4 runs its automatic mode: no prompt in the record, and no classes."""
    settings = PromptedModel.settings.fget
    few = property(lambda self: {**settings(self), "points_per_side": Setting(2, 1, 64)})
    monkeypatch.setattr(PromptedModel, "settings", few)
    photo = str(root / "data" / "images" / "cat_kitten.jpg")
    assert main(["segment", "4", photo, "--out", str(tmp_path), "--device", "cpu"]) == 0
    made_by = json.loads((tmp_path / "cat_kitten.json").read_text(encoding="utf-8"))["made_by"]
    assert made_by["variant"] == "sam" and made_by["settings"]["points_per_side"] == 2
    assert not {"prompts", "classes"} & made_by.keys()


def test_photo_names_in_any_terminal(tmp_path, root):
    """Cyrillic names and messages do not fail where the terminal cannot show them."""
    shutil.copy(root / "data" / "images" / "sheep.jpg", tmp_path / "овца.jpg")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": str(root)}
    command = [sys.executable, "-m", "labkit", "segment", "5", str(tmp_path / "овца.jpg"), "--out", str(tmp_path)]
    done = subprocess.run(command, env=environment, cwd=root, capture_output=True)
    assert done.returncode == 0, done.stderr
