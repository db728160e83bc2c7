"""How many of a scan's operands are what: JAX's releases say it in two ways."""

from __future__ import annotations

from jax.extend import core


def scan_counts(eqn: core.JaxprEqn) -> tuple[int, int]:
    """Of an equation of `lax.scan`: how many of its operands are constants, and how many are carried round."""
    params = eqn.params
    if "num_consts" in params:
        return params["num_consts"], params["num_carry"]
    consts, carried, _ = params["ft_in"].update(range(len(eqn.invars))).unpack()  # from JAX 0.12 on
    return len(list(consts)), len(list(carried))
