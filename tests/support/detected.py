"""The text in a figure, for the tests that read it."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from matplotlib.figure import Figure

from labkit.figures import svg


def words(drawn: Figure) -> list[str]:
    """The text in a figure, as its SVG has it."""
    nodes = ElementTree.fromstring(re.sub("<!DOCTYPE[^>]*>", "", svg(drawn))).iter("{http://www.w3.org/2000/svg}text")
    return ["".join(node.itertext()).strip() for node in nodes]
