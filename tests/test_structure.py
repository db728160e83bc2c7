"""The house: who may import whom, that nothing goes round in a circle, and that no room has been outgrown."""

import ast
import functools
from pathlib import Path

import pytest

import zfjax

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = sorted((ROOT / "zfjax").rglob("*.py"))
MODULES = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in PACKAGE}
HEART = "the heart"
# Every wing and those that it may import; all may import the heart, which imports none of them.
WINGS = {
    HEART: set(),
    "runtime": set(),
    "runs": {"runtime"},
    "data": {"runtime", "runs"},
    "draw": {"runtime"},
    "attribution": set(),
    "weights": {"runtime", "runs"},
    "train": {"runtime", "runs", "data"},
    "paper": {"runtime", "runs", "data", "draw", "attribution", "train"},
    "web": {"runtime", "runs", "data", "draw", "attribution", "paper"},
    "cli": {"runtime", "runs", "data", "draw", "attribution", "weights", "train", "paper", "web"},
}
# Modules that hand out names of others when they are first used, for `import zfjax`, for the data and for drawing.
FRONT_DOORS = {"zfjax", "zfjax.data", "zfjax.draw"}
# Third parties that one place alone may know.
ONLY_USERS = {
    "flax": {"zfjax.convnet"},
    "optax": {"zfjax.train.step", "zfjax.paper.transfer.minimiser"},
    "orbax": {"zfjax.runs.checkpoint", "zfjax.runs.stored"},
    "tensorboardX": {"zfjax.train.events"},
    "tensorflow_datasets": {"zfjax.data.sources.tfds", "zfjax.data.sources.foreign"},
    "array_record": {"zfjax.data.formats.array_record"},
    "filelock": {"zfjax.runs.lock"},
    "tyro": {"zfjax.cli.flags"},
    "tqdm": {"zfjax.terminal"},
    "sklearn": {"zfjax.paper.baselines.measure"},
    "onnx": {f"zfjax.weights.onnx_graph.{name}" for name in ("graph", "tensors", "folding", "pointwise")},
    "starlette": {f"zfjax.web.live.{name}" for name in ("app", "desk", "bodies", "gallery")},
    "uvicorn": {"zfjax.web.live.serving"},
    "jinja2": {"zfjax.paper.report.document"},
    "tensorflow": set(),
    "torch": set(),
    "pickle": set(),  # it would run what is in a file
}
SCRIPTS = {path.stem for path in ROOT.glob("*.py")}
# The heart's tables, run folders' small files, and whatever draws start no JAX.
NO_JAX = {
    f"zfjax.{name}"
    for name in (
        "layers",
        "arch",
        "recipe",
        "errors",
        "canvas",
        "runs.folder",
        "runs.results",
        "runtime.files",
        "data.dataset",
        "data.source",
        "data.prepare",
        "train.settings",
        "weights.reader",
        "weights.onnx",
        "paper.numbers",
        "paper.view",
        "paper.default_layers",
        "web.table",
        "web.gallery.folder",
        "web.live.fence",
    )
}
FILE_LINES, FUNCTION_LINES = 250, 60


def doors(tree: ast.Module) -> set[ast.AST]:
    """What stands under `if __name__ == "__main__"`: it runs instead of the module, and imports nothing for others."""
    blocks = [node for node in tree.body if isinstance(node, ast.If) and "__main__" in ast.dump(node.test)]
    return {inner for block in blocks for inner in ast.walk(block)}


@functools.cache
def imports(path: Path) -> frozenset[str]:
    """Modules imported anywhere in a file, for the type checker too; `from x import y` is x.y if that is one."""
    tree = ast.parse(path.read_text())
    nodes = [node for node in ast.walk(tree) if node not in doors(tree)]
    found = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in inner}
    return frozenset(found)


def wing(module: str) -> str:
    first = module.split(".")[1] if "." in module else ""
    return first if first in WINGS else HEART


@pytest.mark.parametrize("module", sorted(set(MODULES) - FRONT_DOORS))
def test_arrows_of_the_import_graph(module):
    used = imports(MODULES[module])
    for library, users in ONLY_USERS.items():
        assert library not in {name.split(".")[0] for name in used} or module in users, f"{library} is for {users}"
    own = [name for name in used if name.split(".")[0] == "zfjax"]
    for name in own:
        allowed = WINGS[wing(module)] | {wing(module), HEART}
        assert wing(name) in allowed, f"{module} may not import {name}"
    assert not {name.split(".")[0] for name in used} & (SCRIPTS | {"tests"}), "nothing in the package imports a script"


def test_the_deconvnet_never_runs_a_convnet():
    for module in ("zfjax.deconvnet", "zfjax.descent"):
        tree = ast.parse(MODULES[module].read_text())
        typing_only = {
            inner
            for node in ast.walk(tree)
            if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
            for inner in ast.walk(node)
        }
        froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node not in typing_only]
        names = {f"{node.module}.{alias.name}" for node in froms for alias in node.names}
        assert not any(name.startswith("zfjax.convnet") for name in names)


def test_no_circles():
    """Every import counts, inside functions and for the type checker alone too."""
    arrows = {
        name: {other for other in imports(path) if other in MODULES and other != name}
        for name, path in MODULES.items()
        if name not in FRONT_DOORS
    }
    finished: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, " -> ".join((*above[above.index(name) :], name))
        if name in finished or name not in arrows:
            return
        for other in sorted(arrows[name]):
            visit(other, (*above, name))
        finished.add(name)

    for name in sorted(arrows):
        visit(name, ())


@functools.cache
def top_level(module: str) -> frozenset[str]:
    """What a module imports as soon as it is imported itself."""
    found = set()
    for node in ast.parse(MODULES[module].read_text()).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in inner}
    return frozenset(found)


def libraries(module: str) -> set[str]:
    """Third parties that importing a module starts: its own imports, and those of all that it imports of ours."""
    seen, waiting, found = {module}, [module], set()
    while waiting:
        for name in top_level(waiting.pop()):
            if name not in MODULES:
                found.add(name.split(".")[0])
            elif name not in seen | FRONT_DOORS:
                seen.add(name)
                waiting.append(name)
    return found


@pytest.mark.parametrize("module", sorted(MODULES))
def test_what_draws_starts_no_jax_and_what_does_not_draw_no_matplotlib(module):
    started = libraries(module)
    draws = wing(module) == "draw" or module.endswith(".draw")
    if draws or module in NO_JAX or module.endswith(".command") or wing(module) == "cli":
        assert "jax" not in started, f"{module} starts JAX when it is imported"
    if not draws:
        assert "matplotlib" not in started, f"{module} loads matplotlib when it is imported"
        assert "matplotlib" not in {name.split(".")[0] for name in imports(MODULES[module])}, (
            "matplotlib is for draw.py"
        )


@pytest.mark.parametrize("module", sorted(MODULES))
def test_all_is_printed_at_one_place_and_files_are_utf_8(module):
    for call in (node for node in ast.walk(ast.parse(MODULES[module].read_text())) if isinstance(node, ast.Call)):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        assert name != "print", f"line {call.lineno}: zfjax.terminal.say prints, and escapes what names hold"
        ours = isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") == "files"
        if name in ("read_text", "write_text") and isinstance(call.func, ast.Attribute) and not ours:
            assert any(given.arg == "encoding" for given in call.keywords), f"line {call.lineno}: in the user's locale"


@pytest.mark.parametrize("path", sorted((ROOT / "zfjax" / "web" / "pages").glob("*.js")), ids=lambda path: path.name)
def test_scripts_of_the_pages_stay_short(path):
    lines = path.read_text().splitlines()
    assert len(lines) <= FILE_LINES and max(map(len, lines)) <= 120


@pytest.mark.parametrize("path", [*PACKAGE, *ROOT.glob("*.py")], ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_short(path):
    text = path.read_text()
    if path in PACKAGE:
        assert len(text.splitlines()) <= FILE_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= FUNCTION_LINES, f"{path.name}:{node.name} has {length} lines"


def test_every_public_name_is_there_and_typed():
    assert set(zfjax.__all__) == {*zfjax._HOME, *zfjax._MODULES}
    for name in zfjax.__all__:
        found = getattr(zfjax, name)
        home = zfjax._HOME.get(name)
        assert home is None or getattr(found, "__module__", f"zfjax.{home}") == f"zfjax.{home}", name
    tree = ast.parse(MODULES["zfjax"].read_text())
    typed = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert typed - {"TYPE_CHECKING"} == set(zfjax.__all__)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_all_names_what_is_there(module):
    tree = ast.parse(MODULES[module].read_text())
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            if module in FRONT_DOORS:
                continue
            defined = {each.name for each in tree.body if isinstance(each, ast.FunctionDef | ast.ClassDef)} | {
                alias.asname or alias.name
                for each in tree.body
                if isinstance(each, ast.ImportFrom)
                for alias in each.names
            }
            defined |= {
                getattr(target, "id", "")
                for each in tree.body
                if isinstance(each, ast.Assign)
                for target in each.targets
            }
            defined |= {getattr(each.target, "id", "") for each in tree.body if isinstance(each, ast.AnnAssign)}
            assert set(ast.literal_eval(node.value)) <= defined
