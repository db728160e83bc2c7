"""Which part of its inputs a program of JAX reads for a part of its outputs: from the jaxpr, nothing computed.

A part is a box: along each axis, from where to where. What is not a box becomes the smallest that holds it, and what
cannot be followed the whole array, so that a box is never too small.
"""
