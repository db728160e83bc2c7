"""Bad input: one sentence for the user instead of a traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """Something the user gave is wrong; the message names it, shows what arrived, and says what would do."""


class BadImage(InputError):
    """One image of a data set cannot be used, and the others can; the message names its file or record."""


@contextmanager
def exit_on_bad_input() -> Iterator[None]:
    """Ends a script with one line and exit code 2 on `InputError`, quietly on Ctrl-C; all else is a bug, and loud."""
    try:
        yield
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(130)
