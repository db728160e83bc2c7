"""Activation maximisation: pictures made so that an output of a function becomes as large as can be."""
