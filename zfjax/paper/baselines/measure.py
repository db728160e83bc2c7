"""Networks beside scikit-learn's classifiers on the same pixels, with the settings of a tutorial on convnets."""

from __future__ import annotations

import dataclasses
import time
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from zfjax.data import Dataset, Source, eval_batches
from zfjax.data.sources.pool import JoinedSource, Subset

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin

CLASSIFIERS = ("SVM", "kNN", "logistic regression", "random forest")


class Score(NamedTuple):
    """How many images of the test part a system got right, and how long it took to learn (and to answer)."""

    hits: int
    count: int
    seconds: float
    note: str = ""


def classifier(name: str) -> ClassifierMixin:
    """One of `CLASSIFIERS` with the tutorial's settings. Raises ValueError for another name."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.svm import SVC

    match name:
        case "SVM":
            return SVC(kernel="rbf", gamma="scale", decision_function_shape="ovo")
        case "kNN":
            return KNeighborsClassifier(n_neighbors=3)
        case "logistic regression":  # multi_class="ovr", which newer versions of scikit-learn spell so
            return OneVsRestClassifier(LogisticRegression(solver="lbfgs", random_state=0))
        case "random forest":
            return RandomForestClassifier(n_estimators=100, random_state=0)
    raise ValueError(f"classifiers are {', '.join(CLASSIFIERS)}, not {name!r}")


def fit_and_score(model: Any, train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]) -> Score:
    """Fits on one part and counts right answers on the other; each is (features [N, D], labels [N]).

    model: of `classifier`, or any with fit and predict. A solver that ran out of iterations is no error: the note says
    so.
    """
    from sklearn.exceptions import ConvergenceWarning

    start = time.monotonic()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(*train)
    hits = int((model.predict(test[0]) == test[1]).sum())
    unfinished = sum(issubclass(warning.category, ConvergenceWarning) for warning in caught)
    note = f"{unfinished} of its fits stopped at the limit of iterations" if unfinished else ""
    return Score(hits, len(test[1]), time.monotonic() - start, note)


def pixels(source: Source, batch_size: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """All images as rows of pixels in 0..1, float32 [N, S * S * C], and their labels [N]."""
    rows, labels = [], []
    for batch in eval_batches(source, batch_size=min(batch_size, len(source))):
        images = batch["image"][batch["mask"]]
        rows.append(images.reshape(len(images), -1).astype(np.float32) / 255)
        labels.append(batch["label"][batch["mask"]])
    return np.concatenate(rows), np.concatenate(labels)


def random_split(dataset: Dataset) -> Dataset:
    """The data set with its two splits pooled and divided again at random, a fifth to test on, as in the tutorial."""
    from sklearn.model_selection import train_test_split

    pool = JoinedSource((dataset.train, dataset.val))
    train, test = train_test_split(np.arange(len(pool)), test_size=0.2, random_state=8)
    return dataclasses.replace(dataset, train=Subset(pool, train), val=Subset(pool, test))
