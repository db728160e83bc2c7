"""Prepared sets: canvases stored once, read with little or no decoding."""
