// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

// Command moduledoc writes the inputs and outputs of a module into its README,
// between two comments.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

const (
	begin = "<!-- generated: inputs and outputs -->\n"
	end   = "<!-- end -->\n"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: moduledoc <folder of a module>")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "moduledoc:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	inputs, err := blocks(filepath.Join(dir, "variables.tf"), "variable")
	if err != nil {
		return err
	}
	outputs, err := blocks(filepath.Join(dir, "outputs.tf"), "output")
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("\n| input | type | default | |\n| --- | --- | --- | --- |\n")
	for _, in := range inputs {
		value := in["default"]
		if value == "" {
			value = "required"
		} else {
			value = "`" + value + "`"
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", in["name"], in["type"], value, in["description"])
	}
	b.WriteString("\n| output | |\n| --- | --- |\n")
	for _, out := range outputs {
		note := ""
		if out["sensitive"] == "true" {
			note = " Sensitive."
		}
		fmt.Fprintf(&b, "| `%s` | %s%s |\n", out["name"], out["description"], note)
	}
	b.WriteString("\n")

	readme := filepath.Join(dir, "README.md")
	text, err := os.ReadFile(readme) // #nosec G304 -- the folder that was asked for.
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(text), begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return errors.New("the README has no place for the generated part")
	}
	return os.WriteFile(readme, []byte(before+begin+b.String()+end+after),
		0o644) // #nosec G306 G703 -- part of the repository.
}

// blocks are the blocks of a kind in a file, each attribute as it is written.
func blocks(file, kind string) ([]map[string]string, error) {
	text, err := os.ReadFile(file) // #nosec G304 -- the folder that was asked for.
	if err != nil {
		return nil, err
	}
	parsed, diags := hclsyntax.ParseConfig(text, file, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, diags
	}
	body, ok := parsed.Body.(*hclsyntax.Body)
	if !ok {
		return nil, fmt.Errorf("%s is not in HCL's native syntax", file)
	}
	var out []map[string]string
	for _, block := range body.Blocks {
		if block.Type != kind {
			continue
		}
		one := map[string]string{"name": block.Labels[0]}
		for name, attribute := range block.Body.Attributes {
			r := attribute.Expr.Range()
			one[name] = strings.Join(strings.Fields(string(text[r.Start.Byte:r.End.Byte])), " ")
		}
		one["description"] = strings.Trim(one["description"], `"`)
		out = append(out, one)
	}
	return out, nil
}
