PYTHON ?= python3
BIN := .venv/bin
BENCHMARKS := forward train_step projection figure2 occlusion attribution startup growth

.PHONY: install demo wheel test test-times test-matrix lint claims bench bench-accelerators docs pictures pictures-of-photos pictures-of-signs

# A virtual environment with everything; the only step that needs the network.
install: .venv/installed

.venv/installed: pyproject.toml requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

# Trains ZF's small sister on rendered scenes, draws what its features look like, and makes a gallery to walk through.
demo: install
	$(BIN)/python train.py --arch=zf-mini --dataset=scenes
	$(BIN)/python visualize.py --ckpt=runs/zf-mini
	$(BIN)/python visualize.py --ckpt=runs/zf-mini --figure=gallery

# What `pip install` takes anywhere, dist/zfjax-VERSION-py3-none-any.whl.
wheel: install
	$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir=dist .

test: install
	$(BIN)/python -m pytest

# The same, and the twenty slowest tests.
test-times: install
	$(BIN)/python -m pytest --durations=20

# All tests with the lowest versions that pyproject.toml allows, and with the newest for each Python that is here; and
# what each takes on this CPU.
MATRIX := python3.11 python3.12 python3.13 python3.14
test-matrix: .venv-lowest/made
	ZFJAX_TEST_OPTIMISED=1 .venv-lowest/bin/python -m pytest && .venv-lowest/bin/python -m benchmarks.versions
	for python in $(MATRIX); do command -v $$python > /dev/null || continue; \
		$$python -m venv .venv-$$python && \
		.venv-$$python/bin/pip install --quiet --disable-pip-version-check -r requirements.txt && \
		ZFJAX_TEST_OPTIMISED=1 .venv-$$python/bin/python -m pytest && \
		.venv-$$python/bin/python -m benchmarks.versions || exit 1; done

.venv-lowest/made: pyproject.toml requirements.txt tests/lowest.py
	$(PYTHON) -m venv .venv-lowest
	$(PYTHON) tests/lowest.py > .venv-lowest/lowest.txt
	.venv-lowest/bin/pip install --quiet --disable-pip-version-check -r requirements.txt -c .venv-lowest/lowest.txt
	touch $@

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright

# Makes the numbers of README.md and docs/*.md again, as far as each takes less than ten minutes, and says which differ;
# a second call goes on. Times are compared by their order alone. `.venv/bin/python -m benchmarks.claims --help`
claims: install
	$(BIN)/python -m benchmarks.claims

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

# The documents as a site, docs/_build/html/index.html, which opens from the disk; a warning is an error. It executes the
# notebook, and takes about a minute.
docs: .venv/documents
	$(BIN)/sphinx-build --jobs=2 --fail-on-warning --keep-going --builder html docs docs/_build/html

.venv/documents: .venv/installed docs/requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r docs/requirements.txt
	touch $@

# The pictures of docs/: of the run and the gallery that `make demo` leaves; needs Chromium. The other two need a file of
# weights and photos, or a data set, as docs/howto_weights.md and docs/paper_features.md tell:
#   make pictures-of-photos WEIGHTS=squeezenet_v1.0_deepcompression.npz PHOTOS=photos
#   make pictures-of-signs SIGNS=sign_digits
DRAWN := build/pictures
VISUALIZE := $(BIN)/python visualize.py --out=$(DRAWN)
pictures: install
	$(VISUALIZE) --ckpt=runs/zf-mini --figure=features --layers=conv4
	$(VISUALIZE) --ckpt=runs/zf-mini --figure=filters
	$(VISUALIZE) --ckpt=runs/zf-mini --figure=evolution
	$(VISUALIZE) --ckpt=runs/zf-mini --figure=invariance
	$(VISUALIZE) --ckpt=runs/zf-mini --figure=occlusion --images=36,222
	$(VISUALIZE) --ckpt=runs/zf-mini --figure=correspondence
	$(VISUALIZE) --ckpt=runs/zf-mini --figure=compare_methods --images=222,206
	$(VISUALIZE) --arch=zf --figure=architecture
	$(BIN)/python -m docs.screenshots --ckpt=runs/zf-mini --out=$(DRAWN)
	for name in features_conv4 filters_conv1 evolution evolution_conv3 invariance occlusion correspondence compare_methods \
		gallery_unit microscope; do $(BIN)/python -m docs.smaller $(DRAWN)/$$name.png docs/$$name.webp || exit 1; done
	cp $(DRAWN)/architecture.svg docs/
	$(BIN)/python visualize.py --ckpt=runs/zf-mini --figure=gallery --out=docs

pictures-of-photos: install
	$(BIN)/python -m zfjax.weights $(WEIGHTS) --arch=squeezenet-caffe --workdir=runs/squeezenet
	$(VISUALIZE) --ckpt=runs/squeezenet --dataset=folder:$(PHOTOS) --figure=features --layers=fire9/concat \
		--maps=489,197,456,20 --top=4
	$(BIN)/python -m docs.smaller $(DRAWN)/features_fire9-concat*.png docs/squeezenet.webp
	$(VISUALIZE) --ckpt=runs/squeezenet --figure=filters
	$(BIN)/python -m docs.smaller $(DRAWN)/filters_conv1.png docs/filters_squeezenet.webp

pictures-of-signs: install
	$(BIN)/python train.py --arch=sign-cnn --dataset=folder:$(SIGNS)
	$(VISUALIZE) --ckpt=runs/sign-cnn --figure=features --layers=conv4 --num_maps=8
	$(BIN)/python -m docs.smaller $(DRAWN)/features_conv4.png docs/sign_digits_conv4.webp
