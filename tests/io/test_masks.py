"""Which files of a folder or a zip are photos, and which are masks of photos."""

import pytest
from annotated import put

from labkit.io.decode import Unreadable
from labkit.io.sources import find


def seen(source, *names):
    """What is found there, also of empty files that are put there: photos, and what is refused, with why."""
    put(source, dict.fromkeys(names))
    photos, refused = [], {}
    for found in find(source):
        try:
            found.open().close()
            photos.append(found.name)
        except Unreadable as error:
            refused[found.name] = str(error)
    return photos, refused


MASKS = "labels/x.png masks/x.JPG sub/masks/x.png masks/x_mask.png X-MASK.PNG x.mask.tif x.ids.png x.classes.png"
MASKS += " task-3-annotation-4-by-1-tag-cat-0.png gt/x.png x_gt.png train_masks/x_mask.gif x_json/label_viz.png"
MASKS += " x_segmentation.png ann/x.png x.jpg___fuse.png SegmentationObject/x.png SegmentationClassVisualization/x.jpg"


@pytest.mark.parametrize("mask", MASKS.split())
def test_masks_of_a_photo(tmp_path, mask):
    """Passed over without a word where their photo is there."""
    assert seen(tmp_path, "x.jpg", mask) == (["x.jpg"], {})


@pytest.mark.parametrize(
    "photo", ["girl_mask.jpg", "carnival-mask.png", "unmasked.jpg", "mask.jpg", "with_mask/girl.jpg", "label.png"]
)
def test_photos_that_are_called_masks(tmp_path, photo):
    """Without a photo of that name a mask in the name is what is shown."""
    assert seen(tmp_path, "x.jpg", photo) == (sorted(["x.jpg", photo]), {})


def test_a_mask_folder_without_photos_of_these_names(tmp_path):
    """Perhaps a folder of photos of labels: refused by name, with what to do."""
    photos, refused = seen(tmp_path, "x.jpg", "labels/wine.jpg")
    assert photos == ["x.jpg"] and "labels" in refused["labels/wine.jpg"]
    assert seen(tmp_path / "labels") == (["wine.jpg"], {})
    assert "label" in seen(tmp_path, "label/x_pseudo.png")[1]["label/x_pseudo.png"]


@pytest.mark.parametrize("end", ["labelIds", "labelTrainIds", "instanceIds", "color"])
def test_masks_of_cityscapes(tmp_path, end):
    """They are no photos, also without theirs."""
    masks = f"b_0_1_gtFine_{end}.png", f"gtCoarse/a/b_0_2_gtCoarse_{end}.png"
    assert seen(tmp_path, "a_0_1_leftImg8bit.png", *masks) == (["a_0_1_leftImg8bit.png"], {})


def test_mask_by_its_own_path(tmp_path):
    """Refused as a mask where its photo lies beside it."""
    put(tmp_path, dict.fromkeys(["x.jpg", "x_mask.png", "y_mask.png"]))
    assert seen(tmp_path / "x_mask.png")[0] == [] and seen(tmp_path / "y_mask.png")[0] != []
