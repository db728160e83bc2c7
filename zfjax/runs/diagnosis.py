"""Why a checkpoint cannot be read: damage, or something that reading it elsewhere or later would not meet."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import jax

ORBAX = "orbax-checkpoint"
_DAMAGE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP)  # files that are not there, or are something else
# status codes of TensorStore that tell of the machine and not of the files
_MACHINE = re.compile(
    "(PERMISSION_DENIED|UNAUTHENTICATED|RESOURCE_EXHAUSTED|UNAVAILABLE|DEADLINE_EXCEEDED|CANCELLED|ABORTED): "
)


def reason(error: BaseException) -> str:
    """The first line of an error, cut: orbax appends pages of TensorStore details."""
    line = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {line[:160]}"


def obstacle(folder: Path, error: BaseException, about: dict | None) -> str | None:
    """What keeps a step's files from being read though they may be whole; None where they must be damaged.

    error: what reading them raised. about: what the step says of itself. Permission, memory, devices, a disk that does
    not answer, and an orbax that is older than the one that wrote.
    """
    for cause in [*_causes(error), _unreadable(folder)]:
        match cause:
            case MemoryError() | ImportError() | jax.errors.JaxRuntimeError():
                return reason(cause)
            case OSError() if cause.errno is not None and cause.errno not in _DAMAGE:
                return reason(cause)
            case Exception() if _MACHINE.match(str(cause)):
                return reason(cause)
    wrote, here = (about or {}).get("orbax"), metadata.version(ORBAX)
    if wrote and _numbers(wrote) > _numbers(here):
        return f"it was written by {ORBAX} {wrote}, and here is {here}; {reason(error)}"
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _unreadable(folder: Path) -> OSError | None:
    """The first file that cannot be read: orbax takes one that it may not see for one that is not there."""
    try:
        for path, _, names in os.walk(folder, onerror=_raise):
            for name in names:
                with open(Path(path) / name, "rb") as file:
                    while file.read(1 << 20):
                        pass
    except OSError as error:
        return error
    return None


def _raise(error: OSError) -> None:
    raise error


def _numbers(version: object) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", str(version))]
