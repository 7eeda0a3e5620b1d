"""Publishing: the address stands in every setup cell and badge, once, however often it is run."""

import shutil

import nbformat
import pytest

from tools.publish import publish


@pytest.fixture
def clone(root, tmp_path):
    """The notebooks and READMEs of the kit, to be written to."""
    (tmp_path / "notebooks").mkdir()
    for path in [*(root / "notebooks").glob("*.ipynb"), root / "README.md", root / "README.ru.md"]:
        shutil.copy(path, tmp_path / path.relative_to(root))
    return tmp_path


def cells(clone, name: str) -> tuple[str, str]:
    """The title and the setup cell of a notebook."""
    found = nbformat.read(clone / "notebooks" / name, 4).cells
    return found[0].source, next(cell.source for cell in found if cell.cell_type == "code")


def test_every_notebook_gets_address_and_badge(clone):
    """The setup cell installs from the repository, the badge opens this very notebook, both READMEs list all."""
    changed = publish("https://github.com/someone/kit.git", clone)
    assert len(changed) == 7 + 2
    for path in (clone / "notebooks").glob("*.ipynb"):
        title, setup = cells(clone, path.name)
        assert setup.startswith('LABKIT = "git+https://github.com/someone/kit"  # ')
        link = f"https://colab.research.google.com/github/someone/kit/blob/main/notebooks/{path.name}"
        assert title.splitlines()[2].endswith(f"({link})") and title.startswith("# ")
        for readme in ("README.md", "README.ru.md"):
            assert link in (clone / readme).read_text(encoding="utf-8")


def test_the_second_time_nothing_changes(clone):
    """Run again with the same address no file is written; with another one each address is replaced."""
    publish("https://github.com/someone/kit", clone)
    before = {path: path.read_bytes() for path in clone.rglob("*.*")}
    assert publish("https://github.com/someone/kit/", clone) == []
    assert before == {path: path.read_bytes() for path in clone.rglob("*.*")}
    publish("https://github.com/other/lab", clone)
    title, setup = cells(clone, "compare.ipynb")
    assert title.count("Open in Colab") == 1 and "other/lab" in title and "someone" not in title + setup


@pytest.mark.parametrize(
    "url", ["", "github.com/someone/kit", "https://example.org/someone/kit", "https://github.com/a"]
)
def test_no_address(clone, url):
    """What is no repository on GitHub is refused with an example, and nothing is written."""
    before = {path: path.read_bytes() for path in clone.rglob("*.*")}
    with pytest.raises(ValueError, match="https://github.com/OWNER/REPO"):
        publish(url, clone)
    assert before == {path: path.read_bytes() for path in clone.rglob("*.*")}
