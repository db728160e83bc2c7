"""Finding the ReLUs of any JAX function in its jaxpr, and giving them another gradient."""
