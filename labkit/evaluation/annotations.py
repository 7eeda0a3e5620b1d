"""Ground truth: what a person says is on the photo, to measure a model against.

Read from files next to the photo, in a folder of their own or where CVAT, Label Studio and Roboflow put them, the
first of these that is there: `NAME.json`, outlines as labelme writes them; `NAME.mask.png`, the label id or the colour
of each pixel; `NAME.CLASS.mask.png`, a mask of one class or, with a number after the class, of one object; any COCO
JSON, which may hold many photos. They belong to the upright photo. What is annotation in another format is refused.
"""

import os
import re
from contextlib import suppress
from pathlib import Path, PureWindowsPath

from labkit.classes import VOC, LabelSet
from labkit.evaluation.coco import coco_record, pictures_of, plain, read_coco
from labkit.evaluation.entries import content, file_name, has_list, parsed, refused, stem
from labkit.evaluation.labelme import read_labelme
from labkit.evaluation.masks import LOSSLESS, class_of, read_class_masks, read_mask
from labkit.io.decode import IMAGE_SUFFIXES
from labkit.io.errors import LabkitError
from labkit.io.files import decoded, fold, local, nfc, some
from labkit.io.folders import archive_of, beside, subfolders
from labkit.io.kit import KIT_IMAGES, KIT_OUTLINES
from labkit.io.masks import bare, mask_folders, masked, photo_folders, renamed
from labkit.locale import text
from labkit.photos import Photo
from labkit.segmentation import Segmentation, is_saved

__all__ = ["find_ground_truth", "ground_truth_of", "labelme_file"]

_EXPORTED = {"images", "image", "jpegimages", "img", "imgs", "photos", "data", "pictures", "фото", "фотографии"}
_SPLITS = {"default", "train", "valid", "val", "test"}
_EXPORTED |= {"leftimg8bit", "imgsfine", "img_dir", "картинки", "изображения", *_SPLITS}
"""A folder of this name has its masks beside it, not in it."""

_FOREIGN = re.compile(
    r"_?annotations\.(?:xml|csv|txt|createml\.json)|task-\d+-annotation-.*-tag-.*|project-\d+-at-.*\.(?:json|[ct]sv)"
    r"|via_.*csv",
    re.IGNORECASE,
)
_FOREIGN_JSON = re.compile(
    r'"(?:_via_img_metadata|shape_attributes|segmentation)"|\A(?=.*"annotations").*"(?:data|items)"',
    re.DOTALL,
)
"""Of VIA, Label Studio and Datumaro, or results of a model."""

_NO_IDS = re.compile(r"colou?r|watershed|instance|pseudo")

_TEXTS = {".json", ".xml", ".csv", ".tsv", ".txt", ".ndjson", ".jsonl", ".manifest", ".geojson"}
_MAX_TEXTS = 100
"""Of more text files only those of the photo's name are read: each photo has its own, and reading all takes long."""

_NUMBER = r"[-+]?(?:\d+(?:\.\d+)?|\.\d+)(?:e[-+]?\d+)?\"?"  # no run of blanks, commas or digits is looked at twice
_NUMBERS = re.compile(rf"[\s,;\"\[]{_NUMBER}(?:[\s,;\"\[]+{_NUMBER}){{3}}", re.IGNORECASE)
_WORDS = re.compile(
    r"annotation|polygon|points|segment|bbox|bndbox|bounding|region|shape|mask|label|xmin|bitmap|rle|categor|object|via_",
    re.IGNORECASE,
)
"""What stands in a file of annotations of whatever kind: four numbers in a row, one of these words."""


def find_ground_truth(photo: Photo, folder: str | Path | None = None, classes: LabelSet = VOC) -> Segmentation | None:
    """The ground truth of a photo, in `folder` or next to it; None where there is none. The kit's photos have theirs.

    The classes are VOC's and, where these will not do, those of `classes`. `made_by["objects"]` says whether objects of
    one class are told apart, `made_by["notes"]` what could not be read. LabkitError (a ValueError), naming the file,
    where one is there and nothing of it can be read.
    """
    if folder is None:
        if photo.path is None:
            return None
        folder = KIT_OUTLINES if photo.path.parent.resolve() == KIT_IMAGES else photo.path.parent
    folder = local(folder)
    files: list[Path] = []
    places = _places(folder)
    for place, shared_by in places.items():
        inside = [path for path in beside(place) if not _is_twins(path, photo)]
        if (found := _own(photo, inside, shared_by is not None, classes)) is not None:
            folders = [one for up in shared_by or () for one in photo_folders(up)]
            if others := [path for one in folders for path in _twins(photo, one)]:
                names = some([f"{path.parent.name}/{path.name}" for path in others])
                found.made_by["notes"].append(str(refused(Path(found.made_by["annotation"]), "shared", names=names)))
            return found
        files += inside
    above = [] if _twins(photo, folder.parent) else beside(folder.parent)  # one file for the photos of several folders
    if (found := _of_coco(photo, folder, list(dict.fromkeys([*files, *above])), classes)) is not None:
        return found
    converted = folder / f"{stem(photo)}_json" / "label.png"  # labelme's converter makes a folder a photo
    if converted in beside(converted.parent):
        return read_mask(converted, photo, classes)
    few = sum(path.suffix.lower() in _TEXTS for path in files) <= _MAX_TEXTS
    for path in (path for path in files if few or _is_own(photo, path) or _FOREIGN.fullmatch(path.name)):
        if (is_foreign := _foreign(path, photo)) is None:
            return read_labelme(path, photo, classes)
        if is_foreign:
            raise refused(path, "foreign")
    _check_unread(photo, folder, places)
    _check_unlisted(photo, files)
    return None


def ground_truth_of(photo: Photo) -> Segmentation | None:
    """As `find_ground_truth`; None also where what lies next to the photo cannot be read, which the scores say."""
    with suppress(Exception):  # it must not cost a report
        return find_ground_truth(photo)
    return None


def labelme_file(photo: Photo, folder: Path) -> Path:
    """Where a photo has its labelme file: STEM.json, or with the photo's ending where that is another photo's."""
    path = folder / f"{stem(photo)}.json"
    return folder / f"{file_name(photo)}.json" if _is_twins(path, photo) else path


def _of_coco(photo: Photo, folder: Path, files: list[Path], classes: LabelSet) -> Segmentation | None:
    """What the first COCO JSON with objects of the photo says; others that have some, or are broken, are noted."""
    found: list[Segmentation] = []
    errors: list[LabkitError] = []
    for path in (path for path in files if path.suffix.lower() == ".json"):
        try:
            if coco_record(path, strict=path.parent == folder) and (one := read_coco(path, photo, classes)):
                found.append(one)
        except LabkitError as error:
            errors.append(error)
    if errors and not any(one.segments for one in found):
        raise errors[0]
    if not found:
        return None
    first, *others = sorted(found, key=lambda one: not one.segments)
    first.made_by["notes"] += map(str, errors)
    if more := [one.made_by["annotation"] for one in others if one.segments]:
        first.made_by["notes"].append(text("annotations.several", taken=first.made_by["annotation"], others=some(more)))
    return first


def _places(folder: Path) -> dict[Path, tuple[Path, ...] | None]:
    """Where to look; each place of masks with the folders whose photos share it.

    It may be divided as the folders of the images are: then there are none.
    """
    ups = (folder, *folder.parents[:3])
    exported = [up for up in ups if up.name.lower() in _EXPORTED or archive_of(up) not in (None, up)]
    places: dict[Path, tuple[Path, ...] | None] = dict.fromkeys([folder, *(up.parent for up in exported)])
    pairs = [(folder.parent, folder.parent), *((up, up.parent) for up in (folder, *exported))]
    pairs += [(up, root.parent) for up, _ in pairs for root in exported if root in up.parents]
    for up, root in [(folder, folder), *pairs]:
        part = folder.relative_to(up)
        for masks in mask_folders(root):
            splits = [masks / name for name in sorted(subfolders(masks)) if name.lower() in _SPLITS]
            for one in (masks, *mask_folders(masks), *splits):
                shared_by = () if root == up else (root, up) if part.parts else (root,)
                for place in (one / part, one):
                    places[place] = places.get(place) or (shared_by if place == one else ())
    return places


def _check_unread(photo: Photo, folder: Path, places: dict[Path, tuple[Path, ...] | None]) -> None:
    """LabkitError where a mask lies that is the photo's by its name, and nothing says of which class or reads it."""
    own, here = fold(stem(photo)), beside(folder)
    of_masks = [place for place, shared_by in places.items() if shared_by is not None]
    of_masks += [place / name for place in of_masks for name in subfolders(place)]
    of_masks += [masks for root in (folder, folder.parent) for masks in mask_folders(root, every=True)]
    files = [path for path in here if ".mask." in path.name.lower()]
    others = {fold(path.stem) for path in here if path not in files} - {own}
    for path in [*files, *(path for place in of_masks for path in beside(place))]:
        name = fold(path.stem)
        is_own = name == own or (re.match(rf"{re.escape(own)}[ ._-]", name) and not name.startswith(tuple(others)))
        if is_own and path.suffix.lower() not in _TEXTS and not (_is_itself(path, photo) or _is_twins(path, photo)):
            is_image = path.suffix.lower() in IMAGE_SUFFIXES
            raise refused(path, "unread" if is_image else "png", stem=stem(photo), formats=", ".join(LOSSLESS))


def _check_unlisted(photo: Photo, files: list[Path]) -> None:
    """LabkitError where COCO JSON is there and lists no photo of the folder: these were perhaps renamed since."""
    listed = {path: names for path in files if path.suffix.lower() == ".json" and (names := pictures_of(path))}
    if photo.path is not None and listed:
        near = {plain(nfc(path.stem)) for path in beside(photo.path.parent)}
        known = {plain(name.stem) for names in listed.values() for name in names}
        if plain(stem(photo)) in near and near.isdisjoint(known):
            path, names = next(iter(listed.items()))
            raise refused(path, "renamed", stem=stem(photo), names=some([name.name for name in names], 3))


def _twins(photo: Photo, folder: Path) -> list[Path]:
    """Other photos of its name in a folder."""
    alike = (path for path in beside(folder) if fold(path.stem) == fold(stem(photo)))
    return [path for path in alike if path.suffix.lower() in IMAGE_SUFFIXES and not _is_itself(path, photo)]


def _is_itself(path: Path, photo: Photo) -> bool:
    """Whether a file is the photo's own, by whatever way to it that was read."""
    return photo.path is not None and path.resolve() == photo.path.resolve()


def _is_twins(path: Path, photo: Photo) -> bool:
    """Whether a file of the photo's name is by its letters, or a labelme file by what it says, of another beside it."""
    if photo.path is None or not fold(path.name).startswith(fold(stem(photo))):
        return False
    if not (name := nfc(path.name)).startswith(stem(photo)):
        if any(name.startswith(nfc(one.stem)) for one in _twins(photo, photo.path.parent)):
            return True
    if path.suffix.lower() != ".json" or fold(path.stem) != fold(stem(photo)):
        return False
    with suppress(LabkitError):
        twins = {fold(one.name) for one in _twins(photo, photo.path.parent)} - {fold(file_name(photo))}
        return bool(twins) and _pictured(path) in twins
    return False


def _pictured(path: Path) -> str:
    """The name of the picture that a labelme file is of; nothing of another file."""
    record = parsed(path)
    return fold(PureWindowsPath(str(record.get("imagePath"))).name) if has_list(record, "shapes") else ""


def _own(photo: Photo, files: list[Path], of_masks: bool, classes: LabelSet) -> Segmentation | None:
    """What a photo has files of its own for in a folder.

    Masks go by its stem, its name, and its stem without "image" where that is no other photo's.
    """
    own_stem, whole = fold(stem(photo)), fold(file_name(photo))
    near = beside(photo.path.parent) if photo.path is not None and bare(own_stem) != own_stem else []
    stems = {own_stem, whole, *({bare(own_stem)} - {fold(path.stem) for path in near})}
    exact_last = sorted(files, key=lambda path: nfc(path.name).startswith(stem(photo)))  # where x and X are two photos
    by_name = {fold(path.name): path for path in exact_last}
    own = by_name.get(f"{own_stem}.json", by_name.get(f"{whole}.json"))
    if own is not None and not _is_note(own) and has_list(parsed(own), "shapes"):
        return read_labelme(own, photo, classes)
    pairs = map(os.path.splitext, by_name)  # first the mask of the classes, by label ids, with the shortest name
    ranked = sorted(pairs, key=lambda one: (bool(_NO_IDS.search(one[0])), "semantic" not in one[0], len(one[0])))
    for name, suffix in ranked:
        is_own = {*masked(name), *({name, renamed(name)} if of_masks else ())} & stems
        if is_own and suffix in IMAGE_SUFFIXES and not _is_itself(by_name[name + suffix], photo):
            return read_mask(by_name[name + suffix], photo, classes)
    masks = [path for name, path in by_name.items() if name.startswith(f"{own_stem}.") and class_of(path, photo)]
    return read_class_masks(masks, photo, classes) if masks else None


def _is_note(path: Path) -> bool:
    """Whether it says nothing of what is there: `Segmentation.save` wrote it, or Google with the photo."""
    said = content(path)
    return b'"photoTakenTime"' in said or is_saved(said)


def _is_own(photo: Photo, path: Path) -> bool:
    own, name = fold(stem(photo)), fold(path.stem)
    return nfc(path.name).startswith(file_name(photo)) or own in (name, renamed(name)) or bare(own) in masked(name)


def _foreign(path: Path, photo: Photo) -> bool | None:
    """Whether it is an annotation in a format that is not read; None for labelme's under another name."""
    suffix, name = path.suffix.lower(), file_name(photo)
    if _FOREIGN.fullmatch(path.name):
        return True
    with suppress(OSError, LabkitError):
        if suffix not in _TEXTS or coco_record(path, strict=False) or _is_note(path):
            return False
        if suffix == ".json" and fold(path.stem) in {fold(stem(photo)), fold(name)}:
            return None
        said, is_own = decoded(content(path)), _is_own(photo, path)
        named = re.search(rf"(?<![^\W_]){re.escape(name)}", said, re.IGNORECASE)
        if named and suffix == ".json" and (pictured := _pictured(path)):
            return None if pictured == fold(name) else False
        likely = _NUMBERS.search(f" {said}") or (_WORDS.search(said) and not (is_own and suffix == ".txt"))  # a note
        return bool((suffix == ".json" and _FOREIGN_JSON.search(said)) or ((named or is_own) and likely))
    return False
