"""Fig. 3: a network drawn with its sizes."""
