"""What a browser would fetch to show a page: the kit's pages must ask for nothing."""

import re
from html.parser import HTMLParser

__all__ = ["external_links"]

_CSS = re.compile(r"""(?:url\(|@import)\s*["']?\s*((?:https?:)?//[^"')\s;]+)""", re.IGNORECASE)
_REMOTE = re.compile(r"\s*(?:https?:)?//", re.IGNORECASE)
_FETCHED = {"background", "data", "href", "poster", "src", "srcset", "xlink:href"}


def external_links(page: str) -> list[str]:
    """The addresses that a browser would fetch from a network to show the page: must be empty."""
    parser = _Links()
    parser.feed(page)
    parser.close()
    return parser.found


class _Links(HTMLParser):
    """Finds remote addresses in tags that load something (an `<a>` only leads there), in CSS and in inner pages."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.in_style = tag == "style"
        for name, value in attrs:
            if name == "style":
                self.found += _CSS.findall(value or "")
            elif name == "srcdoc":
                self.found += external_links(value or "")
            elif name in _FETCHED and tag not in ("a", "area"):
                addresses = (value or "").split(",") if name == "srcset" else [value or ""]
                self.found += [address.strip() for address in addresses if _REMOTE.match(address)]

    def handle_data(self, data: str) -> None:
        if self.in_style:
            self.found += _CSS.findall(data)

    def handle_endtag(self, tag: str) -> None:
        self.in_style = False
