.DEFAULT_GOAL := help
ENGINES = statsmodels 'statsmodels[shared]' mixedlm interlace nlme glmmTMB mgcv glmm mixedlm-rs lme-python gpboost 'gpboost[cholesky]' lme4

export PYTHONDONTWRITEBYTECODE = # the tests start hundreds of Pythons: none of them compiles again what another has

.PHONY: help setup report hunt check test test-fresh test-sid test-trixie bench figures clean

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

setup: ## install R, its packages and .venv, where they are missing
	@.ci/setup

report: setup ## run the parity suite and write reports/
	.venv/bin/lmerbridge parity $(ENGINES:%=--engine %) --planted --exact --out reports --jobs 2 --timeout 120 || [ $$? -eq 1 ] # 1: an engine disagrees, and the report says so

hunt: setup ## go on with the hunts in reports/hunt/, ten minutes for each engine
	for engine in $(ENGINES); do \
	  against=lme4; [ $$engine != lme4 ] || against='lme4[bobyqa]'; \
	  .venv/bin/lmerbridge hunt --engine $$engine --reference $$against --seconds 600 --jobs 2 --out reports/hunt || [ $$? -eq 1 ] || exit 2; \
	done

check: ## ruff, mypy, and the tests that are not slow: a minute, for the while between two edits
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/python -m pytest -n 2 --dist loadfile -m "not slow"

test: setup ## ruff, mypy, pytest and testthat
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/python -m pytest -n 2 --dist loadfile -rs
	cd r && Rscript --vanilla tests/testthat.R

test-fresh: ## run `make report` and `make test` on this commit in a clean Debian 12 (needs root)
	@.ci/fresh report test

test-sid: ## run `make test` on this commit in Debian sid: the newest R, lme4 and Python (needs root)
	@.ci/fresh --suite sid --keep test

test-trixie: ## the same in Debian 13
	@.ci/fresh --suite trixie --keep test

bench: setup ## time lmerbridge against R and pandas2ri, and write reports/bench.md
	.venv/bin/python -m pip install -qq rpy2-robjects # pandas2ri, the other side of one ratio; nothing else needs it
	.venv/bin/python -m tests.bench reports/bench.md

figures: ## print the figures of the house beside their limits: modules, imports, lengths, names
	.venv/bin/python -m tests.figures

clean: ## remove all that these targets made, except reports/
	rm -rf .venv .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
