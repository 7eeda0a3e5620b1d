"""Which files are masks and other annotations, by their names alone: tools put them among the photos.

Some names leave no doubt (`x.mask.png`, what lies in `masks`). Others may as well be those of photos of labels or of
people in masks (`x_mask.png`, what lies in `with_mask`): of these a mask is what has a photo of its name.
"""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from labkit.io.decode import IMAGE_SUFFIXES
from labkit.io.files import fold
from labkit.io.folders import inside, subfolders

__all__ = ["KEYS", "annotations_in", "bare", "mask_folders", "masked", "masks_among", "photo_folders", "renamed"]

_FOLDER = re.compile(
    r"(?P<sure>masks|outlines|labels|annotations|segmentation(?:class|object))"
    r"|(?:[\w-]*masks?|(?:\w+[_-])?(?:labels?|jsons?))(?:[_-](?:png|machine|human|json|instances?|binary))?|\w*annot"
    r"|annotation|ann(?:_dir)?|labelme|gts?|gt_\w+|gt(?:fine|coarse)"
    r"|ground[ _-]?truth|instances?|trimaps?|segm?|segmentations?|segmentation(?:class|object)\w+"
    r"|semantic(?:_rgb)?|obj_(?:\w+_)?data|yolo|маск[аи]|разметк[аи]|аннотаци[ия]",
    re.IGNORECASE,
)
"""Where tools put masks. In a `sure` one nothing is a photo, and what has no photo of its name is refused aloud."""

_NO_LABELS = re.compile(r"segmentationobject|instance|visuali[sz]|human", re.IGNORECASE)
_UNPACKED = re.compile(
    r"project-\d+-at-.*|(?:project|task|job)_.+_(?:annotations|dataset)_\d{4}_.*", re.IGNORECASE | re.DOTALL
)
"""What becomes of the archives of Label Studio and CVAT where somebody unpacks them among the photos."""

_MASK = re.compile(
    r"[^/]+\.mask\.\w+|[^/]+_gt(?:fine|coarse)_\w+\.png|[^/]+___(?:fuse|save)\.png|[^/]+\.(?:ids|classes)\.png"
    r"|task-\d+-annotation-[^/]*-tag-[^/]*",
    re.IGNORECASE,
)
"""By its name alone: a mask beside a photo, what Segmentation.save and other tools write."""

_CONVERTED = re.compile(r"(.+)_json/(?:img|label|label_viz)\.png", re.IGNORECASE | re.DOTALL)
"""What labelme's converter writes: a folder a photo."""

KEYS = {
    "labelmap.txt": r"(?P<label>[^#:]+):\s*(?P<value>\d+\s*,\s*\d+\s*,\s*\d+)",
    "label_colors.txt": r"(?P<value>\d+\s+\d+\s+\d+)\s+(?P<label>\S.*)",
    "_classes.csv": r'[\s"]*(?P<value>\d+)[\s"]*[,;\t][\s"]*(?P<label>[^,;\t"]+)',
    **dict.fromkeys(("class_names.txt", "label_names.txt"), r"(?P<value>)(?P<label>.*\S)"),
}
"""Files that say which classes the colours or numbers of masks are, and their lines: CVAT's, Roboflow's, labelme's.

Where a line has no value, its place is the number.
"""

_WORD = r"masks?|labels?|gt|seg(?:mentation)?|annotations?|ground[ _-]?truth|маска|fuse|matte|alpha"
_BEFORE = re.compile(r"(?:masks?|маска|gt|label|seg)(?:[ ._-]|(?=\d))(.+)", re.IGNORECASE | re.DOTALL)
_BEHIND = re.compile(
    rf"(?:[ ._-]*(?:colou?r|watershed|instance|semantic|binary|class))*[ ._(-]*(?:{_WORD})\)?"
    rf"(?:[ ._-]*(?:{_WORD}|semantic|\d+))*"
    r"|_gt(?:fine|coarse)_\w+",
    re.IGNORECASE,
)
"""What stands before and behind the stem of a photo in that of its mask, or of a photo of somebody in one."""

_RENAMED = re.compile(
    r"(?:[0-9a-f]{8}-)?(.+?)(?:_(?:jpe?g|png|webp|bmp|hei[cf]|avif|tiff?)\.rf\..+)?", re.IGNORECASE | re.DOTALL
)
"""Label Studio writes a code before a photo's name, Roboflow one behind it."""

_BARE = re.compile(
    r"(?:image|img|photo|фото)(?:[ ._-]|(?=\d))(.+)|(.+)[ ._-](?:image|img|photo|rgb|leftimg8bit)",
    re.IGNORECASE | re.DOTALL,
)


def masks_among(paths: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """Which of these files are masks: "" by the path of one whose photo is there too, else the folder that says so."""
    masks: dict[tuple[str, ...], str] = {}
    perhaps: dict[tuple[str, ...], tuple[set[str], re.Match[str] | None]] = {}
    photos = set()
    for parts in paths:
        name = fold(parts[-1])
        stem, suffix = os.path.splitext(name)
        folders = [folder for folder in map(_FOLDER.fullmatch, parts[:-1]) if folder]
        if _MASK.fullmatch(name):
            masks[parts] = ""
        elif suffix in IMAGE_SUFFIXES and (converted := _CONVERTED.fullmatch(fold("/".join(parts[-2:])))):
            perhaps[parts] = ({converted[1]}, None)
        elif suffix in IMAGE_SUFFIXES and (folders or masked(stem)):
            sure = next((folder for folder in folders if folder["sure"]), (*folders, None)[0])
            perhaps[parts] = (masked(stem) | ({stem, renamed(stem)} if folders else set()), sure)
        if not folders and suffix in IMAGE_SUFFIXES:
            photos |= {stem, name, bare(stem)}
    for parts, (stems, folder) in perhaps.items():
        stem = fold(parts[-1])
        begins = {stem[: part.start()] for part in re.finditer("[ ._-]", stem)}
        if stems & photos:
            masks[parts] = ""
        elif folder and (folder["sure"] or begins & photos):
            masks[parts] = folder[0]
    return masks


def masked(stem: str) -> set[str]:
    """Of what a file is a mask if it is one, by its stem: of `x_seg_mask` those are `x_seg` and `x`."""
    before = _BEFORE.fullmatch(stem)
    ends = (part.start() for part in re.finditer(r"(?<=.)(?:[ ._-]|(?<=\d)[^\W\d])", stem))
    stems = {stem[:end] for end in ends if _BEHIND.fullmatch(stem[end:])} | ({before[1]} if before else set())
    return stems | set(map(renamed, stems))


def renamed(stem: str) -> str:
    """What a photo was called before a tool renamed it."""
    return _RENAMED.fullmatch(stem)[1]  # type: ignore[index]


def bare(stem: str) -> str:
    """The stem of a photo without what says that it is one: `1` of `image_1`."""
    named = _BARE.fullmatch(stem)
    return named[named.lastindex] if named else stem


def mask_folders(folder: Path, every: bool = False) -> list[Path]:
    """Those in a folder in which the masks of classes or other annotations lie, or masks of `every` kind."""
    names = subfolders(folder)
    wanted = [name for name in names if _FOLDER.fullmatch(name) and (every or not _NO_LABELS.search(name))]
    return [folder / name for name in sorted([*wanted, *filter(_UNPACKED.fullmatch, names)])]


def photo_folders(folder: Path) -> list[Path]:
    """Those in a folder in which no masks lie by their names."""
    return [folder / name for name in sorted(subfolders(folder)) if not _FOLDER.fullmatch(name)]


def annotations_in(archive: Path) -> Iterator[tuple[Path, Path]]:
    """What may be ground truth in a zip, each file with its place beside the photos, once these lie in one folder.

    Masks, JSON and lists of classes; of their folders only one of masks stays, and Roboflow's `train`, `valid` and
    `test` in the name of the JSON that each of them has.
    """
    members = [path for of_folder in inside(archive).values() for path in of_folder]
    masks = masks_among(path.relative_to(archive).parts for path in members)
    for path in members:
        if path.relative_to(archive).parts in masks or path.name.lower().endswith((".json", *KEYS)):
            folder = path.parent.name if _FOLDER.fullmatch(path.parent.name) else ""
            part = path.parent.name if path.name.startswith("_annotations.") and path.parent != archive else ""
            yield path, Path(folder, f"{part}{path.name}")
