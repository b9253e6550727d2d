# Bare `make` lists the verbs. Each brings .venv up to date first; PYTHON=... chooses the interpreter that makes it.
# ARGS=... is passed on to what the verb runs.

BIN := .venv/bin
# The rooms that make coverage measures: the others kill processes, which then write nothing of what they ran.
MEASURED := $(addprefix tests/,cli client formats hdf5 lightcurve parameters server)
PARALLEL := -n $$(($$(nproc) + 1)) --maxprocesses=4 --dist=loadscope --no-loadscope-reorder
export PYTHON MESSAGE
# Without cached bytecode, every process compiles all modules anew: 4 of the 5 seconds in which a service starts.
unexport PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE
.DEFAULT_GOAL := help
.PHONY: help setup server run demo test check fix migrate migration test-slow test-client test-extras test-hats test-readers test-scale \
	test-vo hostile fuzz interface bench crash docs docs-site pictures coverage changelog dist clean

help:
	@echo 'make VERB [ARGS="..."], where VERB is one of'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' Makefile | while IFS='|' read -r verb text; do \
		printf '  %-14s %s\n' "$$verb" "$$text"; done

setup: ## Make the Python environment in .venv, or bring it up to date.
	@tools/setup.sh

server:
	@tools/setup.sh server

run: server ## Serve on http://127.0.0.1:5000, with a database and a store in ./data.
	$(BIN)/photseries migrate
	$(BIN)/photseries serve $(ARGS)

demo: server ## Serve a handful of made-up light curves on http://127.0.0.1:5000, and forget them in the end.
	$(BIN)/photseries demo $(ARGS)

test: check ## Run the checks, then the tests that are not slow.
	$(BIN)/python -m pytest $(PARALLEL) -m 'not slow' $(ARGS)

test-slow: setup ## Run the slow tests: browser, drills, hostile suite, tutorials; brings a browser, where it may.
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

fix: setup ## Format, and mend the style where ruff can.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

migrate: server ## Bring the schema of the configured database to the newest revision.
	$(BIN)/photseries migrate $(ARGS)

migration: setup ## Write a new migration from the models: make migration MESSAGE="what it does".
	@test -n "$$MESSAGE" || { echo 'make migration MESSAGE="what it does"'; exit 2; }
	$(BIN)/python tools/new_migration.py "$$MESSAGE"
	$(BIN)/ruff format -q migrations

test-client: ## Install the client alone, in an environment of its own, and test it; on macOS and Windows too.
	$(or $(PYTHON),python3) tests/client/alone.py $(ARGS)

test-extras: setup ## Test the file readers with lightkurve and pandas 2, in an environment of their own.
	$(BIN)/python -m tests.formats.extras $(ARGS)

test-hats: setup ## Test the export to HATS with LSDB and Dask, in an environment of their own.
	$(BIN)/python -m tests.server.hats.environment $(ARGS)

test-readers: setup ## Read the stored file under every supported pandas, each in an environment of its own.
	$(BIN)/python tests/pandas_versions/run.py $(ARGS)

test-scale: setup ## Kill services behind a balancer; stop, slow and refuse the object storage; ask for 10,000 cones.
	CRASH=all SCALE=all $(BIN)/python -m pytest tests/scale tests/crash/test_object_kills.py \
		tests/crash/test_object_faults.py tests/server/catalogue/test_cones.py $(ARGS)

test-vo: setup ## Test the services of the Virtual Observatory, with STILTS, which is installed where it may be.
	VO_TESTS=all DEPLOY_TESTS=required $(BIN)/python -m pytest tests/server/vo $(ARGS)

hostile: setup ## Put every attack, and every valid variation, to a running service.
	$(BIN)/python -m tests.hostile

fuzz: setup ## Put mutated files to the readers of all formats: make fuzz MINUTES=5
	$(BIN)/python -m tests.hostile.fuzz $(or $(MINUTES),1) $(ARGS)
	FUZZ_MINUTES=$(or $(MINUTES),1) $(BIN)/python -m pytest tests/formats/test_damaged.py

interface: setup ## Put every boundary of the interface, as it describes itself, to a running service.
	INTERFACE=all $(BIN)/python -m pytest tests/server/http/test_openapi.py -k machine $(ARGS)

crash: setup ## Kill the service at every step of every verb, fill its disk, cut it off its database.
	CRASH=all $(BIN)/python -m pytest $(PARALLEL) tests/crash $(ARGS)

bench: setup ## Measure the service: make bench ARGS="service"; without ARGS, list the benches.
	$(BIN)/python -m bench $(ARGS)

docs: setup ## Write the tables of the documents anew from the code.
	$(BIN)/python tools/tables.py $(ARGS)

docs-site: setup ## Build the documentation site in docs/_site, which the service shows under /docs/.
	$(BIN)/python -m sphinx -q -W --keep-going -b html -d .sphinx docs docs/_site $(ARGS)
	$(BIN)/python tools/links.py docs/_site

pictures: setup ## Run the tutorials, and write their outputs and the pictures of the documents anew.
	$(BIN)/python -m tests.tutorials $(ARGS)
	PICTURES=write $(BIN)/python -m pytest tests/browser/test_pictures.py

coverage: setup ## Run tests and print the branches that they do not reach, in the servers they start too.
	rm -f .coverage .coverage.*
	-$(BIN)/coverage run -m pytest $(PARALLEL) -m "not slow" $(or $(ARGS),$(MEASURED))
	$(BIN)/coverage combine -q
	$(BIN)/coverage report

changelog: setup ## Print the next section of the changelog, or write it: make changelog VERSION=0.3.0
	$(BIN)/towncrier build $(if $(VERSION),--yes --version $(VERSION),--draft --version next)

dist: docs-site ## Build the wheel and the source archive, with the documentation site, in dist/.
	$(BIN)/python -m build $(ARGS)

clean: ## Remove environments and caches; ./data stays.
	rm -rf .venv .venv-* .sphinx docs/_site docs/reference .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage* dist
	find . -path ./data -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
