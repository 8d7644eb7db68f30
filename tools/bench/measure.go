// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualyticstest"
)

const (
	providerName = "terraform-provider-qualytics"
	realSuffix   = "-real"
	usageSuffix  = "-usage"
)

// usage is the memory and processor time that a run of the provider used.
type usage struct {
	PeakMB     float64
	CPUSeconds float64
}

// measureProvider runs the real provider, and writes its usage to a file of this run:
// Terraform starts the provider several times. It returns the exit code.
func measureProvider() int {
	cmd := exec.CommandContext(context.Background(), os.Args[0]+realSuffix, os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	if r, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok { // Maxrss is in KiB
		cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		text, _ := json.Marshal(usage{PeakMB: float64(r.Maxrss) * 1024 / 1e6, CPUSeconds: cpu.Seconds()})
		_ = os.WriteFile(fmt.Sprintf("%s%s-%d", os.Args[0], usageSuffix, os.Getpid()), text, 0o600)
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	if err != nil {
		return 1
	}
	return 0
}

// workload is a configuration, and the size of the deployment.
type workload struct {
	name     string
	n        int
	config   string
	accounts int // other accounts in the deployment
	tokens   int // their tokens
}

const (
	floorName  = "terraform_data"
	oursName   = "qualytics"
	othersName = "in a large deployment"
)

func floor(n int) workload {
	return workload{name: floorName, n: n, config: fmt.Sprintf(`
resource "terraform_data" "account" {
  count = %[1]d
  input = "account ${count.index}"
}

resource "terraform_data" "token" {
  count = %[1]d
  input = terraform_data.account[count.index].id
}
`, n)}
}

func ours(n int) workload {
	return workload{name: oursName, n: n, config: fmt.Sprintf(`
terraform {
  required_providers {
    qualytics = { source = "qualytics/qualytics" }
  }
}

resource "qualytics_service_account" "account" {
  count = %[1]d
  name  = "account ${count.index}"
  role  = "Member"
}

resource "qualytics_service_token" "token" {
  count              = %[1]d
  service_account_id = qualytics_service_account.account[count.index].id
  name               = "token"
  expires_in_days    = 90
}
`, n)}
}

// amongOthers is a small configuration in a large deployment.
func amongOthers() workload {
	w := ours(20)
	w.name, w.accounts, w.tokens = othersName, 20_000, 50_000
	return w
}

// bench is one run of this program.
type bench struct {
	settings settings
	dir      string
	cli      string
	plugins  string
}

func newBench(ctx context.Context, s settings, dir string) (*bench, error) {
	cli := os.Getenv("TF_ACC_TERRAFORM_PATH")
	if cli == "" {
		var err error
		if cli, err = exec.LookPath("terraform"); err != nil {
			return nil, err
		}
	}
	b := &bench{settings: s, dir: dir, cli: cli, plugins: filepath.Join(dir, "plugins")}
	if err := os.Mkdir(b.plugins, 0o700); err != nil {
		return nil, err
	}
	if err := build(ctx, b.provider()+realSuffix); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if err := os.Symlink(self, b.provider()); err != nil {
		return nil, err
	}
	rc := fmt.Sprintf("provider_installation {\n  dev_overrides {\n    \"qualytics/qualytics\" = %q\n  }\n  direct "+
		"{}\n}\n", b.plugins)
	return b, os.WriteFile(filepath.Join(dir, "rc"), []byte(rc), 0o600)
}

func (b *bench) provider() string { return filepath.Join(b.plugins, providerName) }

// machine describes the versions and the machine.
func (b *bench) machine(ctx context.Context) string {
	out, _ := exec.CommandContext(ctx, b.cli, "version").Output()
	version, _, _ := strings.Cut(string(out), "\n")
	return fmt.Sprintf("%s, %s, %d cores, %s/%s", version, runtime.Version(), runtime.NumCPU(), runtime.GOOS,
		runtime.GOARCH)
}

// measure runs a workload once: apply, plan, plan without refresh, destroy.
func (b *bench) measure(ctx context.Context, w workload, r *report) error {
	s, err := qualyticstest.NewServer(qualyticstest.Options{Latency: b.settings.latency})
	if err != nil {
		return err
	}
	defer s.Close()
	if w.accounts > 0 {
		s.SeedForeign(w.accounts, w.tokens)
	}
	dir, err := os.MkdirTemp(b.dir, "work-")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "main.tf"), []byte(w.config), 0o600); err != nil {
		return err
	}
	env := append(os.Environ(), "TF_CLI_CONFIG_FILE="+filepath.Join(b.dir, "rc"), "TF_IN_AUTOMATION=1",
		"CHECKPOINT_DISABLE=1", "QUALYTICS_URL="+s.URL, "QUALYTICS_TOKEN="+s.AdminToken(),
		"QUALYTICS_API_PATH="+s.APIPath())
	if w.name == floorName {
		if _, err := b.terraform(ctx, dir, env, "init"); err != nil {
			return err
		}
	}
	for _, op := range operations {
		s.ClearRequests()
		if _, err := b.usage(); err != nil { // discards that of earlier runs
			return err
		}
		began := time.Now()
		out, err := b.terraform(ctx, dir, env, op.args...)
		took := time.Since(began)
		if err != nil {
			return fmt.Errorf("%s of %d %s: %w", op.name, w.n, w.name, err)
		}
		if !strings.Contains(out, op.says) {
			return fmt.Errorf("%s of %d %s does not print %q: %s", op.name, w.n, w.name, op.says,
				out[max(0, len(out)-2000):])
		}
		run := measurement{
			Workload: w.name, N: w.n, Operation: op.name, Seconds: took.Seconds(), Routes: map[string]int{},
		}
		for _, req := range s.Requests() {
			run.Routes[req.Method+" "+ids.ReplaceAllString(req.Path, "/{id}")]++
			run.Requests++
			run.Bytes += req.Bytes
		}
		used, err := b.usage()
		if err != nil {
			return err
		}
		run.PeakMB, run.CPUSeconds = used.PeakMB, used.CPUSeconds
		r.Runs = append(r.Runs, run)
	}
	return nil
}

// usage returns what the provider used since the last call: the highest peak of all runs,
// and the sum of their processor time.
func (b *bench) usage() (usage, error) {
	var all usage
	files, err := filepath.Glob(b.provider() + usageSuffix + "-*")
	if err != nil {
		return all, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file) // #nosec G304 -- written by this program.
		if err != nil {
			return all, err
		}
		var one usage
		if err := json.Unmarshal(text, &one); err != nil {
			return all, err
		}
		all.PeakMB = max(all.PeakMB, one.PeakMB)
		all.CPUSeconds += one.CPUSeconds
		if err := os.Remove(file); err != nil {
			return all, err
		}
	}
	return all, nil
}

var ids = regexp.MustCompile(`/[0-9]+`)

var operations = []struct {
	name string
	args []string
	says string // output that proves success
}{
	{"apply", []string{"apply", "-auto-approve"}, "Apply complete!"},
	{"plan", []string{"plan"}, "No changes."},
	{"plan without refresh", []string{"plan", "-refresh=false"}, "No changes."},
	{"destroy", []string{"destroy", "-auto-approve"}, "Destroy complete!"},
}

func (b *bench) terraform(ctx context.Context, dir string, env []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, b.cli, append(args, "-no-color")...)
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("terraform %s: %w: %s", strings.Join(args, " "), err, out[max(0, len(out)-2000):])
	}
	return string(out), nil
}

// measurement is one operation of one workload.
type measurement struct {
	Workload  string         `json:"workload"`
	N         int            `json:"n"`
	Operation string         `json:"operation"`
	Seconds   float64        `json:"seconds"`
	Requests  int            `json:"requests"`
	Routes    map[string]int `json:"routes,omitempty"`
	Bytes     int            `json:"bytes"`
	PeakMB    float64        `json:"provider_peak_mb,omitempty"`
	// CPUSeconds is the provider's processor time, of all cores.
	CPUSeconds float64 `json:"provider_cpu_seconds,omitempty"`
}
