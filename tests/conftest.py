"""What many tests need: the photos and the models of the kit, each loaded once."""

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from browser import chromium, open_page  # noqa: F401
from PIL import Image

from labkit.locale import language, use_language

ROOT = Path(__file__).parents[1]

if workers := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):  # side by side they share the cores, and so do their kernels
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // int(workers))))


@pytest.fixture(autouse=True)
def restored_language():
    """What a test does to the language ends with it."""
    with use_language(language()):
        yield


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the clone."""
    return ROOT


@pytest.fixture(scope="session")
def default_photos():
    """The ten photos that travel with the kit, by name."""
    from labkit.photos import load_photos

    return {photo.name: photo for photo in load_photos(ROOT / "data" / "images", quiet=True)}


@pytest.fixture(scope="session")
def load():
    """`load_model` on the CPU with the embedded weights, each variant once."""
    from labkit.models import load_model

    return cache(lambda variant: load_model(variant, "embedded", "cpu"))


@pytest.fixture(scope="session")
def report_photos(root):
    """Three photos as a report carries them."""
    from labkit.photos import load_photos

    names = ("cat_kitten", "cat_yarn", "officer")
    return load_photos([root / "data" / "images" / f"{name}.jpg" for name in names], for_report=True, quiet=True)


@pytest.fixture(scope="session")
def report_results(report_photos, load):
    """What variant 3 says of them."""
    return [load(3).segment(photo) for photo in report_photos]


@pytest.fixture
def tiny_dataset(tmp_path, default_photos, root):
    """Six of the kit's photos in the layout of the training data, their outlines as labels."""
    from labkit.evaluation.annotations import find_ground_truth

    folder = tmp_path / "набор"
    for name in ("images", "semantic", "instances"):
        (folder / name).mkdir(parents=True)
    names = ["cat_chelsea", "cat_kitten", "astronaut", "dog_shepherd", "officer", "cat_yarn"]
    rows = ["image,instance,category,voc_id,area_px,x0,y0,x1,y1"]
    for name in names:
        photo = default_photos[name]
        reference = find_ground_truth(photo, root / "data" / "outlines")
        Image.fromarray(photo.pixels).save(folder / "images" / f"{name}.jpg", quality=90)
        Image.fromarray(reference.labels).save(folder / "semantic" / f"{name}.png")
        Image.fromarray(reference.ids.astype(np.uint8)).save(folder / "instances" / f"{name}.png")
        for s in reference.segments:
            rows.append(",".join(map(str, (name, s.id, s.label, s.label_id, s.area, *s.box))))
    (folder / "instances.csv").write_text("\n".join(rows))
    (folder / "train.txt").write_text("\n".join(names[:4]))
    (folder / "val.txt").write_text("\n".join(names[4:]))
    return folder


@pytest.fixture(scope="session")
def outlined(default_photos, root):
    """A result to show: the outlined cat of a photo, found with a confidence that rises from 0 at the left to 1."""
    from labkit.evaluation.annotations import find_ground_truth
    from labkit.segmentation import Segmentation

    photo = default_photos["cat_chelsea"]
    labels = find_ground_truth(photo, root / "data" / "outlines").labels
    confidence = np.tile(np.linspace(0, 1, labels.shape[1], dtype=np.float32), (labels.shape[0], 1))
    return Segmentation.from_labels(photo, labels, confidence)


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """IPython without a notebook: it displays bundles as a notebook would."""
    from IPython.core.interactiveshell import InteractiveShell

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    InteractiveShell.clear_instance()
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()
