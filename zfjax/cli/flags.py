"""Command lines from frozen dataclasses; a wrong flag is one line and exit code 2."""

import contextlib
import difflib
import io
import os
import re
import sys
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar, get_origin, get_type_hints

from zfjax.errors import exit_on_bad_input
from zfjax.runtime.ranges import check_flags
from zfjax.runtime.signals import remember_interrupts
from zfjax.runtime.start import settle_environment
from zfjax.terminal import guarded, say

Config = TypeVar("Config")


def choice(names: Sequence[str], help: str) -> Any:
    """The type of a flag that takes one of some names which are known only when the program runs."""
    import tyro

    return Annotated[Literal[tuple(names)], tyro.conf.arg(help=help)]  # type: ignore[valid-type]


def positional() -> Any:
    """The type of a text that is given without a flag."""
    import tyro

    return tyro.conf.Positional[str]


def parse_flags(config: type[Config], args: list[str] | None = None) -> Config:
    """The dataclass filled from the command line. `--help` prints every field with its docstring and default.

    Every command begins here: from now on no Ctrl-C is lost, and the environment changes no number. Ends the process
    with one line and exit code 2 for flags that there are not and for numbers out of their RANGES.
    """
    remember_interrupts()
    with exit_on_bad_input():
        settle_environment()
        parsed = _parsed(config, args)
        check_flags(parsed)
        return parsed


def _parsed(config: type[Config], args: list[str] | None) -> Config:
    import tyro

    # a notebook's, which what it starts inherits, would end `import matplotlib` where it is not installed
    os.environ["MPLBACKEND"] = "agg"
    errors = io.StringIO()
    try:
        with guarded(), contextlib.redirect_stderr(errors):
            given = sys.argv[1:] if args is None else args
            return tyro.cli(config, prog=_called(), args=_as_meant(config, given), use_underscores=True)
    except SystemExit as stop:
        if stop.code:
            # tyro draws a box of several lines; its words alone fit into one
            words = " ".join(re.sub(r"[^\S ]|[─-╿]|-{4,}|(?<!\S)[|+]+(?!\S)", " ", errors.getvalue()).split())
            say(f"error: {_sentence(words, [*get_type_hints(config)])}; --help tells all flags", error=True)
            raise SystemExit(2) from None
        raise


def _called() -> str | None:
    """What stands before the flags where it is not the script's name (None): of `python -m` Python says a path."""
    main = sys.modules["__main__"]
    if main.__spec__ is None or sys.argv[0] != getattr(main, "__file__", None):
        return None
    return f"python -m {main.__spec__.name.removesuffix('.__main__')}"


def _sentence(words: str, flags: Sequence[str]) -> str:
    """What tyro says, in fewer words; its own where it says something else. flags: the names that there are."""
    number_wrong = (
        r"Error parsing (--\S+): .*?(?:\[|base 10: |to float: )('.*?')(?=\]| Arg).* Argument helptext: \1 (.*)"
    )
    if found := re.search(number_wrong, words):
        flag, given, kind = found.groups()
        number = "a whole number" if "INT" in kind.split(" (default")[0] else "a number"
        return f"{flag} takes {'whole numbers' if kind.startswith('[') else number}, not {given}"
    if found := re.search(r"Missing value for argument '(--[^']*)'", words):
        return f"{found[1]} needs a value: {found[1]}=VALUE"
    if found := re.findall(r"(--\S+) [A-Z]+ ([^()]*)", words) if words.startswith("Required options") else None:
        return "; ".join(f"{flag} is missing: {about.strip(' .;')}" for flag, about in found)
    if found := re.search(r"^Required options Missing from .*?: STR (.*?)\.? \(required\)", words):
        return f"an argument is missing: {found[1][0].lower()}{found[1][1:]}"
    if found := re.search(r"Unrecognized options: (\S+)(?:.*?Perhaps you meant: (--\S+))?", words):
        given, near = found.groups()
        if not given.startswith("-"):
            return f"{given!r} is no flag: they are --NAME=VALUE"
        close = difflib.get_close_matches(given.partition("=")[0].lstrip("-"), flags, 1)
        meant = near or (f"--{close[0]}" if close else "")
        return f"there is no {given.rstrip(',').partition('=')[0]}{f'; {meant} is meant?' if meant else ''}"
    if found := re.search(r"invalid choice ('.*') for argument '(--[^']*)'. Expected one of \((.*?)\)", words):
        given, flag, choices = found.groups()
        names = sorted(re.findall("'(.*?)'", choices))  # those of a set come in any order
        return f"{flag} takes one of {', '.join(names)}, not {given}"
    return words


def _as_meant(config: type, args: Sequence[str]) -> list[str]:
    """Flags with the home folder that no shell puts in after "=", and those of several values with commas between."""
    several = {name for name, kind in get_type_hints(config).items() if get_origin(kind) is tuple}
    meant = []
    for arg in args:
        flag, equals, value = arg.partition("=")
        if not (flag.startswith("--") and equals):
            meant.append(arg)
        elif flag[2:].replace("-", "_") in several:
            meant += [flag, *filter(None, re.split("[, ]+", value))]
        else:
            home = re.sub(
                r"(?:^|(?<=,)|(?<=^folder:)|(?<=^prepared:))~(?=/|,|$)", lambda _: os.path.expanduser("~"), value
            )
            meant.append(f"{flag}={home}")
    return meant
