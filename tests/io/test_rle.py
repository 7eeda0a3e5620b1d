"""The run lengths of masks: as pycocotools writes and reads them, and nothing hostile gets near it."""

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from labkit.io.rle import decode_mask, encode_mask, run_lengths

SIZE = (30, 41)


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99, 1])
def test_round_trip(share):
    """A mask comes back from every form, the compressed one as pycocotools reads it; long runs too."""
    mask = np.random.default_rng(0).random(SIZE) < share
    for one in (mask, np.kron(mask, np.ones((40, 40), bool))):
        rle = encode_mask(one)
        assert np.array_equal(decode_mask(rle, one.shape), one) and np.array_equal(coco_mask.decode(rle), one)
        counts = run_lengths(rle, one.shape).tolist()
        assert coco_mask.frPyObjects({**rle, "counts": counts}, *one.shape)["counts"].decode() == rle["counts"]
        words = list(map(str, counts))
        for form in (counts, list(map(float, counts)), words, str(counts), f"{' '.join(words)} 0"):
            assert np.array_equal(decode_mask({"counts": form, "size": list(map(str, one.shape))}, one.shape), one)
        assert np.array_equal(decode_mask({"counts": rle["counts"]}, one.shape), one)


COUNTS = ["", "o", "кот", "zzz0", "PPPP" * 9, "o" * 1000 + "0", "1 2", "1229 1.0 x"]
COUNTS += [None, [], [1, 2], [-1, 1231], [10**40], [[1230]], [0.5]]
BROKEN = [{"size": [30, 41], "counts": counts} for counts in COUNTS]
BROKEN += [None, [], {}, {"size": [30, 41]}, {"size": None, "counts": "0"}, {"size": ["a", 41], "counts": [1230]}]
BROKEN += [{**encode_mask(np.ones(SIZE, bool)), "size": [41, 30]}]


@pytest.mark.parametrize("rle", BROKEN)
def test_hostile(rle):
    """What does not fill the mask is refused before there is one."""
    with pytest.raises(ValueError):
        decode_mask(rle, SIZE)
