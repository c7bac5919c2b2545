package api

import "github.com/postroom/postroom/app"

// The application has all that the API needs of it.
var _ App = (*app.App)(nil)
