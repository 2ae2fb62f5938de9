# All that a person or CI does with this repository. Needs Go, make and git; the rest is installed on first use.

# Only the race detector needs cgo; without it the binaries are static and vet, lint and generate share one build cache.
export CGO_ENABLED := 0

VERSION := $(or $(shell git describe --tags --always --dirty 2>/dev/null),dev)
COMMIT  := $(or $(shell git rev-parse HEAD 2>/dev/null),unknown)

# The version is stamped here, so that a tree outside git builds too; timetzdata because an empty image has no time zones.
BUILDFLAGS := -trimpath -buildvcs=false -tags timetzdata -ldflags "-s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)"

FUZZTIME ?= 30s
DURATION ?= 1h
SEEDS    ?= 10000
BENCH    ?= .

# Tools, by exact version; a changed version is a changed file name and so is installed anew.
GOLANGCI_LINT := .bin/golangci-lint@v2.15.0
GOVULNCHECK   := .bin/govulncheck@v1.9.0
BENCHSTAT     := .bin/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
CYCLONEDX     := .bin/cyclonedx-gomod@v1.10.0
TEMPL         := .bin/templ@$(shell sed -n 's|.*github.com/a-h/templ \(v[^ ]*\).*|\1|p' go.mod)

# need installs the Debian packages $(2) where the command $(1) is missing.
need = @command -v $(1) >/dev/null || { \
	[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null || { echo 'make $@ needs $(1); on Debian: apt-get install $(2)' >&2; exit 1; }; \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $(2); }

# Debian keeps the programs of PostgreSQL's server off the path. Without them its tests are skipped, except in CI.
INITDB := $(firstword $(wildcard /usr/lib/postgresql/*/bin/initdb) initdb)

# The steps of one target are written in the order that they need.
.NOTPARALLEL:

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: bin/stripe-connector bin/stripe-sandbox ## build both programs into bin/: static, stripped, version stamped

.PHONY: FORCE
bin/%: FORCE
	go build $(BUILDFLAGS) -o $@ ./cmd/$*

.PHONY: run
run: build ## walk through the main job, then stay up (ONCE=1: stop); on a local Stripe, or with STRIPE_KEY=sk_test_… on the real one
	bin/stripe-sandbox demo $(if $(filter-out 0,$(ONCE)),--once)

.PHONY: test
test: ## run every test under the race detector, in random order
	$(call need,$(firstword $(shell go env CC)),gcc libc6-dev)
	$(if $(CI),$(call need,npm,npm))
	-$(call need,$(INITDB),postgresql)
	CGO_ENABLED=1 go test -race -shuffle=on ./...
	$(MAKE) simulate SEEDS=300

.PHONY: test-browser
test-browser: build ## drive the console and the docs in Chromium; SCREENSHOTS=DIR keeps a picture of every page
	$(call need,npm,npm)
	$(call need,chromium,chromium)
	npm ci --prefix internal/console/browser
	SCREENSHOTS='$(abspath $(SCREENSHOTS))' npm test --prefix internal/console/browser

.PHONY: generate
generate: $(TEMPL) ## rewrite the generated files
	$(TEMPL) generate -include-version=false -log-level=warn
	go generate ./...

.PHONY: check
check: tidy-clean fmt-clean vet lint openapi-lint monitoring-lint deploy-lint vuln generate-clean size reproducible ## all that CI checks beside the tests

.PHONY: tidy-clean
tidy-clean:
	go mod tidy -diff

.PHONY: fmt-clean
fmt-clean: $(GOLANGCI_LINT) $(TEMPL)
	$(GOLANGCI_LINT) fmt --diff
	$(TEMPL) fmt -fail -log-level=warn .

.PHONY: vet
vet:
	go vet ./...

.PHONY: lint
lint: $(GOLANGCI_LINT) ## look for mistakes and for imports that go the wrong way
	$(GOLANGCI_LINT) run

.PHONY: openapi-lint
openapi-lint: ## judge openapi.json by the rules of a linter from npm
	$(call need,npm,npm)
	npm --prefix openapi/testdata/npm ci --ignore-scripts --silent
	npm --prefix openapi/testdata/npm run --silent lint

.PHONY: monitoring-lint
monitoring-lint: ## judge metrics, alerts and dashboard with promtool, where it can be installed
	-$(call need,promtool,prometheus)
	go test -run '^Test(Promtool|Monitoring)' ./internal/metrics

.PHONY: fmt
fmt: $(GOLANGCI_LINT) $(TEMPL) ## format all code
	$(GOLANGCI_LINT) fmt
	$(TEMPL) fmt -log-level=warn .

.PHONY: vuln
vuln: $(GOVULNCHECK) ## look for known vulnerabilities, where their database can be reached
	@out=$$($(GOVULNCHECK) ./... 2>&1) && code=0 || code=$$?; echo "$$out"; case "$$code $$out" in \
		"1 govulncheck: fetching vulnerabilities:"*) echo "vuln: NOT CHECKED, the vulnerability database cannot be reached from here" ;; \
		*) exit $$code ;; \
	esac

# The tree before and after is written through an index of its own, so that uncommitted work neither hides a change nor counts as one.
tree = GIT_INDEX_FILE=$$(mktemp -u) sh -c 'git add --all && git write-tree && rm -f "$$GIT_INDEX_FILE"'

.PHONY: generate-clean
generate-clean:
	@before=$$($(tree)) && $(MAKE) generate && after=$$($(tree)) && \
		git diff --exit-code --stat "$$before" "$$after" || { echo "generated files were stale: look at them and commit" >&2; exit 1; }

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME (30s)
	@grep -rEo --include='*_test.go' '^func Fuzz[[:alnum:]_]+' cmd internal modules openapi webhooks | sort | \
	sed -E 's|^(.*)/[^/]*:func (.*)|./\1 \2|' | while read -r package target; do \
		echo "$$package $$target"; \
		go test -run='^$$' -fuzz="^$$target\$$" -fuzztime=$(FUZZTIME) "$$package" </dev/null || exit 1; \
	done

.PHONY: simulate
simulate: ## run the event line against SEEDS (10000) seeds of crashes, losses and tampering
	go test -timeout=0 -run='^TestSimulation$$' ./webhooks -seeds=$(SEEDS)

.PHONY: soak
soak: build ## load the connector for DURATION (1h): 100 events/s and 20 module calls/s; nothing may be lost, refused or grow
	bin/stripe-sandbox soak --for $(DURATION)

.PHONY: bench
bench: build bin/connector-bench ## measure the connector against what this machine can do at best; BENCH_FLAGS='-only calls', see -help
	-$(call need,$(INITDB),postgresql)
	bin/connector-bench $(BENCH_FLAGS)

.PHONY: benchstat
benchstat: $(BENCHSTAT) ## run Go's benchmarks (BENCH=.) ten times into .bench/new.txt, compare with .bench/base.txt
	@mkdir -p .bench
	go test -run='^$$' -bench='$(BENCH)' -benchmem -count=10 ./... >.bench/new.txt || { cat .bench/new.txt; exit 1; }
	$(BENCHSTAT) $(wildcard .bench/base.txt) .bench/new.txt

# What is released, and how large it may be: what an image holds is this and a file of certificates.
PLATFORMS := linux/amd64 linux/arm64
MAX_BYTES := 31457280
RELEASED  := $(foreach platform,$(PLATFORMS),dist/stripe-connector-$(subst /,-,$(platform)))

.PHONY: release
release: $(RELEASED) $(RELEASED:=.cdx.json) size ## build the connector for every platform into dist/, with bills of material and checksums
	cd dist && sha256sum $(notdir $(RELEASED) $(RELEASED:=.cdx.json)) | tee SHA256SUMS

$(RELEASED): dist/stripe-connector-%: FORCE
	GOOS=$(word 1,$(subst -, ,$*)) GOARCH=$(word 2,$(subst -, ,$*)) go build $(BUILDFLAGS) -o $@ ./cmd/stripe-connector

# Read from the binary, so it names what was linked and no more; without time and serial number, so it can be made again.
$(RELEASED:=.cdx.json): %.cdx.json: % $(CYCLONEDX)
	$(CYCLONEDX) bin -json -std -noserial -notimestamp -version '$(VERSION)' -output $@ $<

.PHONY: size
size: $(RELEASED) ## fail if a released binary is larger than 30 MiB
	@for file in $(RELEASED); do bytes=$$(stat -c %s "$$file"); echo "$$file: $$bytes bytes of at most $(MAX_BYTES)"; \
		[ "$$bytes" -le $(MAX_BYTES) ] || { echo "make size: $$file is too large" >&2; exit 1; }; done

.PHONY: reproducible
reproducible: ## build the last commit twice, in two places and once without any cache, and compare
	@tmp=$$(mktemp -d) && trap 'rm -rf "$$tmp"' EXIT && \
	git clone -q . "$$tmp/one" && git clone -q . "$$tmp/another/place" && \
	$(MAKE) -C "$$tmp/one" bin/stripe-connector && \
	GOCACHE="$$tmp/cache" $(MAKE) -C "$$tmp/another/place" bin/stripe-connector && \
	cd "$$tmp" && sha256sum one/bin/stripe-connector another/place/bin/stripe-connector && cmp one/bin/stripe-connector another/place/bin/stripe-connector

.PHONY: deploy-lint
deploy-lint: ## judge the compose files and Kubernetes' manifests
	go -C cmd/stripe-connector/deploy/lint mod tidy -diff
	go -C cmd/stripe-connector/deploy/lint vet ./...
	go -C cmd/stripe-connector/deploy/lint test ./...

# The same Go as here, so that the image holds the same bytes as a release.
IMAGE := --build-arg GO="$(patsubst go%,%,$(shell go env GOVERSION))" --build-arg VERSION="$(VERSION)" --build-arg COMMIT="$(COMMIT)"

.PHONY: image
image: ## build the container image stripe-connector
	docker build $(IMAGE) --tag stripe-connector:latest .

.PHONY: push
push: ## build the image for every platform and push it to REGISTRY, with bill of materials and provenance
	docker buildx build $(IMAGE) --platform "$(shell echo $(PLATFORMS) | tr ' ' ,)" --sbom=true --provenance=mode=max --push \
		--tag "$(or $(REGISTRY),$(error REGISTRY=registry.example.com/team is missing))/stripe-connector:$(VERSION)" .

.PHONY: clean
clean: ## remove what make built and installed; the data folder stays
	rm -rf bin dist .bin .bench

.bin/golangci-lint@%: PACKAGE = github.com/golangci/golangci-lint/v2/cmd/golangci-lint
.bin/govulncheck@%: PACKAGE = golang.org/x/vuln/cmd/govulncheck
.bin/benchstat@%: PACKAGE = golang.org/x/perf/cmd/benchstat
.bin/cyclonedx-gomod@%: PACKAGE = github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod
.bin/templ@%: PACKAGE = github.com/a-h/templ/cmd/templ

$(GOLANGCI_LINT) $(GOVULNCHECK) $(BENCHSTAT) $(CYCLONEDX) $(TEMPL):
	GOBIN="$(CURDIR)/.bin" go install $(PACKAGE)@$(lastword $(subst @, ,$@))
	mv .bin/$(notdir $(PACKAGE)) $@
