"""Every test of grading has a secret of its own, and leaves the user's settings alone."""

import pytest
from handed_in import sample  # noqa: F401

from labkit.grading import grade as grading
from labkit.grading import kept, reading, similarity


@pytest.fixture(autouse=True, scope="session")
def settings_folder(tmp_path_factory):
    """Where the instructor's key is kept, also by the processes that a test starts."""
    folder = tmp_path_factory.mktemp("настройки")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(folder))
        kept.secret.cache_clear()
        yield folder
    kept.secret.cache_clear()


@pytest.fixture
def at_once(monkeypatch):
    """Everything in this process, where processes are not what is tested: they take seconds to start."""
    for module in (grading, reading, similarity):
        monkeypatch.setattr(module, "done", lambda work, tasks, *_, **__: list(map(work, tasks)))
