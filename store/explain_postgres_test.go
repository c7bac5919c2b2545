package store

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postroom/postroom"
)

// node is a part of PostgreSQL's plan.
type node struct {
	Type      string `json:"Node Type"`
	Relation  string `json:"Relation Name"`
	Index     string `json:"Index Name"`
	Condition string `json:"Index Cond"`
	Filter    string `json:"Filter"`
	Plans     []node `json:"Plans"`
}

func (n node) all() []node {
	nodes := []node{n}
	for _, inner := range n.Plans {
		nodes = append(nodes, inner.all()...)
	}
	return nodes
}

// postgresPlans explains texts on a connection that avoids to read whole tables where an index can be used.
type postgresPlans struct {
	*fixture
	conn *pgx.Conn
}

func (p postgresPlans) explain(what, text string, args []any) (nodes []node) {
	p.t.Helper()
	var plan []byte
	if err := p.conn.QueryRow(p.ctx, "EXPLAIN (FORMAT JSON) "+text, args...).Scan(&plan); err != nil {
		p.t.Fatalf("%s: %v\n%s", what, err, text)
	}
	var roots []struct{ Plan node }
	p.must(json.Unmarshal(plan, &roots))
	return roots[0].Plan.all()
}

// partition is the one that is filled. For the others, which are empty, any way is as good.
var partition = regexp.MustCompile(`^(events|deliveries|attempts|requests)_20260115$`)

// problems says where a plan reads partitions without an index condition; want, if not empty, is a column that each
// condition on deliveries must have.
func problems(nodes []node, want ...string) (found []string) {
	scans := 0
	for _, n := range nodes {
		switch {
		case n.Type == "Bitmap Heap Scan" || n.Type == "ModifyTable": // the first's index is a node of its own
			continue
		case !partition.MatchString(n.Relation) && !strings.Contains(n.Index, "_20260115_"):
			continue
		case n.Type == "Seq Scan" || n.Condition == "":
			found = append(found, fmt.Sprintf("%s on %s %s without a condition", n.Type, n.Relation, n.Index))
		case strings.HasPrefix(n.Relation, "deliveries"):
			for _, column := range want {
				if !strings.Contains(n.Condition, column) {
					found = append(found, fmt.Sprintf("%s on %s only by %s, without %s", n.Type, n.Relation, n.Condition, column))
				}
			}
		}
		scans++
	}
	if scans == 0 {
		found = append(found, "it looks at no partition: the plan says nothing")
	}
	return found
}

// TestPostgresPlans looks at how PostgreSQL finds the rows of each text in tables that hold enough to choose.
func TestPostgresPlans(t *testing.T) {
	db := newPostgres(t)
	f := newFixture(t, db.open())
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)
	conn, err := pgx.Connect(f.ctx, db.url)
	f.must(err)
	defer func() { _ = conn.Close(f.ctx) }()
	source := f.source(workspace)
	request := fillRequests(f, conn, workspace, source)
	event, delivery := fillPostgres(f, conn, workspace, webhook)
	p := postgresPlans{f, conn}

	later, from, to := micros(at(time.Hour)), postroom.FirstID[postroom.DeliveryKind](at(-time.Hour)), postroom.FirstID[postroom.DeliveryKind](at(time.Hour))
	deliveries, events := idList(postgres, []postroom.DeliveryID{delivery}), idList(postgres, []postroom.EventID{event})
	type call struct {
		args []any
		want []string // columns that the condition on deliveries must have
	}
	calls := map[string]call{
		"queue_claim":                 {[]any{int64(1), webhook, later, later, 100}, nil},
		"queue_next_due":              {[]any{int64(1), webhook}, []string{"webhook_id", "state"}},
		"queue_webhooks":              {[]any{int64(1), webhook, 100}, []string{"webhook_id", "state"}},
		"queue_take_over":             {[]any{later, later}, []string{"state"}},
		"queue_count":                 {[]any{workspace, webhook}, []string{"webhook_id"}},
		"queue_oldest":                {[]any{workspace, webhook, int64(1)}, []string{"webhook_id", "state"}},
		"queue_discard":               {[]any{workspace, webhook, "x", to, 100}, nil},
		"delivery_finish":             {[]any{workspace, delivery, int64(1), int64(10), later, int64(1), int64(200), nil, later}, []string{"workspace_id", "id"}},
		"delivery_set_due":            {[]any{workspace, delivery, int64(1), int64(0), later}, []string{"workspace_id", "id"}},
		"delivery_get":                {[]any{workspace, delivery}, []string{"workspace_id", "id"}},
		"delivery_by_event":           {[]any{workspace, event}, []string{"event_id"}},
		"delivery_requeue":            {[]any{workspace, delivery, int64(1), later}, []string{"workspace_id", "id"}},
		"replay_page_webhook":         {[]any{workspace, webhook, from, to, 100}, []string{"webhook_id"}},
		"replay_page_workspace":       {[]any{workspace, from, to, 100}, []string{"id"}},
		"replay_page_trouble":         {[]any{workspace, int64(11), from, to, 100}, []string{"workspace_id", "state"}},
		"replay_page_webhook_trouble": {[]any{workspace, webhook, int64(11), from, to, 100}, []string{"webhook_id", "state"}},
		"replay_waiting_page":         {[]any{workspace, from, to, 100}, []string{"workspace_id"}},
		"replay_waiting":              {[]any{workspace, later, 100}, []string{"webhook_id"}},
		"replay_waiting_webhook":      {[]any{workspace, webhook, later, 100}, []string{"webhook_id"}},
		"replay_requeue":              {[]any{workspace, deliveries, int64(10), int64(12), later}, []string{"workspace_id", "id"}},
		"replay_withdraw":             {[]any{workspace, deliveries, later}, []string{"workspace_id", "id"}},
		"attempt_list_many":           {[]any{workspace, deliveries}, nil},
		"event_list_many":             {[]any{workspace, events}, nil},
		"event_get":                   {[]any{workspace, event}, nil},
		"event_by_uid":                {[]any{workspace, "uid 17"}, nil},
		"attempt_list":                {[]any{workspace, delivery}, nil},
		"purge_attempts":              {[]any{workspace, 200}, nil},
		"purge_deliveries":            {[]any{workspace, 200}, nil},
		"purge_events":                {[]any{workspace, 200}, nil},
		"order_next":                  {[]any{webhook, "17"}, []string{"webhook_id", "order_key"}},
		"order_parked":                {[]any{workspace, delivery}, []string{"workspace_id", "id"}},
		"newest_event":                {nil, nil},
		"erase_events_page":           {[]any{workspace, event, 100}, nil},
		"erase_requests_page":         {[]any{workspace, request, 100}, nil},
		"erase_deliveries":            {[]any{workspace, hexList([]postroom.EventID{event})}, []string{"event_id"}},
		"delivery_delete_many":        {[]any{workspace, hexList([]postroom.DeliveryID{delivery})}, []string{"workspace_id", "id"}},
		"attempt_delete_many":         {[]any{workspace, hexList([]postroom.DeliveryID{delivery})}, nil},
		"attempt_delete_orphan":       {[]any{workspace, delivery, int64(1)}, []string{"workspace_id", "id"}},
		"event_delete_many":           {[]any{workspace, hexList([]postroom.EventID{event})}, nil},
		"request_delete_many":         {[]any{workspace, hexList([]postroom.RequestID{request})}, nil},
		"queue_stuck":                 {[]any{later}, []string{"state"}},
		"event_oldest":                {nil, nil},
		"queue_state_count":           {[]any{int64(1)}, []string{"state"}},
		"queue_state_oldest":          {[]any{int64(1)}, []string{"workspace_id", "state"}},
		"queue_state_due":             {[]any{int64(1)}, []string{"state"}},
		"queue_waiting":               {[]any{workspace, webhook, 10001}, []string{"webhook_id"}},
		"queue_waiting_workspace":     {[]any{workspace, 10001}, []string{"workspace_id"}},
		"request_due_sources":         {[]any{later, 100, make([]byte, 16)}, nil},
		"request_claim":               {[]any{source, later, later, 100}, nil},
		"request_get":                 {[]any{workspace, request}, nil},
		"request_requeue":             {[]any{workspace, request, later}, nil},
		"request_newest":              {[]any{workspace, source}, nil},
		"request_clear_page":          {[]any{workspace, source, from, to, 100}, nil},
		"request_clear":               {[]any{workspace, source, from, to}, nil},
		"purge_requests":              {[]any{workspace, 200}, nil},
	}
	large := regexp.MustCompile(`\b(FROM|JOIN|UPDATE) (events|deliveries|attempts|requests)\b`)
	for name, text := range f.s.texts {
		c, known := calls[name]
		if !known {
			if large.MatchString(text) && name != "queue_backlog" { // which reads the index of the whole queue
				t.Errorf("%s reads a large table, and is not tested here", name)
			}
			continue
		}
		for _, problem := range problems(p.explain(name, text, c.args), c.want...) {
			t.Errorf("%s: %s", name, problem)
		}
		delete(calls, name)
	}
	for name := range calls {
		t.Errorf("there is no text %s", name)
	}

	webhooks, keys := [][]byte{webhook[:], webhook[:]}, []string{"0", "33"}
	for what, c := range map[string]call{
		postgresOrderLast:    {[]any{webhooks, keys}, []string{"webhook_id", "order_key"}},
		postgresOrderPromote: {[]any{webhooks, keys, []int64{later, later}}, nil},
	} {
		for _, problem := range problems(p.explain(what, what, c.args), c.want...) {
			t.Errorf("%s: %s", what, problem)
		}
	}

	fillPostgresContacts(f, conn, workspace)
	for i, l := range contactListings(workspace, postgres) {
		if i%5 != 0 { // there are very many, and much alike
			continue
		}
		for _, n := range p.explain(l.what, l.text, l.args) {
			if contactTable.MatchString(n.Relation) && n.Type != "Bitmap Heap Scan" && (n.Type == "Seq Scan" || n.Condition == "") {
				t.Errorf("%s: %s on %s %s without a condition", l.what, n.Type, n.Relation, n.Index)
			}
		}
	}
	for _, l := range requestListings(workspace, source, postgres) {
		for _, problem := range problems(p.explain(l.what, l.text, l.args)) {
			t.Errorf("%s: %s", l.what, problem)
		}
	}

	for _, l := range listings(workspace, webhook, event, postgres) {
		nodes := p.explain(l.what, l.text, l.args)
		var want []string
		if l.event {
			want = []string{"event_id"}
		}
		for _, problem := range problems(nodes, want...) {
			t.Errorf("%s: %s", l.what, problem)
		}
	}
}

// fillPostgres stores 20,000 events and deliveries of one day: most have succeeded, and few wait or went wrong. It gives the ids of one.
func fillPostgres(f *fixture, conn *pgx.Conn, workspace postroom.WorkspaceID, webhook postroom.WebhookID) (event postroom.EventID, delivery postroom.DeliveryID) {
	f.t.Helper()
	id := func(salt string) string { // made in the hour after noon
		return "decode(lpad(to_hex($1 + n * 100), 12, '0') || substr(md5('" + salt + "' || n), 1, 20), 'hex')"
	}
	owner := func(real, salt string, every int) string {
		return fmt.Sprintf("CASE WHEN n %% %d = 0 THEN %s ELSE substr(decode(md5('%s' || n %% %d), 'hex'), 1, 16) END", every, real, salt, every)
	}
	noonMs := noon().UnixMilli()
	_, err := conn.Exec(f.ctx, `INSERT INTO events (id, workspace_id, uid, type, time, contact, campaign, data)
		SELECT `+id("event")+`, `+owner("$2", "workspace", 5)+`, 'uid ' || n, 'email.opened', 0, 'ada' || n || '@example.com', n::text, '{}'
		FROM generate_series(1::bigint, 20000) AS n`, noonMs, workspace)
	f.must(err)
	_, err = conn.Exec(f.ctx, `INSERT INTO deliveries (id, workspace_id, event_id, webhook_id, event_type, state, claim, due_at, attempts, status_code, test, order_key)
		SELECT `+id("delivery")+`, `+owner("$2", "workspace", 5)+`, `+id("event")+`, `+owner("$3", "webhook", 50)+`, 'email.opened',
		CASE WHEN n % 100 < 90 THEN 10 ELSE (ARRAY[0, 1, 2, 3, 4, 11, 12])[n % 7 + 1] END, 1, n, 1, 200, 0,
		CASE WHEN n % 3 = 0 THEN (n % 60)::text END
		FROM generate_series(1::bigint, 20000) AS n`, noonMs, workspace, webhook)
	f.must(err)
	_, err = conn.Exec(f.ctx, `INSERT INTO attempts (delivery_id, claim, workspace_id, at, status_code, dns_us, connect_us, tls_us, first_byte_us, total_us,
		request_line, request_headers, truncated) SELECT id, 1, workspace_id, 0, 200, 0, 0, 0, 0, 0, '', '', 0 FROM deliveries`)
	f.must(err)
	_, err = conn.Exec(f.ctx, "ANALYZE events, deliveries, attempts")
	f.must(err)
	_, err = conn.Exec(f.ctx, "SET enable_seqscan = off")
	f.must(err)
	f.must(conn.QueryRow(f.ctx, "SELECT id, event_id FROM deliveries WHERE workspace_id = $1 LIMIT 1", workspace).Scan(&delivery, &event))
	return event, delivery
}

// fillRequests stores 20,000 requests of one day: most were processed at once. It gives the id of one.
func fillRequests(f *fixture, conn *pgx.Conn, workspace postroom.WorkspaceID, source postroom.SourceID) (request postroom.RequestID) {
	f.t.Helper()
	_, err := conn.Exec(f.ctx, `INSERT INTO requests (id, workspace_id, source_id, state, claim, due_at, attempts, event_type, sender, at, records, duration_us, status, method, target, headers)
		SELECT decode(lpad(to_hex($1 + n * 100), 12, '0') || substr(md5('request' || n), 1, 20), 'hex'),
		CASE WHEN n % 5 = 0 THEN $2 ELSE substr(decode(md5('workspace' || n % 5), 'hex'), 1, 16) END,
		CASE WHEN n % 50 = 0 THEN $3 ELSE substr(decode(md5('source' || n % 50), 'hex'), 1, 16) END,
		CASE WHEN n % 100 < 90 THEN 10 ELSE (ARRAY[0, 1, 2, 11, 12, 13])[n % 6 + 1] END, 1, n, 1, 'email.opened', '203.0.113.9', 0, 1, 0, 200, 'POST', '/', ''
		FROM generate_series(1::bigint, 20000) AS n`, noon().UnixMilli(), workspace, source)
	f.must(err)
	_, err = conn.Exec(f.ctx, "ANALYZE requests")
	f.must(err)
	f.must(conn.QueryRow(f.ctx, "SELECT id FROM requests WHERE source_id = $1 LIMIT 1", source).Scan(&request))
	return request
}

var contactTable = regexp.MustCompile(`^(contacts|contact_tags|memberships)$`)

// fillPostgresContacts stores 20,000 contacts with a tag and a list.
func fillPostgresContacts(f *fixture, conn *pgx.Conn, workspace postroom.WorkspaceID) {
	f.t.Helper()
	const id = "decode(lpad(to_hex($1 + n * 100), 12, '0') || substr(md5('contact' || n), 1, 20), 'hex')"
	for _, text := range []string{
		"INSERT INTO contacts (id, workspace_id, email, email_key, phone, first_name, first_key, last_name, last_key, status, source, version, created_at, updated_at) SELECT " + id +
			", $2, n || '@example.com', n || '@example.com', '+' || n, 'Ada', 'ada', 'L', 'l', CASE WHEN n % 50 = 0 THEN 'bounced' ELSE 'subscribed' END, '', 1, 0, 0",
		"INSERT INTO contact_tags (workspace_id, contact_id, tag) SELECT $2, " + id + ", CASE WHEN n % 50 = 0 THEN 'vip' ELSE 'lead' END",
		"INSERT INTO memberships (workspace_id, contact_id, list_id, status, at) SELECT $2, " + id + ", substr(decode(md5('list' || n % 5), 'hex'), 1, 16), 'subscribed', 0",
	} {
		_, err := conn.Exec(f.ctx, text+" FROM generate_series(1::bigint, 20000) AS n", noon().UnixMilli(), workspace)
		f.must(err)
	}
	_, err := conn.Exec(f.ctx, "ANALYZE contacts, contact_tags, memberships")
	f.must(err)
}
