// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"iter"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/list"
	listschema "github.com/hashicorp/terraform-plugin-framework/list/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// filterName describes the argument name of several kinds of lists.
const filterName = "Part of the name, case-insensitive."

// dataSource is a data source: a schema, and a function that completes the model M of its
// configuration.
type dataSource[M any] struct {
	base
	schema schema.Schema
	read   func(ctx context.Context, c call, model *M)
}

func newDataSource[M any](name string, s schema.Schema, read func(context.Context, call, *M)) datasource.DataSource {
	return &dataSource[M]{base{name: name}, s, read}
}

func (d *dataSource[M]) Metadata(
	_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse,
) {
	resp.TypeName = req.ProviderTypeName + "_" + d.name
}

func (d *dataSource[M]) Configure(
	_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse,
) {
	d.configure(req.ProviderData, &resp.Diagnostics)
}

func (d *dataSource[M]) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = d.schema
}

// Read stores the completed model unless there is an error.
func (d *dataSource[M]) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var model M
	c := d.call(&resp.Diagnostics)
	c.diags.Append(req.Config.Get(ctx, &model)...)
	if !c.ready() {
		return
	}
	if d.read(ctx, c, &model); !c.failed() {
		c.diags.Append(resp.State.Set(ctx, model)...)
	}
}

// listed is an element of a list resource.
type listed struct {
	name  string // for people
	id    types.String
	model any // the whole resource
}

// listResource is a list resource: a schema, and a function that returns the elements for
// the model M of its configuration. An error ends them.
type listResource[M any] struct {
	resourceBase
	objects string // such as "service tokens"
	failure string // summary of an error
	schema  listschema.Schema
	list    func(ctx context.Context, c call, config M) iter.Seq2[listed, error]
}

func (l *listResource[M]) ListResourceConfigSchema(
	_ context.Context, _ list.ListResourceSchemaRequest, resp *list.ListResourceSchemaResponse,
) {
	resp.Schema = l.schema
}

// List returns the elements as they arrive, at most as many as Terraform requested.
func (l *listResource[M]) List(ctx context.Context, req list.ListRequest, stream *list.ListResultsStream) {
	var config M
	var diags diag.Diagnostics
	c := l.call(&diags)
	diags.Append(req.Config.Get(ctx, &config)...)
	if !c.ready() {
		stream.Results = list.ListResultsStreamDiagnostics(diags)
		return
	}
	stream.Results = func(push func(list.ListResult) bool) {
		sent := int64(0)
		for element, err := range l.list(ctx, c, config) {
			if err != nil {
				c.fail(l.failure, "", err)
				push(list.ListResult{Diagnostics: diags})
				return
			}
			if !push(element.result(ctx, c, req)) {
				return
			}
			if sent++; sent == req.Limit {
				return
			}
		}
		if sent == 0 {
			c.warn("Query found nothing", "No %s match. Deployment: %s.", l.objects, c.client.URL())
			push(list.ListResult{Diagnostics: diags})
		}
	}
}

func (e listed) result(ctx context.Context, c call, req list.ListRequest) list.ListResult {
	result := req.NewListResult(ctx)
	result.DisplayName = printable(e.name)
	result.Diagnostics.Append(result.Identity.Set(ctx, newIdentity(c.client, e.id))...)
	if req.IncludeResource {
		result.Diagnostics.Append(result.Resource.Set(ctx, e.model)...)
	}
	return result
}
