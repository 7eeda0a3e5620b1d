"""The table of the assignment's variants."""

import re

import pytest

from labkit.io.errors import LabkitError
from labkit.variants import VARIANTS, find_variant


def test_the_table():
    """Six variants in the assignment's order, each with the notebook of its number and name, and a paper."""
    names = ["deeplab", "unet", "fcn", "sam", "pspnet", "mask_rcnn"]
    assert [(row.number, row.name) for row in VARIANTS] == list(enumerate(names, start=1))
    assert find_variant(6).notebook == "variant_6_mask_rcnn.ipynb"
    others = {row.name: row.kind for row in VARIANTS if row.kind != "semantic"}
    assert others == {"sam": "prompted", "mask_rcnn": "instance"}
    assert all(re.search(r", \d{4}, arXiv:\d{4}\.\d{4,5}$", row.paper) for row in VARIANTS)
    assert len({row.paper for row in VARIANTS}) == 6


@pytest.mark.parametrize("row", VARIANTS, ids=lambda row: row.name)
def test_found_in_every_spelling(row):
    """Number, number as text, name in any case, with a hyphen, with spaces around, and the row itself."""
    spellings = [row.number, str(row.number), row.name, row.name.upper(), row.name.replace("_", "-"), f" {row.name} "]
    assert all(find_variant(spelling) is row for spelling in [*spellings, row])


@pytest.mark.parametrize("given", [0, 7, -1, "", "resnet", None, "1.0"])
def test_unknown(given):
    """The error repeats what was given and lists all six."""
    with pytest.raises(LabkitError) as caught:
        find_variant(given)
    assert repr(given) in str(caught.value)
    assert all(f"{row.number} {row.name}" in str(caught.value) for row in VARIANTS)
