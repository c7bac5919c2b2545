package e2e

import (
	"maps"
	"testing"
)

// TestAPI runs every case on each database, all against one server, and each in a workspace of its own.
func TestAPI(t *testing.T) {
	onBoth(t, func(t *testing.T, set settings) {
		s := startServer(t, set)
		for name, test := range cases() {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(newTenant(t, s))
			})
		}
	})
}

// cases are the tests that need no more than a workspace and a receiver.
func cases() map[string]func(*tenant) {
	all := map[string]func(*tenant){}
	for _, some := range []map[string]func(*tenant){
		deliveryCases(), payloadCases(), failureCases(), holdCases(), logCases(), publishCases(), onceCases(), cloudEventCases(), resourceCases(), listCases(),
		refusalCases(), authCases(), orderCases(), faultCases(), compatCases(), dialectCases(),
	} {
		maps.Copy(all, some)
	}
	return all
}
