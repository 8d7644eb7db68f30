// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
)

// A mutant is a small change of the source. All mutants of a file are compiled together:
// each is a condition on the variable with the number of the active mutant, so that the
// tests are built once.
type mutant struct {
	ID   int    `json:"id"`
	File string `json:"file"`
	Line int    `json:"line"`
	What string `json:"what"`
}

// insertion is text that is inserted at an offset of the original source.
type insertion struct {
	at    int
	order int // of insertions at the same offset
	text  string
}

// mutator collects the mutants of a file.
type mutator struct {
	file       string
	source     []byte
	files      *token.FileSet
	first      int // ID
	mutants    []mutant
	insertions []insertion
}

// mutateFile returns the source of a file with all of its mutants.
func mutateFile(path, name string, first int) ([]byte, []mutant, error) {
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	m := &mutator{file: name, source: source, files: token.NewFileSet(), first: first}
	file, err := parser.ParseFile(m.files, path, source, 0)
	if err != nil {
		return nil, nil, err
	}
	for _, decl := range file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Body != nil {
			m.function(f.Type, f.Body)
		}
	}
	return m.apply(), m.mutants, nil
}

// function visits the body of a function. Nested functions are visited by themselves,
// because a return without values is only removed from functions without results.
func (m *mutator) function(typ *ast.FuncType, body *ast.BlockStmt) {
	removeReturns := typ.Results == nil
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			m.function(n.Type, n.Body)
			return false
		case *ast.GenDecl:
			return n.Tok != token.CONST
		case *ast.IfStmt:
			m.negate(n.Cond)
		case *ast.ForStmt:
			m.negate(n.Cond)
		case *ast.SwitchStmt:
			if n.Tag == nil {
				for _, s := range n.Body.List {
					if clause, ok := s.(*ast.CaseClause); ok {
						for _, e := range clause.List {
							m.negate(e)
						}
					}
				}
			}
		case *ast.BinaryExpr:
			m.binary(n)
		case *ast.UnaryExpr:
			if n.Op == token.NOT {
				m.negate(n.X)
			}
		case *ast.ReturnStmt:
			for _, result := range n.Results {
				m.boolean(result)
			}
		case *ast.BlockStmt:
			m.statements(n.List, removeReturns)
		case *ast.CaseClause:
			m.statements(n.Body, removeReturns)
		}
		return true
	})
}

// statements removes each statement that the code compiles without.
func (m *mutator) statements(list []ast.Stmt, removeReturns bool) {
	for _, s := range list {
		switch s := s.(type) {
		case *ast.ExprStmt, *ast.IncDecStmt:
			m.remove(s)
		case *ast.AssignStmt:
			if s.Tok != token.DEFINE {
				m.remove(s)
			}
		case *ast.BranchStmt:
			if s.Label == nil && s.Tok == token.CONTINUE {
				m.remove(s)
			}
		case *ast.ReturnStmt:
			if removeReturns {
				m.remove(s)
			}
		}
	}
}

// binary negates comparisons and operands, and moves the limit of comparisons.
func (m *mutator) binary(b *ast.BinaryExpr) {
	switch b.Op {
	case token.LAND, token.LOR:
		m.negate(b.X)
		m.negate(b.Y)
	case token.EQL, token.NEQ:
		m.negate(b)
	case token.LSS, token.LEQ, token.GTR, token.GEQ:
		m.negate(b)
		other := map[token.Token]string{token.LSS: "<=", token.LEQ: "<", token.GTR: ">=", token.GEQ: ">"}[b.Op]
		changed := m.text(b.X) + " " + other + " " + m.text(b.Y)
		id := m.add(b, b.Op.String()+" becomes "+other)
		m.wrap(b, fmt.Sprintf("(mutantIs(%d) && (%s) || !mutantIs(%d) && (", id, changed, id), "))")
	}
}

// boolean negates true and false.
func (m *mutator) boolean(e ast.Expr) {
	if name, ok := e.(*ast.Ident); ok && (name.Name == "true" || name.Name == "false") {
		m.negate(e)
	}
}

func (m *mutator) negate(e ast.Expr) {
	if e == nil || slices.ContainsFunc(m.mutants, func(o mutant) bool { return o.What == m.what(e) }) {
		return
	}
	m.wrap(e, fmt.Sprintf("(mutantIs(%d) != (", m.add(e, m.what(e))), "))")
}

func (m *mutator) what(e ast.Expr) string {
	at := m.files.Position(e.Pos())
	return fmt.Sprintf("negated (column %d): %s [%d]", at.Column, m.text(e), at.Offset)
}

func (m *mutator) remove(s ast.Stmt) {
	m.wrap(s, fmt.Sprintf("if !mutantIs(%d) { ", m.add(s, "removed: "+m.text(s))), " }")
}

func (m *mutator) add(n ast.Node, what string) int {
	id := m.first + len(m.mutants)
	m.mutants = append(m.mutants, mutant{
		ID: id, File: m.file, Line: m.files.Position(n.Pos()).Line, What: what,
	})
	return id
}

// wrap inserts text around a node. The outer node of two that begin at the same place
// is visited first.
func (m *mutator) wrap(n ast.Node, before, after string) {
	order := len(m.insertions)
	m.insertions = append(m.insertions, insertion{m.offset(n.Pos()), order, before},
		insertion{m.offset(n.End()), -order, after})
}

func (m *mutator) offset(p token.Pos) int { return m.files.Position(p).Offset }

func (m *mutator) text(n ast.Node) string {
	return string(m.source[m.offset(n.Pos()):m.offset(n.End())])
}

func (m *mutator) apply() []byte {
	slices.SortStableFunc(m.insertions, func(a, b insertion) int { return cmp.Or(a.at-b.at, a.order-b.order) })
	var out bytes.Buffer
	last := 0
	for _, i := range m.insertions {
		out.Write(m.source[last:i.at])
		out.WriteString(i.text)
		last = i.at
	}
	out.Write(m.source[last:])
	return out.Bytes()
}
