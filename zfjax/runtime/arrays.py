"""Arrays from files that somebody else may have written."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np


def load_array(path: Path | BytesIO, **options: Any) -> np.ndarray:
    """`np.load` of numbers: OSError where the file cannot be read, ValueError whatever is wrong with it.

    path: or its bytes.
    """
    if isinstance(path, Path) and path.exists() and not path.is_file():
        raise ValueError("no regular file")  # a pipe would be waited for
    try:
        array = np.load(path, allow_pickle=False, **options)
    except OSError:
        raise
    except Exception as error:  # a damaged header comes as one of ten types, tokenize's and the memory's among them
        raise ValueError(str(error).splitlines()[0] if str(error) else type(error).__name__) from error
    if not isinstance(array, np.ndarray):
        raise ValueError("it holds no numbers")
    return array


def check_mean(mean: np.ndarray) -> np.ndarray:
    """A mean image of pixels as it should be, [S, S, C] in 0..255; raises ValueError that says what is wrong."""
    if mean.dtype.kind not in "fiu":
        raise ValueError("it holds no numbers")
    if mean.ndim != 3 or mean.shape[0] != mean.shape[1]:
        raise ValueError(f"its shape is {mean.shape}")
    if not ((mean >= 0) & (mean <= 255)).all():  # NaN is neither
        raise ValueError("it holds values outside 0..255")
    return mean
