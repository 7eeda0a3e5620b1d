"""The assignment's table: the six variants, their models, notebooks and what each can do."""

from dataclasses import dataclass

from labkit.io.errors import LabkitError
from labkit.locale import text

__all__ = ["VARIANTS", "Variant", "find_variant"]


@dataclass(frozen=True)
class Variant:
    """One row: `kind` is semantic (a class for each pixel), prompted or instance; `paper` is where it comes from."""

    number: int
    name: str
    title: str
    kind: str
    paper: str

    @property
    def notebook(self) -> str:
        return f"variant_{self.number}_{self.name}.ipynb"


VARIANTS = (
    Variant(1, "deeplab", "DeepLabV3+", "semantic", "Chen et al., 2018, arXiv:1802.02611"),
    Variant(2, "unet", "U-Net", "semantic", "Ronneberger et al., 2015, arXiv:1505.04597"),
    Variant(3, "fcn", "FCN-8s", "semantic", "Long et al., 2015, arXiv:1411.4038"),
    Variant(4, "sam", "SAM", "prompted", "Kirillov et al., 2023, arXiv:2304.02643"),
    Variant(5, "pspnet", "PSPNet", "semantic", "Zhao et al., 2017, arXiv:1612.01105"),
    Variant(6, "mask_rcnn", "Mask R-CNN", "instance", "He et al., 2017, arXiv:1703.06870"),
)


def find_variant(variant: int | str | Variant) -> Variant:
    """The row of a variant's number (also as text) or name; LabkitError lists the valid ones."""
    if isinstance(variant, Variant):
        return variant
    wanted = str(variant).strip().lower().replace("-", "_")
    for row in VARIANTS:
        if wanted in (str(row.number), row.name):
            return row
    valid = ", ".join(f"{row.number} {row.name}" for row in VARIANTS)
    raise LabkitError(text("variant.unknown", given=variant, valid=valid))
