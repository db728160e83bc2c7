"""Arrays from files that somebody else may have written."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np

MAX_BYTES = 1 << 30  # of an array that is read whole: a mean image of 9,459 pixels a side


def load_array(path: Path | BytesIO, *, mapped: bool = False) -> np.ndarray:
    """`np.load` of numbers: OSError where the file cannot be read, ValueError whatever is wrong with it.

    path: or its bytes. mapped: as a memory map, of any size; else more than `MAX_BYTES` are wrong.
    """
    mode = None
    if isinstance(path, Path):
        if path.exists() and not path.is_file():
            raise ValueError("no regular file")  # a pipe would be waited for
        if not mapped and (size := path.stat().st_size) > MAX_BYTES:
            raise ValueError(f"it has {size:,} bytes, and may have {MAX_BYTES:,}")
        mode = "r"  # a map compares the size that the header claims with the file's before anything is allocated
    try:
        array = np.load(path, allow_pickle=False, mmap_mode=mode)
    except OSError:
        raise
    except Exception as error:  # a damaged header comes as one of ten types, tokenize's and the memory's among them
        raise ValueError(str(error).splitlines()[0] if str(error) else type(error).__name__) from error
    if not isinstance(array, np.ndarray):
        raise ValueError("it holds no numbers")
    return array if mapped or mode is None else np.array(array)


def check_mean(mean: np.ndarray) -> np.ndarray:
    """A mean image of pixels as it should be, [S, S, C] in 0..255; raises ValueError that says what is wrong."""
    if mean.dtype.kind not in "fiu":
        raise ValueError("it holds no numbers")
    if mean.ndim != 3 or mean.shape[0] != mean.shape[1]:
        raise ValueError(f"its shape is {mean.shape}")
    if not ((mean >= 0) & (mean <= 255)).all():  # NaN is neither
        raise ValueError("it holds values outside 0..255")
    return mean
