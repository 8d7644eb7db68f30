// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const root = "../.."

// Every summary of a diagnostic is in the table of the page "Troubleshooting", and every
// entry of the table is a summary.
func TestTroubleshooting(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "docs", "guides", "troubleshooting.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "\n## Messages of the provider\n")
	if !found {
		t.Fatal("the page has no section with the messages of the provider")
	}
	entries := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^\| (.+?) \|`).FindAllStringSubmatch(table, -1) {
		for entry := range strings.SplitSeq(m[1], "<br>") {
			entries[entry]++
		}
	}
	delete(entries, "message")
	delete(entries, "---")
	summaries := diagnosticSummaries(t)
	if len(summaries) < 50 {
		t.Fatalf("found only %d summaries in the source", len(summaries))
	}
	for _, summary := range summaries {
		if entries[summary] != 1 {
			t.Errorf("the table has %d entries %q, want 1", entries[summary], summary)
		}
		delete(entries, summary)
	}
	for entry := range entries {
		t.Errorf("no diagnostic has the summary %q", entry)
	}
}

// summaryArgument is the index of the argument with the summary of a diagnostic.
var summaryArgument = map[string]int{
	"AddError":            0,
	"AddWarning":          0,
	"AddAttributeError":   1,
	"AddAttributeWarning": 1,
	"fail":                0,
	"refuse":              0,
	"warn":                0,
	"failAt":              1,
	"warnAt":              1,
	"addRotation":         0,
	"refuseToken":         0,
	"warnOfAccount":       2,
	"failRole":            1,
}

// diagnosticSummaries returns the summaries in the provider's source, with … for
// what is only known at run time.
func diagnosticSummaries(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	settings, err := filepath.Glob("../settings/*.go")
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, settings...)
	var parsed []*ast.File
	known := map[string][]ast.Expr{} // constants of the package
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, file)
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Names) == len(spec.Values) {
				for i, name := range spec.Names {
					known[name.Name] = []ast.Expr{spec.Values[i]}
				}
			}
			return true
		})
	}
	summaries := map[string]bool{}
	for _, file := range parsed {
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			local := maps.Clone(known)
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.ValueSpec:
					for i, name := range n.Names {
						if i < len(n.Values) {
							local[name.Name] = []ast.Expr{n.Values[i]}
						}
					}
				case *ast.AssignStmt:
					for i, left := range n.Lhs {
						name, ok := left.(*ast.Ident)
						switch {
						case !ok || len(n.Lhs) != len(n.Rhs):
						case n.Tok == token.DEFINE:
							local[name.Name] = []ast.Expr{n.Rhs[i]}
						default: // another value in another case
							local[name.Name] = append(slices.Clone(local[name.Name]), n.Rhs[i])
						}
					}
				case *ast.CallExpr:
					if at, ok := summaryArgument[calledName(n)]; ok && at < len(n.Args) {
						for _, summary := range summaryTexts(n.Args[at], local) {
							if strings.Trim(summary, "…") != "" {
								summaries[summary] = true
							}
						}
					}
				}
				return true
			})
		}
	}
	return slices.Sorted(maps.Keys(summaries))
}

func calledName(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

var verb = regexp.MustCompile(`%[a-z]`)

// summaryTexts returns the values that an expression can have.
func summaryTexts(e ast.Expr, known map[string][]ast.Expr) []string {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, _ := strconv.Unquote(e.Value)
		return []string{verb.ReplaceAllString(text, "…")}
	case *ast.Ident:
		var texts []string
		for _, value := range known[e.Name] {
			texts = append(texts, summaryTexts(value, known)...)
		}
		if len(texts) > 0 {
			return texts
		}
	case *ast.CallExpr:
		if calledName(e) == "Sprintf" {
			return summaryTexts(e.Args[0], known)
		}
	}
	return []string{"…"}
}

// registry is where the registry shows docs/. Links between its pages are absolute: the
// registry and GitHub resolve relative ones differently.
const registry = "https://registry.terraform.io/providers/qualytics/qualytics/latest/docs"

// repository is where GitHub shows this repository.
const repository = "https://github.com/qualytics/terraform-provider-qualytics/"

// linkedFile returns the file of this repository that a link in a page refers to, or "" if
// it is on another site.
func linkedFile(page string, target *url.URL) (file string, relative bool) {
	address := *target
	address.Fragment, address.RawQuery = "", ""
	if path, ok := strings.CutPrefix(address.String(), registry); ok {
		return filepath.Join(root, "docs", cmp.Or(filepath.FromSlash(strings.Trim(path, "/")), "index")+".md"), false
	}
	for _, prefix := range []string{"tree/main/", "blob/main/"} {
		if path, ok := strings.CutPrefix(address.String(), repository+prefix); ok {
			return filepath.Join(root, filepath.FromSlash(path)), false
		}
	}
	switch {
	case target.Scheme != "":
		return "", false
	case target.Path == "": // an anchor of the same page
		return page, false
	}
	return filepath.Join(filepath.Dir(page), filepath.FromSlash(target.Path)), true
}

// Links to this repository's pages and files work in the registry and on GitHub.
func TestLinks(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	checked := 0
	for _, page := range markdown(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(withoutCode(string(text)), -1) {
			target, err := url.Parse(m[1])
			if err != nil {
				t.Errorf("%s: %v", page, err)
				continue
			}
			file, relative := linkedFile(page, target)
			if file == "" {
				continue
			}
			checked++
			if relative && strings.HasPrefix(page, filepath.Join(root, "docs")) {
				t.Errorf("%s has the relative link %s: use %s/…", page, m[1], registry)
			}
			info, err := os.Stat(file)
			if err != nil {
				t.Errorf("%s links to %s, which does not exist", page, m[1])
				continue
			}
			if target.Fragment == "" || info.IsDir() {
				continue
			}
			linked, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if found := anchors(string(linked)); !slices.Contains(found, target.Fragment) {
				t.Errorf("%s links to %s, and there is no such anchor: %q", page, m[1], found)
			}
		}
	}
	if checked < 50 {
		t.Errorf("only %d links were checked", checked)
	}
}

// The tables in the README of the example module name its variables and outputs, in the order of the source.
func TestModuleTables(t *testing.T) {
	t.Parallel()
	var texts []string
	for _, name := range []string{"variables.tf", "outputs.tf", "README.md"} {
		text, err := os.ReadFile(filepath.Join(root, "examples", "modules", "service-account", name))
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	block := regexp.MustCompile(`(?m)^(?:variable|output) "(\w+)"`)
	row := regexp.MustCompile("(?m)^\\| `(\\w+)` \\|")
	var declared, described []string
	for _, m := range block.FindAllStringSubmatch(texts[0]+texts[1], -1) {
		declared = append(declared, m[1])
	}
	for _, m := range row.FindAllStringSubmatch(texts[2], -1) {
		described = append(described, m[1])
	}
	if len(declared) < 10 || !slices.Equal(declared, described) {
		t.Errorf("the module declares %q, and its README describes %q", declared, described)
	}
}

// Every action of a workflow, and of the published example, is pinned to a commit, with its
// version in a comment.
func TestActionsArePinned(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(root, ".github", "workflows", "*.yml"))
	if err != nil {
		t.Fatal(err)
	}
	pinned := regexp.MustCompile(`uses: [\w./-]+@[0-9a-f]{40} # v\d`)
	checked := 0
	for _, file := range append(files, filepath.Join(root, "examples", "ci", "github-actions.yml")) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(string(text), "\n") {
			if strings.Contains(line, "uses:") {
				checked++
				if !pinned.MatchString(line) {
					t.Errorf("%s: not pinned to a commit with a version: %s", file, strings.TrimSpace(line))
				}
			}
		}
	}
	if checked < 15 {
		t.Errorf("only %d actions were checked", checked)
	}
}

// markdown returns the pages of this repository.
func markdown(t *testing.T) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".github" ||
			slices.Contains([]string{"templates", "bin", "dist"}, d.Name())):
			return filepath.SkipDir
		case filepath.Ext(path) == ".md":
			out = append(out, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func withoutCode(text string) string {
	return regexp.MustCompile("(?s)```.*?```|`[^`\n]*`").ReplaceAllString(text, "")
}

// anchors returns the anchors of a page's headings, as on GitHub and in the registry.
func anchors(text string) []string {
	var out []string
	text = regexp.MustCompile("(?s)```.*?```").ReplaceAllString(text, "")
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(text, -1) {
		slug := strings.ToLower(regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(m[1], ""))
		out = append(out, strings.ReplaceAll(strings.TrimSpace(slug), " ", "-"))
	}
	for _, m := range regexp.MustCompile(`<a id="([^"]+)"`).FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	return out
}
