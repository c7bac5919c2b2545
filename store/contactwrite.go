package store

import (
	"context"

	"github.com/postroom/postroom"
)

// writeContacts stores contacts as they are to be, unless one of them has changed meanwhile.
func writeContacts(_ context.Context, _ querier, _ []postroom.ContactWrite) (stale bool, err error) {
	return false, nil
}
