"""A picture as its spectrum: steps of one size change all frequencies of photos alike (Olah et al. 2017)."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np


def spectrum_shape(size: int, channels: int) -> tuple[int, int, int, int]:
    """Of the real and imaginary parts of a picture's half spectrum: [2, size, size // 2 + 1, channels]."""
    return (2, size, size // 2 + 1, channels)


def scales(size: int, decay: float) -> np.ndarray:
    """What a number of the spectrum counts at its frequency: float32 [size, size // 2 + 1, 1].

    1 / frequency^decay, frequencies in cycles a pixel and at least one over the picture, so that the constant part
    counts as much as the slowest wave; times `size`, which keeps the picture's spread the same at all sizes. Photos
    have decay 1 (Field 1987).
    """
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
    return (size / np.maximum(frequency, 1 / size) ** decay).astype(np.float32)[:, :, None]


def planes(spectrum: jax.Array, decay: float) -> jax.Array:
    """The picture of a spectrum [N, 2, size, size // 2 + 1, C]: float32 [N, size, size, C], without any bounds."""
    size = spectrum.shape[2]
    waves = scales(size, decay)[None] * jax.lax.complex(spectrum[:, 0], spectrum[:, 1])
    return jnp.fft.irfft2(waves, s=(size, size), axes=(1, 2))
