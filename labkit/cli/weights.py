"""List the embedded and the official weights, fetch or verify them."""

import sys
from argparse import ArgumentParser

from labkit.cli.options import VARIANT
from labkit.io.errors import LabkitError
from labkit.locale import text
from labkit.variants import VARIANTS, find_variant
from labkit.weights.catalogue import OFFICIAL, Release, releases_of

__all__ = ["arguments", "run"]


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=("list", "fetch", "verify"), default="list")
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"{VARIANT}, or a release of the list")


def run(action: str, names: list[str]) -> int:
    from labkit.weights.download import cache_folder
    from labkit.weights.find import EMBEDDED, embedded_path, find_weights

    fetching, failed = action == "fetch", 0
    if fetching and not names:
        raise LabkitError(text("weights.fetch_what"))
    releases, variants = _releases(names, first=fetching)
    for name, digest in EMBEDDED.items():
        if name in variants and not fetching:
            if action == "verify":
                find_weights(name, "embedded")
            size = embedded_path(name).stat().st_size / 1e6
            print(f"embedded/{name}  {size:.1f} MB  sha256 {digest}{'  ok' if action == 'verify' else ''}")
    for release in releases:
        try:
            if row := _row(action, release):
                print(row)
        except LabkitError as error:  # one that cannot be had must not cost the others
            failed = 1
            print(f"labkit: {error}", file=sys.stderr)
    if not fetching:
        print(text("weights.cache", path=cache_folder()))
    return failed


def _row(action: str, release: Release) -> str | None:
    """What is said of a release after the action; nothing where there is nothing to verify."""
    from labkit.weights.download import cached, fetch, verify

    row = f"official/{release.name}"
    if action == "fetch":
        return f"{row}  {fetch(release).path}"
    row += f"  {release.megabytes:.0f} MB"
    if action == "verify":
        found = verify(release)
        return found and f"{row}  sha256 {found.sha256}  ok"
    state = text("weights.cached") if cached(release) else text("weights.not_cached")
    return f"{row}  {release.classes or text('weights.no_classes')}  {release.score}  {release.licence}  {state}"


def _releases(names: list[str], first: bool) -> tuple[list[Release], set[str]]:
    """The releases that names mean (of a variant all, or the `first`), and these variants; without names all."""
    releases, variants = [], set()
    for name in names or [row.name for row in VARIANTS]:
        if (found := OFFICIAL.get(name.removeprefix("official/"))) is not None:
            releases.append(found)
        else:
            row = find_variant(name)
            variants.add(row.name)
            releases += releases_of(row)[: 1 if first else None]
    return releases, variants
