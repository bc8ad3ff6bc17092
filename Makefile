# The verbs of the house; `make` alone lists them. Needs Python 3.10+ (another one: make PYTHON=…).

PYTHON ?= python3
BIN := $(if $(filter Windows_NT,$(OS)),Scripts,bin)
VENV := .venv
PEERS := .venv-peers
RUN := $(VENV)/$(BIN)
LABELS := elephant,owl,cat,banana,strawberry,bicycle,sailboat,rocket,fire engine,rainbow,guitar,umbrella

.PHONY: help demo serve-demo install dev peers test test-kills test-plain test-gpu test-weights check format docs bench bench-quick clean

help:
	@echo "make demo    classify the pictures in examples/ with the built-in model"
	@echo "make serve-demo  search and classify example drawings on a page in your browser"
	@echo "make test    run the whole test suite, other implementations as oracles included"
	@echo "make test-plain  the same with the faster paths switched off"
	@echo "make test-gpu    what needs a GPU, on a machine that has one"
	@echo "make test-weights  published figures, with weights in your cache and data in SNAPLINK_IMAGENET"
	@echo "make test-kills  kill snaplink embed 50 times among 2,000 pictures, for each engine"
	@echo "make check   lint, format and type checks"
	@echo "make format  repair what the linter and the formatter can"
	@echo "make docs    write docs/command-line.md anew from the commands' --help"
	@echo "make bench   measure beside the peers, into benchmarks/results/, docs/ and README.md"
	@echo "make bench-quick  only check that all benchmarks run"
	@echo "make dev     set up $(VENV) for development"
	@echo "make peers   set up $(PEERS), where the other implementations live"
	@echo "make clean   remove both and every cache"

demo: $(VENV)/package.stamp
	$(RUN)/snaplink classify examples/*.png --labels "$(LABELS)" --top 3

serve-demo: $(VENV)/serve.stamp
	$(RUN)/snaplink serve --open

test: $(VENV)/dev.stamp $(PEERS)/peers.stamp
	$(RUN)/python -m pytest

# Without the page's tests: what a browser shows does not depend on how the vectors are computed.
test-plain: $(VENV)/dev.stamp $(PEERS)/peers.stamp
	CLIP_PLAIN=1 $(RUN)/python -m pytest --ignore=tests/browser

test-gpu: $(VENV)/dev.stamp
	$(RUN)/python -m pytest tests/gpu

test-weights: $(VENV)/dev.stamp
	$(RUN)/python -m pytest tests/weights

test-kills: $(VENV)/dev.stamp
	SNAPLINK_KILLS=50 SNAPLINK_KILL_PICTURES=2000 $(RUN)/python -m pytest \
		tests/snaplink/embed/test_kills.py

check: $(VENV)/dev.stamp
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy

format: $(VENV)/dev.stamp
	$(RUN)/ruff check --fix .
	$(RUN)/ruff format .

docs: $(VENV)/dev.stamp
	$(RUN)/python scripts/make_command_line.py

# One of them, or several: make bench NAMES="load encode"
bench: $(VENV)/dev.stamp $(PEERS)/engines.stamp
	$(RUN)/python benchmarks/run.py $(NAMES)

bench-quick: $(VENV)/dev.stamp $(PEERS)/engines.stamp
	$(RUN)/python benchmarks/run.py --quick $(NAMES)

install: $(VENV)/package.stamp
dev: $(VENV)/dev.stamp
peers: $(PEERS)/peers.stamp

# Each stamp says that what it depends on is installed: a second run costs nothing, and an
# interrupted one starts that step again.

$(VENV)/package.stamp: pyproject.toml constraints.txt
	$(PYTHON) scripts/check_python.py
	$(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --constraint constraints.txt --editable .
	touch $@

$(VENV)/serve.stamp: $(VENV)/package.stamp
	$(RUN)/python -m pip install --constraint constraints.txt --editable ".[serve]"
	touch $@

# --group wants pip 25.1, and Python 3.10 to 3.13 come with older ones.
$(VENV)/dev.stamp: $(VENV)/package.stamp
	$(RUN)/python -m pip install --upgrade "pip>=25.1"
	$(RUN)/python -m pip install --constraint constraints.txt --group dev
	touch $@

# Without the dependencies that they name: those would bring another torch.
$(PEERS)/peers.stamp: tests/oracles/requirements.txt constraints.txt
	$(PYTHON) scripts/check_python.py
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/$(BIN)/python -m pip install --constraint constraints.txt \
		--requirement tests/oracles/requirements.txt
	$(PEERS)/$(BIN)/python -m pip install --constraint constraints.txt --no-deps \
		torchvision clip-anytorch open_clip_torch clip-benchmark clip-retrieval \
		embedding-reader
	touch $@

$(PEERS)/engines.stamp: benchmarks/requirements.txt $(PEERS)/peers.stamp
	$(PEERS)/$(BIN)/python -m pip install --constraint constraints.txt \
		--requirement benchmarks/requirements.txt
	touch $@

clean:
	rm -rf $(VENV) $(PEERS) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find src tests benchmarks scripts -name __pycache__ -prune -exec rm -rf {} +
