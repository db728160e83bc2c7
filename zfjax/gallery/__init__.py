"""The figures of the paper, from a run to files: one module each, with its flags (`Options`) and its `draw`.

Each `draw(view, options)` asks `zfjax.experiments` for arrays, has `zfjax.figures` draw them, and returns both. The
modules start neither JAX nor matplotlib before they draw, so that the scripts answer --help at once.
"""
