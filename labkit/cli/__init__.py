"""The command line: `python -m labkit COMMAND`, also installed as `labkit`.

One file a command: its name, its docstring as help, its `arguments`, and `run`, which takes them by name.
Exit codes: 0 all done; 1 something failed (named on stderr, the rest is written); 2 the call was wrong.
"""

import argparse
import io
import os
import re
import sys
from collections.abc import Sequence

from labkit import __version__
from labkit.cli import compare, evaluate, grade, report, segment, train, weights
from labkit.io.errors import LabkitError, told
from labkit.locale import text

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that cannot show a letter shows a question mark
            stream.reconfigure(errors="replace")
    options = vars(_parser().parse_args(_joined(sys.argv[1:] if argv is None else argv)))
    try:
        code = options.pop("run")(**options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # `| head` has what it wanted; what is left unsaid must not fail at the end
        for stream in (sys.stdout, sys.stderr):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return 1
    except (LabkitError, OSError, ModuleNotFoundError) as error:
        lines = [" ".join(line.split()).rstrip(".") for line in told(error).splitlines()]
        print(f"labkit: {'; '.join(lines)}.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"labkit: {text('cli.interrupted')}", file=sys.stderr)
        return 1


def _joined(argv: Sequence[str]) -> list[str]:
    """`--point -5,3` as `--point=-5,3`: argparse takes a value that begins with a minus for an option."""
    joined: list[str] = []
    for given in argv:
        if joined and joined[-1] in segment.PROMPTS and re.match(r"-[\d.]", given):
            joined[-1] += f"={given}"
        else:
            joined.append(given)
    return joined


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="labkit", description="Image segmentation in six variants, and its report.")
    parser.add_argument("--version", action="version", version=f"labkit {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in (segment, report, compare, evaluate, train, grade, weights):
        name = command.__name__.rpartition(".")[2]
        one = commands.add_parser(name, help=command.__doc__, description=command.__doc__)
        command.arguments(one)
        one.set_defaults(run=command.run)
    return parser
