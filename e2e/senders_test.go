package e2e

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
	"github.com/postroom/postroom/internal/testenv"
)

// What the sources of an intake load do: each call makes a contact, which gets a tag and a place on a list, and its events go to a webhook.
const (
	intakeType   = "whatsapp.message_received"
	intakeTag    = "signed-up"
	intakeList   = "Newsletter"
	intakeSecret = "a secret that senders share"
	pathIntake   = "/intake"
)

// senders call two sources without pause, over crashes of the server, and keep account of what was answered. What got no answer is sent again
// until it gets one. Some calls are sent twice on purpose: at the same time, at once after the answer, or much later, as by a sender that has
// heard no answer before a crash. Each call has an id of its own, which is in the email of the contact that it makes.
type senders struct {
	x      *tenant
	source [2]postroom.SourceID // the second one is mended and broken by a person all the time
	path   [2]string            // of its URL, with the token
	hook   postroom.WebhookID
	quiet  time.Duration // between the calls of one sender

	mu       sync.Mutex
	sent     map[string]bool     // ids, of all that was ever sent
	answered map[string][]string // by id: the requests that the answers told of
	processed, queued, duplicates,
	again, twice int // calls; again were made for want of an answer, and twice on purpose
	refused []string

	stopping chan struct{}
	group    sync.WaitGroup
}

// doing are the actions of a source, and broken those of one whose calls cannot be processed: the ids are no numbers.
func doing() []postroom.Action {
	return []postroom.Action{{Type: postroom.ActionAddSubscriber, Tags: []string{intakeTag}, Lists: []string{intakeList}}}
}

func broken() []postroom.Action {
	return append(doing(), postroom.Action{Type: postroom.ActionApplyTag, Tags: []string{"never"}, When: "int(body.id) > 0"})
}

// startSenders makes the sources and the webhook, and starts some senders and the person.
func startSenders(x *tenant, count int, quiet time.Duration, random *rand.Rand) *senders {
	x.t.Helper()
	l := &senders{x: x, quiet: quiet, sent: map[string]bool{}, answered: map[string][]string{}, stopping: make(chan struct{})}
	x.r.bare = true
	l.hook = x.webhook(pathIntake, client.WebhookInput{Events: []string{intakeType, "contact.created"}, Concurrency: 16}).ID
	for i, actions := range [][]postroom.Action{doing(), broken()} {
		made := must(x.api.CreateSource(x.t.Context(), map[string]any{"name": fmt.Sprint("Source ", i), "event_type": intakeType, "actions": actions,
			"dedupe":    postroom.Dedupe{By: postroom.DedupeID, Path: "id"},
			"mapping":   []postroom.MappingRow{{From: postroom.Paths{"email"}, To: "email"}, {From: postroom.Paths{"email"}, To: "data.message.text"}},
			"signature": postroom.SourceSignature{Scheme: "hmac", Header: "X-Signature", Prefix: "sha256=", Secret: intakeSecret}}))(x.t)
		l.source[i], l.path[i] = made.ID, must(url.Parse(made.URL))(x.t).RequestURI()
	}
	for p := range count {
		own := rand.New(rand.NewPCG(random.Uint64(), uint64(p)))
		l.group.Go(func() { l.sender(p, own) })
	}
	l.group.Go(l.person)
	return l
}

// sending is a call that is to be made.
type sending struct {
	id     string
	source int
	at     time.Time // not earlier than this
}

// sender sends until stop: one in five calls to the source that is often broken, and one in five calls again.
func (l *senders) sender(p int, random *rand.Rand) {
	var later []sending
	for n := 0; !l.isStopping(); n++ {
		c := sending{id: fmt.Sprintf("s%d-%d", p, n)}
		if random.IntN(5) == 0 {
			c.source = 1
		}
		switch {
		case len(later) > 0 && time.Now().After(later[0].at):
			c, later = later[0], later[1:]
			l.count(&l.twice)
			l.send(c)
		case random.IntN(10) == 0:
			l.count(&l.twice)
			var both sync.WaitGroup
			both.Go(func() { l.send(c) })
			both.Go(func() { l.send(c) })
			both.Wait()
		default:
			l.send(c)
			if random.IntN(10) == 0 {
				c.at = time.Now().Add(time.Duration(random.IntN(3000)) * time.Millisecond)
				later = append(later, c)
			}
		}
		l.pause(l.quiet)
	}
}

// send makes a call until it is answered, or all stops.
func (l *senders) send(s sending) {
	body := fmt.Sprintf(`{"id":%q,"email":"%s@example.com","text":%q}`, s.id, s.id, strings.Repeat("x", 200))
	mac := hmac.New(sha256.New, []byte(intakeSecret))
	_, _ = mac.Write([]byte(body)) // never fails
	c := call{method: http.MethodPost, path: l.path[s.source], body: body, header: map[string]string{"X-Signature": "sha256=" + hex.EncodeToString(mac.Sum(nil))}}
	l.mu.Lock()
	l.sent[s.id] = true
	l.mu.Unlock()
	for {
		a, err := l.x.s.try(c)
		if err == nil && a.status != http.StatusServiceUnavailable {
			l.heard(s.id, a)
			return
		}
		if l.isStopping() {
			return
		}
		l.count(&l.again)
		l.pause(20 * time.Millisecond)
	}
}

// heard notes an answer.
func (l *senders) heard(id string, a answer) {
	var told struct {
		RequestID string `json:"request_id"`
		Records   int    `json:"processed_records"`
	}
	err := json.Unmarshal(a.body, &told)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil || told.RequestID == "" || a.status != http.StatusOK && a.status != http.StatusAccepted:
		l.refused = append(l.refused, fmt.Sprintf("%s: %d %s", id, a.status, a.body))
		return
	case a.status == http.StatusAccepted:
		l.queued++
	case told.Records == 1:
		l.processed++
	case bytes.Contains(a.body, []byte("came before")):
		l.duplicates++
	}
	l.answered[id] = append(l.answered[id], told.RequestID)
}

// person mends the second source and breaks it again, and has what failed tried again while it is mended.
func (l *senders) person() {
	for n := 0; !l.isStopping(); n++ {
		if n%8 < 4 {
			l.set(broken())
		} else if l.set(doing()) {
			l.tryAgain(50)
		}
		l.pause(150 * time.Millisecond)
	}
}

// set gives the second source actions, and says whether that was acknowledged.
func (l *senders) set(actions []postroom.Action) bool {
	body, err := json.Marshal(map[string]any{"actions": actions})
	return err == nil && l.ask(http.MethodPatch, "/v1/sources/"+l.source[1].String(), string(body), nil)
}

// tryAgain has requests processed again that could not be processed, and says how many there were.
func (l *senders) tryAgain(most int) (found int, ok bool) {
	ok = true
	for _, status := range []postroom.RequestStatus{postroom.StatusRetrying, postroom.StatusFailed, postroom.StatusQueued} {
		var page postroom.Page[struct{ ID string }]
		ok = ok && l.ask(http.MethodGet, fmt.Sprintf("/v1/requests?status=%s&limit=%d", status, most), "", &page)
		found += len(page.Data)
		for _, r := range page.Data {
			if status != postroom.StatusQueued {
				ok = ok && l.ask(http.MethodPost, "/v1/requests/"+r.ID+"/retry", "", nil)
			}
		}
	}
	return found, ok
}

// ask makes a call to the API, and says whether it went well. What is answered and is no success is a defect.
func (l *senders) ask(method, path, body string, into any) bool {
	c := call{method: method, path: path, key: l.x.key, body: body}
	if method == http.MethodPatch {
		c.header = map[string]string{"Content-Type": "application/merge-patch+json"}
	}
	a, err := l.x.s.try(c)
	if err != nil || a.status == http.StatusServiceUnavailable || a.status == http.StatusConflict { // it is processed at this moment
		return false
	}
	if a.status < 300 && into != nil {
		err = json.Unmarshal(a.body, into)
	}
	if a.status >= 300 || err != nil {
		l.mu.Lock()
		l.refused = append(l.refused, fmt.Sprintf("%s %s: %d %s", method, path, a.status, a.body))
		l.mu.Unlock()
		return false
	}
	return true
}

func (l *senders) isStopping() bool {
	select {
	case <-l.stopping:
		return true
	default:
		return false
	}
}

func (l *senders) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.stopping:
	}
}

func (l *senders) count(n *int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*n++
}

// stop ends the senders and the person, and then has all that failed processed, with a call at the end that fails at first, is made twice meanwhile,
// and once more later.
func (l *senders) stop(t testing.TB) {
	t.Helper()
	close(l.stopping)
	l.group.Wait()
	last := sending{id: "last", source: 1}
	if !l.set(broken()) {
		t.Error("the source could not be broken at the end")
	}
	l.send(last)
	l.send(last)
	if !l.set(doing()) {
		t.Error("the source could not be mended at the end")
	}
	testenv.Eventually(t, 2*time.Minute, func() error {
		if n, ok := l.tryAgain(100); n > 0 || !ok {
			return fmt.Errorf("%d or more requests are not processed", n)
		}
		return nil
	})
	l.send(last)
	complain(t, l.refused)
}
