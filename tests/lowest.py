"""The lowest versions that pyproject.toml allows, a line each as pip's constraints: python tests/lowest.py"""

import re
import tomllib
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
EXTRAS = ("explore", "weights")

if __name__ == "__main__":
    for each in [
        *PROJECT["dependencies"],
        *(each for extra in EXTRAS for each in PROJECT["optional-dependencies"][extra]),
    ]:
        if found := re.match(r"([\w.-]+)>=([\d.]+)", each):
            print(f"{found[1]}=={found[2]}")
