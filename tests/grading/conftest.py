"""Every test of grading has a secret of its own, and leaves the user's settings alone."""

import pytest
from handed_in import sample  # noqa: F401

from labkit.grading import kept


@pytest.fixture(autouse=True, scope="session")
def settings_folder(tmp_path_factory):
    """Where the instructor's key is kept, also by the processes that a test starts."""
    folder = tmp_path_factory.mktemp("настройки")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(folder))
        kept.secret.cache_clear()
        yield folder
    kept.secret.cache_clear()
