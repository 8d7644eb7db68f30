// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// providerData is what a configured provider passes to its resources.
type providerData struct {
	client *qualytics.Client
	// unknown contains the arguments with unknown values; client is nil then.
	unknown    []string
	open       *openTokens
	names      *accountNames
	planTokens *planTokens
	// importedTokens contains the IDs of tokens that were imported in this run: the plan
	// does not repeat the warning that their secret is unknown.
	importedTokens *sync.Map
	// managedTokens contains the IDs of tokens that a resource has read in this run.
	managedTokens *sync.Map
	// guardrails limits what a plan may create or change. Unknown values are not
	// checked.
	guardrails guardrailsModel
	lookupEnv  func(key string) (string, bool)
	now        func() time.Time
	random     io.Reader
}

// base contains the configured provider. Every kind of object embeds it through
// one of the types below.
type base struct{ data *providerData }

func (b *base) configure(data any, diags *diag.Diagnostics) {
	if data == nil {
		return // the provider is not configured during validation
	}
	d, ok := data.(*providerData)
	if !ok {
		diags.AddError("Provider bug", fmt.Sprintf("The provider data has the type %T. Please report this.", data))
		return
	}
	b.data = d
}

// client returns the client. If the provider configuration has unknown values, it
// reports an error and returns nil.
func (b *base) client(diags *diag.Diagnostics) *qualytics.Client {
	if b.data.client != nil {
		return b.data.client
	}
	diags.AddError("Unknown provider configuration", fmt.Sprintf("A request to Qualytics is required now, but the "+
		"value of %s in the provider configuration is only known after apply. Apply what it depends on first, "+
		"with \"terraform apply -target=ADDRESS\", or use a known value.", strings.Join(b.data.unknown, " and ")))
	return nil
}

// warnOfInvalidID warns while planning if one of the known values is not an ID, which is an
// error during apply. Mocks of other objects may have any ID, so it is not an error before.
func (b *base) warnOfInvalidID(attribute string, diags *diag.Diagnostics, known ...string) {
	invalid := func(value string) bool { _, ok := parseID(value); return !ok }
	if b.data.client != nil && slices.ContainsFunc(known, invalid) {
		diags.AddAttributeWarning(path.Root(attribute), invalidID, invalidIDText(path.Root(attribute)))
	}
}

type resourceBase struct{ base }

func (b *resourceBase) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	b.configure(req.ProviderData, &resp.Diagnostics)
}

type ephemeralBase struct{ base }

func (b *ephemeralBase) Configure(_ context.Context, req ephemeral.ConfigureRequest,
	resp *ephemeral.ConfigureResponse,
) {
	b.configure(req.ProviderData, &resp.Diagnostics)
}

type dataSourceBase struct{ base }

func (b *dataSourceBase) Configure(_ context.Context, req datasource.ConfigureRequest,
	resp *datasource.ConfigureResponse,
) {
	b.configure(req.ProviderData, &resp.Diagnostics)
}

type actionBase struct{ base }

func (b *actionBase) Configure(_ context.Context, req action.ConfigureRequest, resp *action.ConfigureResponse) {
	b.configure(req.ProviderData, &resp.Diagnostics)
}
