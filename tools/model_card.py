"""The tables of MODEL_CARD.md, from what `labkit evaluate --json` said.

python -m tools.model_card FILE.json [FILE.json ...]      one file a variant, in the order of the columns
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pooch

from labkit.variants import find_variant
from labkit.weights.find import embedded_path

__all__ = ["class_table", "files_table"]


def files_table(variants: Sequence[str]) -> str:
    """A row a file: parameters are not counted, bytes and sha256 are those of the file that lies here."""
    rows = ["| file | bytes | sha256 |", "| --- | ---: | --- |"]
    for variant in variants:
        path = embedded_path(variant)
        rows.append(f"| `{path.name}` | {path.stat().st_size:,} | `{pooch.file_hash(path)}` |")
    return "\n".join(rows)


def class_table(scores: Sequence[dict[str, Any]]) -> str:
    """IoU of each class, a column a variant, the mean and the pixel accuracy at the end."""
    titles = [find_variant(one["variant"]).title for one in scores]
    photos = scores[0]["photos_with_class"]
    rows = [f"| class | photos in val | {' | '.join(titles)} |", f"| --- | ---: |{' ---: |' * len(scores)}"]
    for name, count in photos.items():
        values = " | ".join("—" if one["iou"][name] is None else f"{one['iou'][name]:.3f}" for one in scores)
        rows.append(f"| {name} | {count} | {values} |")
    for label, key in (("mean over the 21", "mean_iou"), ("pixel accuracy", "pixel_accuracy")):
        rows.append(f"| **{label}** | {scores[0]['photos']} | {' | '.join(f'**{one[key]:.3f}**' for one in scores)} |")
    return "\n".join(rows)


if __name__ == "__main__":
    read = [json.loads(Path(path).read_text(encoding="utf-8")) for path in sys.argv[1:]]
    print(files_table([one["variant"] for one in read]))
    print()
    print(class_table(read))
