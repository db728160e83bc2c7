"""Data as scripts: a page that was opened from a disk may load these, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import numpy as np


def script(name: str, data: Any) -> bytes:
    """A call that hands the page its data. JSON inside a string, for browsers parse that four times as fast as an
    object of JavaScript; only ASCII, so that nothing in a name ends a line or the script."""
    return f"zf.load({json.dumps(name)}, JSON.parse({json.dumps(json.dumps(data, separators=(',', ':')))}));\n".encode()


def short(values: Any) -> Any:
    """Floats, or arrays of them as lists, with six digits: as many as float32 has; None for what is no number."""
    if np.ndim(values) == 0:
        return float(f"{values:.6g}") if np.isfinite(values) else None
    return [short(value) for value in np.asarray(values).tolist()]
