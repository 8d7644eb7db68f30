// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// base holds what Configure handed over; every kind of object embeds it
// through one of the types below.
type base struct{ data *providerData }

func (b *base) configure(data any, diags *diag.Diagnostics) {
	if data == nil {
		return // validation, before the provider is configured
	}
	d, ok := data.(*providerData)
	if !ok {
		diags.AddError("Provider bug", fmt.Sprintf("The provider's data has the type %T. Please report this.", data))
		return
	}
	b.data = d
}

// client returns nil, and says why, when the provider's configuration is not
// known yet.
func (b *base) client(diags *diag.Diagnostics) *qualytics.Client {
	if b.data.client != nil {
		return b.data.client
	}
	diags.AddError("The provider's configuration is not known yet",
		fmt.Sprintf("Something has to be read from Qualytics now, but %s of the provider block depends on something that is only known after apply. "+
			"Create that first, with terraform apply -target=…, or give the provider a value that is known.", strings.Join(b.data.unknown, " and ")))
	return nil
}

type resourceBase struct{ base }

func (b *resourceBase) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	b.configure(req.ProviderData, &resp.Diagnostics)
}

type ephemeralBase struct{ base }

func (b *ephemeralBase) Configure(_ context.Context, req ephemeral.ConfigureRequest, resp *ephemeral.ConfigureResponse) {
	b.configure(req.ProviderData, &resp.Diagnostics)
}

type dataSourceBase struct{ base }

func (b *dataSourceBase) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	b.configure(req.ProviderData, &resp.Diagnostics)
}

type actionBase struct{ base }

func (b *actionBase) Configure(_ context.Context, req action.ConfigureRequest, resp *action.ConfigureResponse) {
	b.configure(req.ProviderData, &resp.Diagnostics)
}
