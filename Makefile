# On a bare machine run `make demo` and `make test`. Everything is installed into .venv.

PYTHON ?= python3
PIP_ARGS ?=
PYTEST_ARGS ?=
RUNS ?= 20

VENV := .venv
BIN := $(VENV)/bin
FORMATS := .venv-formats
NETWORKS := .venv-networks
CLUSTER := .venv-cluster
SERVERS := triton bentoml mlserver gradio kserve litserve mlflow rayserve fastapi
PACKAGE_triton := nvidia-pytriton==0.7.0
PACKAGE_bentoml := bentoml==1.4.40 pillow
PACKAGE_mlserver := mlserver==1.7.1
PACKAGE_gradio := gradio==6.31.0
PACKAGE_kserve := kserve==0.21.0
PACKAGE_litserve := litserve==0.2.19
PACKAGE_mlflow := mlflow==3.17.2 onnx
PACKAGE_rayserve := "ray[serve]==2.60.0"
PACKAGE_fastapi := fastapi==0.165.0 uvicorn==0.54.0 python-multipart==0.0.34 pillow
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# One thread per process, so that processes do not compete for cores; each takes 1.5 GB for torch and its networks. Python keeps
# what it compiles, whatever the environment says: the tests start processes that would compile the package anew.
FAST_TESTS = OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n logical --maxprocesses 4 --dist worksteal -m "not slow" $(PYTEST_ARGS)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test test-avx2 test-plain test-memory test-memcheck test-servers walk check lint docs bench-formats bench-exported bench-network-matrix bench-scan-speed picture clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-zA-Z0-9%-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "  PYTHON=python3.12      the Python to use instead of python3 (3.11 or newer)"
	@echo "  PIP_ARGS='...'         more arguments for pip, e.g. the index of torch's much smaller CPU build, see pytorch.org"
	@echo "  PYTEST_ARGS='-k claim' more arguments for pytest"

demo: $(VENV)/.package ## run the demo on small images (about a minute) and print the report page to open
	$(BIN)/ownmark demo --out demo
	@echo "Open in a browser:"; ls "$(CURDIR)"/demo/*.html

test: lint ## run lint, types and all fast tests
	$(FAST_TESTS)

test-avx2: $(VENV)/.checks ## run all fast tests as on a CPU without AVX-512
	ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 $(FAST_TESTS)

test-plain: $(VENV)/.checks ## run all fast tests without torch's fast kernels
	OWNMARK_PLAIN_KERNELS=1 $(FAST_TESTS)

test-servers: $(VENV)/.checks $(SERVERS:%=.ci/servers/.%) ## test against real servers: Triton, KServe, MLflow, Ray Serve, ... (4 GB)
	$(BIN)/pytest -m server $(PYTEST_ARGS)

# Tests that train, each run in one process under glibc's checking allocator, which ends a process that has written out of place.
TRAINING_TESTS := $(addprefix tests/,test_training.py models/test_memory_format.py attacks/test_attack_training.py \
	attacks/test_attack_pruning.py schemes/test_trigger_set.py schemes/test_zhang.py schemes/test_partitioned.py)
CHECKED := LD_PRELOAD=libc_malloc_debug.so.0 MALLOC_CHECK_=3 MALLOC_PERTURB_=165

test-memory: $(VENV)/.checks ## RUNS=20 runs of the tests that train, every second one as with AVX2, under a checking allocator
	$(CHECKED) $(BIN)/python tests/allocator.py
	for run in $$(seq $(RUNS)); do \
		isa=$$([ $$((run % 2)) -eq 0 ] && echo AVX2 || echo DEFAULT); \
		$(CHECKED) ONEDNN_MAX_CPU_ISA=$$isa $(BIN)/pytest -q -m "not slow" $(TRAINING_TESTS) $(PYTEST_ARGS) || exit 1; \
	done

test-memcheck: $(VENV)/.checks ## convolve in every layout that the rule allows under valgrind, which must be installed; half an hour
	rm -f $(VENV)/memcheck.*
	for threads in 1 2; do for which in known every; do \
		OMP_NUM_THREADS=$$threads PYTHONMALLOC=malloc valgrind --tool=memcheck --undef-value-errors=no \
			--log-file=$(VENV)/memcheck.$$which.$$threads $(BIN)/python tests/convolutions.py $$which $$threads 3:9 2:8 || exit 1; \
	done; done
	! grep "Invalid write" $(VENV)/memcheck.*

check: $(VENV)/.checks ## format the code, then run lint, types and all fast tests; use before every commit
	$(BIN)/ruff format .
	@$(MAKE) --no-print-directory test

lint: $(VENV)/.checks ## check lint, format and types without changing files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -n 2

docs: $(VENV)/.docs ## build docs/ into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@! grep -rnoE --include='*.html' '<(script|img|iframe|source|link)[^>]* (src|href)="?(https?:)?//[^ >]*' site \
		|| { echo "a page loads something from another server"; exit 1; }

bench-%: $(VENV)/.checks $(VENV)/.docs ## run one benchmark: make bench-skin-first runs benchmarks/skin_first.py
	$(BIN)/python benchmarks/$(subst -,_,$*).py

walk: $(VENV)/.package ## count the files that protect and verify --report pass, and the steps between them
	OMP_NUM_THREADS=1 $(BIN)/python tools/walks.py

bench-formats: $(VENV)/.checks $(VENV)/.docs $(FORMATS)/.made ## run benchmarks/formats.py with every converter (1.6 GB, a venv of its own)
	$(FORMATS)/bin/python benchmarks/formats.py

bench-network-matrix: $(VENV)/.checks $(VENV)/.docs $(NETWORKS)/.made ## run benchmarks/network_matrix.py with timm and transformers (a venv of its own)
	HF_HUB_OFFLINE=1 $(NETWORKS)/bin/python benchmarks/network_matrix.py

bench-exported: $(VENV)/.checks $(VENV)/.docs $(FORMATS)/.made ## run benchmarks/exported.py, every scheme in other formats, with the same venv
	$(FORMATS)/bin/python benchmarks/exported.py

bench-scan-speed: $(VENV)/.checks $(VENV)/.docs $(CLUSTER)/.made ## run benchmarks/scan_speed.py with Ray (a venv of its own)
	$(CLUSTER)/bin/python benchmarks/scan_speed.py

picture: demo ## redraw the README's picture of the demo page; needs chromium
	chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir=$(VENV)/chromium --window-size=1100,1180 \
		--screenshot=$(CURDIR)/docs/figures/demo-report.png file://$(CURDIR)/demo/report.html

clean: ## remove everything that these targets created
	rm -rf $(VENV) $(FORMATS) $(NETWORKS) $(CLUSTER) .ci/servers site demo .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find src tests benchmarks docs -name __pycache__ -prune -exec rm -rf {} +

# Servers for the tests, each in its own venv, since their pins conflict.

.ci/servers/.%:
	rm -rf .ci/servers/$*
	$(PYTHON) -m venv .ci/servers/$*
	.ci/servers/$*/bin/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) onnxruntime $(PACKAGE_$*)
	@touch $@

# A venv $(1) on top of the other, with the group $(2) of pyproject.toml.

define on_top
	$(BIN)/python -m venv $(1)
	$(BIN)/python -c 'import site; print(f"import site; site.addsitedir({site.getsitepackages()[0]!r})")' \
		> "$$($(1)/bin/python -c 'import site; print(site.getsitepackages()[0])')/ownmark.pth"
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) --group $(2)
	@touch $@
endef

# Converters apart, since they bring older versions of what the other holds.

$(FORMATS)/.made: $(VENV)/.checks pyproject.toml
	$(call on_top,$(FORMATS),formats)

# timm and transformers, likewise, so that most tests run as where neither is installed.

$(NETWORKS)/.made: $(VENV)/.checks pyproject.toml
	$(call on_top,$(NETWORKS),networks)

# Ray, likewise, as it starts processes of its own.

$(CLUSTER)/.made: $(VENV)/.checks pyproject.toml
	$(call on_top,$(CLUSTER),cluster)

# Stamp files: a step runs again only if pyproject.toml has changed.

$(VENV)/.pip:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) was not found: install Python 3.11 or newer, or name one: make PYTHON=python3.12"; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "ownmark needs Python 3.11 or newer, but $(PYTHON) is $$($(PYTHON) -V 2>&1): choose another, e.g. make PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.package: $(VENV)/.pip pyproject.toml
	$(PIP) $(PIP_ARGS) --editable '.[torch]'
	@touch $@

$(VENV)/.checks: $(VENV)/.pip pyproject.toml
	$(PIP) $(PIP_ARGS) --editable '.[torch]' --group test --group lint
	@touch $@ $(VENV)/.package

$(VENV)/.docs: $(VENV)/.pip pyproject.toml
	$(PIP) $(PIP_ARGS) --group docs
	@touch $@
