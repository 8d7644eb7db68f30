// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"strconv"
)

// PageSize is the requested page size: the API's maximum.
const PageSize = 100

// defaultPageSize is the page size that the API applies if none is requested.
const defaultPageSize = 50

// maxPages ends the listing of a server that never reports the last page.
const maxPages = 100_000

// page is the response of a list call: a bare array, or an envelope with total or
// total_count. It is decoded item by item.
type page[T any] struct {
	items []T
	seen  int  // number of items, including those passed to keep
	total int  // -1 if the server did not report it
	size  int  // as applied by the server; 0 if it did not report it
	array bool // a bare array: there are no other pages

	item    func(*json.Decoder) (T, error) // decodes the next item; nil uses T's own decoding
	keep    func(T)                        // receives each item instead of items; may be nil
	restart func()                         // called before the response is decoded, and again after a retry
}

func (p *page[T]) UnmarshalJSON(data []byte) error {
	return p.read(json.NewDecoder(bytes.NewReader(data)))
}

// read decodes a list from a stream.
func (p *page[T]) read(dec *json.Decoder) error {
	*p = page[T]{total: -1, item: p.item, keep: p.keep, restart: p.restart}
	if p.restart != nil {
		p.restart()
	}
	start, err := dec.Token()
	switch {
	case err != nil:
		return err
	case start == json.Delim('['):
		p.array = true
		return p.readItems(dec)
	case start != json.Delim('{'):
		return &shapeError{"the response is not a list, but the API documents one"}
	}
	found := false
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		switch key {
		case "items":
			if found, err = p.readItemsOrNull(dec); err != nil {
				return err
			}
		case "total", "total_count":
			var n *int
			if err := decodeField(dec, key, &n); err != nil {
				return err
			}
			if n != nil {
				p.total = *n
			}
		case "size":
			if err := decodeField(dec, key, &p.size); err != nil {
				return err
			}
		default:
			var skipped json.RawMessage
			if err := dec.Decode(&skipped); err != nil {
				return err
			}
		}
	}
	if _, err := dec.Token(); err != nil {
		return err
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

// readItemsOrNull decodes the value of items, and reports whether it is a list.
func (p *page[T]) readItemsOrNull(dec *json.Decoder) (bool, error) {
	start, err := dec.Token()
	switch {
	case err != nil:
		return false, err
	case start == nil:
		return false, nil
	case start != json.Delim('['):
		return false, &shapeError{"the response's field \"items\" is not a list, which the API does not document"}
	}
	return true, p.readItems(dec)
}

// readItems decodes a list after its opening bracket.
func (p *page[T]) readItems(dec *json.Decoder) error {
	for dec.More() {
		item, err := p.next(dec)
		if err != nil {
			return err
		}
		p.seen++
		if p.keep != nil {
			p.keep(item)
		} else {
			p.items = append(p.items, item)
		}
	}
	_, err := dec.Token()
	return err
}

func (p *page[T]) next(dec *json.Decoder) (T, error) {
	if p.item != nil {
		return p.item(dec)
	}
	var item T
	err := dec.Decode(&item)
	return item, err
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
		return p.total < 0 && len(p.items) < PageSize
	}
}

// count returns the number of pages of the list, as far as this page tells.
func (p *page[T]) count() int {
	if p.total <= len(p.items) || len(p.items) == 0 {
		return 1
	}
	return min(maxPages, 1+(p.total-1)/len(p.items))
}

// onePage requests a page of GET path. The first page is 1.
func onePage[T any](ctx context.Context, c *Client, path string, query url.Values, number int) (*page[T], error) {
	q := maps.Clone(query)
	if q == nil {
		q = url.Values{}
	}
	q.Set("page", strconv.Itoa(number))
	q.Set("size", strconv.Itoa(PageSize))
	var p page[T]
	return &p, c.do(ctx, request{method: http.MethodGet, path: path, query: q, out: &p})
}

// pages returns the pages of GET path in order, until the last one or an error.
func pages[T any](ctx context.Context, c *Client, path string, query url.Values) iter.Seq2[page[T], error] {
	return func(yield func(page[T], error) bool) {
		seen := 0
		for number := 1; number <= maxPages; number++ {
			p, err := onePage[T](ctx, c, path, query, number)
			if err != nil {
				yield(page[T]{}, err)
				return
			}
			seen += len(p.items)
			if !yield(*p, nil) || p.last(seen) {
				return
			}
		}
	}
}

// listAll returns every object of GET path once, whatever the page size. It
// starts again if the total changes between two pages, because objects may then
// have moved from one page to another.
func listAll[T any](ctx context.Context, c *Client, path string, query url.Values, id func(T) int64) ([]T, error) {
	for attempt := 1; ; attempt++ {
		var all []T
		known := map[int64]bool{}
		total, steady := -1, true
		for p, err := range pages[T](ctx, c, path, query) {
			if err != nil {
				return nil, err
			}
			steady = steady && (total == -1 || total == p.total)
			total = p.total
			before := len(all)
			for _, item := range p.items {
				if !known[id(item)] {
					known[id(item)] = true
					all = append(all, item)
				}
			}
			if len(all) == before {
				break // a deployment that repeats its pages
			}
		}
		switch {
		case steady && len(all) >= total:
			return all, nil
		case attempt == maxListAttempts && len(all) >= total:
			return all, nil
		case attempt == maxListAttempts:
			return nil, incompleteList(c, path, attempt, total, len(all))
		}
	}
}

// incompleteList returns the error for a list with fewer objects than its total.
func incompleteList(c *Client, path string, attempts, total, found int) *Error {
	return &Error{
		Method:   http.MethodGet,
		URL:      c.base.String() + path,
		Status:   http.StatusOK,
		Attempts: attempts,
		Problem: fmt.Sprintf("the list reports %d entries and has %d; it may have changed while it was read", total,
			found),
	}
}
