"""Networks for small pictures: LeNet-5, and those of a tutorial on convnets."""

from __future__ import annotations

import dataclasses

from zfjax.arch import Arch
from zfjax.layers import VALID, AvgPool, Conv, Dense, Dropout, MaxPool
from zfjax.recipe import Recipe

TUTORIAL = Recipe(
    optimizer="adam",
    learning_rate=1e-3,
    weight_decay=0.0,
    epochs=10,
    init="glorot",
    schedule="constant",
    crops="whole",
    filter_rms=0.0,
)
# Pixels of 0..1, less their mean: without that, sign-cnn was still at chance after four epochs (on unseen signers).
TUTORIAL_SCALE = 1 / 255


def lenet5() -> Arch:
    """LeNet-5 in its dense modern form (61,706 parameters; the 1998 net leaves out some of C3's connections)."""
    layers = (
        Conv("conv1", 6, kernel=5),
        AvgPool("pool1"),
        Conv("conv2", 16, kernel=5),
        AvgPool("pool2"),
        Dense("fc3", 120),
        Dense("fc4", 84),
        Dense("fc5", relu=False),
    )
    return Arch(layers, image_size=32, num_classes=10, channels=1, recipe=TUTORIAL, input_scale=TUTORIAL_SCALE)


def tutorial_cnn(image_size: int, channels: int, recipe: Recipe) -> Arch:
    """The tutorial's stack: 3x3 filters 32, 64, 128, 128 without padding, 2x2 pools, dropout."""
    layers = (
        Conv("conv1", 32, kernel=3),
        Conv("conv2", 64, kernel=3),
        MaxPool("pool2", window=2, padding=VALID),
        Dropout("drop2", 0.25),
        Conv("conv3", 128, kernel=3),
        MaxPool("pool3", window=2, padding=VALID),
        Conv("conv4", 128, kernel=3),
        MaxPool("pool4", window=2, padding=VALID),
        Dropout("drop4", 0.25),
        Dense("fc5", 1024),
        Dropout("drop5", 0.5),
        Dense("fc6", relu=False),
    )
    return Arch(layers, image_size, num_classes=10, channels=channels, recipe=recipe, input_scale=TUTORIAL_SCALE)


def sign_mlp() -> Arch:
    """The tutorial's feed-forward network."""
    layers = (
        Dense("fc1", 512),
        Dropout("drop1", 0.2),
        Dense("fc2", 512),
        Dropout("drop2", 0.2),
        Dense("fc3", relu=False),
    )
    recipe = dataclasses.replace(TUTORIAL, epochs=50)
    return Arch(layers, image_size=64, num_classes=10, channels=1, recipe=recipe, input_scale=TUTORIAL_SCALE)
