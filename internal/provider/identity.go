// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/identityschema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// identityModel identifies an object of any type of this provider.
type identityModel struct {
	ID   types.String `tfsdk:"id"`
	Host types.String `tfsdk:"host"`
}

// identitySchema returns the identity schema of an object such as "service token".
func identitySchema(object string) identityschema.Schema {
	return identityschema.Schema{Attributes: map[string]identityschema.Attribute{
		"id": identityschema.StringAttribute{RequiredForImport: true, Description: "Numeric ID of the " + object + "."},
		"host": identityschema.StringAttribute{
			OptionalForImport: true,
			Description: "Host of the deployment, with its port unless that is the default. If set, an import from " +
				"another deployment is an error.",
		},
	}}
}

func newIdentity(client *qualytics.Client, id types.String) identityModel {
	return identityModel{ID: id, Host: types.StringValue(client.Host())}
}

// importID returns what is to be imported: the import ID, or the ID of an
// identity. It returns "" after an error.
func (c call) importID(ctx context.Context, req resource.ImportStateRequest) string {
	id := req.ID
	var identity identityModel
	if id == "" && req.Identity != nil && !req.Identity.Raw.IsNull() {
		c.diags.Append(req.Identity.Get(ctx, &identity)...)
		id = identity.ID.ValueString()
	}
	host := identity.Host.ValueString()
	switch {
	case id == "":
		c.refuse("Import ID is empty", "If the import ID comes from a variable, check that the variable is set.")
	case looksLikeSecret(id):
		c.refuse("Import ID looks like a secret", "The import ID looks like a bearer token, so it is not shown here. "+
			"The import ID is the numeric ID of the object. To import a service token with its secret, put the "+
			"secret into %s.", envImportToken)
		return ""
	case host != "" && !strings.EqualFold(host, c.client.Host()):
		c.refuse("Import from another deployment", "The identity belongs to the deployment %s, but the provider is "+
			"configured for %s. Correct host in the identity, or url in the provider configuration.", host,
			c.client.Host())
		return ""
	}
	return id
}

// jwtOrKey matches a JWT or a private key.
var jwtOrKey = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}|PRIVATE KEY|AGE-SECRET-KEY-`)

// longWord matches a single long word, but not a user_id (with @) or <account ID>/<token name>.
var longWord = regexp.MustCompile(`^[A-Za-z0-9_\-.=+]*[A-Za-z][A-Za-z0-9_\-.=+/]{23,}$`)

// looksLikeSecret reports whether an import ID may be a secret, so that no message may contain it.
func looksLikeSecret(text string) bool {
	return jwtOrKey.MatchString(text) || longWord.MatchString(text)
}

// formatID returns an ID of the API as text.
func formatID(id int64) string { return strconv.FormatInt(id, 10) }

// idValue returns an ID of the API as a value.
func idValue(id int64) types.String { return types.StringValue(formatID(id)) }

// parseID returns the ID in a text. It reports false for anything but a decimal number
// without sign or leading zeros.
func parseID(text string) (int64, bool) {
	id, err := strconv.ParseInt(text, 10, 64)
	return id, err == nil && formatID(id) == text
}

const invalidID = "Invalid ID"

// invalidIDText explains a value that is not an ID. It does not show the value, which may
// be a secret.
func invalidIDText(attribute path.Path) string {
	return fmt.Sprintf("The value of %s is not a numeric ID. Use the id of the object, such as "+
		"qualytics_service_account.example.id, and not its user_id or name.", attributeName(attribute))
}

// attributeName returns the name of an attribute without the value that the path of an
// element of a set contains.
func attributeName(attribute path.Path) string {
	name, _, _ := strings.Cut(attribute.String(), "[")
	return name
}

// addInvalidID adds an error without a path: Terraform would print the line with the value.
func addInvalidID(attribute path.Path, diags *diag.Diagnostics) {
	diags.AddError(invalidID, invalidIDText(attribute))
}

// importCommand returns the command that imports an object.
func (c call) importCommand(resourceType string, id int64) string {
	return fmt.Sprintf("\n\n    %s import %s.NAME %d", c.cli, resourceType, id)
}
