"""The numbers printed in Zeiler & Fergus 2013 (arXiv 1311.2901v3). The paper's alone: nothing here was measured by us.

Percent, except in Table 1. A pair is (mean, spread) as the paper prints "mean +- spread"; None where it prints a dash.
"""

# Table 1: sum of the Hamming distances of sign patterns, layers 5 and 7.
CORRESPONDENCE = {
    "right eye": {"layer 5": (0.067, 0.007), "layer 7": (0.069, 0.015)},
    "left eye": {"layer 5": (0.069, 0.007), "layer 7": (0.068, 0.013)},
    "nose": {"layer 5": (0.079, 0.017), "layer 7": (0.069, 0.011)},
    "random": {"layer 5": (0.107, 0.017), "layer 7": (0.073, 0.014)},
}

# Table 2: ImageNet 2012 error: validation top-1, validation top-5, test top-5. * trained on 2011 and 2012 data.
IMAGENET = {
    "Gunji et al. 2012": (None, None, 26.2),
    "Krizhevsky et al. 2012, 1 net": (40.7, 18.2, None),
    "Krizhevsky et al. 2012, 5 nets": (38.1, 16.4, 16.4),
    "Krizhevsky et al. 2012 *, 1 net": (39.0, 16.6, None),
    "Krizhevsky et al. 2012 *, 7 nets": (36.7, 15.4, 15.3),
    "replication of Krizhevsky et al., 1 net": (40.5, 18.1, None),
    "Fig. 3, 1 net": (38.4, 16.5, None),
    "Fig. 3, 5 nets (a)": (36.7, 15.3, 15.3),
    "Fig. 3 with 512, 1024, 512 maps in layers 3, 4, 5, 1 net (b)": (37.5, 16.0, 16.1),
    "6 nets, (a) and (b)": (36.0, 14.7, 14.8),
}

# Table 3: ImageNet 2012 error: train top-1, validation top-1, validation top-5, under the names of `zfjax.ARCHS`.
ABLATIONS = {
    "alexnet": (35.1, 40.5, 18.1),
    "alexnet-no34": (41.8, 45.4, 22.1),
    "alexnet-no7": (27.4, 40.0, 18.4),
    "alexnet-no67": (27.4, 44.8, 22.4),
    "alexnet-no3467": (71.1, 71.3, 50.1),
    "alexnet-fc2048": (40.3, 41.7, 18.8),
    "alexnet-fc8192": (26.8, 40.0, 18.1),
    "zf": (33.1, 38.4, 16.5),
    "zf-fc2048": (38.2, 40.2, 17.6),
    "zf-fc8192": (22.0, 38.8, 17.0),
    "zf-512": (18.8, 37.5, 16.0),
    "zf-512-fc8192": (10.0, 38.3, 16.9),
}

# Tables 4 and 5: accuracy by training images a class.
CALTECH101 = {
    "Bo et al. 2013": {30: (81.4, 0.33)},
    "Jianchao et al. 2009": {15: (73.2, None), 30: (84.3, None)},
    "from scratch": {15: (22.8, 1.5), 30: (46.5, 1.7)},
    "pretrained on ImageNet": {15: (83.8, 0.5), 30: (86.5, 0.5)},
}
CALTECH256 = {
    "Sohn et al. 2011": {15: (35.1, None), 30: (42.1, None), 45: (45.7, None), 60: (47.9, None)},
    "Bo et al. 2013": {15: (40.5, 0.4), 30: (48.0, 0.2), 45: (51.9, 0.2), 60: (55.2, 0.3)},
    "from scratch": {15: (9.0, 1.4), 30: (22.5, 0.7), 45: (31.2, 0.5), 60: (38.8, 1.4)},
    "pretrained on ImageNet": {15: (65.7, 0.2), 30: (70.6, 0.2), 45: (72.7, 0.4), 60: (74.2, 0.3)},
}

# Table 6: PASCAL VOC 2012 classification, test: Sande et al. 2012, Yan et al. 2012, the paper's network.
PASCAL = {
    "aeroplane": (92.0, 97.3, 96.0),
    "bicycle": (74.2, 84.2, 77.1),
    "bird": (73.0, 80.8, 88.4),
    "boat": (77.5, 85.3, 85.5),
    "bottle": (54.3, 60.8, 55.8),
    "bus": (85.2, 89.9, 85.8),
    "car": (81.9, 86.8, 78.6),
    "cat": (76.4, 89.3, 91.2),
    "chair": (65.2, 75.4, 65.0),
    "cow": (63.2, 77.8, 74.4),
    "diningtable": (63.2, 77.8, 67.7),  # the first two repeat the row of cow: one pair is a slip
    "dog": (68.9, 83.0, 87.8),
    "horse": (78.2, 87.5, 86.0),
    "motorbike": (81.0, 90.1, 85.1),
    "person": (91.6, 95.0, 90.9),
    "pottedplant": (55.9, 57.8, 52.2),
    "sheep": (69.4, 79.2, 83.6),
    "sofa": (65.4, 73.4, 61.1),
    "train": (86.7, 94.5, 91.8),
    "tvmonitor": (77.4, 80.7, 76.1),
}

# Table 7: accuracy by classifier and layer read: Caltech-101 with 30, Caltech-256 with 60 training images a class.
LAYERS = {
    "SVM (1)": ((44.8, 0.7), (24.6, 0.4)),
    "SVM (2)": ((66.2, 0.5), (39.6, 0.3)),
    "SVM (3)": ((72.3, 0.4), (46.0, 0.3)),
    "SVM (4)": ((76.6, 0.4), (51.3, 0.1)),
    "SVM (5)": ((86.2, 0.8), (65.6, 0.3)),
    "SVM (7)": ((85.5, 0.4), (71.7, 0.2)),
    "softmax (5)": ((82.9, 0.4), (65.7, 0.5)),
    "softmax (7)": ((85.4, 0.4), (72.6, 0.1)),
}

# The tutorial's comparison on Sign Language Digits: accuracy on 413 test images, its own random split.
BASELINES = {
    "feed-forward": 77.48,
    "SVM": 74.58,
    "kNN": 68.28,
    "logistic regression": 75.06,
    "random forest": 80.63,
    "CNN": 92.25,
}
