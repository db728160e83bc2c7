"""The house: who may import whom, and that no file or function has outgrown its room."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = sorted((ROOT / "zfjax").rglob("*.py"))
# Third parties that one place alone may know.
ONLY_USERS = {
    "optax": {"step", "minimiser"},
    "orbax": {"checkpoint"},
    "flax": {"convnet"},
    "tensorboardX": {"log"},
    "tensorflow_datasets": {"tfds"},
    "array_record": {"array_record"},
    "tyro": {"flags"},
    "sklearn": {"measure"},
    "jinja2": {"document"},
    "tensorflow": set(),
}
NO_JAX = {
    "layers",
    "table",
    "arch",
    "errors",
    "flags",
    "rundir",
    "page",
    "tiles",
    "images",
    "scenes",
    "folder",
    "imagenet",
    "records",
    "tfrecord",
    "array_record",
    "prepare",
    "prepared",
    "prepared_writer",
    "paper",
}


def imports(path: Path) -> set[str]:
    """Modules imported anywhere in a file, those for the type checker alone left out."""
    tree = ast.parse(path.read_text())
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    nodes = [node for node in ast.walk(tree) if node not in typing_only]
    found = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return found | {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}


@pytest.mark.parametrize("path", PACKAGE, ids=lambda path: str(path.relative_to(ROOT)))
def test_arrows_of_the_import_graph(path):
    roots = {name.split(".")[0] for name in imports(path)}
    for library, users in ONLY_USERS.items():
        assert library not in roots or path.stem in users, f"{library} is for {users or 'nobody'}"
    assert "jax" not in roots or (path.stem not in NO_JAX and path.parent.name != "figures")
    assert not roots & {"train", "visualize", "evaluate", "transfer", "reproduce", "tests"}, (
        "nothing in the package imports a script"
    )


def test_the_deconvnet_never_runs_a_convnet():
    assert "zfjax.convnet" not in imports(ROOT / "zfjax" / "deconvnet.py")
    below = [path for path in PACKAGE if path.parent.name not in ("experiments", "gallery", "report", "tables")]
    assert not any(name.startswith(("zfjax.experiments", "zfjax.gallery")) for path in below for name in imports(path))


def test_functions_stay_short():
    for path in [*PACKAGE, *ROOT.glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                length = node.end_lineno - node.lineno + 1
                assert length <= 70, f"{path.name}:{node.name} has {length} lines"
