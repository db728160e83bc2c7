"""Bad input: one sentence for the user instead of a traceback."""

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from zfjax.terminal import guarded, say


class InputError(ValueError):
    """Something the user gave is wrong; the message names it, shows what arrived, and says what would do."""


def near(name: str, names: Sequence[str], most: int = 20) -> str:
    """What a message lists where a name is none of these: all of them, or of more than `most` those that are like it,
    else the first, and how many more there are."""
    if len(names) <= most:
        return ", ".join(names)
    from difflib import get_close_matches

    listed = get_close_matches(name, names, n=5, cutoff=0.5) or names[:5]
    return f"{', '.join(listed)} and {len(names) - len(listed)} more"


def why(error: BaseException) -> str:
    """What went wrong, in the system's words where they are its own, without its number and the path."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


class BadImage(InputError):
    """One image of a data set cannot be used, and the others can; the message names its file or record."""


@contextmanager
def exit_on_bad_input(*, skips: bool = False) -> Iterator[None]:
    """Ends a script with one line and exit code 2 on `InputError`, quietly on Ctrl-C; all else is a bug, and loud.

    skips: the script has a flag --bad_images, of which the line for a broken image tells.
    What cannot be printed stops nothing; where the disk was too full for it, the script ends with exit code 1.
    """
    with guarded() as out, warnings.catch_warnings():
        # pillow's, of large images and damaged tags, with a line of its source: what is refused we say ourselves
        warnings.filterwarnings("ignore", module="PIL")
        try:
            yield
        except InputError as error:
            say(f"error: {error}{_advice(error, skips)}", error=True)
            sys.exit(2)
        except KeyboardInterrupt:
            say("stopped", error=True)
            sys.exit(130)
        if out.lost:
            say(f"error: all was done, but what was printed is lost: {out.failure}", error=True)
            sys.exit(1)


def _advice(error: InputError, skips: bool) -> str:
    if not isinstance(error, BadImage):
        return ""
    return "; mend it, take it away" + (", or leave such images out by --bad_images=skip" if skips else "")
