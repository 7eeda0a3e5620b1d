"""A progress bar that leaves nothing behind that changes from run to run."""

import html
import sys
from collections.abc import Iterator, Sequence
from typing import TypeVar

from tqdm import tqdm

__all__ = ["in_notebook", "track"]

T = TypeVar("T")


def in_notebook() -> bool:
    """Whether this code runs in a Jupyter or Colab kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and getattr(shell, "kernel", None) is not None


def track(items: Sequence[T], label: str) -> Iterator[T]:
    """Goes through `items` with a bar: in a notebook as HTML that is replaced by its last state, else on a terminal."""
    if not in_notebook():
        yield from tqdm(items, desc=label, leave=False, disable=None)
        return
    from IPython.display import HTML, display

    def bar(done: int) -> HTML:
        state = f'<progress value="{done}" max="{len(items)}"></progress> {done} / {len(items)}'
        return HTML(f"{html.escape(label)}: {state}")

    handle = display(bar(0), display_id=True)
    for done, item in enumerate(items, start=1):
        yield item
        handle.update(bar(done))
