"""What can be measured of attribution maps: arrays in, arrays out, one kind of measure a file."""
