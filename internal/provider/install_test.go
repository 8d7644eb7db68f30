// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"archive/zip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

// The archive of a release can be installed from a filesystem mirror with terraform
// init, is locked with its checksum, and works. RELEASE_DIR contains the archives;
// without it, the test creates one.
func TestAccInstall(t *testing.T) {
	t.Parallel()
	s := newServer(t, qualyticstest.Options{})
	tf := cli(t, s.URL, s.AdminToken(), s.APIPath(), example(t, "getting-started"))
	mirror := t.TempDir()
	host := "registry.terraform.io"
	if installed, err := theCLI(); err != nil || installed.openTofu {
		host = "registry.opentofu.org"
	}
	folder := filepath.Join(mirror, host, "qualytics", "qualytics")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	target := runtime.GOOS + "_" + runtime.GOARCH
	version := archive(t, folder, target)
	// A prerelease is installed only if it is requested.
	main := filepath.Join(tf.WorkingDir(), "main.tf")
	text, err := os.ReadFile(main)
	if err != nil {
		t.Fatal(err)
	}
	const source = `source = "qualytics/qualytics"`
	writeFile(t, main,
		strings.Replace(string(text), source, source+fmt.Sprintf("\n      version = %q", "= "+version), 1))
	writeFile(t, filepath.Join(tf.WorkingDir(), "rc"),
		fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", mirror))

	out, err := tf.raw(t, "init", "-no-color")
	if err != nil || !strings.Contains(out, "v"+version) {
		t.Fatalf("%v: %s", err, out)
	}
	lock, err := os.ReadFile(filepath.Join(tf.WorkingDir(), ".terraform.lock.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	sum := regexp.MustCompile(`"h1:[A-Za-z0-9+/=]{44}"`).FindString(string(lock))
	if sum == "" || !strings.Contains(string(lock), version) {
		t.Errorf("the lock file has no version %s with a sum:\n%s", version, lock)
	}
	if err := tf.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	if agent := s.Requests()[0].Header.Get("User-Agent"); !strings.Contains(agent,
		"terraform-provider-qualytics/"+version) {
		t.Errorf("the installed provider calls itself %q", agent)
	}
	if changes, err := tf.Plan(t.Context()); err != nil || changes {
		t.Errorf("the next plan: changes %v, error %v", changes, err)
	}
	if err := tf.Destroy(t.Context()); err != nil {
		t.Error(err)
	}
	t.Logf("installed %s for %s, locked with %s", version, target, sum)
}

// archive writes the archive for a target to a folder, and returns its version.
func archive(t *testing.T, folder, target string) string {
	t.Helper()
	const name = "terraform-provider-qualytics_"
	if dir := os.Getenv("RELEASE_DIR"); dir != "" {
		found, err := filepath.Glob(filepath.Join(dir, name+"*_"+target+".zip"))
		if err != nil || len(found) != 1 {
			t.Fatalf("%d archives for %s in %s: run make snapshot first", len(found), target, dir)
		}
		file := filepath.Base(found[0])
		copyFile(t, found[0], filepath.Join(folder, file))
		return strings.TrimSuffix(strings.TrimPrefix(file, name), "_"+target+".zip")
	}
	const version = "0.0.1"
	binary := filepath.Join(t.TempDir(), "binary")
	buildProgram(t, root, binary, "-ldflags", "-X main.version="+version)
	out, err := os.Create(filepath.Join(folder, name+version+"_"+target+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(out)
	header := &zip.FileHeader{Name: "terraform-provider-qualytics_v" + version, Method: zip.Deflate}
	header.SetMode(0o755)
	entry, err := z.CreateHeader(header)
	if err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(entry, in); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{in.Close(), z.Close(), out.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return version
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
