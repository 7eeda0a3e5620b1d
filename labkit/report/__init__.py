"""Reports: run a variant's notebook on the student's photos, export it as one page that needs no network, grade it."""

from labkit.report.hand_in import hand_in
from labkit.report.provenance import provenance
from labkit.report.run import Report, make_report

__all__ = ["Report", "hand_in", "make_report", "provenance"]
