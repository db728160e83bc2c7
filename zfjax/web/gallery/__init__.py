"""The gallery: every unit of a run as pages that open from the disk, and the numbers and pictures in them."""
