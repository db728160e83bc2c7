"""--figure=compare_methods: what each method of attribution says of the same images."""

from __future__ import annotations

from dataclasses import dataclass

from zfjax.paper.view import Drawn, Figure, View
from zfjax.runtime.ranges import check_flags


@dataclass(frozen=True)
class Options:
    """Methods of attribution side by side; --images and --num_images choose the rows, --maps the units of a layer."""

    methods: str = ""
    """Which, with commas between, e.g. deconvnet,gradient,rise; empty: all."""
    layer: str = ""
    """Explain the strongest unit of this layer in each image, or of its --maps; empty: the class."""
    samples: int = 50
    """Noisy copies (SmoothGrad, VarGrad), points of the line (integrated gradients), draws (expected gradients)."""
    masks: int = 1000
    """Random masks of RISE."""


def draw(view: View, options: Options) -> Drawn:
    """One picture. Raises InputError for a layer, map or method that there is not."""
    from zfjax.paper.methods.draw import draw_methods
    from zfjax.paper.methods.measure import explain_pictures, references_of
    from zfjax.paper.methods.methods import METHODS, Effort, chosen_methods
    from zfjax.paper.pictures import choose_pictures

    check_flags(options, "compare_methods")
    layer = view.run.arch.row(options.layer).name if options.layer else ""
    methods = chosen_methods(options.methods, layer=layer)
    maps = view.chosen_maps(layer) if layer else []
    effort = Effort(options.samples, options.masks, batch_size=view.batch_size, overlap=view.overlap, norm=view.norm)
    pictures = choose_pictures(view)
    read = view.has_dataset and "expected_gradients" in methods  # the data may be elsewhere, and files be explained
    started = references_of(view.run, view.dataset.train if read else None, view.seed)
    common = {"references": started, "effort": effort, "seed": view.seed, "progress": view.progress}
    rows = explain_pictures(view.run, pictures, layer=layer, maps=maps, methods=methods, **common)
    path = view.path(f"compare_methods_{layer}" if layer else "compare_methods")
    what = f"the strongest unit of {layer}" if layer else "the class"
    title = f"{view.run.arch.name}: {what}, explained by {len(methods)} method{'s' * (len(methods) > 1)}"
    references = ""
    if len(started):
        references = f"{len(started)} {'training images' if view.dataset.class_names else 'images of the folder'}"
    caption = f"{_choices(options, methods, references)} {view.origin}"
    titles = {name: METHODS[name].title for name in methods}
    draw_methods(rows, titles, path, title=title, caption=caption, percentile=view.percentile)
    return Drawn([path], rows)


def _choices(options: Options, methods: list[str], references: str) -> str:
    """What was chosen for those that are drawn. references: what expected gradients start from; "": the mean image."""
    from zfjax.paper.methods.methods import METHODS

    said = []
    if {"smoothgrad", "vargrad", "integrated_gradients", "expected_gradients"} & {*methods}:
        said.append(f"{options.samples} samples or steps where a method takes some")
    if "expected_gradients" in methods:
        said.append(f"expected gradients from {references}" if references else "from the mean image")
    if "rise" in methods:
        said.append(f"{options.masks:,} masks")
    sources = "; ".join(f"{METHODS[name].title}: {METHODS[name].source}" for name in methods)
    return f"{sources}. " + (f"{'; '.join(said)[:1].upper()}{'; '.join(said)[1:]}." if said else "")


FIGURE = Figure(
    "methods of attribution side by side, on the same images and units.",
    Options,
    draw,
    on_demand=True,
    takes=("maps", "images"),
)
