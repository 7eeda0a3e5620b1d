"""The small pictures of README.md: `python -m tools.pictures data/images/cat_kitten.jpg data/pictures`.

One photo, segmented by each variant with its embedded weights at the default settings.
"""

import sys
from pathlib import Path

from PIL import Image

from labkit.figures import overlay_image
from labkit.models import load_model
from labkit.photos import load_photos
from labkit.variants import VARIANTS

__all__ = ["write_pictures"]

_WIDTH = 200


def write_pictures(photo: str | Path, folder: Path) -> list[Path]:
    """Writes `NAME.jpg`, 200 pixels wide, for each variant; returns the paths."""
    (loaded,) = load_photos(photo, quiet=True)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for variant in VARIANTS:
        image = Image.fromarray(overlay_image(load_model(variant, "embedded").segment(loaded), outline=4))
        paths.append(folder / f"{variant.name}.jpg")
        size = (_WIDTH, round(image.height * _WIDTH / image.width))
        image.resize(size, Image.Resampling.LANCZOS).save(paths[-1], quality=85)
    return paths


if __name__ == "__main__":
    for path in write_pictures(sys.argv[1], Path(sys.argv[2])):
        print(path)
