"""Points for checks and answers, from a small TOML file (README.ru.md shows one): a mark is suggested, no more."""

import math
import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from pathlib import Path

from labkit.grading.rows import Row
from labkit.io.errors import LabkitError, one_line
from labkit.io.files import decoded
from labkit.locale import number, text
from labkit.report.answers import words
from labkit.report.checks import NAMES

__all__ = ["Rubric", "moment", "read_rubric"]

_MONTHS = "янв фев мар апр ма июн июл авг сен окт ноя дек jan feb mar apr may jun jul aug sep oct nov dec".split()
_TIME = re.compile(
    r"(?:(\d{1,2})[ .]([^\W\d_]+|\d\d)|([^\W\d_]+) (\d{1,2}))[ .,]+(\d{4})[ г.,]+(\d{1,2}):(\d\d)(?: ?([AaPp])[Mm])?"
)
"""A day and a month, or the other way round, a year and a time."""


@dataclass(frozen=True)
class Rubric:
    """Points of each check and question; `late` points are taken for each begun day after `deadline`."""

    maximum: float = 0.0
    minimum: float = 0.0
    checks: Mapping[str, float] = field(default_factory=dict)
    questions: Mapping[str, float] = field(default_factory=dict)
    deadline: datetime | None = None
    late: float = 0.0

    def suggested(self, row: Row) -> Row:
        """The row with a mark that these points come to, and the sum in words; as it is without a rubric."""
        if not (self.checks or self.questions) or row.problem is not None:
            return row
        held = [one.name for one in row.checks if one.ok and self.checks.get(one.name)]
        parts = [(text(f"checks.{name}"), self.checks[name]) for name in held]
        if self.questions:
            answered = [str(n) for n, (_, answer) in enumerate(row.answers, start=1) if words(answer) > 0]
            points = self.questions.get("all", 0.0) * len(answered) / max(1, len(row.answers))
            points += sum(self.questions.get(n, 0.0) for n in answered)
            parts.append((text("rubric.answers", answered=len(answered), count=len(row.answers)), points))
        if days := self._days(row):
            parts.append((text("rubric.late", days=days), -self.late * days))
        total = min(self.maximum, max(self.minimum, math.fsum(points for _, points in parts)))
        shown = [f"{name} {number(points, 1)}" for name, points in parts]
        if self.deadline is not None and row.at.strip("- ") and moment(row.at) is None:
            shown.append(text("rubric.no_time", at=row.at[:60]))
        return replace(row, suggestion=f"{round(total, 2):g}", reckoned="; ".join(shown))

    def _days(self, row: Row) -> int:
        """Begun days after the deadline, by the learning system's time; one where it says only that it was late."""
        deadline, handed_in = self.deadline, moment(row.at)
        if deadline is None or handed_in is None:
            return int(row.late)
        if not (deadline.tzinfo and handed_in.tzinfo):  # one of them in the time of the other's place
            deadline, handed_in = deadline.replace(tzinfo=None), handed_in.replace(tzinfo=None)
        return max(0, math.ceil((handed_in - deadline).total_seconds() / 86400))


def read_rubric(path: Path) -> Rubric:
    """Points from a TOML file. LabkitError names what in it is not known, or no number."""
    try:
        written = decoded(path.read_bytes())
        table = tomllib.loads(written)
    except OSError as error:
        raise LabkitError(text("rubric.unreadable", path=path, error=one_line(error))) from error
    except ValueError as error:
        line, *_ = *re.findall(r"at line (\d+)", str(error)), written.count("\n") + 1  # or it broke off at the end
        raise LabkitError(text("rubric.unreadable", path=path, error=text("rubric.line", line=line))) from error
    points = {name: table.pop(name, {}) for name in ("checks", "questions")}
    deadline = table.pop("deadline", None)
    if isinstance(deadline, str):
        deadline = moment(deadline) or deadline
    if type(deadline) is date:  # the whole of the day
        deadline = datetime.combine(deadline, time.max)
    wrong = [] if deadline is None or isinstance(deadline, datetime) else ["deadline"]
    valid = (("maximum", "minimum", "late"), NAMES, ("all", *map(str, range(1, 1000))))
    for names, (key, part) in zip(valid, {"": table, **points}.items(), strict=True):
        for name, value in part.items() if isinstance(part, dict) else [(key, None)]:
            if name not in names or type(value) not in (int, float) or not 0 <= value <= 1e6:
                wrong.append(name)
    if not wrong and not table.get("minimum", 0) <= table.get("maximum", -1):
        wrong = ["minimum" if "maximum" in table else "maximum"]
    if wrong:
        known = ", ".join(("maximum", "minimum", "deadline", "late", *NAMES))
        raise LabkitError(text("rubric.wrong", path=path, names=", ".join(wrong), valid=known))
    return Rubric(**table, **points, deadline=deadline)


def moment(at: str) -> datetime | None:
    """A learning system's time: ISO 8601, "20.03.2026 23:59", or as Moodle writes it, "Friday, 20 March 2026, 11:59 PM"
    or "Friday, March 20, 2026, 11:59 PM", or in Russian; None for anything else.
    """
    with suppress(ValueError):
        return datetime.fromisoformat(at.strip().replace(" UTC", "Z"))
    found = _TIME.search(at)
    if found is None:
        return None
    day, name, first, second, year, hour, minute, half = found.groups()
    day, name = day or second, (name or first).lower()
    months = [n % 12 + 1 for n, begins in enumerate(_MONTHS) if name.startswith(begins)]
    month = int(name) if name.isdecimal() else months[0] if months else 0
    hours = int(hour) % 12 + (12 if half in "Pp" else 0) if half else int(hour)
    with suppress(ValueError):
        return datetime(int(year), month, int(day), hours, int(minute))
    return None
