// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// providerData is what a configured provider passes to its objects.
type providerData struct {
	client *qualytics.Client
	// unknown contains the arguments with unknown values; client is nil then.
	unknown    []string
	open       *openTokens
	contact    *contact
	names      *accountNames
	planTokens *planTokens
	// readTokens contains the IDs of what token resources have read in this process.
	readTokens *sync.Map
	accounts   *runAccounts
	cli        string // the command of Terraform or OpenTofu
	// guardrails limits what a plan may create or change. Unknown values are not checked.
	guardrails guardrailsModel
	lookupEnv  func(key string) (string, bool)
	clock      func() time.Time // of this machine
	random     io.Reader
}

// now returns the time of the server's clock, as far as a response has told it: expiry and
// last use are times of that clock, and the one of this machine may be wrong. What is decided
// without a request uses clock.
func (d *providerData) now() time.Time {
	if d.client == nil {
		return d.clock()
	}
	return d.client.ServerTime()
}

// openTokens are the ephemeral tokens that this process opened and not yet closed. Terraform and
// OpenTofu do not close an ephemeral resource if something that it depends on, or that depends on
// it, failed; they only stop the plugin. The tokens are then removed by close.
type openTokens struct {
	tokens sync.Map // openToken by ID
	names  sync.Map // of all tokens that were or are being opened
}

type openToken struct {
	id     int64
	name   string
	client *qualytics.Client
}

// contact is whether the deployment can be used, as far as a plan that creates something
// found out. Nothing else in such a plan has to send a request, so a wrong token or host
// would be found during apply, when other things have changed.
type contact struct {
	once sync.Once
	ok   bool
}

// accountNames finds the accounts that use a name while planning. The server derives
// the user_id from the letters and digits of a name, and a deactivated account keeps
// it. A rename in Qualytics changes the name of an account, but not its user_id.
//
// GET /users filters by a part of the name. One complete response covers every name
// that contains that part, so many new names need few requests. All look-ups of a run
// together send at most maxNameRequests; what they do not cover is left to the apply.
// TestRequestsForNewNames prints how many requests 300 new names need.
type accountNames struct {
	client   *qualytics.Client
	mu       sync.Mutex
	requests int
	covered  []string                  // parts of names whose accounts are known; "" means all
	common   map[string]bool           // parts with too many accounts
	accounts map[int64]*qualytics.User // all that were found, by ID
	stopped  bool                      // a request failed, or the apply has begun
}

// planTokens is the token list for warnings about tokens that are in use. It is requested once
// per run and not again after a write, because Terraform plans again during apply.
type planTokens struct {
	once   sync.Once
	tokens []qualytics.Token // none if they cannot be listed
}

// runAccounts is what this process knows of the service accounts in the state, and of what the plan
// does to them. Terraform plans a tainted object, and each address, without the other objects: only
// together do they show that one account ends and another one needs its name.
type runAccounts struct {
	mu       sync.Mutex
	accounts map[string]runAccount // by ID
	created  []types.String        // names of new accounts
	// replaces means that the plan creates or replaces an account.
	replaces atomic.Bool
}

// runAccount is a service account in the state.
type runAccount struct {
	accountFields
	read      bool // from the server, by this process
	kept      bool // an address of the plan keeps it
	destroyed bool // an address of the plan destroys it
}

// call is what the steps of one call of Terraform share: the configured provider, the
// diagnostics of the response, and where the object is stored. Its methods serve at least
// two nouns, and it never leaves the call.
type call struct {
	*providerData
	diags    *diag.Diagnostics
	private  privateData             // of the object
	state    *tfsdk.State            // of the response
	identity *tfsdk.ResourceIdentity // of the response; nil if Terraform is too old for it
}

// privateData is the framework's access to the private data of a resource.
type privateData interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
	SetKey(ctx context.Context, key string, value []byte) diag.Diagnostics
}

// on returns the call with the private data, the state, and the identity of an object.
func (c call) on(private privateData, state *tfsdk.State, identity *tfsdk.ResourceIdentity) call {
	c.private, c.state, c.identity = private, state, identity
	return c
}

// reporting returns the call with other diagnostics.
func (c call) reporting(diags *diag.Diagnostics) call {
	c.diags = diags
	return c
}

// failed reports whether the call has an error.
func (c call) failed() bool { return c.diags.HasError() }

// ready reports whether requests can be sent and the call has no error. If the provider
// configuration has unknown values, it adds an error.
func (c call) ready() bool {
	if c.client == nil {
		c.refuse("Unknown provider configuration", "A request to Qualytics is required now, but the value of %s in "+
			"the provider configuration is only known after apply. Apply what it depends on first, with \"%s apply "+
			"-target=ADDRESS\", or use a known value.", strings.Join(c.unknown, " and "), c.cli)
	}
	return !c.failed()
}

// fail adds an error of the client. object is what the request was about, such as
// "service account "x""; it may be empty.
func (c call) fail(summary, object string, err error) {
	c.diags.AddError(summary, detailOf(object, err))
}

// refuse adds an error.
func (c call) refuse(summary, format string, args ...any) {
	c.diags.AddError(summary, fmt.Sprintf(format, args...))
}

// failAt adds an error to an attribute.
func (c call) failAt(attribute, summary, format string, args ...any) {
	c.diags.AddAttributeError(path.Root(attribute), summary, fmt.Sprintf(format, args...))
}

// warn adds a warning.
func (c call) warn(summary, format string, args ...any) {
	c.diags.AddWarning(summary, fmt.Sprintf(format, args...))
}

// warnAt adds a warning to an attribute.
func (c call) warnAt(attribute, summary, format string, args ...any) {
	c.diags.AddAttributeWarning(path.Root(attribute), summary, fmt.Sprintf(format, args...))
}

// id returns the ID in an attribute, or 0 after an error.
func (c call) id(value types.String, attribute string) int64 {
	id, ok := parseID(value.ValueString())
	if !ok {
		addInvalidID(path.Root(attribute), c.diags)
	}
	return id
}

// warnOfInvalidID warns while planning if one of the known values is not an ID, which is an
// error during apply. Mocks of other objects may have any ID, so it is not an error before.
func (c call) warnOfInvalidID(attribute string, known ...string) {
	invalid := func(value string) bool { _, ok := parseID(value); return !ok }
	if c.client != nil && slices.ContainsFunc(known, invalid) {
		c.warn(invalidID, "%s", invalidIDText(path.Root(attribute))) // a path would show the value
	}
}

// load decodes a key of the private data into value, and leaves value unchanged if there is none.
func (c call) load(ctx context.Context, key string, value any) {
	text, diags := c.private.GetKey(ctx, key)
	c.diags.Append(diags...)
	if len(text) > 0 && json.Unmarshal(text, value) != nil {
		c.refuse("Provider bug", "The private data %q is invalid. %s", key, reportText)
	}
}

// store encodes value into a key of the private data, unless it is there already.
func (c call) store(ctx context.Context, key string, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		c.refuse("Provider bug", "The private data %q cannot be encoded. %s", key, reportText)
		return
	}
	stored, diags := c.private.GetKey(ctx, key)
	if c.diags.Append(diags...); !sameJSON(stored, text) {
		c.diags.Append(c.private.SetKey(ctx, key, text)...)
	}
}

// sameJSON reports whether two texts are the same value: Terraform may have stored it in
// another form.
func sameJSON(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

const reportText = "Please report this: https://github.com/qualytics/terraform-provider-qualytics/issues."

const hostKey = "host"

// deployment returns host and path of the provider's deployment, such as
// "example.qualytics.io/api".
func (c call) deployment() string {
	_, rest, _ := strings.Cut(c.client.URL(), "://")
	_, path, _ := strings.Cut(rest, "/")
	return strings.TrimSuffix(c.client.Host()+"/"+path, "/")
}

// save stores an object in the state, together with its identity and the deployment.
func (c call) save(ctx context.Context, id types.String, model any) {
	c.diags.Append(c.state.Set(ctx, model)...)
	c.identify(ctx, id)
	c.store(ctx, hostKey, c.deployment())
}

// identify sets the identity of an object that has none, because an older Terraform stored
// it, or that has another ID.
func (c call) identify(ctx context.Context, id types.String) {
	if c.identity == nil {
		return
	}
	var stored identityModel
	if !c.identity.Raw.IsNull() {
		c.diags.Append(c.identity.Get(ctx, &stored)...)
	}
	if !stored.ID.Equal(id) {
		c.diags.Append(c.identity.Set(ctx, newIdentity(c.client, id))...)
	}
}

// base contains the configured provider and the name of the type without "qualytics_".
// Every kind of object embeds it.
type base struct {
	name string
	data *providerData
}

// call returns the call whose response has the given diagnostics.
func (b *base) call(diags *diag.Diagnostics) call {
	if b.data == nil { // the provider is not configured
		return call{providerData: &providerData{}, diags: diags}
	}
	return call{providerData: b.data, diags: diags}
}

func (b *base) configure(data any, diags *diag.Diagnostics) {
	if data == nil {
		return // the provider is not configured during validation
	}
	d, ok := data.(*providerData)
	if !ok {
		diags.AddError("Provider bug", fmt.Sprintf("The provider data has the type %T. %s", data, reportText))
		return
	}
	b.data = d
}

// resourceBase is the base of a resource or list resource.
type resourceBase struct {
	base
	object string // that the identity is of, such as "service account"
}

func (b *resourceBase) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_" + b.name
}

func (b *resourceBase) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	b.configure(req.ProviderData, &resp.Diagnostics)
}

func (b *resourceBase) IdentitySchema(
	_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse,
) {
	resp.IdentitySchema = identitySchema(b.object)
}
