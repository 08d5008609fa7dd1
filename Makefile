# Every build has the flag with which Pulumi's language host builds, so that all share one compile cache.
export GOFLAGS += -trimpath

STACK ?= dev

.PHONY: preview up tools test lint

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
	go test -timeout 20m ./...

lint:
	@unformatted=$$(gofmt -l *.go cmd internal); [ -z "$$unformatted" ] || { echo "not formatted: $$unformatted"; exit 1; }
	go vet ./...
	cd tools/lint && go build -o ../../.build/bin/staticcheck honnef.co/go/tools/cmd/staticcheck
	.build/bin/staticcheck ./...
