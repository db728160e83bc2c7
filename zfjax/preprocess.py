"""Pictures -> what a network sees, as a value: size, crop, mean, scale, order of the colours (section 3).

A picture becomes a canvas on the host, uint8 and square (`zfjax.canvas`); crops, flips and the mean's subtraction
happen on the device: uint8 canvases are a third of the bytes of float32 crops, and the host needs its cores to decode.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np

from zfjax.canvas import Picture, Resampling, each_picture, ten_crop_offsets, to_canvas
from zfjax.errors import InputError

if TYPE_CHECKING:
    from zfjax.arch import Arch

Colours = Literal["RGB", "BGR", "grey"]


@dataclass(frozen=True)
class Preprocess:
    """What becomes of a picture before a network sees it; called on pictures, it does it.

    A picture's smallest side is resized to `smallest_side` and its centre square cut out: the canvas, uint8
    [smallest_side, smallest_side, channels], whose middle `crop` x `crop` pixels the network sees, as
    (pixels - mean) * scale / std. A pytree: mean and std are its leaves, the rest is static.
    """

    smallest_side: int
    crop: int
    mean: jax.Array | np.ndarray | None = None  # of canvases: [smallest_side, smallest_side, channels] or [channels]
    std: jax.Array | np.ndarray | None = None  # [channels]
    scale: float = 1.0  # multiplies pixels of 0..255 once the mean is removed
    colours: Colours = "RGB"  # in which order the network takes them; canvases, mean and std are RGB
    resampling: Resampling = "bilinear"

    def __post_init__(self):
        """Looks at what is known: while JAX compiles, mean and std are placeholders."""
        for name, known in (("colours", get_args(Colours)), ("resampling", get_args(Resampling))):
            if getattr(self, name) not in known:
                raise InputError(f"{name} must be one of {', '.join(known)}, not {getattr(self, name)!r}")
        if not all(isinstance(side, int) and not isinstance(side, bool) for side in (self.crop, self.smallest_side)):
            raise InputError(f"sizes must be whole numbers of pixels, not {self.crop!r} and {self.smallest_side!r}")
        if not 1 <= self.crop <= self.smallest_side:
            raise InputError(f"a crop of {self.crop} pixels does not fit into a canvas of {self.smallest_side}")
        if not isinstance(self.scale, int | float) or not self.scale or not math.isfinite(self.scale):
            raise InputError(f"scale must be a finite number other than 0, not {self.scale!r}")
        whole = (self.smallest_side, self.smallest_side, self.channels)
        for name, shapes in (("mean", ((self.channels,), whole)), ("std", ((self.channels,),))):
            value = getattr(self, name)
            if isinstance(value, np.ndarray | list | tuple | str | int | float | dict):  # JAX may put others in between
                object.__setattr__(self, name, _numbers(value, name, shapes))
        if isinstance(self.std, np.ndarray) and not (self.std > 0).all():
            raise InputError(f"std must be above 0, not {self.std}")

    @classmethod
    def of(cls, arch: Arch, mean: np.ndarray | None = None) -> Preprocess:
        """As an architecture is trained here: canvases of 256 for 224 pixels (section 3), or no larger than what the
        network sees where the recipe takes no crops."""
        whole = arch.recipe.crops == "whole"
        return cls(
            smallest_side=arch.image_size if whole else round(arch.image_size * 8 / 7),
            crop=arch.image_size,
            mean=mean,
            scale=arch.input_scale,
            colours="grey" if arch.channels == 1 else "RGB",
        )

    @property
    def channels(self) -> int:
        return 1 if self.colours == "grey" else 3

    def __call__(self, pictures: Picture | Sequence[Picture]) -> jax.Array:
        """What the network sees of one picture, or of several: float32 [N, crop, crop, channels].

        pictures: bytes of image files, pillow images or uint8 arrays [H, W(, 1, 3 or 4)], of any size. An array
        [N, H, W, C] is N pictures. Raises InputError for what is no picture.
        """
        return self.centre(np.stack([self.canvas(picture) for picture in each_picture(pictures)]))

    def canvas(self, picture: Picture) -> np.ndarray:
        """uint8 [smallest_side, smallest_side, channels], RGB; raises InputError for what is no picture."""
        if isinstance(picture, jax.Array):
            picture = np.asarray(picture)
        return to_canvas(picture, self.smallest_side, self.channels, self.resampling)

    def centre(self, canvases: jax.Array | np.ndarray, *, moved: bool = False) -> jax.Array:
        """The middle of every canvas as the network sees it: uint8 [N, S, S, C] -> float32 [N, crop, crop, C].

        moved: the canvases may be float32 in 0..255 too, as a transformation leaves them.
        """
        self._require_canvases(canvases, several=True, moved=moved)
        return self._crop_all(canvases, ten_crop_offsets(self.smallest_side, self.crop)[4])

    def ten(self, canvases: jax.Array | np.ndarray) -> jax.Array:
        """The paper's ten crops of every canvas, uint8 [N, S, S, C]: float32 [10, N, crop, crop, C].

        In order: top left, top right, bottom left, bottom right, centre; then the same five flipped.
        """
        self._require_canvases(canvases, several=True)
        return jnp.stack([self._crop_all(canvases, each) for each in ten_crop_offsets(self.smallest_side, self.crop)])

    def crops(self, canvases: jax.Array, offsets: jax.Array) -> jax.Array:
        """Each canvas, uint8 [N, S, S, C], cut at its own place and flipped if asked: float32 [N, crop, crop, C].

        offsets: int32 [N, 3], (top, left, flip). The mean is cut at the same place and before the flip.
        """
        self._require_canvases(canvases, several=True)

        def crop_one(canvas: jax.Array, offset: jax.Array) -> jax.Array:
            start, shape = (offset[0], offset[1], 0), (self.crop, self.crop, canvas.shape[-1])
            window = jax.lax.dynamic_slice(canvas, start, shape).astype(jnp.float32)
            if self.mean is not None:
                whole = self.mean.ndim == 3
                window -= jax.lax.dynamic_slice(self.mean, start, shape) if whole else _per_channel(self.mean, 3)
            return jnp.where(offset[2] != 0, window[:, ::-1], window)

        return self._scaled(jax.vmap(crop_one)(canvases, offsets))

    def visible(self, canvases: Any, *, moved: bool = False) -> Any:
        """What of every canvas the network sees, as it is: uint8 [..., S, S, C] -> [..., crop, crop, C].

        moved: as for `centre`.
        """
        self._require_canvases(canvases, moved=moved)
        return self._middle(canvases)

    def visible_mean(self) -> jax.Array | np.ndarray:
        """The colour that the network sees as zero, at each place: float32 [crop, crop, channels] in 0..255."""
        shape = (self.smallest_side, self.smallest_side, self.channels)
        mean = np.zeros(shape, np.float32) if self.mean is None else self.mean
        return self._middle(mean if mean.ndim == 3 else jnp.broadcast_to(mean, shape))

    def normalise(self, pixels: jax.Array | np.ndarray) -> jax.Array:
        """What the network sees of pixels that are cut already: [..., crop, crop, C] in 0..255 -> float32."""
        return self._scaled(pixels - self.visible_mean())

    def to_dict(self) -> dict:
        """Plain data for JSON, without a mean image, which is a file of its own."""
        mean, std = (None if a is None or np.ndim(a) > 1 else np.asarray(a).tolist() for a in (self.mean, self.std))
        return {**dataclasses.asdict(dataclasses.replace(self, mean=None, std=None)), "mean": mean, "std": std}

    @classmethod
    def from_dict(cls, data: dict, mean: np.ndarray | None = None) -> Preprocess:
        """Rebuilds it from `to_dict`; mean: the mean image. Raises InputError for values that do not fit together."""
        known = {each.name for each in dataclasses.fields(cls)}
        if not isinstance(data, dict) or set(data) != known:
            raise InputError(f"a preprocessing has {', '.join(sorted(known))}, not {str(data)[:80]}")
        return cls(**{**data, "mean": mean if data["mean"] is None else data["mean"]})

    def _require_canvases(self, canvases: Any, *, several: bool = False, moved: bool = False) -> None:
        """Of traced arrays shape and type are known too."""
        shape, kind = getattr(canvases, "shape", None), getattr(canvases, "dtype", type(canvases).__name__)
        whole = (self.smallest_side, self.smallest_side, self.channels)
        fits = kind == np.uint8 or (moved and kind == np.float32)
        if not fits or not shape or shape[-3:] != whole or (several and len(shape) != 4):
            raise InputError(
                f"canvases are uint8 [N, {', '.join(map(str, whole))}], not {kind} {list(shape or [])}: whole pictures "
                "of 0..255, before the crop and the mean; calling the preprocessing itself takes pictures of any size"
            )

    def _middle(self, canvases: Any) -> Any:
        start = (self.smallest_side - self.crop) // 2
        return canvases[..., start : start + self.crop, start : start + self.crop, :]

    def _crop_all(self, canvases, offset: tuple[int, int, int]) -> jax.Array:
        top, left, flip = offset
        rows, columns = slice(top, top + self.crop), slice(left, left + self.crop)
        window = canvases[:, rows, columns].astype(jnp.float32)
        if self.mean is not None:
            whole = self.mean.ndim == 3
            window = window - (self.mean[None, rows, columns] if whole else _per_channel(self.mean, 4))
        window = self._scaled(window)
        return window[:, :, ::-1] if flip else window

    def _scaled(self, pixels) -> jax.Array:
        pixels = pixels * jnp.float32(self.scale)
        pixels = pixels if self.std is None else pixels / _per_channel(self.std, pixels.ndim)
        return pixels[..., ::-1] if self.colours == "BGR" else pixels


def _numbers(value: Any, name: str, shapes: tuple[tuple[int, ...], ...]) -> np.ndarray:
    try:
        array = np.asarray(value)
        array = array if array.dtype.kind in "fiu" else np.asarray(value, np.float32)
    except (TypeError, ValueError):
        raise InputError(f"the {name} must hold numbers, not {str(value)[:80]}") from None
    if array.shape not in shapes:
        raise InputError(f"the {name} must have the shape {' or '.join(map(str, shapes))}, not {array.shape}")
    if not np.isfinite(array).all():
        raise InputError(f"the {name} holds values that are not finite")
    return array.astype(np.float32, copy=False)


def _per_channel(values, ndim: int):
    return values.reshape((1,) * (ndim - 1) + (-1,))


jax.tree_util.register_dataclass(
    Preprocess,
    data_fields=["mean", "std"],
    meta_fields=["smallest_side", "crop", "scale", "colours", "resampling"],
)
