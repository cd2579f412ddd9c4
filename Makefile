# Every task of the project; `.ci/run` runs `make test` and nothing else.
CARGO ?= cargo
PARTS ?= promtool prometheus chromium blackbox_exporter openssl ip curl prometheus-newest promtool-newest alertmanager \
	victoria-metrics
FUZZ_TARGETS ?= response modules targets
FUZZ_SECONDS ?= 60
BEFORE ?= HEAD~1
# Options of tests/torture/torture.py, such as --seed.
TORTURE ?=
# Options of scripts/bench-pages, such as --beside.
PAGES ?=

.DEFAULT_GOAL := help
.PHONY: help run demo test unit lint fmt fmt-check doc rules scenarios story collectors demo-rules dashboards \
	dashboards-check kubernetes test-compose torture torture-sample slow-disk bench bench-rules bench-pages bench-build \
	first-build fuzz parts

help: ## Show the tasks
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

run: ## Watch what config/targets.yml lists, on http://127.0.0.1:9115/
	$(CARGO) run --release --locked

demo: ## Watch bundled services that fail and recover
	$(CARGO) run --release --locked -- demo

test: parts fmt-check lint doc unit first-build rules story torture-sample collectors dashboards-check kubernetes test-compose ## Everything that has to pass before a change is merged

unit: ## The tests in Rust alone
	$(CARGO) test --workspace --locked
	$(CARGO) test -p probe --features http3 --test it --locked http3

first-build: ## Build cold, as the first `cargo run --release` does, and print the CPU-seconds that it took
	$(CARGO) test --locked --test it -- --ignored --nocapture first_build::

lint: ## Clippy; a warning is an error
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) clippy --features jemalloc --locked -- -D warnings
	$(CARGO) clippy -p probe --features fuzzing,http3 --all-targets --locked -- -D warnings

fmt: ## Format the source
	$(CARGO) fmt --all

fmt-check:
	$(CARGO) fmt --all --check

doc: ## Build the API documentation; a warning is an error
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items --locked

rules: ## Check the shipped files with promtool, amtool and VictoriaMetrics, and what is reported when
	scripts/check-rules
	$(CARGO) build --locked
	scripts/scenarios --quick
	scripts/scenarios --quick --test-rules target/debug/webservice-monitor

scenarios: ## What is reported when: every scenario, by promtool and by our own engine, and a table of what happened
	$(CARGO) build --release --locked
	scripts/scenarios
	scripts/scenarios --test-rules target/release/webservice-monitor
	scripts/scenarios --table

story: ## Play the story of outages on a real Prometheus and Alertmanager, and on run alone, in three minutes
	$(CARGO) test --locked --test it -- --ignored --nocapture story::

torture: ## Kill the program 100 times, a receiver and an Alertmanager besides, and judge the alert log, in ten minutes
	$(CARGO) build --locked
	scripts/torture target/debug/webservice-monitor $(TORTURE)

torture-sample: ## A sample of it, in a minute and a half
	$(CARGO) build --locked
	scripts/torture target/debug/webservice-monitor --quick $(TORTURE)

slow-disk: ## Probe and answer while every write to the disk takes 20 s, in two minutes
	SLOW_DISK_SECONDS=20 SLOW_DISK_SLOTS=45 $(CARGO) test --locked --test it -- --nocapture slow_disk

collectors: ## Read the alert log with the log collectors that Debian has, by their shipped configurations
	scripts/check-collectors

demo-rules: ## Make the rules of the demo from the shipped ones
	cp config/rules/webservices.rules.yml src/demo/demo.rules.yml
	scripts/faster 60 src/demo/demo.rules.yml

dashboards: ## Generate the Grafana dashboards from their source in deploy/grafana/
	scripts/dashboards

dashboards-check: ## Are the dashboards what their source says?
	scripts/dashboards --check

kubernetes: ## Check the Helm chart and the kustomize overlays, without a cluster
	scripts/check-kubernetes

test-compose: ## Build the image, bring compose.yaml up, and break it on purpose
	scripts/test-compose

bench: ## Measure the store, and the exporter beside blackbox_exporter when that is there, or beside another build: BESIDE=BINARY
	$(CARGO) bench --locked --profile dist -p series --bench store
	$(CARGO) bench --locked --profile dist --features jemalloc --bench exporter

bench-rules: ## Measure what the rules cost beside those of the revision BEFORE, in a real Prometheus and in `run`
	scripts/bench-rules prometheus --before $(BEFORE)
	scripts/bench-rules slow --before $(BEFORE)
	$(CARGO) build --release --locked
	scripts/bench-rules run --before $(BEFORE)

bench-pages: ## Measure the pages of `run` while it probes 10,000 targets every 10 s; PAGES="--beside BINARY" for two builds in turn
	$(CARGO) build --profile dist --locked
	scripts/bench-pages target/dist/webservice-monitor $(PAGES)

bench-build: ## Measure a cold build from a fresh clone beside that of the revision BEFORE, in turn
	scripts/bench-build --before $(BEFORE)

fuzz: ## Feed generated input to the parsers and the HTTP check, FUZZ_SECONDS for each
	FUZZ_SECONDS=$(FUZZ_SECONDS) scripts/fuzz $(FUZZ_TARGETS)

parts: ## Fetch the real parts that tests compare with into .parts/
	scripts/parts $(PARTS)
