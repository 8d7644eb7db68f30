// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package qualyticstest

// Profile is the behavior of a build of Qualytics, where builds differ or the
// documentation leaves it open.
type Profile struct {
	Name   string
	Build  string // info.version of the build
	Prefix string // path prefix of the API; "" for the root

	// Ingress is the kind of the ingress: Envoy, or "" for nginx.
	Ingress string
	// RequireHTTPS makes the ingress redirect http, so that each request to Server.URL is
	// redirected.
	RequireHTTPS bool

	// Documented differences.
	Roles        []string // assignable roles
	TeamObjects  bool     // teams of a user as objects instead of names
	CreatedField string   // of a user: "created", "created_at", or "" for none
	UserName     string   // "user_id" or "svc"
	Email        string   // "null", "user_id" or "fixed"
	TotalField   string   // of a page: "total" or "total_count"
	PagesField   bool     // whether a page has "pages"
	TimeLayout   string   // Go layout of every time
	TeamDetails  bool     // teams have description and permission

	// ShortTokenCreate omits created, last_used, and most of the user from the
	// response to POST /user-tokens.
	ShortTokenCreate bool
	// NoTokenCreated omits created from every token.
	NoTokenCreated bool

	// Behavior that the documentation leaves open.
	CreateStatus           int    // 200 or 201
	DeleteStatus           int    // 204, or 200 or 202 with a body
	DeactivatedIsNotFound  bool   // GET of a deactivated user: 404 instead of deleted_at
	DeactivatedFreesUserID bool   // its user_id may be used again
	UnknownTeam            string // "400", "404", "422", "drop", or "create"
	MergePut               bool   // PUT of a user leaves absent fields alone
	DeleteActiveToken      int    // status for deleting a token that is not revoked: 400, 409, or 204
	RevokeTwiceFails       bool   // revoking a revoked token: 400
	RestoreExpired         bool   // an expired token can be restored
	ExpiredIsInactive      bool   // an expired token does not keep its owner from being deactivated
	RevokedFreesName       bool   // a revoked token's name may be used again
	TokenEnvelope          bool   // the list of service tokens comes in an envelope
	TokenPages             bool   // and in pages
	KeepHyphens            bool   // in a user_id
	SCIMOnlyStatus         int    // for a SCIM-only token outside /scim/v2
	DetailShape            string // of an error's detail: "string", "list" or "object"

	// IgnoreRole and IgnoreTeams make POST and PUT ignore the role or the teams.
	IgnoreRole, IgnoreTeams bool
	// IgnoreSCIM makes new tokens work on all endpoints.
	IgnoreSCIM bool
	// Bearer is the format of bearer tokens: "" for a JWT with jti, iat, and exp,
	// "bare" for one without these claims, "skewed" for one without jti and exp
	// whose iat is an hour late, and "opaque" for no JWT.
	Bearer string
	// IgnoreRevoke makes PUT of a token ignore a revocation.
	IgnoreRevoke bool
	// OmitTeams omits teams from GET of a user.
	OmitTeams bool
	// MaxExpiryDays limits the lifetime of new tokens, and gives one to those without; 0 does not.
	MaxExpiryDays int
	// CreatedRevoked makes POST of a token say that it is revoked.
	CreatedRevoked bool
	// IgnoreExpiry makes new tokens never expire.
	IgnoreExpiry bool

	// Behavior that no known build has.
	TeamIDs              bool   // teams of a user as IDs
	MaxPageSize          int    // 0: 100
	NoIncludeDeleted     bool   // GET /users refuses include_deleted
	ExpirationField      string // of a token; "": expiration
	ReactivatePath       bool   // POST /users/{id}/reactivate exists
	PutRequiresName      bool   // PUT of a user requires name, role, and teams
	MaxExpiresInDays     int    // of a request; 0: 365
	DeactivateWithTokens bool   // an account with active tokens can be deactivated
	DuplicateTokenNames  bool   // the tokens of an account may have equal names
	NoOpenAPI            int    // status of GET /openapi.json; 0: 200
}

const (
	zoned      = "2006-01-02T15:04:05Z07:00"
	offset     = "2006-01-02T15:04:05.000000-07:00"
	fractional = "2006-01-02T15:04:05.000000"
)

// Profiles returns the presets, newest first.
func Profiles() []Profile { return []Profile{Build202609(), Docs202604(), Seed202511()} }

// Strange returns the profile of a build that differs from the documentation in many
// points, for tests of tools that find such differences.
func Strange() Profile {
	p := Build202609()
	p.Name, p.Build = "strange", "20990101-0000000"
	p.Roles = append(p.Roles, "Owner")
	p.TeamIDs, p.MaxPageSize, p.NoIncludeDeleted, p.ExpirationField = true, 50, true, "expires_at"
	p.ReactivatePath, p.PutRequiresName, p.MaxExpiresInDays = true, true, 90
	p.DeleteActiveToken, p.DeactivateWithTokens, p.DuplicateTokenNames = 204, true, true
	p.IgnoreSCIM, p.UnknownTeam = true, "create"
	return p
}

// ProfileNamed returns the preset with a name. With "-envoy" after the name, it is behind Envoy.
func ProfileNamed(name string) (Profile, bool) {
	for _, p := range append(Profiles(), Strange()) {
		switch name {
		case p.Name:
			return p, true
		case p.Name + envoySuffix:
			return p.BehindEnvoy(), true
		}
	}
	return Profile{}, false
}

// Build202609 returns the profile of a deployment of September 2026.
func Build202609() Profile {
	return Profile{
		Name: "2026-09", Build: "20260910-6599e5c", Prefix: "/api",
		Roles: []string{"Admin", "Manager", "Member"}, TeamObjects: true, CreatedField: "created",
		UserName: "user_id", Email: "null", TotalField: "total", PagesField: true,
		TimeLayout: fractional, TeamDetails: true,
		CreateStatus: 200, DeleteStatus: 204, UnknownTeam: "422", DeleteActiveToken: 400,
		RestoreExpired: false, ExpiredIsInactive: true, SCIMOnlyStatus: 403, DetailShape: "string",
	}
}

// Docs202604 returns the profile of the user guide of April 2026.
func Docs202604() Profile {
	return Profile{
		Name: "docs-2026-04", Build: "20260402-1f0c2d9", Prefix: "/api",
		Roles: []string{"Admin", "Manager", "Member"}, CreatedField: "created_at",
		UserName: "svc", Email: "user_id", TotalField: "total_count", PagesField: true,
		TimeLayout: zoned, TeamDetails: true,
		CreateStatus: 201, DeleteStatus: 200, DeactivatedIsNotFound: true, UnknownTeam: "404",
		MergePut: true, DeleteActiveToken: 409, RevokeTwiceFails: true,
		KeepHyphens: true, SCIMOnlyStatus: 401, DetailShape: "list",
	}
}

// Seed202511 returns the profile of the first build with service accounts, a bare control plane.
func Seed202511() Profile {
	return Profile{
		Name: "seed-2025-11", Build: "20251106-3d1ade3", Prefix: "",
		Roles:    []string{"Admin", "Manager", "Editor", "Member"},
		UserName: "user_id", Email: "fixed", TotalField: "total", TimeLayout: offset,
		ShortTokenCreate: true, CreateStatus: 200, DeleteStatus: 202, UnknownTeam: "drop",
		DeleteActiveToken: 400, RestoreExpired: true, ExpiredIsInactive: true,
		TokenEnvelope: true, SCIMOnlyStatus: 403, DetailShape: "object",
	}
}
