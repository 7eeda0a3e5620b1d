"""`explore`: controls that run the real model again, and only the last wish of many."""

import threading

import numpy as np
import pytest
from IPython.utils.capture import capture_output

from labkit.io.errors import LabkitError
from labkit.viewer import explore
from labkit.viewer.explore import Explorer

photos = pytest.fixture(lambda default_photos: [default_photos["cat_chelsea"], default_photos["horses"]])


@pytest.mark.parametrize("variant", range(1, 7))
def test_controls(load, photos, variant):
    """Every setting of a model is a control with its range and usual value, named in Russian."""
    explorer = Explorer(load(variant), photos[:1])
    assert explorer.controls.keys() == load(variant).settings.keys()
    for name, setting in load(variant).settings.items():
        control = explorer.controls[name]
        assert control.value == setting.value and control.description and name not in control.description
        if setting.choices:
            assert tuple(control.options) == setting.choices
        else:
            assert (control.min, control.max, control.continuous_update) == (setting.low, setting.high, False)


def test_a_slider_runs_the_model(load, photos):
    """The result is what `segment` says with that setting, and the viewer shows it."""
    explorer = Explorer(load(6), photos)
    explorer.controls["score_threshold"].value = 0.05
    explorer.wait(60)
    expected = load(6).segment(photos[0], score_threshold=0.05)
    assert explorer.settings["score_threshold"] == 0.05 and np.array_equal(explorer.result.ids, expected.ids)
    assert len(explorer.viewer.items[0]["segments"]) == len(expected.segments) and explorer.viewer.message == ""
    explorer.chooser.value = 1
    explorer.wait(60)
    assert explorer.result.photo is photos[1] and explorer.viewer.items[0]["name"] == "horses"


class Slow:
    """A model whose runs wait until they are let go, one by one."""

    def __init__(self, model):
        self.settings, self.defaults, self.weights, self._model = model.settings, model.defaults, model.weights, model
        self.go, self.started, self.runs = threading.Semaphore(1), threading.Semaphore(0), []

    def segment(self, photo, **settings):
        self.started.release()
        assert self.go.acquire(timeout=30)
        self.runs.append(settings.get("finest"))
        if settings.get("finest") == 32:
            raise RuntimeError("не вышло")
        return self._model.segment(photo, **settings)


def test_no_queue_of_stale_runs(load, photos):
    """While one run is under way, of all that is asked only the last is run; a busy sign stands meanwhile."""
    model = Slow(load(3))
    explorer = Explorer(model, photos)
    model.started.acquire()
    size = explorer.controls["working_side"]
    size.value = 200
    assert model.started.acquire(timeout=30) and explorer.viewer.message == "Модель считает…"
    for value in (210, 220, 230):
        size.value = value
    model.go.release(2)
    explorer.wait(60)
    assert len(model.runs) == 3 and explorer.settings["working_side"] == 230 and explorer.viewer.message == ""


def test_a_run_that_fails(load, photos):
    """What went wrong stands in the viewer; the next setting works again."""
    model = Slow(load(3))
    model.go.release(9)
    explorer = Explorer(model, photos)
    explorer.controls["finest"].value = 32
    explorer.wait(60)
    assert "RuntimeError (не вышло)" in explorer.viewer.message and explorer.result.segments == []
    explorer.controls["finest"].value = 16
    explorer.wait(60)
    assert explorer.viewer.message == "" and explorer.result.segments


def test_known_results(load, photos):
    """Results in place of photos are shown and not computed again, until a setting is moved; `start` comes first."""
    results = [load(3).segment(photo) for photo in photos]
    model = Slow(load(3))
    explorer = Explorer(model, results, photos[1].name)
    assert explorer.result is results[1] and model.runs == []
    explorer.chooser.value = 0
    explorer.wait(60)
    assert explorer.result is results[0] and model.runs == []
    explorer.controls["finest"].value = 16
    explorer.wait(60)
    assert explorer.result is not results[0] and model.runs == [16]
    assert Explorer(load(5), iter(results)).result.made_by["variant"] == "pspnet"  # another model's are its own no more


def test_display(shell, load, photos):
    """One bundle: the controls, and nothing for a page without a kernel; a single photo is a list of one."""
    with capture_output() as captured:
        explorer = explore(load(1), photos[0])
    assert len(explorer.photos) == 1
    (output,) = captured.outputs
    assert "application/vnd.jupyter.widget-view+json" in output.data and output.data["text/html"] == ""


def test_no_photos(load):
    """Without photos it says so."""
    with pytest.raises(LabkitError, match="нечего"):
        explore(load(1), [])
