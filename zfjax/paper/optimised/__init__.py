"""Pictures made to excite a map, beside the images that do so most."""
