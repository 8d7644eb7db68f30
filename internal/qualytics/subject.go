// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualytics

import "fmt"

// subject is what a request asks for, or what a response describes. A zero value is not
// known.
type subject struct {
	id    int64
	name  string
	owner int64 // of a token: the ID of its account
}

// differs returns an error if a response describes another object than the one that was
// asked for. What a response lacks is not compared.
func (asked subject) differs(response any) error {
	described, ok := response.(interface{ subject() subject })
	if !ok {
		return nil
	}
	got := described.subject()
	var difference string
	switch {
	case asked.id != 0 && got.id != 0 && got.id != asked.id:
		difference = fmt.Sprintf("it has the ID %d instead of %d", got.id, asked.id)
	case asked.name != "" && got.name != "" && got.name != asked.name:
		difference = fmt.Sprintf("it has the ID %d and the name %q instead of %q", got.id, got.name, asked.name)
	case asked.owner != 0 && got.owner != 0 && got.owner != asked.owner:
		difference = fmt.Sprintf("it has the ID %d and belongs to the account %d instead of %d", got.id, got.owner,
			asked.owner)
	default:
		return nil
	}
	text := "the response describes another object: " + difference + "; nothing of it was stored"
	return &otherObjectError{&shapeError{text}, got}
}

// otherObjectError is a success whose response describes another object than the one that
// was asked for.
type otherObjectError struct {
	*shapeError
	got subject
}

func (e *otherObjectError) Unwrap() error { return e.shapeError }
