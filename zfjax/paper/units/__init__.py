"""Units: their strongest images, and all maps for one image."""
