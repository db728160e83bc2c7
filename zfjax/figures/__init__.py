"""Arrays -> figures in files, ready for print, one kind a file. No JAX.

Pictures are one raster mosaic, every pixel a whole number of dots, with text that stays text in PDF and SVG.
"""

from zfjax.figures.architecture import draw_architecture
from zfjax.figures.evolution import draw_convergence, draw_evolution
from zfjax.figures.features import FeatureMap, draw_features
from zfjax.figures.filters import draw_filters
from zfjax.figures.invariance import draw_invariance
from zfjax.figures.occlusion import draw_occlusion
from zfjax.figures.selection import Column, draw_selection

__all__ = [
    "Column",
    "FeatureMap",
    "draw_architecture",
    "draw_convergence",
    "draw_evolution",
    "draw_features",
    "draw_filters",
    "draw_invariance",
    "draw_occlusion",
    "draw_selection",
]
