"""Reports: run a variant's notebook on the student's photos and export it as one page that needs no network."""

from labkit.report.provenance import provenance
from labkit.report.run import Report, make_report

__all__ = ["Report", "make_report", "provenance"]
