// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
)

// privateData is the framework's access to the private data of a resource.
type privateData interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
	SetKey(ctx context.Context, key string, value []byte) diag.Diagnostics
}

// readPrivate decodes a key of private data into value, and leaves value unchanged
// if there is none.
func readPrivate(ctx context.Context, private privateData, key string, value any, diags *diag.Diagnostics) {
	text, d := private.GetKey(ctx, key)
	diags.Append(d...)
	if len(text) > 0 && json.Unmarshal(text, value) != nil {
		diags.AddError("Provider bug", fmt.Sprintf("The private data %q is invalid. Please report this.", key))
	}
}

// writePrivate encodes value into a key of private data.
func writePrivate(ctx context.Context, private privateData, key string, value any, diags *diag.Diagnostics) {
	text, err := json.Marshal(value)
	if err != nil {
		diags.AddError("Provider bug", fmt.Sprintf("The private data %q cannot be encoded. Please report this.", key))
		return
	}
	diags.Append(private.SetKey(ctx, key, text)...)
}
