// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// PageSize is the requested page size: the API's maximum.
const PageSize = 100

// defaultPageSize is the page size that the API applies if none is requested.
const defaultPageSize = 50

// maxPages is the longest list that is read: 200,000 accounts. A longer one is an error
// of the server, which may never report its last page.
const maxPages = 2_000

// list is a list of the API: GET path.
type list struct {
	path  string
	query url.Values // the filter
	size  int        // the requested page size; 0: the API documents a response without pages
}

// object is an object of a list.
type object interface{ id() int64 }

// page is the response of a list call: a bare array, or an envelope with total or
// total_count. It is decoded item by item.
type page[T object] struct {
	items []T
	asked int  // the requested page size; 0: none
	total int  // -1 if the server did not report it
	size  int  // as applied by the server; 0 if it did not report it
	array bool // a bare array: there are no other pages

	found   int  // objects in this page and the earlier ones
	changed bool // the total differs between two of these pages
}

// read decodes a list from a stream.
func (p *page[T]) read(dec *json.Decoder) error {
	*p = page[T]{total: -1, asked: p.asked}
	start, err := dec.Token()
	switch {
	case err != nil:
		return err
	case start != json.Delim('{'):
		p.array = true
		return p.readItems(dec, start)
	}
	found := false
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		switch key {
		case "items":
			if start, err = dec.Token(); err == nil {
				err = p.readItems(dec, start)
			}
			found = true
		case "total", "total_count":
			var n *int
			if err = decodeField(dec, key, &n); n != nil {
				p.total = *n
			}
		case "size":
			err = decodeField(dec, key, &p.size)
		default:
			var skipped json.RawMessage
			err = dec.Decode(&skipped)
		}
		if err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return err
	}
	if p.items == nil && p.total == 0 {
		p.items = []T{} // the total says so, too
	}
	if !found {
		return &shapeError{"the response has no items, but the API documents them for a list"}
	}
	return nil
}

// decodeField decodes the value of a field. Its error names the field.
func decodeField(dec *json.Decoder, name json.Token, into any) error {
	err := dec.Decode(into)
	if wrongType, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		wrongType.Field = fmt.Sprint(name)
	}
	return err
}

// readItems decodes a list whose first token is start. Deployments may send null for an
// empty list: items is then nil.
func (p *page[T]) readItems(dec *json.Decoder, start json.Token) error {
	switch start {
	case nil:
		return nil
	case json.Delim('['):
		p.items = []T{}
	default:
		return &shapeError{"the response is not a list, but the API documents one"}
	}
	for dec.More() {
		p.items = append(p.items, *new(T))
		if err := decodeNext(dec, &p.items[len(p.items)-1]); err != nil {
			return err
		}
	}
	_, err := dec.Token()
	return err
}

// last reports whether this is the last page, after seen items in all pages.
func (p *page[T]) last(seen int) bool {
	switch {
	case p.array || len(p.items) == 0:
		return true
	case p.total >= 0 && seen >= p.total:
		return true
	case p.size > 0:
		return len(p.items) < p.size
	default: // a deployment that reports neither may still apply a smaller size than requested
		return p.total < 0 && len(p.items)%cmp.Or(p.asked, defaultPageSize) != 0
	}
}

// complete reports whether this page and the earlier ones are the list as its totals say.
func (p *page[T]) complete() bool { return p.found >= p.total && !p.changed }

// count returns the number of pages of the list, as far as this page tells.
func (p *page[T]) count() int {
	if p.total <= len(p.items) || len(p.items) == 0 {
		return 1
	}
	return 1 + (p.total-1)/len(p.items)
}

// onePage requests a page of a list. The first page is 1.
func onePage[T object](ctx context.Context, c *Client, l list, number int) (*page[T], error) {
	query := l.query
	if l.size > 0 {
		query = url.Values{"page": {strconv.Itoa(number)}, "size": {strconv.Itoa(l.size)}}
		maps.Copy(query, l.query)
	}
	p := page[T]{asked: l.size}
	return &p, c.do(ctx, request{method: http.MethodGet, path: l.path, query: query, out: &p})
}

// pages returns the pages of a list in order, until the last one or an error. A page has
// only the objects that no earlier page had, and one without any is the last: some
// deployments may repeat their pages.
func pages[T object](ctx context.Context, c *Client, l list) iter.Seq2[*page[T], error] {
	return func(yield func(*page[T], error) bool) {
		known := map[int64]bool{}
		seen, total, changed, l := 0, -1, false, l
		for number := 1; number <= maxPages; number++ {
			p, err := onePage[T](ctx, c, l, number)
			if err != nil {
				yield(nil, err)
				return
			}
			seen += len(p.items)
			last := p.last(seen)
			changed, total = changed || total >= 0 && total != p.total, p.total
			l.size = cmp.Or(l.size, p.size, len(p.items))
			p.items = slices.DeleteFunc(p.items, func(item T) bool {
				repeated := known[item.id()]
				known[item.id()] = true
				return repeated
			})
			p.found, p.changed = len(known), changed
			if !yield(p, nil) || last || len(p.items) == 0 {
				return
			}
		}
		yield(nil, endlessList(c, l))
	}
}

// listAll returns every object of a list once, by ID, whatever the page size. It
// starts again if the total changes between two pages, because objects may then
// have moved from one page to another. A list that keeps changing is an error: what it
// lacks may exist. The result is nil if the deployment sent null, which proves as little.
func listAll[T object](ctx context.Context, c *Client, l list) ([]T, error) {
	for attempt := 1; ; attempt++ {
		var all []T
		var last *page[T]
		for p, err := range pages[T](ctx, c, l) {
			if err != nil {
				return nil, err
			}
			if last == nil {
				all = p.items
			} else {
				all = append(all, p.items...)
			}
			last = p
		}
		switch {
		case last.complete():
			return byID(all), nil
		case attempt == maxListAttempts:
			return nil, incompleteList(c, l, attempt, last)
		}
	}
}

// byID sorts objects by ID, and removes repeated ones.
func byID[T object](items []T) []T {
	slices.SortFunc(items, func(a, b T) int { return cmp.Compare(a.id(), b.id()) })
	return slices.CompactFunc(items, func(a, b T) bool { return a.id() == b.id() })
}

// incompleteList returns the error for a list that is not complete after its last page.
func incompleteList[T object](c *Client, l list, attempts int, last *page[T]) *Error {
	problem := fmt.Sprintf("the list reports %d entries and has %d; it may have changed while it was read",
		last.total, last.found)
	if last.found >= last.total {
		problem = "the number of entries changed while the list was read"
	}
	return c.oddSuccess(http.MethodGet, l.path, attempts, problem)
}

// endlessList returns the error for a list with more than maxPages pages.
func endlessList(c *Client, l list) *Error {
	return c.oddSuccess(http.MethodGet, l.path, 1,
		fmt.Sprintf("the list has more than %d pages, or its pages never end", maxPages))
}

// oddSuccess returns the error for a success that does not do, or contain, what it should.
func (c *Client) oddSuccess(method, path string, attempts int, problem string) *Error {
	return &Error{
		Method: method, URL: c.base.String() + path, Status: http.StatusOK, Attempts: attempts, Problem: problem,
	}
}
