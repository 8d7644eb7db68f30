// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// zipOf returns an archive with the named files.
func zipOf(t *testing.T, names ...string) string {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, name := range names {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// The script that verifies a release before it is published accepts a complete one, and
// refuses every other.
func TestVerifyRelease(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the script is written for the release workflow, which runs on Linux")
	}
	const base = "terraform-provider-qualytics_1.2.3"
	linux, windows, manifest := base+"_linux_amd64.zip", base+"_windows_amd64.zip", base+"_manifest.json"
	sums := base + "_SHA256SUMS"
	for _, tc := range []struct {
		name   string
		change func(files map[string]string)
		resum  bool // the checksums are those of the changed files
		want   string
	}{
		{"complete", func(map[string]string) {}, true, "2 archives of version 1.2.3 are complete and valid"},
		{"tampered archive", func(f map[string]string) { f[linux] += "x" }, false, "a checksum is wrong"},
		{"missing archive", func(f map[string]string) { delete(f, linux) }, false, "a checksum is wrong"},
		{"archive without checksum", func(f map[string]string) { f[base+"_x.zip"] = f[linux] }, false, "is not in"},
		{
			"extra file in an archive",
			func(f map[string]string) {
				f[linux] = zipOf(t, "LICENSE", "terraform-provider-qualytics_v1.2.3", "evil")
			},
			true, "contains",
		},
		{
			"other version",
			func(f map[string]string) { f[linux] = zipOf(t, "LICENSE", "terraform-provider-qualytics_v1.2.2") },
			true, "contains",
		},
		{"no manifest", func(f map[string]string) { delete(f, manifest) }, true, "0 manifests"},
		{"unexpected file", func(f map[string]string) { f["install.sh"] = "x" }, true, "unexpected file"},
		{"no SBOM", func(f map[string]string) { delete(f, linux+".sbom.json") }, true, "has no SBOM"},
		{"no checksums", func(f map[string]string) { delete(f, sums) }, false, "0 checksum files"},
		{"unknown signature", func(f map[string]string) { f[sums+".sig"] = "x" }, true, "GPG_FINGERPRINT is not set"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{
				linux:                  zipOf(t, "LICENSE", "terraform-provider-qualytics_v1.2.3"),
				windows:                zipOf(t, "LICENSE", "terraform-provider-qualytics_v1.2.3.exe"),
				linux + ".sbom.json":   "{}",
				windows + ".sbom.json": "{}",
				manifest:               "{}",
			}
			checksums := func() string {
				text := ""
				for _, name := range []string{linux, windows, manifest} {
					if content, ok := files[name]; ok {
						text += fmt.Sprintf("%x  %s\n", sha256.Sum256([]byte(content)), name)
					}
				}
				return text
			}
			files[sums] = checksums()
			tc.change(files)
			if tc.resum {
				files[sums] = checksums()
			}
			dir := t.TempDir()
			for name, content := range files {
				writeFile(t, filepath.Join(dir, name), content)
			}
			script, err := filepath.Abs(filepath.Join(root, "tools", "release", "verify.sh"))
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), "bash", script, dir)
			cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
			out, err := cmd.CombinedOutput()
			if (err == nil) != (tc.name == "complete") || !strings.Contains(string(out), tc.want) {
				t.Errorf("%v: %s, want %q", err, out, tc.want)
			}
		})
	}
}
