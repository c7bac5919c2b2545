package api

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
)

func TestReplays(t *testing.T) {
	s := newServer(t)
	const id, whk = "rpl_01kg95vh9ze00r00820c20a1g7", "whk_01kg95vh9ze00r00820c20a1g7"
	after := time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		path, body string
		status     int
		asked      []any
	}{
		{"/v1/webhooks/crm/replay", `{"after":"2026-01-31T09:00:00+01:00","status":"failed","types":["email.*"]}`, 202,
			[]any{"start", "crm", postroom.ReplayFilter{After: after, Status: "failed", Types: []string{"email.*"}}}},
		{"/v1/webhooks/crm/replay", `{"before":"2026-01-31T08:00:00Z","dry_run":true}`, 200, []any{"preview", "crm", postroom.ReplayFilter{Before: after}}},
		{"/v1/webhooks/crm/replay", "", 202, []any{"start", "crm", postroom.ReplayFilter{}}},
		{"/v1/replays", `{"status":"all"}`, 202, []any{"start", "", postroom.ReplayFilter{}}},
		{"/v1/replays", `{"status":"cancelled","dry_run":true}`, 200, []any{"preview", "", postroom.ReplayFilter{Status: "cancelled"}}},
	} {
		got := s.ok(test.status, "POST", test.path, test.body)
		if diff := cmp.Diff(test.asked, s.asked); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", test.path, test.body, diff)
		}
		if test.status == 200 {
			if got["id"] != nil || got["total"] != 5.0 || got["at_least"] != true || got["by_type"].(map[string]any)["email.opened"] != 4.0 || got["state"] != nil {
				t.Errorf("the preview is %v", got)
			}
		} else if got["id"] != id || got["state"] != "running" || got["total"] != 3.0 || got["done"] != 2.0 || got["by_type"] != nil || got["waiting"] != nil {
			t.Errorf("the replay is %v", got)
		}
	}
	for pointer, body := range map[string]string{"/after": `{"after":"yesterday"}`, "/status": `{"status":"held"}`, "/types": `{"types":"email.*"}`} {
		s.refused(postroom.CodeInvalid, []string{pointer}, "POST", "/v1/replays", body)
		s.refused(postroom.CodeInvalid, []string{pointer}, "POST", "/v1/webhooks/crm/replay", body)
	}

	if list := s.ok(200, "GET", "/v1/replays?limit=2", "")["data"].([]any); len(list) != 1 || list[0].(map[string]any)["webhook_id"] != nil {
		t.Errorf("%v", list)
	}
	got := s.ok(200, "GET", "/v1/replays/"+id, "")
	if got["waiting"] != 1.0 || got["webhook_id"] != whk || got["status"] != "failed" || got["ended_at"] != nil || got["created_by"] != "key_01kg95vh9ze00r00820c20a1g7" {
		t.Errorf("%v", got)
	}
	if got := s.ok(202, "POST", "/v1/replays/"+id+"/cancel", ""); got["state"] != "cancelled" || got["withdrawn"] != 1.0 || got["ended_at"] == nil {
		t.Errorf("%v", got)
	}
}

// A viewer may ask what a call would do, but not do it.
func TestPreviewsAreForViewers(t *testing.T) {
	s := newServer(t)
	viewer := []string{"Authorization", "Bearer prk_viewer"}
	for _, path := range []string{"/v1/webhooks/crm/replay", "/v1/replays", "/v1/events/order-1/replay", "/v1/webhooks/crm/resume"} {
		s.ok(200, "POST", path, `{"dry_run":true}`, viewer...)
		for _, body := range []string{"", "{}", `{"dry_run":false}`, `{"dry_run":"true"}`, `{"dry_run":true,"dry_run":false}`, `[{"dry_run":true}]`} {
			s.refused(postroom.CodeForbidden, nil, "POST", path, body, viewer...)
		}
	}
	if got := s.ok(200, "POST", "/v1/events/order-1/replay", `{"dry_run":true}`); len(got["data"].([]any)) != 0 || len(got["webhooks"].([]any)) != 1 {
		t.Errorf("%v", got)
	}
}
