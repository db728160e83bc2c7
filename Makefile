PYTHON ?= python3
BIN := .venv/bin
BENCHMARKS := forward train_step projection figure2 occlusion attribution startup growth

.PHONY: install demo test lint bench bench-accelerators

# A virtual environment with everything; the only step that needs the network.
install: .venv/installed

.venv/installed: pyproject.toml requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

# Trains ZF's small sister on rendered scenes, draws what its features look like, and makes a gallery to walk through.
demo: install
	$(BIN)/python train.py --arch=zf-mini --dataset=scenes
	$(BIN)/python visualize.py --ckpt=runs/zf-mini
	$(BIN)/python visualize.py --ckpt=runs/zf-mini --figure=gallery

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

# What the compilers for TPUs and NVIDIA's GPUs say of the programs that matter, without either: each in an environment
# of its own. PROGRAMS=all takes hours on two cores; one training step for a TPU three to ten minutes.
PROGRAMS := train-bf16-128,project-conv5
bench-accelerators: .venv-cuda/installed .venv-tpu/installed
	for target in H100 L4; do .venv-cuda/bin/python -m benchmarks.accelerators --target=$$target --programs=$(PROGRAMS) || exit 1; done
	for target in v5e:1 v5e:2x2; do .venv-tpu/bin/python -m benchmarks.accelerators --target=$$target --programs=$(PROGRAMS) || exit 1; done

.venv-%/installed: pyproject.toml requirements.txt benchmarks/requirements-%.txt
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/pip install --quiet --disable-pip-version-check -r requirements.txt
	.venv-$*/bin/pip install --quiet --disable-pip-version-check -r benchmarks/requirements-$*.txt
	touch $@
