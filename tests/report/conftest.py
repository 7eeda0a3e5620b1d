"""One report of three photos, whole, which each test may spoil in its own way."""

import copy

import pytest
from executed import executed, handed_in

from labkit.report.answers import complete


@pytest.fixture(scope="session")
def handed(report_photos, report_results):
    """What the last cell of the notebook displays."""
    return handed_in(3, report_photos, report_results, student="Ли </script><b>", group="ИВТ-21")


@pytest.fixture(scope="session")
def notebook(handed, report_results):
    """The executed notebook around it; who changes it takes a copy."""
    return executed(handed, report_results)


@pytest.fixture
def data(handed, notebook):
    """The whole data of its report, to be spoiled."""
    return copy.deepcopy(complete(handed.data, notebook))
