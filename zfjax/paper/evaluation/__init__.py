"""Table 2: errors of runs and ensembles, and what is taken for what."""
