# `make` without a target lists the targets. Each target updates .venv first; PYTHON=... selects its interpreter.
# ARGS=... is passed to the command that a target runs.

BIN := .venv/bin
# The tests of make coverage: the others kill processes, which then write no coverage data.
MEASURED := $(addprefix tests/,cli client formats hdf5 lightcurve parameters server)
# The tests of make test-scale that make test-slow runs in part.
SCALED := tests/scale tests/crash/test_object_kills.py tests/crash/test_object_faults.py
PARALLEL := -n $$(($$(nproc) + 1)) --maxprocesses=4 --dist=loadscope --no-loadscope-reorder
export PYTHON MESSAGE
# Without cached bytecode every process compiles all modules: 4 of the 5 seconds that a service needs to start.
unexport PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE
.DEFAULT_GOAL := help
.PHONY: help setup server run demo test check fix migrate migration test-slow test-client test-extras test-hats test-readers test-scale \
	test-vo hostile fuzz interface bench crash docs docs-site pictures coverage changelog dist clean

help:
	@echo 'make TARGET [ARGS="..."], where TARGET is one of'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' Makefile | while IFS='|' read -r target text; do \
		printf '  %-14s %s\n' "$$target" "$$text"; done

setup: ## Create or update the Python environment in .venv.
	@tools/setup.sh

server:
	@tools/setup.sh server

run: server ## Serve on http://127.0.0.1:5000, with a database and a store in ./data.
	$(BIN)/photseries migrate
	$(BIN)/photseries serve $(ARGS)

demo: server ## Serve sample light curves on http://127.0.0.1:5000 from a temporary archive, deleted on exit.
	$(BIN)/photseries demo $(ARGS)

test: check ## Run the checks, then the tests that are not slow.
	$(BIN)/python -m pytest $(PARALLEL) -m 'not slow' $(ARGS)

test-slow: setup ## Run the slow tests: browser, drills, hostile suite, tutorials; as root, install a browser if necessary.
	@tools/browser.sh > /dev/null || echo 'photseries: the tests in tests/browser will be skipped' >&2
	$(BIN)/python -m pytest $(PARALLEL) -m slow $(ARGS)

check: setup ## Check format, style, types, imports, spelling and prose.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/windows -p photseries --exclude /server/ & windows=$$!; \
		$(BIN)/mypy || failed=yes; wait $$windows && test -z "$$failed"
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/python tools/prose.py
	@tools/scripts.sh

fix: setup ## Format the code, and apply ruff's automatic fixes.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

migrate: server ## Upgrade the schema of the configured database to the newest revision.
	$(BIN)/photseries migrate $(ARGS)

migration: setup ## Write a migration from the models: make migration MESSAGE="add a column".
	@test -n "$$MESSAGE" || { echo 'make migration MESSAGE="add a column"'; exit 2; }
	$(BIN)/python tools/new_migration.py "$$MESSAGE"
	$(BIN)/ruff format -q migrations

test-client: ## Install only the client, in a separate environment, and test it; also on macOS and Windows.
	$(or $(PYTHON),python3) tests/client/alone.py $(ARGS)

test-extras: ## Test the file readers with lightkurve and pandas 2, in a separate environment.
	@tools/setup.sh extras
	.venv-extras/bin/python -m pytest -p no:cacheprovider tests/client \
		$(patsubst %,tests/formats/test_%.py,missions reading roles units) $(ARGS)

# These packages warn when imported, and need a pandas that knows of pyarrow: they come before tests/__init__.py.
test-hats: ## Test the export to HATS with LSDB and Dask, in a separate environment.
	@tools/setup.sh hats
	.venv-hats/bin/python -m pytest -W default -p lsdb -p no:cacheprovider tests/server/hats $(ARGS)

test-readers: setup ## Read the stored file with every supported version of pandas, each in a separate environment.
	$(BIN)/python tests/pandas_versions/run.py $(ARGS)

test-scale: setup ## Kill services behind a balancer; stop, slow down and block the object storage; search 10,000 cones.
	CRASH=all SCALE=all $(BIN)/python -m pytest $(SCALED) tests/server/catalogue/test_cones.py $(ARGS)

test-vo: setup ## Test the Virtual Observatory services with STILTS; as root, install STILTS if necessary.
	VO_TESTS=all DEPLOY_TESTS=required $(BIN)/python -m pytest tests/server/vo/test_stilts.py $(ARGS)

hostile: setup ## Send every attack, and every valid variation, to a running service.
	$(BIN)/python -m tests.hostile

fuzz: setup ## Read mutated files with the readers of all formats: make fuzz MINUTES=5
	$(BIN)/python -m tests.hostile.fuzz $(or $(MINUTES),1) $(ARGS)
	FUZZ_MINUTES=$(or $(MINUTES),1) $(BIN)/python -m pytest tests/formats/test_damaged.py

interface: setup ## Test a running service at every limit that its OpenAPI document states.
	INTERFACE=all $(BIN)/python -m pytest tests/server/http/test_openapi.py -k machine $(ARGS)

crash: setup ## Kill the service at every step of every operation, fill its disk, disconnect its database.
	CRASH=all $(BIN)/python -m pytest $(PARALLEL) tests/crash $(ARGS)

bench: setup ## Measure the service: make bench ARGS="service"; without ARGS, list the benches.
	$(BIN)/python -m bench $(ARGS)

docs: setup ## Regenerate the tables of the documents from the code.
	$(BIN)/python tools/tables.py $(ARGS)

docs-site: setup ## Build the documentation site in docs/_site, which the service serves at /docs/.
	$(BIN)/python -m sphinx -q -W --keep-going -b html -d .sphinx docs docs/_site $(ARGS)
	$(BIN)/python tools/links.py docs/_site

pictures: setup ## Run the tutorials, and regenerate their outputs and the pictures of the documents.
	$(BIN)/python -m tests.tutorials $(ARGS)
	PICTURES=write $(BIN)/python -m pytest tests/browser/test_pictures.py

coverage: setup ## Run tests, and print the branches that neither they nor the servers they start reach.
	rm -f .coverage .coverage.*
	$(BIN)/coverage run -m pytest $(PARALLEL) -m "not slow" $(or $(ARGS),$(MEASURED)); tested=$$?; \
		$(BIN)/coverage combine -q && $(BIN)/coverage report && exit $$tested

changelog: setup ## Print the next section of the changelog, or write it: make changelog VERSION=0.3.0
	$(BIN)/towncrier build $(if $(VERSION),--yes --version $(VERSION),--draft --version next)

dist: docs-site ## Build the wheel and the source archive, with the documentation site, in dist/.
	$(BIN)/python -m build $(ARGS)

clean: ## Remove environments and caches; ./data stays.
	rm -rf .venv .venv-* .sphinx docs/_site docs/reference .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage* dist
	find . -path ./data -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
