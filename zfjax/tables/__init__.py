"""The tables for which networks are trained, from flags to files: what was measured once is kept and not done again.

The modules start neither JAX nor scikit-learn before they work, so that the scripts answer --help at once.
"""
