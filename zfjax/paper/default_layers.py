"""Which layers a figure or a table shows where none are named: every such rule stands here. No JAX.

In the paper's words "layer 5" is a convolution with the pool and the normalisation that follow it. In a network of
branches it is what all paths from the image to the answer lead through: the sum of a residual block, the joined maps of
an inception or fire module, and convolutions outside of these. What lies inside is shown where it is named.
"""

from __future__ import annotations

from zfjax.arch import Arch
from zfjax.layers import (
    IMAGE,
    LRN,
    Add,
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    Dense,
    Dropout,
    GlobalAvgPool,
    Identity,
    MaxPool,
)
from zfjax.rows import Row

_SHRINKING = (MaxPool, AvgPool, GlobalAvgPool)
_FOLLOWING = (*_SHRINKING, LRN, BatchNorm, Dropout, Identity)
_JOINS = (Concat, Add)
_MOST_BLOCKS = 20  # of a network of branches that are drawn one by one


def numbered_layers(arch: Arch) -> tuple[str, ...]:
    """The output of layer 1, 2, ... as the paper counts: a convolution or dense layer with what follows it.

    In Fig. 3's network: norm1, norm2, conv3, conv4, pool5, fc6, fc7, fc8. Dropout is no output: it is off here.
    """
    readers = _readers(arch)
    return tuple(_end(readers, row.name, _FOLLOWING) for row in _main_layers(arch, (Conv, Dense)))


def below_answer(arch: Arch) -> str:
    """What the classifier reads, or the last layer of a network without one: fc7 in Fig. 3's network."""
    answer = arch.classifier or [row for row in arch.rows if not isinstance(row.layer, Dropout)][-1]
    name = answer.inputs[0]
    while name != IMAGE and isinstance(arch.row(name).layer, Dropout):
        name = arch.row(name).inputs[0]
    return answer.name if name == IMAGE else name


def first_and_last(arch: Arch) -> list[str]:
    """The output of layer 1 and the features below the classifier, whose invariance Fig. 5 compares.

    norm1 and fc7 for the network of Fig. 3: what the paper calls layers 1 and 7.
    """
    return list(dict.fromkeys([*numbered_layers(arch)[:1], below_answer(arch)]))


def five_and_seven(arch: Arch) -> list[str]:
    """What stands for the paper's layers 5 and 7 in Table 1: the last layer of maps, and the features below the
    classifier where these are no maps."""
    last = below_answer(arch)
    return [*last_maps(arch), *([] if last in _with_maps(arch) else [last])]


def last_maps(arch: Arch) -> list[str]:
    """The last layer below the classifier that has maps, pool5 in Fig. 3's network; none in a network of dense
    layers."""
    with_maps = _with_maps(arch)
    rows = [row for row in _hidden(arch) if not isinstance(row.layer, LRN | Dropout)]
    return [row.name for row in rows if row.name in with_maps][-1:]


def last_maps_or_units(arch: Arch) -> list[str]:
    """`last_maps`; the last dense layer of a network without any."""
    return last_maps(arch) or drawn_layers(arch)[-1:]


def strongest_layer(arch: Arch) -> str:
    """The last convolution below the answer, or the sum or join of several, whose strongest map Fig. 7 follows; conv5
    in Fig. 3's network, and the last hidden layer of a network without any."""
    below = arch.rows[:-1] if arch.classifier is None else _hidden(arch)
    rows = [row for row in below if not isinstance(row.layer, (*_SHRINKING, LRN, Dropout))]
    return ([row for row in rows if row.shape[:2] != (1, 1)] or rows or arch.rows)[-1].name


def drawn_layers(arch: Arch) -> list[str]:
    """All convolutions, each with the normalisation or rectification that follows it as a layer of its own; all dense
    layers of a network without any.

    Of a network of branches: the sums, the joins and the convolutions outside of these; where they are more than 20, of
    those with maps of one shape the last, which of a deep residual network is one a stage.
    """
    readers, with_maps = _readers(arch), _with_maps(arch)
    main = [row for row in _main_layers(arch, (Conv,)) if row.name in with_maps]
    if any(isinstance(row.layer, _JOINS) for row in main) and len(main) > _MOST_BLOCKS:
        main = [*{row.shape: row for row in main}.values()]
    convolutions = main or [row for row in arch.rows if isinstance(row.layer, Conv)]
    return [_end(readers, row.name, (BatchNorm, Identity)) for row in convolutions] or [
        row.name for row in arch.rows if isinstance(row.layer, Dense)
    ]


def first_convolutions(arch: Arch) -> list[str]:
    """The first convolution that reads the image, whose filters are pictures, and all that come after it in the table;
    none in a network that does not begin so."""
    found = [row for row in arch.rows if isinstance(row.layer, Conv)]
    first = next((place for place, row in enumerate(found) if row.inputs == (IMAGE,)), len(found))
    return [row.name for row in found[first:]]


def _main_layers(arch: Arch, kinds: tuple[type, ...]) -> list[Row]:
    """Those of these kinds, and sums and joins, that all paths from the image to the last layer lead through; without
    convolutions that begin a block, as the squeezing ones of fire modules do, but the first."""
    through: dict[str, frozenset[str]] = {IMAGE: frozenset()}
    for row in arch.rows:
        through[row.name] = frozenset.intersection(*(through[name] for name in row.inputs)) | {row.name}
    main, readers = through[arch.layer_names[-1]], _readers(arch)
    rows = [row for row in arch.rows if row.name in main and isinstance(row.layer, (*kinds, *_JOINS))]
    forks = {row.name for row in rows[1:] if isinstance(row.layer, Conv) and len(readers.get(row.name, [])) > 1}
    return [row for row in rows if row.name not in forks]


def _hidden(arch: Arch) -> tuple[Row, ...]:
    """The layers before the classifier; all of a network without one."""
    return arch.rows[: arch.rows.index(arch.classifier)] if arch.classifier else arch.rows


def _readers(arch: Arch) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in arch.rows:
        for name in row.inputs:
            found.setdefault(name, []).append(row)
    return found


def _end(readers: dict[str, list[Row]], name: str, kinds: tuple[type, ...]) -> str:
    """The last of the layers of these kinds that follow a layer one after the other, dropout aside."""
    end = name
    while len(following := readers.get(name, [])) == 1 and isinstance(following[0].layer, kinds):
        name = following[0].name
        end = end if isinstance(following[0].layer, Dropout) else name
    return end


def _with_maps(arch: Arch) -> set[str]:
    """The layers that still have places: none from a dense layer or a global mean on."""
    found = {IMAGE}
    for row in arch.rows:
        if row.geometry is not None and found.issuperset(row.inputs):
            found.add(row.name)
    return found
