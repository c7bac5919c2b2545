package store

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

// preparer is what both a connection and a transaction are.
type preparer interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

func prepare(ctx context.Context, q querier, text string) (err error) {
	prepared, err := q.conn.(preparer).PrepareContext(ctx, text)
	if err != nil {
		return err
	}
	defer func() { err = prepared.Close() }()
	return nil
}

// testEveryTextPrepares lets both databases parse every named text.
func testEveryTextPrepares(f *fixture) {
	t := f.t
	if len(f.s.texts) < 70 {
		t.Errorf("there are only %d texts", len(f.s.texts))
	}
	f.must(f.s.write(f.ctx, func(q querier) error {
		for name, text := range f.s.texts {
			if err := prepare(f.ctx, q, text); err != nil {
				f.t.Errorf("%s: %v", name, err)
			}
		}
		return nil
	}))
}

// A listed is a dynamic listing, as people may ask for it.
type listed struct {
	what    string
	text    string
	args    []any
	event   bool                    // filters by event
	webhook bool                    // filters by webhook
	status  postroom.DeliveryStatus // of deliveries
	bounded bool                    // begins or ends at a cursor or a time
}

// listings are all combinations of the filters of deliveries and events that may matter to a plan.
func listings(workspace postroom.WorkspaceID, webhook postroom.WebhookID, event postroom.EventID, d dialect) (all []listed) {
	cursors := []*postroom.Cursor{nil, {ID: postroom.FirstID[postroom.DeliveryKind](at(time.Minute))}, {Newer: true, ID: postroom.FirstID[postroom.DeliveryKind](at(-time.Minute))}}
	spans := []struct{ after, before time.Time }{{}, {after: at(-time.Hour)}, {at(-time.Hour), at(time.Hour)}}
	add := func(l listed, list *listing) {
		l.text = translate(d, l.text)
		all = append(all, l)
		if len(list.filters) > 0 {
			l.what = "how far: " + l.what
			l.text, l.args = list.rest()
			l.text = translate(d, l.text)
			all = append(all, l)
		}
	}
	for i, cursor := range cursors {
		for _, span := range spans {
			place := fmt.Sprintf("cursor %d, after %v, before %v", i, !span.after.IsZero(), !span.before.IsZero())
			bounded := cursor != nil || !span.after.IsZero()
			for k := range 8 {
				filter := postroom.EventFilter{After: span.after, Before: span.before}
				if k&1 != 0 {
					filter.Type, filter.Contact = "email.*", "ada@example.com"
				}
				if k&2 != 0 {
					filter.Type, filter.Campaign = "email.opened", "790"
				}
				if k&4 != 0 {
					filter.Text = "ada"
				}
				_, others := eventListing(workspace, filter, cursor)
				for drive := range max(len(others), 1) {
					if d == sqlite {
						drive = -1
					}
					l, others := eventListing(workspace, filter, cursor)
					l.window = 100
					text, args := eventSQL(d, filter, l, others, drive, 50)
					add(listed{what: fmt.Sprintf("events: %s, %+v by %d", place, filter, drive), text: text, args: args, bounded: bounded}, l)
				}
			}
			for _, status := range append(postroom.DeliveryStatuses(), "") {
				for k := range 8 {
					filter := postroom.DeliveryFilter{Status: status, After: span.after, Before: span.before}
					l := listed{status: status, bounded: bounded}
					if k&1 != 0 {
						filter.Type, filter.StatusCode = "email.opened", 500
					}
					if k == 1 {
						filter.Type = "email.*"
					}
					if k&2 != 0 {
						filter.Webhook, l.webhook = webhook, true
					}
					if k&4 != 0 {
						filter.Event, l.event = event, true
					}
					_, others := deliveryListing(d, workspace, filter, cursor)
					for drive := range max(len(others), 1) {
						list, others := deliveryListing(d, workspace, filter, cursor)
						list.window = 100
						text, args := deliverySQL(workspace, filter, list, others, drive, 50, true)
						l.what, l.text, l.args = fmt.Sprintf("deliveries: %s, %+v by %d", place, filter, drive), text, args
						add(l, list)
					}
				}
			}
		}
	}
	return all
}

// requestListings are all combinations of the filters of requests that may matter to a plan.
func requestListings(workspace postroom.WorkspaceID, source postroom.SourceID, d dialect) (all []listed) {
	cursors := []*postroom.Cursor{nil, {ID: postroom.FirstID[postroom.DeliveryKind](at(time.Minute))}, {Newer: true, ID: postroom.FirstID[postroom.DeliveryKind](at(-time.Minute))}}
	for i, cursor := range cursors {
		for _, status := range append(postroom.RequestStatuses(), "") {
			for k := range 8 {
				filter := postroom.RequestFilter{Status: status}
				if k&1 != 0 {
					filter.Source = source
				}
				if k&2 != 0 {
					filter.After, filter.Before = at(-time.Hour), at(time.Hour)
				}
				if k&4 != 0 {
					filter.EventType, filter.Sender = "email.*", "203.0.113.9"
				}
				l, _ := requestListing(workspace, filter, cursor)
				l.window = 100
				text, args := l.sql(50)
				one := listed{what: fmt.Sprintf("requests: cursor %d, %+v", i, filter), text: translate(d, text), args: args, bounded: cursor != nil || k&2 != 0}
				all = append(all, one)
				if len(l.filters) > 0 {
					one.what = "how far: " + one.what
					one.text, one.args = l.rest()
					one.text = translate(d, one.text)
					all = append(all, one)
				}
			}
		}
	}
	return all
}

// sqlitePlan asks SQLite how it would run a text.
func (f *fixture) sqlitePlan(text string, args []any) (steps []string) {
	f.t.Helper()
	f.must(f.s.read(f.ctx, func(q querier) error {
		return q.eachText(f.ctx, "explain "+text, "EXPLAIN QUERY PLAN "+text, func(row func(...any) error) error {
			var id, parent, unused int
			var step string
			err := row(&id, &parent, &unused, &step)
			steps = append(steps, step)
			return err
		}, args...)
	}))
	return steps
}

var (
	sqliteTable = regexp.MustCompile(`^(SCAN|SEARCH) (d|deliveries|e|events|attempts|rollups|rollups_open|replays|requests|r|sources|request_keys|source_health|event_keys|idempotency|webhooks|webhook_secrets|webhook_health|keys|workspaces|contacts|p|contact_tags|tag_counts|lists|l|list_counts|n|memberships|m|consents|fields|imports|audit|erasures)\b`)
	placeholder = regexp.MustCompile(`\?\d+`)
	onlyOwner   = regexp.MustCompile(`\(workspace_id=\?\)`)
)

// TestSQLitePlans looks at how SQLite finds the rows of each text: through an index, and through the right one.
func TestSQLitePlans(t *testing.T) {
	f := newFixture(t, newSQLite(t).open())
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)

	// These read a whole table, each for a reason: it is small, or the step is bounded, or it happens once.
	wholeTable := map[string]string{
		"rollup_open_oldest": "small, and for the doctor",
		"queue_state_oldest": "one look into the index for each workspace",
		"workspace_list":     "an operator asks for all", "workspace_revisions": "all of them, a few bytes each",
		"expire_attempts": "in the order of rows, up to a limit", "expire_deliveries": "in the order of rows, up to a limit",
		"newest_event": "of each workspace, which are few, one row", "expire_events": "in the order of rows, up to a limit", "expire_secrets": "few have an end, and it runs four times an hour",
		"purge_secrets": "a workspace is deleted", "purge_webhooks": "a workspace is deleted", "purge_health": "a workspace is deleted",
		"replay_leave": "the few that have not ended, when a node ends", "replay_void": "the few that have not ended, at the start",
		"replay_unfinished": "the few that have not ended",
		"expire_requests":   "in the order of rows, up to a limit", "expire_request_keys": "in the order of rows, up to a limit",
		"request_take_over":   "what waits, at the start",
		"purge_source_health": "a workspace is deleted", "purge_sources": "a workspace is deleted", "purge_request_keys": "a workspace is deleted", "close_sources": "a workspace is deleted",
	}
	for _, name := range []string{"list_deleted", "erasure_list"} {
		wholeTable[name] = "the few that something cut off"
	}
	// These look at all rows of a workspace on purpose; newest_event and event_oldest end at the first.
	wholeWorkspace := []string{"purge_attempts", "purge_deliveries", "purge_events", "purge_event_keys", "purge_rollups", "purge_rollups_open", "key_list", "member_list", "member_other_admins", "session_delete_member", "purge_members", "purge_sessions", "purge_links", "key_delete_all",
		"event_type_list", "event_type_delete_all", "idempotency_delete_all", "webhook_subscriptions",
		"webhook_stopped", "purge_replays", "replay_waiting", "newest_event", "event_oldest", "field_list", "purge_contacts_page", "purge_tag_counts", "purge_list_counts", "purge_lists", "purge_fields", "purge_imports",
		"purge_audit", "purge_erasures", "purge_requests", "purge_request_keys", "purge_sources", "close_sources"}
	// The queue and the look-ups that are made for each delivery must use just this.
	exactly := map[string]string{
		"contact_stored":              "(workspace_id=? AND id=?)",
		"contact_taken":               "contacts_email (workspace_id=? AND email_key=?)",
		"contact_by_emails":           "contacts_email (workspace_id=? AND email_key=?)",
		"contact_by_uids":             "contacts_uid (workspace_id=? AND uid=?)",
		"contact_by_phone":            "contacts_phone (workspace_id=? AND phone=?)",
		"contact_tags_of":             "(workspace_id=? AND contact_id=?)",
		"contact_words":               "contacts_first (workspace_id=? AND first_key>? AND first_key<?)",
		"membership_of":               "(workspace_id=? AND contact_id=?)",
		"consent_list":                "(workspace_id=? AND contact_id=?)",
		"list_named":                  "lists_name (workspace_id=? AND name_key=?)",
		"list_by_uid":                 "lists_uid (workspace_id=? AND uid=?)",
		"list_members_left":           "memberships_all (workspace_id=? AND list_id=?)",
		"list_deleted":                "lists_deleted",
		"expire_audit":                "audit_at (at<?)",
		"expire_imports":              "imports_ended (ended_at",
		"erase_deliveries":            "deliveries_event (event_id=?)",
		"erase_events_page":           "(workspace_id=? AND id>?)",
		"erase_requests_page":         "(workspace_id=? AND id>?)",
		"queue_claim":                 "deliveries_queue (state=? AND webhook_id=? AND due_at<?)",
		"queue_next_due":              "deliveries_queue (state=? AND webhook_id=?)",
		"queue_take_over":             "deliveries_queue (state=?)",
		"queue_count":                 "COVERING INDEX deliveries_queue (state=? AND webhook_id=?)",
		"queue_oldest":                "deliveries_webhook_trouble (webhook_id=? AND state=?)",
		"queue_discard":               "deliveries_queue (state=? AND webhook_id=?)",
		"queue_webhooks":              "deliveries_queue (state=? AND webhook_id>?)",
		"queue_backlog":               "deliveries_queue (state<?)",
		"delivery_finish":             "(workspace_id=? AND id=?)",
		"delivery_set_due":            "(workspace_id=? AND id=?)",
		"delivery_get":                "(workspace_id=? AND id=?)",
		"delivery_requeue":            "(workspace_id=? AND id=?)",
		"delivery_by_event":           "deliveries_event (event_id=?)",
		"replay_page_webhook":         "deliveries_webhook (webhook_id=? AND id>? AND id<?)",
		"replay_page_workspace":       "(workspace_id=? AND id>? AND id<?)",
		"replay_page_trouble":         "deliveries_trouble (workspace_id=? AND state=? AND id>? AND id<?)",
		"replay_page_webhook_trouble": "deliveries_webhook_trouble (webhook_id=? AND state=? AND id>? AND id<?)",
		"replay_waiting_page":         "deliveries_trouble (workspace_id=? AND state=? AND id>? AND id<?)",
		"replay_waiting":              "COVERING INDEX deliveries_queue (state=? AND webhook_id=? AND due_at=?)",
		"replay_waiting_webhook":      "COVERING INDEX deliveries_queue (state=? AND webhook_id=? AND due_at=?)",
		"replay_requeue":              "(workspace_id=? AND id=?)",
		"replay_withdraw":             "(workspace_id=? AND id=?)",
		"replay_unfinished":           "replays_unfinished",
		"replay_older":                "replays_workspace (workspace_id=? AND id<?)",
		"replay_newer":                "replays_workspace (workspace_id=? AND id>?)",
		"attempt_list_many":           "(delivery_id=?)",
		"event_list_many":             "(workspace_id=? AND id=?)",
		"event_get":                   "(workspace_id=? AND id=?)",
		"event_by_uid":                "events_uid (workspace_id=? AND uid=?)",
		"event_key_get":               "(workspace_id=? AND key=?)",
		"attempt_list":                "(delivery_id=?)",
		"key_by_digest":               "(digest=?)",
		"webhook_by_uid":              "webhooks_uid (workspace_id=? AND uid=?)",
		"webhook_by_number":           "webhooks_number (number=? AND workspace_id=?)",
		"webhook_of_dialect":          "webhooks_dialect (workspace_id=? AND dialect=?)",
		"webhook_of_dialect_count":    "webhooks_dialect (workspace_id=? AND dialect=?)",
		"webhook_customer_older":      "webhooks_customer (workspace_id=? AND customer=? AND id<?)",
		"webhook_older":               "webhooks_workspace (workspace_id=? AND id<?)",
		"webhook_stopped":             "webhooks_stopped (workspace_id=?)",
		"webhook_newer":               "webhooks_workspace (workspace_id=? AND id>?)",
		"order_last":                  "deliveries_line (webhook_id=? AND order_key=? AND state<?)",
		"order_promote":               "deliveries_line (webhook_id=? AND order_key=? AND state<?)",
		"order_next":                  "deliveries_line ((webhook_id,order_key)>(?,?))",
		"order_parked":                "(workspace_id=? AND id=?)",
		"queue_waiting_workspace":     "deliveries_trouble (workspace_id=? AND state=?)",
		"queue_stuck":                 "deliveries_queue (state=?)",
		"queue_state_count":           "COVERING INDEX deliveries_queue (state=?)",
		"queue_state_oldest":          "deliveries_trouble (workspace_id=? AND state=?)",
		"queue_state_due":             "deliveries_queue (state=? AND webhook_id>?)",
		"queue_waiting":               "deliveries_queue (state=? AND webhook_id=?)",
		"rollup_series":               "(workspace_id=? AND webhook_id=? AND step=? AND starts_at>? AND starts_at<?)",
		"rollup_take":                 "((workspace_id,webhook_id,minute,node)>(?,?,?,?))",
		"expire_rollups":              "rollups_age (step=? AND starts_at<?)",
		"webhook_health_page":         "(workspace_id=? AND webhook_id=? AND step=?)",
		"request_held":                "(workspace_id=? AND id=?)",
		"request_finish":              "(workspace_id=? AND id=?)",
		"request_get":                 "(workspace_id=? AND id=?)",
		"request_requeue":             "(workspace_id=? AND id=?)",
		"request_key_get":             "(source_id=? AND digest=?)",
		"request_due_sources":         "requests_queue (source_id>?)",
		"request_claim":               "requests_queue (source_id=? AND due_at<?)",
		"request_newest":              "requests_source (source_id=?)",
		"request_clear_page":          "requests_source (source_id=? AND id>? AND id<?)",
		"request_clear":               "requests_source (source_id=? AND id>? AND id<?)",
		"request_counts":              "(workspace_id=? AND webhook_id=? AND step=?)",
		"source_calls":                "webhooks_source (source_id=?)",
		"source_of":                   "(id=?)",
		"source_by_uid":               "sources_uid (workspace_id=? AND uid=?)",
		"source_older":                "sources_workspace (workspace_id=? AND id<?)",
		"source_newer":                "sources_workspace (workspace_id=? AND id>?)",
		"source_delete_gone":          "sources_deleted (deleted_at>? AND deleted_at<?)",
	}
	for name, text := range f.s.texts {
		highest := 0
		for _, p := range placeholder.FindAllString(text, -1) {
			var n int
			_, err := fmt.Sscanf(p, "?%d", &n)
			f.must(err)
			highest = max(highest, n)
		}
		plan := f.sqlitePlan(text, make([]any, highest))
		for _, step := range plan {
			if strings.HasPrefix(step, "SCAN") && sqliteTable.MatchString(step) && wholeTable[name] == "" {
				t.Errorf("%s reads a whole table: %s", name, step)
			}
			if onlyOwner.MatchString(step) && !slices.Contains(wholeWorkspace, name) {
				t.Errorf("%s reads all rows of a workspace: %s", name, step)
			}
		}
		if want := exactly[name]; want != "" && !strings.Contains(strings.Join(plan, "\n"), want) {
			t.Errorf("%s does not use %s, but:\n%s", name, want, strings.Join(plan, "\n"))
		}
		delete(exactly, name)
	}
	for name := range exactly {
		t.Errorf("there is no text %s", name)
	}

	for _, within := range []condition{{"id IN ($, $)", []any{webhook, webhook}}, {"id >= $ AND id <= $", []any{webhook, webhook}}} {
		text, args := eventsWithin(workspace, postroom.EventFilter{Type: "email.*", Contact: "a", Campaign: "b", Text: "c"}, false, within, 50)
		deliveries, deliveryArgs := deliveriesWithin(workspace, postroom.DeliveryFilter{Webhook: webhook, Type: "email.opened", StatusCode: 200, Status: postroom.DeliverySucceeded}, false, within, 50)
		for _, plan := range [][]string{f.sqlitePlan(translate(sqlite, text), args), f.sqlitePlan(translate(sqlite, deliveries), deliveryArgs)} {
			all := strings.Join(plan, "\n")
			if !strings.Contains(all, "_1 (workspace_id=? AND id") || strings.Contains(within.text, ">=") && strings.Contains(all, "TEMP B-TREE") {
				t.Errorf("within %s: %s", within.text, all)
			}
		}
	}

	for _, l := range contactListings(workspace, sqlite) {
		for _, step := range f.sqlitePlan(l.text, l.args) {
			first := strings.HasPrefix(step, "SEARCH contact") || strings.HasPrefix(step, "SEARCH memberships")
			switch {
			case strings.HasPrefix(step, "SCAN") && sqliteTable.MatchString(step), strings.HasPrefix(step, "USE TEMP B-TREE") && l.bounded,
				first && l.bounded && !strings.Contains(step, " EXISTS ") && !strings.Contains(step, "id>?") && !strings.Contains(step, "id<?"):
				t.Errorf("%s: %s", l.what, step)
			}
		}
	}
	for _, l := range requestListings(workspace, postroom.NewID[postroom.SourceKind](noon()), sqlite) {
		last := ""
		for _, step := range f.sqlitePlan(l.text, l.args) {
			searched := strings.HasPrefix(last, "SEARCH requests") // what is sorted elsewhere is a page of each arm
			switch last = step; {
			case strings.HasPrefix(step, "SCAN requests"), searched && strings.HasPrefix(step, "USE TEMP B-TREE"),
				strings.HasPrefix(step, "SEARCH requests") && l.bounded && !strings.Contains(step, "id>?") && !strings.Contains(step, "id<?"):
				t.Errorf("%s: %s", l.what, step)
			}
		}
	}

	for _, l := range listings(workspace, webhook, postroom.NewID[postroom.EventKind](noon()), sqlite) {
		for _, problem := range l.problems(f.sqlitePlan(l.text, l.args)) {
			t.Errorf("%s: %s", l.what, problem)
		}
	}
}

// problems says what is wrong with SQLite's plan of a listing.
func (l listed) problems(plan []string) (found []string) {
	sorts := 0
	for _, step := range plan {
		switch {
		case strings.HasPrefix(step, "SCAN") && sqliteTable.MatchString(step) && step != "SCAN d": // d is what the listing found
			found = append(found, "it reads a whole table: "+step)
		case strings.Contains(step, "LEFT-JOIN") && !strings.Contains(step, "id=?)"):
			found = append(found, "it joins without an index: "+step)
		case step == "USE TEMP B-TREE FOR ORDER BY":
			sorts++
		case !strings.HasPrefix(step, "SEARCH deliveries") && !strings.HasPrefix(step, "SEARCH events"):
		case l.event && !strings.Contains(step, "deliveries_event (event_id=?)"):
			found = append(found, "it does not look up the event: "+step)
		case l.event, strings.Contains(step, "deliveries_queue (state=?"): // few, sorted
		case l.webhook && !strings.Contains(step, "deliveries_webhook (webhook_id=?") && !strings.Contains(step, "deliveries_webhook_trouble (webhook_id=? AND state=?"):
			found = append(found, "it does not look up the webhook: "+step)
		case l.bounded && !strings.Contains(step, "id>?") && !strings.Contains(step, "id<?"):
			found = append(found, "it does not begin at the cursor: "+step)
		}
	}
	waiting := l.status == postroom.DeliveryPending || l.status == postroom.DeliveryHeld
	if sorts > 0 && !l.event && !waiting {
		found = append(found, "it sorts all that it finds")
	}
	if waiting && !l.event {
		all := strings.Join(plan, "\n")
		trouble := "deliveries_trouble (workspace_id=? AND state=?"
		if l.webhook {
			trouble = "deliveries_webhook_trouble (webhook_id=? AND state=?"
		}
		if strings.Count(all, trouble) != len(queueStates())-1 || strings.Count(all, "deliveries_queue (state=?") != 1 {
			found = append(found, "it does not go from state to state: "+all)
		}
	}
	return found
}
