#!/usr/bin/env bash
# Refuses to release a tag that is not on main, or whose tests did not pass. Requires gh,
# and the variables of GitHub Actions.
set -euo pipefail

commit="$(git rev-parse "${GITHUB_REF_NAME}^{commit}")"
git fetch --quiet origin main
if ! git merge-base --is-ancestor "$commit" FETCH_HEAD; then
  echo "The tag $GITHUB_REF_NAME is not on main." >&2
  exit 1
fi
passed="$(gh run list --repo "$GITHUB_REPOSITORY" --workflow test.yml --branch main --commit "$commit" \
  --status success --json databaseId --jq length)"
if [ "$passed" -lt 1 ]; then
  echo "The workflow test.yml did not pass for the commit $commit." >&2
  exit 1
fi
echo "$GITHUB_REF_NAME is on main, and its tests passed."
