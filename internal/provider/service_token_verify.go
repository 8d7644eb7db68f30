// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/qualytics/terraform-provider-qualytics/internal/qualytics"
)

// verifySCIM tries a new token that should be limited to SCIM on another
// endpoint, because the server does not report the limit.
func verifySCIM(ctx context.Context, client *qualytics.Client, plan tokenModel, t *qualytics.NewToken,
	diags *diag.Diagnostics,
) {
	if !plan.SCIMEndpointsOnly.ValueBool() {
		return
	}
	limited, err := client.WithToken(t.Bearer)
	if err == nil {
		_, err = limited.CurrentUser(ctx)
	}
	switch e := asError(err); {
	case err == nil:
		diags.AddAttributeWarning(path.Root("scim_endpoints_only"), "Service token is not limited to SCIM",
			fmt.Sprintf("%s also works outside of the SCIM endpoints, with all permissions of its account. It is "+
				"in the state; if you do not want that, destroy it.", sentenceStart(tokenLabel(&t.Token))))
	case e.Status != http.StatusUnauthorized && e.Status != http.StatusForbidden:
		diags.AddAttributeWarning(path.Root("scim_endpoints_only"), "Unable to verify SCIM restriction", "The API "+
			"does not report whether a token is limited to SCIM, and the attempt to use the token elsewhere "+
			"failed. "+responseText(e))
	}
}

// importSecret returns the secret of an imported token from the environment if the
// server confirms that it belongs to this token, else null. No diagnostic contains
// it.
func (r *tokenResource) importSecret(ctx context.Context, client *qualytics.Client, t *qualytics.Token,
	model tokenModel, diags *diag.Diagnostics,
) types.String {
	const unknownSecret = "Secret of imported service token is unknown"
	const notStored = "Unable to import secret of service token"
	r.data.importedTokens.Store(model.ID.ValueString(), true)
	value, _ := r.data.lookupEnv(envImportToken)
	secret := qualytics.Secret(strings.TrimSpace(value))
	if secret == "" {
		diags.AddWarning(unknownSecret,
			unknownSecretText(model)+" If you have the secret, set "+envImportToken+" to it and import again.")
		return types.StringNull()
	}
	withSecret, err := client.WithToken(secret)
	if err != nil {
		diags.AddError(notStored, sentence(envImportToken+" is invalid: "+err.Error()))
		return types.StringNull()
	}
	own, err := withSecret.TokenOwnership(ctx, t, "")
	me, meErr := withSecret.Me(ctx)
	switch {
	case meErr != nil:
		diags.AddError(notStored,
			"Unable to look up the owner of the secret in "+envImportToken+". "+responseText(asError(meErr))+
				" The secret may be expired, revoked, limited to SCIM, or of another deployment.")
	case me.ID != t.User.ID:
		diags.AddError(notStored, fmt.Sprintf("The secret in %s belongs to another account than %s. Set it to the "+
			"secret of that token, or unset it.", envImportToken, model.label()))
	case err == nil && own == qualytics.Own:
		return types.StringValue(string(secret))
	case err == nil && own == qualytics.NotOwn:
		diags.AddWarning(unknownSecret,
			unknownSecretText(model)+" The secret in "+envImportToken+" belongs to another token of the same account.")
	default:
		diags.AddWarning(unknownSecret, unknownSecretText(model)+" The secret in "+envImportToken+
			" belongs to the same account, but the API does not report which of its tokens it is, so it is not stored.")
	}
	return types.StringNull()
}
