"""What is installed: wheel and sdist hold what they should, and the wheel's commands run outside of the checkout."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from runs import one_cpu, random_run

ROOT = Path(__file__).resolve().parents[2]
BUILT = (
    *("pyproject.toml", "README.md", "LICENSE", "MANIFEST.in", "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md"),
    *("requirements.txt", "Makefile", "train.py", "visualize.py", "explore.py"),
)
BUILD = "from setuptools import build_meta as b; b.build_sdist('out'); b.build_wheel('out')"


def run(*command: object, cwd: Path, **env: str) -> str:
    """What it prints; fails with all that it said where it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, env={**one_cpu(), **env}, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> dict[str, Path]:
    """{"gz": the sdist, "whl": the wheel}, made of a copy of the sources."""
    folder = tmp_path_factory.mktemp("built")
    for name in BUILT:
        shutil.copy(ROOT / name, folder)
    for name in ("zfjax", "examples", "benchmarks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "docs", folder / "docs", ignore=shutil.ignore_patterns("__pycache__", "_build", "gallery"))
    (folder / "docs" / "_build").mkdir()
    (folder / "docs" / "_build" / "page.html").touch()  # of a site that was built here
    shutil.copytree(ROOT / "tests" / "cli", folder / "tests" / "cli", ignore=shutil.ignore_patterns("__pycache__"))
    run(sys.executable, "-c", BUILD, cwd=folder)
    return {path.suffix[1:]: path for path in (folder / "out").iterdir()}


def sources() -> set[str]:
    """Every file of the package, but compiled ones."""
    files = (path for path in (ROOT / "zfjax").rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {str(path.relative_to(ROOT)) for path in files}


def test_the_wheel_holds_the_package_and_its_licence_and_nothing_else(built):
    names = {name for name in zipfile.ZipFile(built["whl"]).namelist() if not name.endswith("/")}
    assert {name for name in names if ".dist-info/" not in name} == sources()
    assert {Path(name).name for name in names - sources()} >= {"LICENSE", "METADATA", "entry_points.txt"}


def test_from_the_folder_above_a_clone_it_is_the_package_and_no_namespace(tmp_path):
    (tmp_path / "zfjax").symlink_to(ROOT)
    run(sys.executable, "-c", "import zfjax; zfjax.load_run", cwd=tmp_path, PYTHONPATH="")


def test_the_sdist_holds_all_that_the_wheel_is_built_from_and_its_tests(built):
    with tarfile.open(built["gz"]) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    assert names >= sources() | set(BUILT) | {"tests/cli/test_package.py", "examples/tutorial.ipynb"}
    assert names >= {"docs/claims.toml", "docs/index.md", "docs/features_conv4.webp"}
    assert not [name for name in names if "__pycache__" in name or name.startswith(("runs/", "docs/_build"))]


def test_its_commands_run_outside_of_the_checkout(built, tmp_path):
    """Installed beside what this environment has: zfjax itself comes from the wheel alone."""
    place = tmp_path / "installed"
    pip = ("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check")
    run(sys.executable, *pip, "--target", place, built["whl"], cwd=tmp_path)
    env = {"PYTHONPATH": str(place), "PATH": f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    where = run(sys.executable, "-c", "import zfjax; print(zfjax.__file__)", cwd=tmp_path, **env)
    assert Path(where.strip()).is_relative_to(place)
    assert "explore" in run(place / "bin" / "zfjax", cwd=tmp_path, **env)
    random_run(tmp_path / "run")
    run("zfjax", "visualize", "--ckpt=run", "--figure=filters", cwd=tmp_path, **env)
    assert [*(tmp_path / "run" / "figures").glob("filters*.png")]
    run("zfjax", "visualize", "--ckpt=run", "--figure=gallery", "--limit=4", "--layers=conv1", cwd=tmp_path, **env)
    assert (tmp_path / "run" / "figures" / "gallery" / "pages" / "gallery.css").is_file()
    assert "--port" in run("zfjax", "explore", "--help", cwd=tmp_path, **env)
    for split, shade in (("train", "dark"), ("train", "light"), ("val", "dark"), ("val", "light")):
        (tmp_path / "set" / split / shade).mkdir(parents=True)
        Image.new("RGB", (48, 48), "black" if shade == "dark" else "white").save(
            tmp_path / f"set/{split}/{shade}/a.png"
        )
    flags = ("--arch=zf-mini", "--image_size=48", "--dataset=folder:set", "--epochs=1", "--batch_size=2")
    run("zfjax", "train", *flags, "--workdir=trained", cwd=tmp_path, **env)
    assert [*(tmp_path / "trained" / "checkpoints").iterdir()]
