# make report VARIANT=1 [PHOTOS=folder-or-zip]    make test    (README.md shows the same without make)
PYTHON ?= python3
VARIANT ?= 1
PHOTOS ?=
WEIGHTS ?= auto
STUDENT ?=
GROUP ?=
RUN = .venv/bin/python

DIR ?= handed_in

.PHONY: report grade test lint install benchmark clean

report: .venv/installed
	@$(RUN) -m labkit report "$(VARIANT)" --weights "$(WEIGHTS)" --student "$(STUDENT)" --group "$(GROUP)" \
		$(if $(PHOTOS),--photos "$(PHOTOS)")

grade: .venv/installed
	@$(RUN) -m labkit grade "$(DIR)"

test: .venv/installed
	$(RUN) -m pytest

lint: .venv/installed
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	@npm install --no-package-lock --no-audit --no-fund --silent || echo "the viewer's JavaScript is not checked: npm cannot install biome"
	@if [ -x node_modules/.bin/biome ]; then node_modules/.bin/biome check; fi

benchmark: .venv/installed
	$(RUN) tests/benchmarks/segment_speed.py
	$(RUN) tests/benchmarks/object_speed.py
	$(RUN) tests/benchmarks/viewer_speed.py
	LABKIT_CLICK_MS=150 $(RUN) -m pytest -q -s tests/test_viewer_jupyter.py

install: .venv/installed

.venv/installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

clean:
	rm -rf .venv reports
