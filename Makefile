# make demo, make test, make lint: each sets up everything it needs, and works twice in a row.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
# processes that test: more than two would want more than two cores
WORKERS ?= 2
PY := $(VENV)/bin/python

# what Qt and a screen without a display need on Debian and Ubuntu; libharfbuzz0b brings glib, whose package has other names in newer releases
PACKAGES := xvfb xauth libegl1 libgl1 libopengl0 libdbus-1-3 libfontconfig1 fonts-dejavu-core libharfbuzz0b libxkbcommon-x11-0 libxcb-cursor0 \
  libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-shape0 libxcb-xinerama0

# without a display on Linux, a virtual one
HEADLESS := $(shell [ "$$(uname)" = Linux ] && [ -z "$$DISPLAY$$WAYLAND_DISPLAY" ] && echo yes)
SCREEN := $(if $(HEADLESS),xvfb-run -a -s "-screen 0 1600x1200x24")

# napari and pip write into the home folder; where that is not possible, as for a numbered user of a container, into another one
ifneq ($(shell test -n "$$HOME" -a -w "$$HOME" && echo yes),yes)
export HOME := $(CURDIR)/$(VENV)/home
$(shell mkdir -p "$(CURDIR)/$(VENV)/home")
endif

# tests start some hundred processes, each of which would compile the package again
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test browser-test lint pictures gallery benchmark docs release-check clean qt chromium

demo: qt $(VENV)/ready
	$(SCREEN) $(PY) -m napari_spectrai demo $(if $(HEADLESS),--screenshot)

# threads of a library in two processes that test would wait for one another
test: qt $(VENV)/ready
	OMP_NUM_THREADS=1 $(SCREEN) $(PY) -m pytest -n $(WORKERS) --dist worksteal
	@echo "make browser-test looks at the HTML pages in Chromium"

browser-test: qt chromium $(VENV)/ready docs
	$(SCREEN) $(PY) -m pytest tests/browser

lint: $(VENV)/ready
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(PY) tests/test_wording.py
	$(VENV)/bin/npe2 validate napari-spectrai

pictures: qt $(VENV)/ready
	$(SCREEN) $(PY) docs/pictures.py

gallery: qt $(VENV)/ready
	$(SCREEN) $(PY) docs/gallery.py

docs: $(VENV)/ready-docs
	$(PY) -m sphinx -W --keep-going -b html docs docs/_build/html

release-check: $(VENV)/ready-docs
	$(PY) release/check.py

benchmark: $(VENV)/ready
	$(PY) benchmarks/raman_pairs.py

clean:
	rm -rf $(VENV) demo_output dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed, this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --upgrade "pip>=25.1"
	$(PY) -m pip install --quiet --constraint constraints.txt --editable ".[all]" --group dev
	touch $@

$(VENV)/ready-docs: $(VENV)/ready
	$(PY) -m pip install --quiet --constraint constraints.txt --group docs --group release
	touch $@

chromium:
	@if ! command -v chromium chromium-browser google-chrome google-chrome-stable >/dev/null; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; \
	  else \
	    echo "The pages are looked at in a browser: sudo apt-get install chromium"; exit 1; \
	  fi; \
	fi

qt:
	@if command -v dpkg-query >/dev/null; then \
	  missing=""; \
	  for package in $(PACKAGES); do \
	    dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; \
	  done; \
	  if [ -n "$$missing" ]; then \
	    if [ "$$(id -u)" = 0 ]; then \
	      apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$missing >/dev/null; \
	    else \
	      echo "Qt needs these packages: sudo apt-get install$$missing"; exit 1; \
	    fi; \
	  fi; \
	fi
