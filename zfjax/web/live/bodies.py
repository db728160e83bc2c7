"""What a request brings: bytes up to a limit, and questions in JSON, of which every part is looked at."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from zfjax.errors import InputError

if TYPE_CHECKING:
    from starlette.requests import Request

JSON_BYTES = 16 << 10
SECONDS = 30  # for all of a body: who sends nothing keeps a place from others
PASSED_OVER = 4  # times the limit is read and thrown away, for a browser shows no answer that comes before it has sent


class TooLarge(InputError):
    """More bytes than are taken."""


class TooSlow(InputError):
    """A body that does not come."""


async def body_of(request: Request, most: int) -> bytes:
    """All of it; raises TooLarge for more than `most` bytes, of which none are kept, and TooSlow after SECONDS."""
    try:
        async with asyncio.timeout(SECONDS):
            return await _read(request, most)
    except TimeoutError:
        raise TooSlow(f"the bytes did not come within {SECONDS} seconds; send them again") from None


async def _read(request: Request, most: int) -> bytes:
    data, size = bytearray(), 0
    stated = request.headers.get("content-length", "")
    hopeless = stated.isdecimal() and int(stated) > PASSED_OVER * most
    if not hopeless:
        async for part in request.stream():
            size += len(part)
            data = data + part if size <= most else bytearray()
            if size > PASSED_OVER * most:
                break
    if hopeless or size > most:
        raise TooLarge(f"{most:,} bytes are taken at the most; make it smaller first")
    return bytes(data)


async def question_of(request: Request) -> dict[str, Any]:
    """A JSON object; raises InputError for anything else."""
    data = await body_of(request, JSON_BYTES)
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InputError(f"a question is an object in JSON, not {data[:40]!r}")
    return found


def whole_number(question: dict, name: str) -> int:
    """Raises InputError where it is missing or no whole number."""
    value = question.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise InputError(f"{name} must be a whole number, not {value!r:.40}")
    return value


def text(question: dict, name: str, default: str | None = None) -> str:
    """Raises InputError where it is no text, or missing where there is no default."""
    value = question.get(name, default)
    if not isinstance(value, str):
        raise InputError(f"{name} must be a text, not {value!r:.40}")
    return value


def one_of(known: Sequence[Any], question: dict, name: str) -> Any:
    """The first where it is missing; raises InputError for what is none of them."""
    value = question.get(name, known[0])
    if value not in known:
        raise InputError(f"{name} is one of {', '.join(known)}, not {value!r:.40}")
    return value
