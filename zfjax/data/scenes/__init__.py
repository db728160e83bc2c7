"""The embedded data set: scenes rendered from (seed, index), with known boxes and keypoints."""
