"""Fig. 7: a square over the image, the strongest map, the answer."""
