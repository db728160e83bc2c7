"""What a function does with its images: methods on any JAX function, ours or not."""
