# All builds have the flag with which Pulumi's language host builds, so that they share one compile cache.
export GOFLAGS += -trimpath

STACK ?= dev
EVERY ?= 1

.PHONY: preview up review state facts prices tools test lint test-edits test-failure test-policy scan test-cluster bench-run manifests test-training bench-training e2e lab bench picture

# A real `pulumi preview` of a stack against the simulator.
preview:
	@cd test && go run ./cmd/local -stack $(STACK) preview

# `pulumi up` against the simulator, and proof that nothing is left to change.
up:
	@cd test && go run ./cmd/local -stack $(STACK) up preview refresh

# A review of the preview of a stack whose stack file of the commit BASE is up in the simulator, or of a new stack if there was
# none. Fails if a resource that holds data would be deleted or replaced.
BASE ?= HEAD
review:
	@mkdir -p .build && go build -o .build/bin/review ./cmd/review && git show $(BASE):Pulumi.$(STACK).yaml > .build/base.yaml || rm -f .build/base.yaml
	@cd test && go run ./cmd/local -stack $(STACK) $$([ ! -e ../.build/base.yaml ] || echo -from ../.build/base.yaml) -report ../.build/preview.json
	@.build/bin/review .build/preview.json > .build/review.md; code=$$?; cat .build/review.md; exit $$code

# The S3 bucket for Pulumi's state and the KMS key for the secrets of STACK, with the credentials of the AWS CLI. Leaves keys and a
# bucket policy that exist as they are.
state:
	@STACK=$(STACK) .github/state.sh

# Facts of docs/facts.md that nobody has checked for a year. Fails if there are some. Not part of `make test`, whose outcome
# must not depend on the day.
TODAY ?= $(shell date +%F)
facts:
	@awk -F'[ |]+' -v limit=$$(date -d '$(TODAY) - 1 year' +%F) '/^[|] [0-9]/ && $$2 < limit { print; old = 1 } END { exit old }' docs/facts.md

# The prices of internal/accelerator, from the price list that a release of karpenter-provider-aws carries. Another release: set
# its version here and in internal/accelerator/pricelist_test.go, and its checksum.
PRICES := github.com/aws/karpenter-provider-aws/@v/v1.15.1.zip
prices:
	mkdir -p .build && curl -sSfLo .build/prices.zip https://proxy.golang.org/$(PRICES)
	echo "1217afce8edf7f1a50f099c5db08dc0a5dc9194fc01d13270cb58d8db9e1921e  .build/prices.zip" | sha256sum -c
	unzip -p .build/prices.zip '*/zz_generated.pricing_aws.go' > .build/prices.go.txt
	go test ./internal/accelerator -run TestPriceList -args -prices $(CURDIR)/.build/prices.go.txt

# The Pulumi CLI, its Go language host and the program, unless they are built.
tools:
	@cd test && go run ./cmd/local

# All tests that need no account, no cluster and no download but Go modules: the program's, then the harness's and the
# platform's in the Pulumi engine. A failure of the first does not hide the second. The second are never taken from Go's cache of
# results, which does not see that a file outside their module has changed: the program, the docs, the scripts.
test: lint tools
	@go test -timeout 20m ./...; program=$$?; cd test && go test -count=1 -timeout 40m ./... && exit $$program

lint:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$unformatted" ] || { echo "not formatted: $$unformatted"; exit 1; }
	cd test/tools && go build -o ../../.build/bin/staticcheck honnef.co/go/tools/cmd/staticcheck
	cd test/tools/actionlint && go build -o ../../../.build/bin/actionlint github.com/rhysd/actionlint/cmd/actionlint
	.build/bin/actionlint -shellcheck= -pyflakes=
	for module in . test test/lab; do (cd $$module && go vet ./... && $(CURDIR)/.build/bin/staticcheck ./...) || exit; done

# Every edit of docs/edits.md on the engine, of which `make test` takes some. Takes half an hour.
test-edits: tools
	@cd test && go test -count=1 -timeout 120m ./edits -args -all

# What `make test` tries at some steps, at every step: a change is refused, or the engine is killed. Takes an hour; with
# EVERY=40, which tries every 40th step, ten minutes.
test-failure: tools
	@cd test && go test -count=1 -timeout 240m -v -run 'TestCreatesFail|TestDeletesFail|TestKilledAt' ./platform -every $(EVERY) > ../.build/test-failure.log 2>&1; \
	  status=$$?; grep -E '^ *\| |_test.go:|^(ok|FAIL)' ../.build/test-failure.log; exit $$status

# Who is allowed what, by a third-party evaluator of policies. Needs Node 20, and downloads three packages the first time.
test-policy: test/policy/node_modules/.package-lock.json
	cd test/policy && npm test

# Third-party scanners over what dev and prod register in the simulator. Needs Python 3.11 or newer with venv, and downloads the
# scanners, some 300 MB, the first time.
scan: .build/scan/bin/checkov
	cd test && go run ./scan $(CURDIR)/.build/scanned $(CURDIR)/.build/scan/bin

.build/scan/bin/checkov: test/scan/requirements.txt
	rm -rf .build/scan && python3 -m venv .build/scan
	.build/scan/bin/pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r $<
	touch $@

test/policy/node_modules/.package-lock.json: test/policy/package-lock.json
	cd test/policy && npm ci --ignore-scripts --no-audit --no-fund
	touch $@

# The training Job on a real Kubernetes control plane: with fake nodes, a thousand among them, and with real ones, which need
# root and some packages of Debian (the tests say which). The first build takes a quarter of an hour on two cores.
test-cluster: .build/bin/kube manifests
	cd test/cluster && go test -count=1 -v -timeout 60m .
	cd test/cluster/nodes && GOFLAGS='-trimpath -mod=mod' go test -count=1 -v -timeout 90m .

# Other ways to launch a run, compared with scripts/launch.py on real nodes. EVENTS losses under SEED.
EVENTS ?= 4
SEED ?= 1
bench-run: .build/bin/kube .build/bin/jobset manifests
	cd test/cluster/nodes && GOFLAGS='-trimpath -mod=mod' go test -count=1 -v -timeout 180m -run TestWays -args -bench-run all -events $(EVENTS) -seed $(SEED)

VERSION := k8s.io/component-base/version
.build/bin/kube: $(wildcard test/lab/kube/*.go) test/lab/kube/go.mod
	mkdir -p .build/bin
	cd test/lab/kube && GOFLAGS='-trimpath -mod=mod' go build -o ../../../.build/bin/kube \
	  -ldflags='-s -w -X $(VERSION).gitVersion=v1.36.0 -X $(VERSION).gitMajor=1 -X $(VERSION).gitMinor=36' .

# How fast the program is, each figure beside an anchor of the same run. Nothing else should run; takes half an hour.
bench:
	cd test && go run ./cmd/bench preview update growth

# The lab by itself, to try the program by hand with real provider plugins.
lab:
	cd test && go run ./cmd/lab

.build/bin/jobset: test/tools/jobset/go.mod
	cd test/tools/jobset && go build -o ../../../.build/bin/jobset sigs.k8s.io/jobset

# The picture of the README, from its text.
picture:
	GOFLAGS=-mod=mod go run oss.terrastruct.com/d2@v0.7.2 docs/platform.d2 docs/platform.svg

manifests:
	cd test && go run ./manifests .. $(CURDIR)/.build/manifests

# The training script on CPUs and a local S3, started as the Job starts it. Installs PyTorch, some 3 GB, the first time.
test-training: manifests
	MANIFESTS=$(CURDIR)/.build/manifests test/training/test.sh

# The training script's speed on a CPU, beside that of a plain loop around the same model.
bench-training: manifests
	MANIFESTS=$(CURDIR)/.build/manifests test/training/test.sh bench

# The program with real provider plugins against local emulators of the clouds (test/lab/README.md), which are installed first: with
# Go, Node, Python and a network, nothing else is needed. Takes half an hour.
e2e: test/policy/node_modules/.package-lock.json
	test/training/test.sh install
	cd test && go test -tags e2e -count=1 -v -timeout 180m ./e2e
