package postroom

// AuthTypes are all the ways to prove oneself, for checks and documentation.
func AuthTypes() []AuthType {
	return []AuthType{AuthNone, AuthAPIKey, AuthBearer, AuthBasic, AuthHeader, AuthQuery}
}
