"""Fig. 6: filters of the first layer, and two networks side by side."""
