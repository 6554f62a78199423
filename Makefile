# make demo   a slim environment in .venv-demo, and the example clips classified in it
# make dev    a development environment in .venv
# make test   everything that CI checks, in the development environment
# make docs   the documentation as a site, in site/
# make bench  measures everything in docs/benchmarks.md and docs/own-recordings.md again: about two hours; needs data/,
#             `trainer fetch`, `trainer fit`

PYTHON ?= python3

.PHONY: demo dev test docs bench clean

demo: .venv-demo/ready
	.venv-demo/bin/edge-iemonet classify examples/jfk.wav examples/angry-german.flac

.venv-demo/ready: edge_runtime/pyproject.toml models/pyproject.toml models/en-tiny-int8/bundle.json
	$(PYTHON) -m venv .venv-demo
	.venv-demo/bin/pip install --quiet ./edge_runtime ./models
	touch $@

dev: .venv/ready

test: .venv/ready
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/pytest -m "not slow" -n 2 --dist worksteal
	.venv/bin/pytest -m slow -n 2 --dist loadfile

docs: .venv/ready
	.venv/bin/sphinx-build --quiet --fail-on-warning --keep-going docs site
	@echo site/index.html

bench: .venv/ready
	for name in baselines wer latency roofline ablation robustness unseen int8-accuracy; do \
		.venv/bin/python -m benchmarks $$name || exit 1; done
	.venv/bin/python -m benchmarks render

.venv/ready: requirements-dev.txt pyproject.toml edge_runtime/pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet -r requirements-dev.txt
	touch $@

clean:
	rm -rf .venv .venv-demo build dist site edge_runtime/build models/build
