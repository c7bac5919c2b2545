package e2e

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/postroom/postroom"
)

// intakeSummary is what the account of an intake load comes to, in calls of senders, contacts and events.
type intakeSummary struct {
	processed, queued, duplicates, again, twice int // as answered
	requests, contacts, events                  int // stored
	arrived, repeated                           int // events that the webhook got, and calls beyond the first for one
	lost, doneTwice                             int
}

// intakeAccount compares what senders were told with what the database and the webhook's receiver have of it.
type intakeAccount struct {
	*senders
	stored map[postroom.SourceID]int64 // requests, as the API counts them
	ids    map[string]*trace
	s      intakeSummary
}

// trace is what the database has of the calls with one id.
type trace struct {
	contacts int
	contact  postroom.ContactID
	// The rest is counted by what it is: requests by their state, events by their type, tags and lists by name, consents by list.
	requests, events, tags, lists, consents map[string]int
}

// String is for people, and for comparing.
func (c *trace) String() string {
	return fmt.Sprintf("%d contacts, requests %v, events %v, tags %v, lists %v, consents %v", c.contacts, c.requests, c.events, c.tags, c.lists, c.consents)
}

// settle reads the ledger of a server that has stopped, and checks everything.
func (a *intakeAccount) settle(t testing.TB, set settings) intakeSummary {
	t.Helper()
	a.s = intakeSummary{processed: a.processed, queued: a.queued, duplicates: a.duplicates, again: a.again, twice: a.twice}
	a.ids = map[string]*trace{}
	l := readLedger(t, set, a.x.id)
	workspace := must(postroom.ParseID[postroom.WorkspaceKind](a.x.id))(t)
	db := openLedger(t, set)
	defer func() { _ = db.Close() }()
	requests := a.readRequests(t, db, workspace)
	a.readContacts(t, db, workspace)
	a.readEvents(t, db, workspace)
	for id, told := range a.answered {
		for _, request := range told {
			if requests[request] != id {
				t.Errorf("the request %s was acknowledged to the sender of %s, and is not stored as its", request, id)
				a.s.lost++
			}
		}
	}
	a.judge(t)
	a.totals(t, db, workspace)
	a.deliveries(t, l)
	return a.s
}

func (a *intakeAccount) of(email string) *trace {
	id := strings.TrimSuffix(email, "@example.com")
	if a.ids[id] == nil {
		a.ids[id] = &trace{requests: map[string]int{}, events: map[string]int{}, tags: map[string]int{}, lists: map[string]int{}, consents: map[string]int{}}
	}
	return a.ids[id]
}

// readRequests counts the requests by their state, and says which id each of them has.
func (a *intakeAccount) readRequests(t testing.TB, db *sql.DB, workspace postroom.WorkspaceID) (ids map[string]string) {
	t.Helper()
	ids = map[string]string{}
	perSource := map[postroom.SourceID]int64{}
	eachRow(t, db, "SELECT id, source_id, state, body FROM requests WHERE workspace_id = $1", workspace, func(rows *sql.Rows) error {
		var id postroom.RequestID
		var source postroom.SourceID
		var state postroom.RequestState
		var body []byte
		if err := rows.Scan(&id, &source, &state, &body); err != nil {
			return err
		}
		var content struct{ ID string }
		if err := json.Unmarshal(body, &content); err != nil {
			return err
		}
		perSource[source]++
		a.s.requests++
		a.of(content.ID).requests[string(state.Status())]++
		ids[id.String()] = content.ID
		return nil
	})
	for source, n := range perSource {
		if a.stored[source] != n {
			t.Errorf("the API counts %d requests of %s, and %d are stored", a.stored[source], source, n)
		}
	}
	return ids
}

func (a *intakeAccount) readContacts(t testing.TB, db *sql.DB, workspace postroom.WorkspaceID) {
	t.Helper()
	eachRow(t, db, "SELECT id, email FROM contacts WHERE workspace_id = $1", workspace, func(rows *sql.Rows) error {
		var id postroom.ContactID
		var email string
		err := rows.Scan(&id, &email)
		c := a.of(email)
		c.contacts++
		c.contact = id
		a.s.contacts++
		return err
	})
	people := map[postroom.ContactID]*trace{}
	for _, c := range a.ids {
		people[c.contact] = c
	}
	count := func(query string, of func(*trace) map[string]int) {
		t.Helper()
		eachRow(t, db, query, workspace, func(rows *sql.Rows) error {
			var contact postroom.ContactID
			var what string
			if err := rows.Scan(&contact, &what); err != nil {
				return err
			}
			if people[contact] == nil {
				return fmt.Errorf("%q is stored of %s, whom there is not", what, contact)
			}
			of(people[contact])[what]++
			return nil
		})
	}
	count("SELECT contact_id, tag FROM contact_tags WHERE workspace_id = $1", func(c *trace) map[string]int { return c.tags })
	count("SELECT m.contact_id, l.name || ' ' || m.status FROM memberships m JOIN lists l ON l.workspace_id = m.workspace_id AND l.id = m.list_id WHERE m.workspace_id = $1",
		func(c *trace) map[string]int { return c.lists })
	count("SELECT contact_id, CASE WHEN list_id IS NULL THEN 'itself ' ELSE 'a list ' END || was || '>' || became FROM consents WHERE workspace_id = $1",
		func(c *trace) map[string]int { return c.consents })
}

// readEvents counts the events that a call causes.
func (a *intakeAccount) readEvents(t testing.TB, db *sql.DB, workspace postroom.WorkspaceID) {
	t.Helper()
	eachRow(t, db, "SELECT type, data FROM events WHERE workspace_id = $1 AND type NOT LIKE 'postroom.%'", workspace, func(rows *sql.Rows) error {
		var kind string
		var data []byte
		if err := rows.Scan(&kind, &data); err != nil {
			return err
		}
		var content struct {
			Contact struct{ Email string }
			Message struct{ Text string }
		}
		if err := json.Unmarshal(data, &content); err != nil {
			return err
		}
		email := content.Contact.Email
		if kind == intakeType {
			email = content.Message.Text
		}
		a.of(email).events[kind]++
		a.s.events++
		return nil
	})
}

// judge checks what is stored of each id: all of it if a call was answered, all or nothing if none was, and never more than once.
func (a *intakeAccount) judge(t testing.TB) {
	t.Helper()
	var defects []string
	for id := range a.answered {
		if c := a.of(id); c.requests[string(postroom.StatusProcessed)] == 0 || c.contacts == 0 {
			defects = append(defects, fmt.Sprintf("a call %s was answered, and has not been processed: %s", id, c))
			a.s.lost++
		}
	}
	for id, c := range a.ids {
		if !a.sent[id] {
			defects = append(defects, fmt.Sprintf("nobody sent %s: %s", id, c))
			continue
		}
		want := trace{contacts: 1, requests: map[string]int{string(postroom.StatusProcessed): 1}, tags: map[string]int{intakeTag: 1},
			lists:    map[string]int{intakeList + " subscribed": 1},
			events:   map[string]int{intakeType: 1, "contact.created": 1, "contact.tagged": 1, "contact.subscribed": 1},
			consents: map[string]int{"itself >subscribed": 1, "a list >subscribed": 1}}
		if n := c.requests[string(postroom.StatusDuplicate)]; n > 0 {
			want.requests[string(postroom.StatusDuplicate)] = n
		}
		if c.String() != want.String() {
			defects = append(defects, fmt.Sprintf("of %s there are %s; want %s", id, c, &want))
			if exceeds(c, &want) {
				a.s.doneTwice++
			}
		}
	}
	complain(t, defects)
}

// exceeds tells whether something is there more often than it should be.
func exceeds(c, want *trace) bool {
	more := c.contacts > want.contacts
	for _, both := range [][2]map[string]int{{c.requests, want.requests}, {c.events, want.events}, {c.tags, want.tags}, {c.lists, want.lists}, {c.consents, want.consents}} {
		for what, n := range both[0] {
			more = more || n > both[1][what]
		}
	}
	return more
}

// totals checks the counters of the tag and of the list against what they count, and that each id is known to its source once.
func (a *intakeAccount) totals(t testing.TB, db *sql.DB, workspace postroom.WorkspaceID) {
	t.Helper()
	for what, query := range map[string]string{
		"contacts that have the tag": "SELECT coalesce(sum(contacts), 0) FROM tag_counts WHERE workspace_id = $1",
		"members of the list":        "SELECT coalesce(sum(members), 0) FROM list_counts WHERE workspace_id = $1",
		"keys of what was processed": "SELECT count(*) FROM request_keys k JOIN sources s ON s.id = k.source_id WHERE s.workspace_id = $1",
	} {
		eachRow(t, db, query, workspace, func(rows *sql.Rows) error {
			var n int
			err := rows.Scan(&n)
			if n != a.s.contacts {
				t.Errorf("%d %s are counted, and there are %d contacts", n, what, a.s.contacts)
			}
			return err
		})
	}
	eachRow(t, db, "SELECT count(*) FROM lists WHERE workspace_id = $1", workspace, func(rows *sql.Rows) error {
		var n int
		err := rows.Scan(&n)
		if n != 1 {
			t.Errorf("there are %d lists", n)
		}
		return err
	})
}

// deliveries checks that each event that the webhook wants has one delivery, which succeeded, and has arrived.
func (a *intakeAccount) deliveries(t testing.TB, l *ledger) {
	t.Helper()
	var defects []string
	perEvent := map[postroom.EventID]int{}
	for id, d := range l.deliveries {
		if perEvent[d.event]++; d.webhook != a.hook || d.state != postroom.StateSucceeded {
			defects = append(defects, fmt.Sprintf("the delivery %s to %s is in state %d", id, d.webhook, d.state))
		}
	}
	arrivals := a.x.r.byEvent(pathIntake)
	for id, e := range l.events {
		if e.kind != intakeType && e.kind != "contact.created" {
			continue
		}
		n := len(arrivals[e.id])
		if perEvent[id] != 1 || n == 0 {
			defects = append(defects, fmt.Sprintf("%s (%s) has %d deliveries, and has arrived %d times", e.id, e.kind, perEvent[id], n))
			a.s.lost++
			continue
		}
		a.s.arrived++
		a.s.repeated += n - 1
		delete(arrivals, e.id)
	}
	for id := range arrivals {
		defects = append(defects, "the webhook got the event "+id+", which is not stored")
	}
	complain(t, defects)
}

// requestTotals asks the server how many requests each source had.
func (l *senders) requestTotals() map[postroom.SourceID]int64 {
	totals := map[postroom.SourceID]int64{}
	for _, id := range l.source {
		totals[id] = must(l.x.api.Source(l.x.t.Context(), id.String(), false))(l.x.t).Requests.Total
	}
	return totals
}
