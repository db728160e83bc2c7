"""A run folder: what a training leaves behind, written whole, locked by one writer, read without trust."""
