package api

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write openapi.yaml anew")

// TestOpenAPI compares the document with openapi.yaml. When a change is meant, renew the file:
//
//	go test ./api -run TestOpenAPI -update
func TestOpenAPI(t *testing.T) {
	const golden = "openapi.yaml"
	got, err := newServer(t).api.document.YAML()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("the API and %s differ (-file +API); if that is meant, run: go test ./api -run TestOpenAPI -update\n%s", golden, diff)
	}
}
