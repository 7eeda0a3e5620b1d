"""Label sets: what the numbers in a mask mean, in Russian and English, and the colours they are drawn in.

The palette is Okabe and Ito's (2008), which people with the common kinds of colour blindness can tell apart,
continued in lighter and darker steps. Classes that meet often (cat, dog, person) have its strongest colours. The other
sets go on with it: what has VOC's Russian name has VOC's colour, every further class the one farthest from those before
it, to people who are colour-blind and to people who are not; sky, water and plants choose among blues and greens.
"""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from labkit.locale import language

__all__ = ["IGNORE", "LABEL_SETS", "VOC", "LabelSet", "label_set"]

IGNORE = 255  # the label of a pixel that nobody labelled; it counts neither in training nor in a score

LABEL_SETS = ("PASCAL VOC", "COCO", "ADE20K", "Cityscapes", "people")
"""The names of all label sets, as they stand in `made_by["classes"]`.

VOC's 20 classes and the background in their usual order (Everingham et al., 2010); COCO's 80 objects in torchvision's
91 ids, ten of which were never used (Lin et al., 2014); the 150 of SceneParse150 by the first of their names (Zhou et
al., 2017) and the 19 that Cityscapes trains on (Cordts et al., 2016), from 1: 0 occurs in no result; people and the
rest.
"""

_KEYS = {  # what the other sets call otherwise than VOC does
    "airplane": "aeroplane",
    "dining table": "diningtable",
    "motorcycle": "motorbike",
    "minibike": "motorbike",
    "potted plant": "pottedplant",
    "couch": "sofa",
    "tv": "tvmonitor",
}


@dataclass(frozen=True)
class LabelSet:
    """A list of classes; the label id is the place in the list, 0 is the background.

    `names` (English), `names_ru` (Russian) and `colors` (`#rrggbb`) have one entry a class.
    """

    name: str
    names: tuple[str, ...]
    names_ru: tuple[str, ...]
    colors: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def keys(self) -> tuple[str, ...]:
        """By what a class is known again in another set: its English name, as VOC spells it."""
        return tuple(_KEYS.get(name, name) for name in self.names)

    @property
    def ids(self) -> list[int]:
        """The label ids that mean something, the background's among them: all but the ten that COCO left unused."""
        return [label_id for label_id, name in enumerate(self.names) if not name.startswith("unused ")]

    def id(self, name: str) -> int:
        """The label id of an English or Russian class name; ValueError names the valid ones.

        What another set spells otherwise is found as well: COCO's couch is VOC's sofa.
        """
        wanted = name.strip().lower()
        keys = self.keys
        for label_id in self.ids:
            russian = self.names_ru[label_id]
            if keys[label_id] == _KEYS.get(wanted, wanted) or wanted in (russian, russian.replace("ё", "е")):
                return label_id
        valid = ", ".join(self.names[label_id] for label_id in self.ids)
        raise ValueError(f"no class is called {name!r} in {self.name}; valid are: {valid}")

    def __contains__(self, name: str) -> bool:
        """Whether `id` knows a class by this name."""
        try:
            return self.id(name) >= 0
        except ValueError:
            return False

    def label(self, label_id: int) -> str:
        """The name of a label id in the language of the context."""
        return (self.names_ru if language() == "ru" else self.names)[label_id]


@cache
def label_set(name: str) -> LabelSet:
    """The label set of a name in `LABEL_SETS`, its file read at the first call; ValueError for another name."""
    if name == "people":
        person = VOC.id("person")
        return LabelSet(name, *((column[0], column[person]) for column in (VOC.names, VOC.names_ru, VOC.colors)))
    if name not in LABEL_SETS:
        raise ValueError(f"no label set is called {name!r}; valid are: {', '.join(LABEL_SETS)}")
    path = Path(__file__).parent / "labels" / f"{name.lower().replace(' ', '_')}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return LabelSet(name, *(tuple(row[column] for row in rows) for column in ("name", "name_ru", "color")))


VOC = label_set("PASCAL VOC")
