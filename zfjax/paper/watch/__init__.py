"""A network looked at while it learns: its filters and a few projections, after every epoch."""
