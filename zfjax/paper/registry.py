"""Every figure by its name, in the order in which --figure=all draws them; a new one is a folder and a line here."""

from __future__ import annotations

from zfjax.paper.architecture import command as architecture
from zfjax.paper.correspondence import command as correspondence
from zfjax.paper.evolution import command as evolution
from zfjax.paper.features import command as features
from zfjax.paper.first_layers import command as first_layers
from zfjax.paper.invariance import command as invariance
from zfjax.paper.methods import command as methods
from zfjax.paper.occlusion import command as occlusion
from zfjax.paper.optimised import command as optimised
from zfjax.paper.sanity import command as sanity
from zfjax.paper.units import command as units
from zfjax.paper.view import Figure

FIGURES: dict[str, Figure] = {
    "architecture": architecture.FIGURE,
    "features": features.FIGURE,
    "evolution": evolution.FIGURE,
    "filters": first_layers.FIGURES["filters"],
    "invariance": invariance.FIGURE,
    "correspondence": correspondence.FIGURE,
    "maximal_activations": units.FIGURES["maximal_activations"],
    "activations": units.FIGURES["activations"],
    "occlusion": occlusion.FIGURE,
    "compare_methods": methods.FIGURE,
    "optimised": optimised.FIGURE,
    "sanity": sanity.FIGURE,
    "selection": first_layers.FIGURES["selection"],
}
