// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/qualytics/terraform-provider-qualytics/internal/seal"
)

// encryptionModel is the attribute encryption: the secret of a token is encrypted to
// a public key in memory, and the state contains the ciphertext only.
type encryptionModel struct {
	Algorithm types.String `tfsdk:"algorithm"`
	PublicKey types.String `tfsdk:"public_key"`
}

var encryptionTypes = map[string]attr.Type{"algorithm": types.StringType, "public_key": types.StringType}

// encrypter returns the ciphertext of a secret.
type encrypter = seal.Func

func encryptionAttribute() schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		Optional: true,
		MarkdownDescription: "Encrypts the secret to a public key. `encrypted_token` contains the ciphertext and " +
			"`token` is null, so that the secret is in no plan and no state." + rotatesToken,
		Attributes: map[string]schema.Attribute{
			"algorithm": schema.StringAttribute{
				Required: true, Validators: []validator.String{oneOf(seal.Algorithms()...)},
				MarkdownDescription: "`age` (ASCII armor) or `sealed_box` (standard base64 of libsodium's " +
					"`crypto_box_seal`, as GitHub expects).",
			},
			"public_key": schema.StringAttribute{
				Required: true,
				MarkdownDescription: "Public key of the consumer: an age recipient (`age1…`, `age1pq1…`; not one of " +
					"a plugin) or an SSH public key (`ssh-ed25519`, `ssh-rsa`) for `age`, the standard base64 of 32 " +
					"bytes for `sealed_box`.",
			},
		},
	}
}

// encrypterOf returns the encrypter of the attribute encryption, or nil if that is
// null or not completely known. An invalid key is an error that does not show it, and
// that has no path, because Terraform prints the source line of an attribute.
func encrypterOf(ctx context.Context, value types.Object, diags *diag.Diagnostics) encrypter {
	if value.IsNull() || value.IsUnknown() {
		return nil
	}
	var model encryptionModel
	diags.Append(value.As(ctx, &model, basetypes.ObjectAsOptions{})...)
	algorithm := model.Algorithm.ValueString()
	if diags.HasError() || !slices.Contains(seal.Algorithms(), algorithm) || model.PublicKey.IsNull() ||
		model.PublicKey.IsUnknown() {
		return nil
	}
	encrypt, err := seal.To(algorithm, model.PublicKey.ValueString())
	if err != nil {
		diags.AddError("Invalid encryption key", fmt.Sprintf("The value of encryption.public_key cannot be used with "+
			"the algorithm %q: %s. The value is not shown, because it may be a private key.", algorithm, err))
		return nil
	}
	return encrypt
}
