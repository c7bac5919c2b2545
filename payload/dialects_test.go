package payload_test

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/payload"
)

// The templates in testdata/dialects make the bodies that other products send, from events of the catalogue. They name only what the schemas of
// the catalogue have.
func TestDialects(t *testing.T) {
	var types []payload.Type
	for _, known := range load(t).Types() {
		types = append(types, payload.Type{Name: known.Name, Schema: known.Schema})
	}
	files, err := filepath.Glob("testdata/dialects/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			parts := map[string][]byte{}
			for _, f := range archive.Files {
				parts[f.Name] = f.Data
			}
			var event struct {
				ID, Type string
				Time     time.Time
				Data     json.RawMessage
			}
			decodeJSON(t, parts["event.json"], &event)
			e := &postroom.Event{UID: event.ID, Type: event.Type, Time: event.Time, Data: event.Data}
			o := payload.Options{Types: types}
			in := &payload.Input{Event: e}
			if parts["variables.json"] != nil {
				err := payload.Members(parts["variables.json"], func(key, raw []byte) error {
					o.Variables, in.Variables = append(o.Variables, string(key)), append(in.Variables, raw)
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			tmpl, err := payload.Compile(parts["template.json"], o)
			if err != nil {
				t.Fatal(err)
			}
			got, notes, err := tmpl.Render(nil, in)
			if err != nil || notes != nil {
				t.Fatal(err, notes)
			}
			want, err := payload.AppendJS(nil, parts["want.json"])
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
