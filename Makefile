# One word a task, one line a word. `tools/run` sets up whatever is missing first.
.DEFAULT_GOAL := help
export PYTHON

lab:         ## open the course in JupyterLab
	@tools/run course start

test:        ## run everything that is tested: the package, the notebooks, the browser
	@tools/run --dev pytest

build:       ## make notebooks/, labs/ and solutions/ from lessons/
	@tools/run --dev python -m kmscourse.authoring build

bench:       ## measure what the course promises to be fast
	@tools/run --dev sh -ec 'for each in benchmarks/[a-z]*.py; do echo "== $$each"; python "$$each"; done'

lint:        ## check style and the direction of imports, and say what to change
	@tools/run --dev sh -c 'ruff check && ruff format --check && lint-imports'

types:       ## check the types
	@tools/run --dev sh -c 'mypy && mypy --strict tools'

format:      ## put the code into shape
	@tools/run --dev sh -c 'ruff check --fix --quiet; ruff format'

facts:       ## write docs/facts.md, the prices, limits and dates, from kmscourse/facts
	@tools/run --dev sh -c 'python -m kmscourse.facts > docs/facts.md'

coverage:    ## write docs/coverage.md, where each bullet of the study notes is taught
	@tools/run --dev sh -c 'course coverage --page > docs/coverage.md'

glossary:    ## write docs/glossary.md from lessons/glossary.yaml
	@tools/run --dev sh -c 'python -m kmscourse.authoring glossary > docs/glossary.md'

workshop:    ## write docs/workshop.md from lessons/workshop.yaml and each teaching.md
	@tools/run --dev sh -c 'python -m kmscourse.workshop > docs/workshop.md'

environment: ## write environment.yml (conda, Binder) from uv.lock
	@tools/run --dev python tools/environment.py

clean:       ## remove what the tools made; my-work/ stays
	@rm -rf .venv .uv .jupyter .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

help:        ## list these
	@awk -F ': *## ' '/^[a-z]+: *## / {printf "make %-12s %s\n", $$1, $$2}' Makefile

.PHONY: lab test build bench lint types format facts coverage glossary workshop environment clean help
