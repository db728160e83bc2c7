"""Weights from files of other programs, matched to a network of ours."""
