.DEFAULT_GOAL := help
.PHONY: help setup demo test clients judges same check bench docs format mutants kills

PYTHON := .venv/bin/python
unexport PYTHONDONTWRITEBYTECODE

help: ## What can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: ## Make .venv (once; nothing to do when nothing changed)
	@python3 tools/set_up.py

demo: setup ## Run the messaging example in the emulator and show what happens
	@$(PYTHON) examples/demo.py

test: setup clients judges ## Run all tests
	@$(PYTHON) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

clients:
	@python3 tools/set_up_clients.py

judges: setup ## Install ministack and the AWS CLI, by which tests judge the emulator
	@python3 tools/set_up_judges.py

mutants: setup ## Take away each permission of a rich app, one at a time, and see its flow fail (minutes)
	@cd tests && ../$(PYTHON) mutants.py

kills: setup judges ## Kill a deployment, an update and a removal at each of their calls (half an hour)
	@TREADLE_KILLS=$${TREADLE_KILLS:-all} $(PYTHON) -m pytest -q --timeout=0 tests/deploy/test_deploy_interrupted.py

check: setup ## Format, lint, types and layers
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m mypy
	@$(PYTHON) -m pyright
	@.venv/bin/lint-imports

same: setup judges ## Let fifty random apps do the same here and on ministack (some fifteen minutes)
	@TREADLE_SAME_SEEDS=$${TREADLE_SAME_SEEDS:-101-150} $(PYTHON) -m pytest -q tests/same

format: setup ## Put the code into its form
	@$(PYTHON) -m ruff format .
	@$(PYTHON) -m ruff check --fix .

bench: setup ## Measure, each figure beside a baseline of the same run
	@$(PYTHON) benchmarks/run.py

docs: setup ## Write the generated pages of docs/
	@$(PYTHON) tools/write_docs.py
