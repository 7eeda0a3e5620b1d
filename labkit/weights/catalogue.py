"""The public releases that `weights="official"` can load: where each lies, how it is verified, what it knows.

Facts are the publishers': torchvision's `Weights` entries (the hash is the start of the file's sha256), the model table
of pytorchcv (sha1 of the file inside the zip), segment_anything's README (sha256 as independent projects record it).
"""

from __future__ import annotations

from dataclasses import dataclass

from labkit.io.errors import LabkitError
from labkit.locale import text
from labkit.variants import Variant, find_variant

__all__ = ["OFFICIAL", "Release", "find_release", "releases_of"]


@dataclass(frozen=True)
class Release:
    """One published file of weights.

    `file` is its name in the cache; where `url` is a zip around it, it is taken out. `hash` is `algorithm:digits`,
    where the publisher shortens it only its first digits, or empty where none is published. `megabytes` is about what
    is downloaded. `classes` names a label set, empty for SAM. `score` is as published, `source` where. `auto` says
    whether `weights="auto"` may take it.
    """

    name: str
    variant: str
    url: str
    file: str
    hash: str
    megabytes: float
    classes: str
    trained_on: str
    licence: str
    score: str
    source: str
    mirrors: tuple[str, ...] = ()
    auto: bool = True


_TORCHVISION = "https://download.pytorch.org/models/"
_SAM = "https://dl.fbaipublicfiles.com/segment_anything/"
_PYTORCHCV = "https://github.com/osmr/imgclsmob/releases/download/v0.0.297/"


def _torchvision(name: str, variant: str, stem: str, megabytes: float, score: str) -> Release:
    instance = variant == "mask_rcnn"
    return Release(
        name=name,
        variant=variant,
        url=f"{_TORCHVISION}{stem}.pth",
        file=f"{stem}.pth",
        hash=f"sha256:{stem.rsplit('-', 1)[1]}",
        megabytes=megabytes,
        classes="COCO" if instance else "PASCAL VOC",
        trained_on="COCO train2017" if instance else "COCO train2017, photos with VOC's 20 classes",
        licence="BSD-3-Clause (torchvision)",
        score=score,
        source="torchvision, COCO val2017",
    )


def _sam(name: str, stem: str, sha256: str, megabytes: float, score: str) -> Release:
    return Release(
        name=f"sam_{name}",
        variant="sam",
        url=f"{_SAM}{stem}.pth",
        file=f"{stem}.pth",
        hash=f"sha256:{sha256}",
        megabytes=megabytes,
        classes="",
        trained_on="SA-1B",
        licence="Apache-2.0",
        score=score,
        source="Kirillov et al., 2023, arXiv:2304.02643, table 5",
    )


def _pspnet(name: str, miou: int, sha1: str, megabytes: float, classes: str, trained_on: str) -> Release:
    stem = f"{name}-{miou:04d}-{sha1[:8]}"
    return Release(
        name=name,
        variant="pspnet",
        url=f"{_PYTORCHCV}{stem}.pth.zip",
        file=f"{stem}.pth",
        hash=f"sha1:{sha1}",
        megabytes=megabytes,
        classes=classes,
        trained_on=trained_on,
        licence="MIT (pytorchcv)",
        score=f"mIoU {miou / 100:.2f}",
        source="pytorchcv, model_metainfos.csv",
    )


_ROWS = (
    _torchvision("deeplabv3_resnet101", "deeplab", "deeplabv3_resnet101_coco-586e9e4e", 233.2, "mIoU 67.4"),
    _torchvision("deeplabv3_resnet50", "deeplab", "deeplabv3_resnet50_coco-cd0a2569", 160.5, "mIoU 66.4"),
    _torchvision("deeplabv3_mobilenet_v3_large", "deeplab", "deeplabv3_mobilenet_v3_large-fc3c493d", 42.3, "mIoU 60.3"),
    Release(
        name="unet_people",
        variant="unet",
        url="https://github.com/ternaus/people_segmentation/releases/download/0.0.1/2020-09-23a.zip",
        file="people_segmentation_2020-09-23a.pth",
        hash="",
        megabytes=50,
        classes="people",
        trained_on="Mapillary Vistas, COCO, PASCAL VOC, AISegment Matting Human",
        licence="MIT",
        score="—",
        source="github.com/ternaus/people_segmentation",
        auto=False,  # it knows people only; the embedded U-Net knows 20 classes
    ),
    _torchvision("fcn_resnet101", "fcn", "fcn_resnet101_coco-7ecb50ca", 207.7, "mIoU 63.7"),
    _torchvision("fcn_resnet50", "fcn", "fcn_resnet50_coco-1167a1af", 135.0, "mIoU 60.5"),
    _sam("vit_b", "sam_vit_b_01ec64", "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912", 375.0, "—"),
    _sam("vit_l", "sam_vit_l_0b3195", "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622", 1249.5, "—"),
    _sam(
        "vit_h",
        "sam_vit_h_4b8939",
        "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
        2564.6,
        "mask AP 46.5 on COCO, asked with a detector's boxes",
    ),
    _pspnet(
        "pspnet_resnetd101b_voc", 8144, "c22f021948461a7b7ab1ef1265a7948762770c83", 272, "PASCAL VOC", "PASCAL VOC 2012"
    ),
    _pspnet("pspnet_resnetd101b_coco", 6741, "c8b13be65cb43402fce8bae945f6e0d0a3246b92", 272, "PASCAL VOC", "COCO"),
    _pspnet("pspnet_resnetd50b_ade20k", 3687, "13f22137d7dd06c6de2ffc47e6ed33403d3dd2cf", 197, "ADE20K", "ADE20K"),
    _pspnet("pspnet_resnetd101b_ade20k", 3797, "115d62bf66477221b83337208aefe0f2f0266da2", 272, "ADE20K", "ADE20K"),
    _pspnet(
        "pspnet_resnetd101b_cityscapes",
        7172,
        "0a6efb497bd4fc763d27e2121211e06f72ada7ed",
        272,
        "Cityscapes",
        "Cityscapes",
    ),
    _torchvision(
        "maskrcnn_resnet50_fpn_v2",
        "mask_rcnn",
        "maskrcnn_resnet50_fpn_v2_coco-73cbd019",
        177.2,
        "box AP 47.4, mask AP 41.8",
    ),
    _torchvision(
        "maskrcnn_resnet50_fpn", "mask_rcnn", "maskrcnn_resnet50_fpn_coco-bf2d0c1e", 169.8, "box AP 37.9, mask AP 34.6"
    ),
)

OFFICIAL: dict[str, Release] = {row.name: row for row in _ROWS}
"""Every release by name; a variant's first one is what `official` means."""


def releases_of(variant: int | str | Variant) -> list[Release]:
    """A variant's releases, the one that `official` means first."""
    name = find_variant(variant).name
    return [row for row in OFFICIAL.values() if row.variant == name]


def find_release(variant: int | str | Variant, weights: str) -> Release:
    """The release that `official` or `official/NAME` means for a variant; LabkitError lists the valid names."""
    rows = releases_of(variant)
    wanted = weights.partition("/")[2]
    for row in rows:
        if not wanted or row.name == wanted:
            return row
    valid = ", ".join(f"official/{row.name}" for row in rows)
    raise LabkitError(text("weights.no_release", given=weights, variant=find_variant(variant).title, valid=valid))
