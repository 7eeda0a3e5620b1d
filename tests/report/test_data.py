"""The data of a report: whole, valid by their schema, sealed, and read back with limits."""

import copy
import hashlib
import json

import numpy as np
import pytest

from labkit.io.rle import decode_mask
from labkit.photos import PhotoSet, Skipped
from labkit.report.data import BLOCK, block, digest, page_digest, parse, results_data, sealed
from labkit.variants import find_variant


def test_what_stands_in_it(data, report_photos, report_results):
    """Student, photos with the hash of their files, weights once, seconds photo by photo, and the masks."""
    assert (data["student"], data["variant_number"], data["made_by"]["variant"]) == ("Ли </script><b>", 3, "fcn")
    assert [photo["sha256"] for photo in data["photos"]] == [photo.sha256 for photo in report_photos]
    assert data["photos"][0]["jpeg_sha256"] == hashlib.sha256(report_photos[0].jpeg).hexdigest()
    assert "seconds" not in data["made_by"]
    for row, result in zip(data["results"], report_results, strict=True):
        assert row["made_by"] == {"seconds": result.made_by["seconds"]}
        for segment, own in zip(row["segments"], result.segments, strict=True):
            assert np.array_equal(decode_mask(segment["rle"], tuple(row["size"])), own.mask)


def test_block_and_back(data):
    """What a page carries is what is read, and no name can close its element."""
    written = block(sealed(data, "<p>страница</p>"))
    (found,) = BLOCK.findall(f"<body>{written}</body>")
    assert "<" not in found and parse(found) == sealed(data, "<p>страница</p>")


def test_seals(data):
    """Each seal breaks with what it seals, and survives other line ends and another order of keys."""
    page = "<body>\n<p>45%</p>\n</body>"
    whole = sealed(data, page)
    assert whole["digest"] == digest(dict(reversed(whole.items()))) == digest(json.loads(json.dumps(whole)))
    changed = copy.deepcopy(whole)
    changed["results"][0]["segments"][0]["score"] = 1.0
    assert digest(changed) != whole["digest"]
    carried = page.replace("</body>", block(whole) + "</body>")
    assert page_digest(carried) == page_digest(carried.replace("\n", "\r\n")) == whole["page_sha256"]
    assert page_digest(carried.replace("45%", "95%")) != whole["page_sha256"]


def test_skipped_photos(tmp_path, report_photos):
    """A file that gave no photo is in the data with its reason."""
    photos = PhotoSet(report_photos, [Skipped("bad.jpg", "не фото", tmp_path / "bad.jpg")])
    assert results_data(find_variant(3), photos, [])["skipped"] == [{"name": "bad.jpg", "reason": "не фото"}]


WRONG = [
    ("schema", "labkit-report-2"),
    ("student", ["Иванова"]),
    ("student", "И" * 501),
    ("variant_number", 7),
    ("variant_number", True),
    ("more", 1),
    ("photos/0/sha256", "zz"),
    ("photos/0/size", [0, 10]),
    ("results/0/segments/0/score", 1.5),
    ("results/0/segments/0/id", 0),
    ("results/0/segments/0/id", 1.0),
    ("results/0/size", [600.0, 10]),
    ("results/0/segments/0/rle", "x"),
    ("results/0/segments/0/area", 10**400),
    ("made_by/settings", {"min_area": -(10**400)}),
    ("run/cells", 10**400),
    ("results/0/segments", [None]),
    ("made_by/settings", {"a": {"b": {}}}),
    ("photos", [{}] * 501),
    ("results", ...),
]


@pytest.mark.parametrize("path, value", WRONG)
def test_wrong_data(data, path, value):
    """Whatever the schema does not allow, or lacks, is refused in one line that says where."""
    *keys, last = path.split("/")
    place = data
    for key in keys:
        place = place[int(key) if key.isdigit() else key]
    place[last] = value
    if value is ...:
        del place[last]
    with pytest.raises(ValueError, match=r"^\$") as error:
        parse(json.dumps(data))
    assert len(str(error.value)) < 400 and "\n" not in str(error.value)


NO_DATA = ["", "{", "[1]", "null", '{"a": NaN}', '{"a": Infinity}', "[" * 200_000, '{"a":' * 100_000, "9" * 10_000]


@pytest.mark.parametrize("written", [*NO_DATA, "\ud800", " " * 16_000_001], ids=lambda written: written[:9])
def test_no_data(written):
    """Broken, endless, deep and huge text is a ValueError and nothing worse; beyond the limit nothing is read."""
    with pytest.raises(ValueError, match="at most 16000000" if len(written) > 16_000_000 else None):
        parse(written)
