"""The flags of Table 1 and Fig. 8."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """Table 1 and Fig. 8; --layers says which layers are compared."""

    keypoints: str = ""
    """JSON file with images and the places of their parts; empty: the faces of the data set scenes."""
    parts: str = ""
    """Parts to cover, e.g. nose,left_eye; empty: all that every image has."""
    count: int | None = 5
    """Images to compare, chosen at random (or by --images among scenes); None: all."""
    unrecommended: bool = False
    """Take the images too that the file of keypoints calls not recommended."""
    size: int | None = None
    """Side of the grey square in pixels; None: a fifth of the image's. The paper does not give it."""
    draws: int = 100
    """Random placings of the square for the rows to compare with."""
    examples: int = 4
    """Random placings that are shown."""
