PYTHON ?= python3
BIN := .venv/bin

.PHONY: install demo test lint

# A virtual environment with everything; the only step that needs the network.
install: .venv/installed

.venv/installed: pyproject.toml requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

# Trains ZF's small sister on rendered scenes and draws what its features look like.
demo: install
	$(BIN)/python train.py --arch=zf-mini --dataset=scenes
	$(BIN)/python visualize.py --ckpt=runs/zf-mini

test: install
	$(BIN)/python -m pytest

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
