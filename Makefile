# Type `make` to see what there is.
MAKEFLAGS += --no-builtin-rules --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BIN := .venv/bin
# Which Python makes .venv; by default the first on PATH that is new enough.
PYTHON ?=
# 1: the demo stays up when it is done (0, no and false mean no).
KEEP ?=
# s3, or file where the S3 server cannot be had.
STORE ?=
# The image to build on, if not the public one, and the archive to write, if not in dist/.
BASE ?=
TO ?=

.PHONY: help venv demo quick test soak chaos browser bench up down cluster cluster-down pods check docs generate image release runtime clean

help: ## List the commands
	@echo "Curfew: just-in-time access for Kubernetes. Commands:"
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/    make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-24s%s\n", $$1, $$2}'
	@echo "The first time, the servers are built: about 10 minutes on two cores. Only cluster needs root, and only cluster and image containers."

demo: runtime ## Show the whole story on real servers, in under 90 s (KEEP=1: it stays up)
	@$(BIN)/python -m tools.demo $(if $(filter-out 0 no false,$(KEEP)),--keep) $(if $(STORE),--store=$(STORE))

quick: venv ## Run the tests that need no servers, in about two minutes (ARGS="-k word" for some)
	@$(BIN)/python -m tools.run_tests --quick $(ARGS)

test: venv ## Run all tests, in about 10 minutes on two cores; the last line counts them (ARGS="-k word" for some)
	@$(BIN)/python -m tools.run_tests $(ARGS)

soak: venv ## Run all tests with all cases, of which make test tries a random tenth, in about an hour (ARGS="-k word" for some)
	@$(BIN)/python -m tools.run_tests --soak $(ARGS)

chaos: venv ## Kill, stop, cut off and starve all servers under load for 10 min, and judge what was left (ARGS="--seed 7", --help for more)
	@$(BIN)/python -m tests.chaos $(ARGS)

browser: venv ## Look at the page in a real Chromium, with axe-core; needs chromium and npm on PATH (ARGS="-k word" for some)
	@$(BIN)/python -m pytest tests/browser $(ARGS)

bench: venv ## Measure, and show which bounds are met; 25 min (ARGS="append verify" for some, --help for more)
	@$(BIN)/python -m bench $(ARGS)

check: venv ## Check style, types, layers, and that generated files are fresh
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tools.generate --check

up: runtime ## Start a Kubernetes control plane and an S3 server in the background
	@$(BIN)/python -m tools.servers up

down: runtime ## Stop them
	@$(BIN)/python -m tools.servers down

cluster: runtime ## Start Curfew in real pods: as root on Linux, or by kind with Docker (BASE=IMAGE; docs/cluster.md)
	@$(BIN)/python -m tools.cluster up $(if $(BASE),--base $(BASE))

pods: venv ## Test Curfew in real pods, in about 15 minutes, as root on Linux (BASE=IMAGE, ARGS="-k word" for some)
	@BASE=$(BASE) $(BIN)/python -m pytest -q -p no:cacheprovider $(if $(ARGS),$(ARGS),tests/pods)

cluster-down: runtime ## Stop it, and remove what a killed one has left
	@$(BIN)/python -m tools.cluster down

docs: venv ## Build the documentation as a site in dist/docs, with no dead link
	@$(BIN)/python -m tools.site

generate: venv ## Write the files that are made from the code
	$(BIN)/python -m tools.generate

image: venv ## Build the container image as an OCI archive in dist/, the same each time (BASE=IMAGE, TO=FILE)
	@$(BIN)/python -m tools.image build $(if $(BASE),--base $(BASE)) $(if $(TO),--to $(TO))

release: venv ## Make everything that is published of a version, in dist/ (BASE=IMAGE)
	@$(BIN)/python -m tools.release $(if $(BASE),--base $(BASE))

venv: ## Make the Python environment .venv, if it is not there or is old
	@tools/venv.sh $(PYTHON)

# What the demo and the servers need is half of it.
runtime:
	@tools/venv.sh --to-run $(PYTHON)

clean: ## Remove .venv and what tools left here; the servers' cache stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find operator tests tools bench -name __pycache__ -type d -prune -exec rm -rf {} +
