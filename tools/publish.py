"""Writes the kit's address where a student meets it: each notebook's setup cell, and a badge there and in the READMEs.

python -m tools.publish https://github.com/OWNER/REPO
"""

import re
import sys
from pathlib import Path

import nbformat

__all__ = ["BADGE", "publish"]

ROOT = Path(__file__).resolve().parents[1]

BADGE = "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({url})"

_COLAB = "https://colab.research.google.com/github"
_URL = re.compile(r"https://github\.com/([\w.-]+)/([\w.-]+?)(?:\.git)?/?")
_SETUP = re.compile(r'^LABKIT = ".*?"', re.MULTILINE)
_BADGE = re.compile(r"\[!\[Open in Colab\]\([^)]*\)\]\([^)]*\)")
_ROW = re.compile(r"^.*(<!-- colab -->)$", re.MULTILINE)


def publish(url: str, root: Path = ROOT) -> list[Path]:
    """Writes the address into notebooks and READMEs of `root`; returns the files that changed, none the second time.

    ValueError for an address that is no repository on GitHub: Colab opens notebooks from there.
    """
    if (found := _URL.fullmatch(url.strip())) is None:
        raise ValueError(f"{url!r} is no address of a repository; it must be like https://github.com/OWNER/REPO")
    repository, changed, badges = f"{found[1]}/{found[2]}", [], []
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        badge = BADGE.format(url=f"{_COLAB}/{repository}/blob/main/notebooks/{path.name}")
        badges.append(f"{path.stem}: {badge}")
        if _notebook(path, f"git+https://github.com/{repository}", badge):
            changed.append(path)
    for path in (root / "README.md", root / "README.ru.md"):
        before = path.read_text(encoding="utf-8")
        after = _ROW.sub(lambda mark: f"{' '.join(badges)} {mark[1]}", before)
        if after != before:
            path.write_text(after, encoding="utf-8")
            changed.append(path)
    return changed


def _notebook(path: Path, address: str, badge: str) -> bool:
    """Writes the address into the setup cell and the badge under the title; whether anything is new."""
    notebook = nbformat.read(path, 4)
    title = notebook.cells[0]
    setup = next(cell for cell in notebook.cells if cell.cell_type == "code")
    before = title.source, setup.source
    setup.source = _SETUP.sub(f'LABKIT = "{address}"', setup.source, count=1)
    if _BADGE.search(title.source):
        title.source = _BADGE.sub(lambda _: badge, title.source)
    else:
        heading, _, rest = title.source.partition("\n")
        title.source = f"{heading}\n\n{badge}\n{rest}"
    if before == (title.source, setup.source):
        return False
    nbformat.write(notebook, path)
    return True


if __name__ == "__main__":
    try:
        for path in publish(*sys.argv[1:2] or [""]):
            print(path.relative_to(ROOT))
    except ValueError as error:
        sys.exit(str(error))
