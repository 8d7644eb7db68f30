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

// PageSize is what is asked for per page: the API's maximum.
const PageSize = 100

// maxPages ends a listing that a broken server would never end.
const maxPages = 100_000

// page is one answer of a list call: a bare array, or an envelope whose total
// is called total or total_count. It is decoded item by item.
type page[T any] struct {
	items []T
	count int // of the items, wherever they went
	total int // -1 when the server did not say
	size  int // as the server applied it; 0 when it did not say
	whole bool

	item    func(*json.Decoder) (T, error) // decodes the next one; nil is what T does
	keep    func(T)                        // takes the items as they come, in place of the field; nil keeps them
	restart func()                         // forgets what keep took: the answer is read again
}

func (p *page[T]) UnmarshalJSON(data []byte) error {
	return p.read(json.NewDecoder(bytes.NewReader(data)))
}

// read reads a list from a stream.
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
		p.whole = true
		return p.readItems(dec)
	case start != json.Delim('{'):
		return &shapeError{"the answer is no list where the API documents one"}
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
		return &shapeError{"the answer has no items, which the API documents for a list"}
	}
	return nil
}

// decodeField decodes the value of a field, and names the field in an error.
func decodeField(dec *json.Decoder, name json.Token, into any) error {
	err := dec.Decode(into)
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		wrongType.Field = fmt.Sprint(name)
	}
	return err
}

// readItemsOrNull reads the value of items, and reports whether it is a list.
func (p *page[T]) readItemsOrNull(dec *json.Decoder) (bool, error) {
	start, err := dec.Token()
	switch {
	case err != nil:
		return false, err
	case start == nil:
		return false, nil
	case start != json.Delim('['):
		return false, &shapeError{"the answer's field \"items\" is no list, which the API does not document"}
	}
	return true, p.readItems(dec)
}

// readItems reads what follows the bracket that opens a list.
func (p *page[T]) readItems(dec *json.Decoder) error {
	for dec.More() {
		item, err := p.next(dec)
		if err != nil {
			return err
		}
		p.count++
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

// last reports whether no page follows, with seen items so far.
func (p *page[T]) last(seen int) bool {
	switch {
	case p.whole || len(p.items) == 0:
		return true
	case p.total >= 0 && seen >= p.total:
		return true
	case p.size > 0:
		return len(p.items) < p.size
	default: // a build that names neither may still apply a smaller size than asked
		return p.total < 0 && len(p.items) < PageSize
	}
}

// onePage asks for a page of GET path, counted from 1.
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

// pages gives every page of GET path, in order, until the last one or an error.
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

// maxListings is how often a listing starts again because the total changed
// between two of its pages, which shifts objects across their border.
const maxListings = 3

// listAll gives every object of GET path once, whatever the page size, also
// when objects appear or vanish while it lists.
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
				break // a build that repeats its pages
			}
		}
		switch {
		case steady && len(all) >= total:
			return all, nil
		case attempt == maxListings && len(all) >= total:
			return all, nil
		case attempt == maxListings:
			return nil, &Error{
				Base: c.base.String(), Method: http.MethodGet, Path: path, Status: http.StatusOK, Tries: attempt,
				Problem: fmt.Sprintf("the list says that it has %d entries and shows %d; it may be changing while it is read", total, len(all)),
			}
		}
	}
}
