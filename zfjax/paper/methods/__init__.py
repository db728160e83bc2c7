"""The methods of attribution beside one another: what each says of the same images."""
