"""Where images come from, in Grain's random-access protocol: folders, TFDS, ImageNet, PASCAL VOC."""
