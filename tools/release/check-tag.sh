#!/usr/bin/env bash
# Refuses to release a tag that is not a version on main, whose checks did not pass, or
# whose changelog is not finished. Requires gh, and the variables of GitHub Actions.
set -euo pipefail

fail() { echo "check-tag: $*" >&2; exit 1; }

[[ "$GITHUB_REF_NAME" =~ ^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?$ ]] || fail "the tag is not a version such as v1.2.3"
version="${GITHUB_REF_NAME#v}"
grep -q "^## $version" CHANGELOG.md || fail "CHANGELOG.md has no entry for $version"
! grep -q "^## $version.*unreleased" CHANGELOG.md || fail "the entry for $version is marked as unreleased"

commit="$(git rev-parse "$GITHUB_REF_NAME^{commit}")"
git fetch --quiet origin main
git merge-base --is-ancestor "$commit" FETCH_HEAD || fail "the tag $GITHUB_REF_NAME is not on main"
for workflow in test.yml security.yml; do
  passed="$(gh run list --repo "$GITHUB_REPOSITORY" --workflow "$workflow" --branch main --commit "$commit" \
    --status success --json databaseId --jq length)"
  [ "$passed" -ge 1 ] || fail "the workflow $workflow did not pass for the commit $commit"
done
echo "$GITHUB_REF_NAME is on main, and its checks passed."
