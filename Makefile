# `make demo` and `make test` are all the set-up there is: both make .venv first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help install demo test test-all test-gpu test-clients test-clusters test-slurm test-gridengine test-torque torque-commands doctest lint docs architecture notebooks clean

help:
	@echo "make demo      install into $(VENV), make a small labelled data set, say where its report is"
	@echo "make test      install and run the default tests (under 10 minutes on two cores)"
	@echo "make test-all  also the slow ones and those that need the package index"
	@echo "make test-gpu  those that need a CUDA device"
	@echo "make test-clients  programs of the field on exported files, each in an environment of its own (.clients; Debian: relion)"
	@echo "make test-clusters  one run and one refusal on each batch system that is installed, as root"
	@echo "make test-slurm  all tests on SLURM (Debian: slurmctld slurmd slurm-client munge), as root"
	@echo "make test-gridengine  all on Grid Engine (Debian: gridengine-master gridengine-exec gridengine-client), as root"
	@echo "make test-torque  all by Torque's commands over SLURM (\`make torque-commands\` unpacks them), as root"
	@echo "make doctest   only the examples in the docstrings, which \`make test\` runs as well"
	@echo "make lint      ruff, mypy and the import contract"
	@echo "make docs      build the documentation in docs/_build/html; warnings are errors"
	@echo "make architecture  draw docs/architecture.svg anew from the imports"
	@echo "make notebooks execute the notebooks anew, outputs and all"

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[test,docs,notebook]'
	@touch $@

demo: install
	$(BIN)/faket-dask weights fetch vgg19-normalised
	$(BIN)/faket-dask run configs/demo.yaml

# Each process computes on one thread: as many processes as cores are enough.
test: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

test-all: install
	$(BIN)/python -m pytest -m 'not gpu and not pbs and not slurm and not gridengine and not clients'

test-gpu: install
	$(BIN)/python -m pytest -m gpu

test-clients: install
	$(BIN)/python -m pytest tests/clients -m clients --timeout 1800

test-clusters: install
	$(BIN)/python -m pytest tests/cluster -m 'slurm or gridengine or pbs' \
		-k 'cancelled_jobs or deletion_of_its_only_job or refused_jobs'

test-slurm: install
	$(BIN)/python -m pytest tests/cluster -m slurm

test-gridengine: install
	$(BIN)/python -m pytest tests/cluster -m gridengine

test-torque: install
	$(BIN)/python -m pytest tests/cluster -m pbs

# The package conflicts with Grid Engine's client, so it is unpacked and not installed; its libraries are installed.
torque-commands:
	apt-get install -y -qq --no-install-recommends --no-remove libslurm-perl libslurmdb-perl libswitch-perl
	rm -rf .torque && mkdir .torque
	cd .torque && apt-get download -qq slurm-wlm-torque && dpkg -x slurm-wlm-torque_*.deb .

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

doctest: install
	$(BIN)/python -m pytest faket_dask docs/draw_architecture.py docs/generate_pages.py

docs: install
	$(BIN)/sphinx-build --builder html --fail-on-warning --keep-going docs docs/_build/html

architecture: install
	$(BIN)/python docs/draw_architecture.py

notebooks: install
	rm -rf notebooks/data
	$(BIN)/jupyter nbconvert --to notebook --execute --inplace --ExecutePreprocessor.record_timing=False \
		--ExecutePreprocessor.store_widget_state=False notebooks/*.ipynb

clean:
	rm -rf $(VENV) build docs/_build docs/reference *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
