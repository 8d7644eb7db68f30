// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

// Moduledoc writes the inputs and outputs of a Terraform module into its README,
// between two comments.
package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-config-inspect/tfconfig"
)

const (
	begin = "<!-- generated: inputs and outputs -->\n"
	end   = "<!-- end -->\n"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: moduledoc FOLDER")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "moduledoc:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	module, diags := tfconfig.LoadModule(dir)
	if diags.HasErrors() {
		return diags
	}
	readme := filepath.Join(dir, "README.md")
	text, err := os.ReadFile(readme) // #nosec G304 -- the folder is the argument.
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(text), begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return errors.New("the README has no place for the generated part")
	}
	generated := before + begin + inputs(module) + outputs(module) + end + after
	return os.WriteFile(readme, []byte(generated), 0o644) // #nosec G306 G703 -- part of the repository.
}

// inputs returns the table of the variables, in the order of the source.
func inputs(module *tfconfig.Module) string {
	var b strings.Builder
	b.WriteString("\n| input | type | default | |\n| --- | --- | --- | --- |\n")
	for _, v := range slices.SortedFunc(maps.Values(module.Variables),
		func(a, b *tfconfig.Variable) int { return cmp.Compare(a.Pos.Line, b.Pos.Line) }) {
		value := "required"
		if !v.Required {
			text, _ := json.Marshal(v.Default)
			value = "`" + string(text) + "`"
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", v.Name, strings.Join(strings.Fields(v.Type), " "), value,
			v.Description)
	}
	return b.String()
}

// outputs returns the table of the outputs, in the order of the source.
func outputs(module *tfconfig.Module) string {
	var b strings.Builder
	b.WriteString("\n| output | |\n| --- | --- |\n")
	for _, o := range slices.SortedFunc(maps.Values(module.Outputs),
		func(a, b *tfconfig.Output) int { return cmp.Compare(a.Pos.Line, b.Pos.Line) }) {
		note := ""
		if o.Sensitive {
			note = " Sensitive."
		}
		fmt.Fprintf(&b, "| `%s` | %s%s |\n", o.Name, o.Description, note)
	}
	return b.String() + "\n"
}
