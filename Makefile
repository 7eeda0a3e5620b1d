# The two commands are make report VARIANT=1 and make test (README.md shows the same without make).
PYTHON ?= python3
VARIANT ?= 1
PHOTOS ?=
WEIGHTS ?= auto
STUDENT ?=
URL ?=
GROUP ?=
RUN = .venv/bin/python

DIR ?= handed_in
PIP = $(RUN) -m pip install --quiet --disable-pip-version-check

.PHONY: help report grade test lint install benchmark notebooks publish clean

help:  ## these lines
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' $(MAKEFILE_LIST) | expand -t 18

report: .venv/installed  ## a variant's report: VARIANT=1..6 [PHOTOS=folder-or-zip] [STUDENT=name] [GROUP=name] [WEIGHTS=auto]
	@$(RUN) -m labkit report "$(VARIANT)" --weights "$(WEIGHTS)" --student "$(STUDENT)" --group "$(GROUP)" \
		$(if $(PHOTOS),--photos "$(PHOTOS)")

grade: .venv/installed  ## checks what students handed in: DIR=folder
	@$(RUN) -m labkit grade "$(DIR)"

test: .venv/developed  ## every test, the notebooks through nbval included
	$(RUN) -m pytest -n logical --maxprocesses 4 --dist loadfile

lint: .venv/developed  ## style, types of the spine, the floors, the viewer's JavaScript
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	.venv/bin/lint-imports
	$(RUN) -m mypy
	@npm install --no-package-lock --no-audit --no-fund --silent || echo "the viewer's JavaScript is not checked: npm cannot install biome"
	@if [ -x node_modules/.bin/biome ]; then node_modules/.bin/biome check; fi

benchmark: .venv/developed  ## speed against the bare library calls, and of the viewer
	$(RUN) tests/benchmarks/segment_speed.py
	$(RUN) tests/benchmarks/object_speed.py
	$(RUN) tests/benchmarks/viewer_speed.py
	$(RUN) tests/benchmarks/grade_cost.py
	LABKIT_CLICK_MS=150 $(RUN) -m pytest -q -s tests/viewer/test_viewer_jupyter.py

notebooks: .venv/installed  ## runs the committed notebooks again, in place
	$(RUN) -m tools.refresh notebooks/*.ipynb

publish: .venv/installed  ## writes the kit's address and Colab badges: URL=https://github.com/OWNER/REPO
	$(RUN) -m tools.publish "$(URL)"

install: .venv/installed  ## .venv with what a student needs

.venv/installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(PIP) -r requirements.txt
	@touch $@

.venv/developed: .venv/installed requirements-dev.txt
	$(PIP) -r requirements-dev.txt
	@touch $@

clean:  ## takes .venv and reports away
	rm -rf .venv reports
