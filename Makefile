# Each target does all of its own set-up: Debian packages, virtual environment, pinned install.
# Another Python than the one that is found:  make PYTHON=/path/to/python3.12 ...

RUN := .venv
TRAIN := .venv-training
TORCH := tests/contract/test_engine_torch.py tests/contract/test_engine_torch_cuda.py \
	tests/contract/test_card_torch.py
INPUTS := pyproject.toml constraints.txt tools/bare_machine.sh

# Settings of pip that hold here for the build's own tools as well.
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_CONSTRAINT=$(CURDIR)/constraints.txt \
	PIP_BUILD_CONSTRAINT=$(CURDIR)/constraints.txt
export PYTHON

.PHONY: help demo test test-slow test-training lint clean
.DEFAULT_GOAL := help

help:
	@echo "make demo            unmask the bundled clip; prints where the result is"
	@echo "make test            run the tests (no torch)"
	@echo "make test-slow       run the tests that take minutes"
	@echo "make test-training   run the training's tests (installs torch in an environment of its own)"
	@echo "make lint            ruff, mypy, import contracts"
	@echo "make clean           remove the environments and caches"

demo: $(RUN)/.run
	@$(RUN)/bin/python main.py demo

test: $(RUN)/.test
	@$(RUN)/bin/python -m pytest -m "not slow" --ignore=tests/training

test-slow: $(RUN)/.test $(TRAIN)/.all
	@$(RUN)/bin/python -m pytest -m slow --ignore=tests/training
	@$(TRAIN)/bin/python -m pytest -m slow tests/training

test-training: $(TRAIN)/.all
	@$(TRAIN)/bin/python -m pytest -m "not slow" tests/training $(TORCH)

lint: $(TRAIN)/.all
	@$(TRAIN)/bin/ruff check .
	@$(TRAIN)/bin/mypy
	@$(TRAIN)/bin/lint-imports

# $(call install,environment,extras,words for the progress line)
define install
	@set -e; \
	python=$$(sh tools/bare_machine.sh); \
	if ! $(1)/bin/python -m pip --version >/dev/null 2>&1; then \
		echo "Making $(1) with $$($$python -V)"; \
		rm -rf $(1); \
		$$python -m venv $(1); \
	fi; \
	echo "Installing $(3) into $(1); the first time takes some minutes"; \
	$(PIP) $(1)/bin/python -m pip install -q -e '.$(2)'; \
	touch $@
endef

$(RUN)/.run: $(INPUTS)
	$(call install,$(RUN),,the program)

$(RUN)/.test: $(RUN)/.run
	$(call install,$(RUN),[test],pytest)

$(TRAIN)/.all: $(INPUTS)
	$(call install,$(TRAIN),[dev$(comma)train],the program and torch)

comma := ,

clean:
	rm -rf $(RUN) $(TRAIN) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find realtime_unmask training tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
