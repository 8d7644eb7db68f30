#!/usr/bin/env bash
# Verifies the files of a release in a folder before they are published: the checksums
# cover every archive and the manifest, every archive has an SBOM and contains exactly the
# provider, and the signature and the attestations are valid.
#
#   GPG_FINGERPRINT  verify the signature with this key; otherwise, there must be none
#   ATTESTED_BY      verify the attestations of this repository, with gh
#   ATTESTED_REF     for this ref, such as refs/tags/v1.2.3
#   SNAPSHOT         the folder is dist/ of a local snapshot: it has other files too, no
#                    SBOMs, and no manifest, because only the release has it under its name
set -euo pipefail
cd "${1:?usage: verify.sh FOLDER}"

fail() { echo "verify: $*" >&2; exit 1; }

shopt -s nullglob
sums=(*_SHA256SUMS) archives=(*.zip) manifests=(*_manifest.json)
[ ${#sums[@]} -eq 1 ] || fail "found ${#sums[@]} checksum files, expected 1"
[ ${#archives[@]} -ge 1 ] || fail "found no archive"
base="${sums[0]%_SHA256SUMS}"
version="${base#terraform-provider-qualytics_}"

if [ -n "${SNAPSHOT:-}" ] && [ ${#manifests[@]} -eq 0 ]; then
  cp ../terraform-registry-manifest.json "${base}_manifest.json"
  manifests=("${base}_manifest.json")
fi
[ ${#manifests[@]} -eq 1 ] || fail "found ${#manifests[@]} manifests, expected 1"

sha256sum --check --strict --quiet "${sums[0]}" || fail "a checksum is wrong, or a file is missing"
for file in "${archives[@]}" "${manifests[@]}"; do
  grep -q "  $file\$" "${sums[0]}" || fail "$file is not in ${sums[0]}"
done
for archive in "${archives[@]}"; do
  case "$archive" in "${base}"_*) ;; *) fail "$archive has another version than ${sums[0]}" ;; esac
  content="$(unzip -Z1 "$archive" | sort | paste -sd ' ')"
  case "$content" in
    "LICENSE terraform-provider-qualytics_v$version" | "LICENSE terraform-provider-qualytics_v$version.exe") ;;
    *) fail "$archive contains: $content" ;;
  esac
  [ -n "${SNAPSHOT:-}" ] || [ -s "$archive.sbom.json" ] || fail "$archive has no SBOM"
done

if [ -z "${SNAPSHOT:-}" ]; then # nothing else is published
  for file in *; do
    case "$file" in
      "${sums[0]}" | "${sums[0]}.sig" | "${manifests[0]}" | *.zip) ;;
      *.zip.sbom.json) [ -e "${file%.sbom.json}" ] || fail "$file belongs to no archive" ;;
      *) fail "unexpected file $file" ;;
    esac
  done
fi

if [ -n "${GPG_FINGERPRINT:-}" ]; then
  gpg --batch --status-fd 1 --verify "${sums[0]}.sig" "${sums[0]}" 2>/dev/null |
    grep -q "^\[GNUPG:\] VALIDSIG .*${GPG_FINGERPRINT}" || fail "the signature is not valid"
elif [ -e "${sums[0]}.sig" ]; then
  fail "there is a signature, and GPG_FINGERPRINT is not set"
fi
if [ -n "${ATTESTED_BY:-}" ]; then
  for file in "${archives[@]}" "${manifests[@]}" "${sums[0]}" *.sbom.json; do
    gh attestation verify "$file" --repo "$ATTESTED_BY" \
      --signer-workflow "$ATTESTED_BY/.github/workflows/release.yml" \
      ${ATTESTED_REF:+--source-ref "$ATTESTED_REF"} >/dev/null || fail "$file has no valid attestation"
  done
fi
echo "${#archives[@]} archives of version $version are complete and valid."
