"""`show`: results as one piece of HTML that needs neither a kernel nor a network."""

import hashlib
import html
import json
from collections.abc import Sequence
from typing import Any

from labkit.figures import summary
from labkit.locale import text
from labkit.photos import Photo, place_of
from labkit.segmentation import Segmentation, results_of
from labkit.viewer.items import items_of, module, viewer_data

__all__ = ["FIT", "MARK", "page_part", "script_json", "show"]

MARK = "data-labkit="  # what tells the viewer's HTML from any other

FIT = "<style>.jp-RenderedSVG img { max-width: 100%; height: auto }</style>"
"""JupyterLab shows figures at their own width, whatever is around them."""


def show(results: Segmentation | Sequence[Segmentation], start: Photo | str | None = None) -> None:
    """Displays results in a notebook, photo, mask and overlay side by side, to be played with.

    Results of several models on the same photos can be compared with the curtain: `show(first + second)`. `start` is
    the photo, or its name, that is shown first; LabkitError where the results have no such photo.
    """
    from IPython.display import display

    results = results_of(results)
    display({"text/html": page_part(results, start), "text/plain": summary(results)}, raw=True)


def page_part(results: Sequence[Segmentation], start: Photo | str | None = None) -> str:
    """The viewer of results as HTML: one element and one script, which finds it by a mark made of its contents."""
    first = place_of([result.photo for result in results], start)
    data = script_json({**viewer_data(), "items": items_of(results), "start": first})
    mark = hashlib.sha256(data.encode()).hexdigest()[:16]
    note = html.escape(text("viewer.static"))
    return (
        f'<div {MARK}"{mark}" data-lm-suppress-shortcuts="true">{FIT}<p><em>{note}</em></p></div>\n'
        f'<script type="module">\n{module()}\nmountMarked("{mark}", {data});\n</script>'
    )


def script_json(data: Any, **options: Any) -> str:
    """Data as JSON in a page's script, which nothing in it can close; `options` are those of `json.dumps`."""
    return json.dumps(data, ensure_ascii=False, **options).replace("<", "\\u003c")
