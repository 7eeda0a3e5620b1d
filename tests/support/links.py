"""What a browser would fetch to show a page: the kit's pages must ask for nothing."""

import re

from bs4 import BeautifulSoup

__all__ = ["external_links"]

_CSS = re.compile(r"""(?:url\(|@import)\s*["']?\s*((?:https?:)?//[^"')\s;]+)""", re.IGNORECASE)
_REMOTE = re.compile(r"\s*(?:https?:)?//", re.IGNORECASE)
_FETCHED = {"background", "data", "href", "poster", "src", "srcset", "xlink:href"}


def external_links(page: str) -> list[str]:
    """The addresses that a browser would fetch to show the page, its CSS and inner pages; an `<a>` only leads there."""
    found = []
    for tag in BeautifulSoup(page, "html.parser").find_all(True):
        found += _CSS.findall(tag.string or "") if tag.name == "style" else []
        for name, value in tag.attrs.items():
            value = " ".join(value) if isinstance(value, list) else value
            if name == "style":
                found += _CSS.findall(value)
            elif name == "srcdoc":
                found += external_links(value)
            elif name in _FETCHED and tag.name not in ("a", "area"):
                found += [one.strip() for one in value.split("," if name == "srcset" else None) if _REMOTE.match(one)]
    return found
