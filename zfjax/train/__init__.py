"""Training: flags, the step as a pure function, the loop around it, what it writes down."""
