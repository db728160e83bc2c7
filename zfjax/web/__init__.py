"""What people walk through in a browser: the gallery of a run's units, and the live microscope."""
