"""Fig. 2: the strongest activations of each map in pixels, beside the patches that caused them."""
