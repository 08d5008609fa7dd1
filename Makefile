# Every build has the flag with which Pulumi's language host builds, so that all share one compile cache.
export GOFLAGS += -trimpath

STACK ?= dev
EVERY ?= 1

.PHONY: preview up tools test lint test-failure test-policy test-cluster test-training e2e

# What a `pulumi preview` would show, on the real engine and a simulated cloud.
preview:
	@go run ./cmd/local -stack $(STACK) preview

# An up on the simulated cloud, and the proof that nothing is left to change.
up:
	@go run ./cmd/local -stack $(STACK) up preview refresh

# The Pulumi CLI, its Go language host and the program, unless they are built.
tools:
	@go run ./cmd/local

# All tests that need no account, no download but Go modules, and no cluster.
test: lint tools
	go test -timeout 40m ./...

lint:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$unformatted" ] || { echo "not formatted: $$unformatted"; exit 1; }
	go vet ./...
	cd tools/lint && go build -o ../../.build/bin/staticcheck honnef.co/go/tools/cmd/staticcheck
	.build/bin/staticcheck ./...

# What `make test` tries at some steps, here at every one: a change refused, the engine killed. Takes an hour;
# with EVERY=40 ten minutes, for every 40th step.
test-failure: tools
	@go test -count=1 -timeout 240m -v -run 'TestCreatesFail|TestDeletesFail|TestKilledAt' ./cmd/local -every $(EVERY) > .build/test-failure.log 2>&1; \
	  status=$$?; grep -E '^ *\| |_test.go:|^(ok|FAIL)' .build/test-failure.log; exit $$status

# Who may do what, judged by an evaluator that is not ours. Needs Node 20, and downloads three packages the first time.
test-policy: test/policy/node_modules/.package-lock.json
	cd test/policy && npm test

test/policy/node_modules/.package-lock.json: test/policy/package-lock.json
	cd test/policy && npm ci --ignore-scripts --no-audit --no-fund
	touch $@

# The training Job on a real Kubernetes control plane. The first build takes a quarter of an hour on two cores.
test-cluster:
	cd test/cluster && GOFLAGS=-buildvcs=false go test -count=1 -v -timeout 30m .

# The training script on CPUs and a local S3, started as the Job starts it. Installs PyTorch, some 3 GB, the first time.
test-training:
	go run ./test/manifests . .build/manifests
	MANIFESTS=$(CURDIR)/.build/manifests test/training/test.sh

# The program with real provider plugins against local stand-ins for the clouds; e2e/README.md says what it needs.
e2e:
	cd e2e && go test -count=1 -v -timeout 180m .
