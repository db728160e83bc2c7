PYTHON ?= python3
BIN := .venv/bin
BENCHMARKS := forward train_step projection figure2 occlusion startup growth

.PHONY: install demo test lint bench

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
	$(BIN)/basedpyright

# Speeds beside PyTorch and Captum, which live in an environment of their own. An hour; `make bench BENCHMARKS=forward`
# for one of them, `.venv-bench/bin/python -m benchmarks.forward --help` for its flags.
bench: .venv-bench/installed
	for name in $(BENCHMARKS); do .venv-bench/bin/python -m benchmarks.$$name || exit 1; done

.venv-bench/installed: pyproject.toml requirements.txt benchmarks/requirements.txt
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/pip install --quiet --disable-pip-version-check -r requirements.txt
	.venv-bench/bin/pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt
	touch $@
