"""Fig. 6 in numbers: dead and dominating filters of the first layer, the frequencies they cover, what aliases
(section 4.1).

The paper states none of these as numbers; the definitions are ours. kernel: [h, w, inputs, filters] throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from zfjax import ops
from zfjax.data import Source
from zfjax.deconvnet import Norm
from zfjax.paper.first_layers.aliasing import aliasing, shifted_responses
from zfjax.paper.top_activations import Choose, project_winners, responds, strongest_activations
from zfjax.runs.run import Run

BANDS = (1 / 3, 2 / 3)  # of Nyquist: where mid frequencies begin and end
_SAMPLES = 64  # of the spectrum along each side


class Selection(NamedTuple):
    """The first two layers of a network, and what sets them apart; shares are 0..1."""

    layers: tuple[str, str]
    filters: np.ndarray  # [h, w, inputs, filters] of the first layer
    stride: int  # of the first layer
    faint: float  # share of the first layer's filters with hardly any weight
    silent: float  # share of them whose map responds to no image
    dead: float  # either
    bands: np.ndarray  # [3], shares of the others with most energy in low, mid, high frequencies
    dominance: float  # largest by median RMS
    aliasing: float  # of the second layer
    maps: list[int]  # of the second layer, those projected
    projections: np.ndarray  # [maps, h, w, C] signed
    patches: np.ndarray  # [maps, h, w, C], what they see in 0..255, NaN outside the image


def examine(
    run: Run,
    source: Source,
    layers: tuple[str, str],
    choose: Choose,
    *,
    indices: Sequence[int] | None = None,
    faint: float = 0.1,
    shifted: int = 32,
    seed: int = 0,
    overlap: ops.Overlap = "sum",
    norm: Norm = "identity",
    batch_size: int = 32,
    progress: bool = False,
) -> Selection:
    """The measures of a network's first layer and second convolution, over the images of a source or of `indices`.

    choose: the maps of the second layer to project. faint: of `faint_filters`. shifted: how many images, at random, to
    measure aliasing on.
    """
    first, second = layers
    indices = range(len(source)) if indices is None else indices
    kernel = np.asarray(run.params[first]["kernel"])
    search = {"indices": indices, "batch_size": batch_size, "progress": progress}
    winners = strongest_activations(run, source, layers, top=1, **search)
    weightless, silent = faint_filters(kernel, faint), ~responds(winners[first])[:, 0]
    maps = {second: choose(second, winners[second])}
    features = project_winners(run, source, winners, maps, overlap=overlap, norm=norm, progress=progress)[second]
    features = [each for each in features if len(each.projections)]  # a map asked for may be silent
    stride = run.arch.receptive_field(first).stride
    chosen = np.random.default_rng(seed).choice(indices, min(shifted, len(indices)), replace=False)
    canvases = np.stack([source[int(number)]["image"] for number in chosen])
    shifts = (shifted_responses(run, canvases, second, stride, axis, seed) for axis in (1, 2))  # down, to the right
    return Selection(
        layers,
        kernel,
        stride,
        float(weightless.mean()),
        float(silent.mean()),
        float((weightless | silent).mean()),
        band_shares(kernel[..., ~(weightless | silent)]),
        dominance(kernel),
        float(np.mean([aliasing(each, stride) for each in shifts])),
        [each.index for each in features],
        np.concatenate([each.projections for each in features]),
        np.concatenate([each.patches for each in features]),
    )


def filter_rms(kernel: np.ndarray) -> np.ndarray:
    """Root mean square of each filter over its window and inputs: [filters], the size that section 3 clips."""
    return np.sqrt(np.square(kernel, dtype=np.float64).mean(axis=(0, 1, 2)))


def faint_filters(kernel: np.ndarray, fraction: float = 0.1) -> np.ndarray:
    """Which filters are as good as zero: bool [filters], True where the RMS is below a fraction of the 90th percentile.

    Not of the median, which is itself dead where most filters are; nor of the largest, which may dominate (Fig. 6a).
    Up to nine tenths may be dead, or one tenth dominate, before the yardstick moves. A filter that is large but whose
    unit never responds is as dead: only images tell.
    """
    rms = filter_rms(kernel)
    yardstick = np.percentile(rms, 90, method="lower")  # interpolated, it would be drawn along by the largest
    return rms < fraction * yardstick if rms.any() else np.ones(rms.shape, bool)


def dominance(kernel: np.ndarray) -> float:
    """How many times larger the largest filter is than the median one, in RMS (Fig. 6a); infinite if half are zero."""
    return float(largest_by_median(filter_rms(kernel)))


def largest_by_median(sizes: np.ndarray) -> np.ndarray:
    """`dominance`, of the sizes of filters: [..., filters] -> [...]."""
    median, largest = np.median(sizes, axis=-1), sizes.max(axis=-1)
    return np.divide(largest, median, out=np.full(np.shape(median), np.inf), where=median > 0)


def band_energy(kernel: np.ndarray, bands: tuple[float, float] = BANDS) -> np.ndarray:
    """Shares of each filter's energy in low, mid and high frequencies: [filters, 3], rows sum to 1 (0 for zeros).

    bands: where the mid frequencies begin and end, by distance from zero as a fraction of Nyquist, half a cycle a
    pixel. In pixels of the image, so that 7x7 and 11x11 compare; the filter is padded with zeros to sample its
    spectrum as finely in both cases. Its mean stays: a patch of colour is a low-frequency filter. Corners of the square
    spectrum, beyond Nyquist, count as high. White noise has 9, 26 and 65 %.
    """
    power = np.square(np.abs(np.fft.fft2(kernel, (_SAMPLES, _SAMPLES), axes=(0, 1)))).sum(axis=2)
    along = 2 * np.fft.fftfreq(_SAMPLES)
    radius = np.hypot(along[:, None], along[None, :])
    masks = [radius < bands[0], (radius >= bands[0]) & (radius < bands[1]), radius >= bands[1]]
    energy = np.stack([power[mask].sum(axis=0) for mask in masks], axis=1)
    total = energy.sum(axis=1, keepdims=True)
    return np.divide(energy, total, out=np.zeros_like(energy), where=total > 0)


def band_shares(kernel: np.ndarray, bands: tuple[float, float] = BANDS) -> np.ndarray:
    """Shares of the filters with most of their energy in low, mid and high frequencies: [3]; NaN without filters.

    Section 4.1 finds in Krizhevsky's first layer extremely high and low frequencies with few in between.
    """
    if not kernel.shape[3]:
        return np.full(3, np.nan)
    return np.bincount(band_energy(kernel, bands).argmax(axis=1), minlength=3) / kernel.shape[3]
