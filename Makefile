.DEFAULT_GOAL := help
ENGINES = statsmodels 'statsmodels[shared]' mixedlm interlace nlme glmmTMB mgcv glmm mixedlm-rs lme-python gpboost 'gpboost[cholesky]' lme4

export PYTHONDONTWRITEBYTECODE = # the tests start hundreds of Pythons: none of them compiles again what another has

.PHONY: help setup report hunt study check test test-full test-fresh test-sid test-trixie bench docs figures clean

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

setup: ## install R, its packages and .venv with lmerbridge and the engines, where they are missing
	@.ci/setup

.PHONY: setup-dev
setup-dev: # the same for the tests
	@.ci/setup dev

report: setup ## run the parity suite and write reports/
	.venv/bin/lmerbridge parity $(ENGINES:%=--engine %) --planted --exact --if-moved --out reports --jobs 2 --timeout 120 || [ $$? -eq 1 ] # 1: an engine disagrees, and the report says so

hunt: setup ## go on with the hunts in reports/hunt/, ten minutes for each engine
	for engine in $(ENGINES); do \
	  against=lme4; [ $$engine != lme4 ] || against='lme4[bobyqa]'; \
	  .venv/bin/lmerbridge hunt --engine $$engine --reference $$against --seconds 600 --jobs 2 --out reports/hunt || [ $$? -eq 1 ] || exit 2; \
	done

study: setup ## how accurate packages are: writes reports/study.*; ENGINES=NAME fits one anew and keeps the others
	.venv/bin/lmerbridge study $(ENGINES:%=--engine %) --out reports --jobs 2

check: setup-dev ## ruff, mypy, and the tests that are not slow: a minute, for the while between two edits
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/python -m pytest -n 2 --dist loadfile -m "not slow"

test: setup-dev ## ruff, mypy, pytest and testthat
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/python -m pytest -n 2 --dist loadfile -rs
	cd r && Rscript --vanilla tests/testthat.R

test-full: export HYPOTHESIS_PROFILE = full
test-full: test ## the same with all that random tests draw, of which a push draws a fifth

test-fresh: ## run `make report` and `make test` on this commit in a clean Debian 12 (needs root)
	@.ci/fresh report test

test-sid: ## run `make test` on this commit in Debian sid: the newest R, lme4 and Python (needs root)
	@.ci/fresh --suite sid --keep test

test-trixie: ## the same in Debian 13
	@.ci/fresh --suite trixie --keep test

bench: setup-dev ## time lmerbridge against R and pandas2ri, and write reports/bench.md
	.venv/bin/python -m pip install -qq rpy2-robjects # pandas2ri, the other side of one ratio; nothing else needs it
	.venv/bin/python -m tests.bench reports/bench.md

docs: setup ## make the site, docs/_build/html: every page runs, nothing is fetched, and a warning or a dead link fails it
	@.ci/setup docs
	.venv/bin/python -m sphinx -j auto -n -W --keep-going -q -d docs/_build/doctrees docs docs/_build/html
	.venv/bin/python -m tests.site docs/_build/html

figures: ## print the figures of the house beside their limits: modules, imports, lengths, names
	.venv/bin/python -m tests.figures

clean: ## remove all that these targets made, except reports/
	rm -rf docs/_build docs/api .venv .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
