"""Table 3: networks with layers removed or resized."""
