"""Label sets: what the numbers in a mask mean, in Russian and English, and the colours they are drawn in.

The palette is Okabe and Ito's (2008), which people with the common kinds of colour blindness can tell apart,
continued in lighter and darker steps. Classes that meet often (cat, dog, person) have its strongest colours.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["IGNORE", "VOC", "LabelSet"]

IGNORE = 255
"""The label of a pixel that nobody labelled; it counts neither in training nor in a score."""


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

    def id(self, name: str) -> int:
        """The label id of an English or Russian class name; ValueError names the valid ones."""
        wanted = name.strip().lower()
        for names in (self.names, self.names_ru):
            if wanted in names:
                return names.index(wanted)
        raise ValueError(f"no class is called {name!r} in {self.name}; valid are: {', '.join(self.names)}")

    def label(self, label_id: int, language: str = "ru") -> str:
        """The name of a label id in Russian (`"ru"`) or English (`"en"`)."""
        return (self.names_ru if language == "ru" else self.names)[label_id]


_VOC = [
    ("background", "фон", "#000000"),
    ("aeroplane", "самолёт", "#aaddff"),
    ("bicycle", "велосипед", "#009e73"),
    ("bird", "птица", "#f0e442"),
    ("boat", "лодка", "#00507d"),
    ("bottle", "бутылка", "#66c5ab"),
    ("bus", "автобус", "#8f4a00"),
    ("car", "автомобиль", "#d55e00"),
    ("cat", "кошка", "#e69f00"),
    ("chair", "стул", "#997744"),
    ("cow", "корова", "#a8577f"),
    ("diningtable", "обеденный стол", "#eeccdd"),
    ("dog", "собака", "#0072b2"),
    ("horse", "лошадь", "#7a3b5f"),
    ("motorbike", "мотоцикл", "#e58f53"),
    ("person", "человек", "#cc79a7"),
    ("pottedplant", "комнатное растение", "#00664a"),
    ("sheep", "овца", "#f5d08a"),
    ("sofa", "диван", "#334499"),
    ("train", "поезд", "#992222"),
    ("tvmonitor", "телевизор или монитор", "#56b4e9"),
]

VOC = LabelSet("PASCAL VOC", *zip(*_VOC, strict=True))
"""The 20 classes of PASCAL VOC 2012 and the background, in their usual order (Everingham et al., 2010)."""
