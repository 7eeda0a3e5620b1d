"""All six models on one set of photos: runs `compare.ipynb` and exports it as one page."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

from labkit.comparison.figures import class_name
from labkit.comparison.models import check_weights, fitting_releases
from labkit.io.errors import LabkitError
from labkit.io.files import local
from labkit.locale import text
from labkit.photos import load_photos
from labkit.report.run import Report, report_of
from labkit.variants import VARIANTS
from labkit.weights.catalogue import OFFICIAL
from labkit.weights.download import fetch
from labkit.weights.find import find_weights

__all__ = ["make_comparison"]


def make_comparison(
    photos: Sequence[str | Path] = (),
    weights: str | Path = "embedded",
    target: str = "кошка",
    device: str = "auto",
    out: str | Path = "reports",
    student: str = "",
    group: str = "",
    failed: Callable[[str], object] = print,
) -> Report:
    """Runs the notebook on photos (none: the kit's ten) and writes `compare.html` and `compare.ipynb` into `out`.

    `weights` as in `labkit.comparison.models.load_models`. `failed` takes a line on each photo and each model's weights
    that could not be had; the others are compared all the same. A failing cell or Ctrl-C leaves a page that shows where
    it stopped. LabkitError, before anything runs, for wrong arguments.
    """
    label = class_name(target)
    given = _had(check_weights(weights), label, failed)
    parameters: dict[str, Any] = {"weights": given, "device": device, "target": target, "seconds_digits": 2}
    parameters |= {"student": student, "group": group}
    if photos:
        for skipped in load_photos(list(photos), quiet=True).skipped:
            failed(text("model.failed", name=skipped.name, reason=skipped.reason))
        parameters["photos_path"] = [str(local(path).resolve()) for path in photos]
    return report_of("compare.ipynb", parameters, Path(out) / "compare", text("report.comparison"))


def _had(weights: str, label: str, failed: Callable[[str], object]) -> str:
    """What the notebook is to take, downloaded by now: what it waits for would not be seen here."""
    if weights == "official":
        for release in chain(*(fitting_releases(row, label)[:1] for row in VARIANTS)):
            try:
                fetch(release)
            except LabkitError as error:  # one that cannot be had must not cost the others
                failed(str(error))
                weights = "cached"
    elif weights.removeprefix("official/") in OFFICIAL:
        fetch(OFFICIAL[weights.removeprefix("official/")])
    elif local(weights).is_file():
        for row in VARIANTS[1:]:
            with suppress(LabkitError):
                return str(find_weights(row, weights).path.resolve())
        return str(find_weights(VARIANTS[0], weights).path.resolve())  # the first variant's, or nobody's: why not
    return weights
