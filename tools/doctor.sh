#!/usr/bin/env bash
# Checks whether this machine has what is required to work on the provider. Exits
# with 1 if something is missing.
set -u
cd "$(dirname "$0")/.."
missing=0

have() { # command, what requires it, how to install it, what to print
  if command -v "$1" >/dev/null; then
    printf 'ok       %-12s %s\n' "$1" "$(command -v "$1")"
    return 0
  fi
  printf '%-8s %-12s required for %s: %s\n' "$4" "$1" "$2" "$3"
  [ "$4" = MISSING ] && missing=1
  return 1
}

want=$(awk '/^go / { print $2 }' go.mod)
if have go "everything" "https://go.dev/dl" MISSING; then
  got=$(go env GOVERSION | sed 's/^go//')
  if [ "$(printf '%s\n%s\n' "$want" "$got" | sort -V | head -n 1)" != "$want" ]; then
    echo "MISSING  go $want or newer: this is $got, and GOTOOLCHAIN=$(go env GOTOOLCHAIN)"
    missing=1
  fi
fi
have git "everything" "your package manager" MISSING
[ "$(uname)" != Linux ] || have unzip "make test" "your package manager" MISSING
have "$(go env CC 2>/dev/null || echo gcc)" "make test (race detector)" "a C compiler, such as gcc" MISSING
if command -v "${TF_ACC_TERRAFORM_PATH:-terraform}" >/dev/null; then
  printf 'ok       %-12s %s\n' terraform "$("${TF_ACC_TERRAFORM_PATH:-terraform}" version 2>/dev/null | grep -m 1 -E '^(Terraform|OpenTofu) v')"
elif command -v tofu >/dev/null; then # OpenTofu runs everything but make test
  echo "absent   terraform    required for make test: https://developer.hashicorp.com/terraform/install"
else
  echo "MISSING  terraform    required for make test: https://developer.hashicorp.com/terraform/install"
  missing=1
fi
have tofu "make test-opentofu" "https://opentofu.org/docs/intro/install, or TOFU=" absent
have goreleaser "make snapshot" "go install github.com/goreleaser/goreleaser/v2@v2.15.1" absent
have dlv "debugging the provider" "go install github.com/go-delve/delve/cmd/dlv@latest" absent
if [ -n "${TF_CLI_CONFIG_FILE:-}" ] && [ ! -e "$TF_CLI_CONFIG_FILE" ]; then
  echo "note     TF_CLI_CONFIG_FILE names a file that does not exist; make ignores it"
fi
if ! GOFLAGS=-mod=mod go list -m -f '{{.Version}}' github.com/hashicorp/terraform-plugin-framework >/dev/null 2>&1; then
  echo "MISSING  modules      not in the cache, and the proxy is unreachable: go mod download"
  missing=1
fi
if [ "$missing" = 0 ]; then echo "This machine has everything that is required."; else echo "Install what is MISSING above."; fi
exit "$missing"
