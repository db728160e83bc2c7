"""A server on this machine alone: a picture goes in, and what every layer makes of it can be looked at and clicked."""
