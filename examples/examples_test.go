package examples

import (
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
	"github.com/postroom/postroom/internal/testenv"
)

const (
	textSecret     = "a secret that Postroom & its receiver know"
	standardSecret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	token          = "a-long-random-text-0123456789"

	arrivalTimeout = 20 * time.Second
)

// example is a receiver, and the webhook that it is for.
type example struct {
	name    string // the file, in the folder of its language
	path    string // that is posted to
	env     string // how it learns what is secret
	kind    string // of event
	webhook client.WebhookInput
	header  string // by which it knows the sender; empty if it is the URL
}

var examples = []example{
	{name: "node-express/cakemail.js", path: "/webhooks/cakemail", env: "WEBHOOK_SECRET=" + textSecret, kind: "email.opened",
		webhook: client.WebhookInput{Dialect: "cakemail", Secret: textSecret}, header: "X-Cakemail-Signature"},
	{name: "node-express/cakemail.js", path: "/webhooks/cakemail/parsed", env: "WEBHOOK_SECRET=" + textSecret, kind: "email.opened",
		webhook: client.WebhookInput{Dialect: "cakemail", Secret: textSecret}, header: "X-Cakemail-Signature"},
	{name: "node-express/standard.js", path: "/webhooks/standard", env: "WEBHOOK_SECRET=" + standardSecret, kind: "email.opened",
		webhook: client.WebhookInput{Secret: standardSecret}, header: "Webhook-Signature"},
	{name: "node-express/cooby.js", path: "/webhooks/cooby/" + token, env: "WEBHOOK_KEY=" + token, kind: "whatsapp.message_received",
		webhook: client.WebhookInput{Dialect: "cooby"}},
	{name: "python-flask/cakemail.py", path: "/webhooks/cakemail", env: "WEBHOOK_SECRET=" + textSecret, kind: "email.opened",
		webhook: client.WebhookInput{Dialect: "cakemail", Secret: textSecret}, header: "X-Cakemail-Signature"},
	{name: "python-flask/cloudcusp.py", path: "/webhooks/cloudcusp", env: "WEBHOOK_SECRET=" + textSecret, kind: "contact.created",
		webhook: client.WebhookInput{Dialect: "cloudcusp", Secret: textSecret, ExpectJSON: true}, header: "X-Webhook-Signature"},
	{name: "python-flask/standard.py", path: "/webhooks/standard", env: "WEBHOOK_SECRET=" + standardSecret, kind: "email.opened",
		webhook: client.WebhookInput{Secret: standardSecret}, header: "Webhook-Signature"},
	{name: "python-flask/sendook.py", path: "/webhooks/sendook", env: "WEBHOOK_TOKEN=" + token, kind: "message.received",
		webhook: client.WebhookInput{Dialect: "sendook", Auth: bearer(token)}, header: "Authorization"},
	{name: "php/cakemail.php", path: "/webhooks/cakemail.php", env: "WEBHOOK_SECRET=" + textSecret, kind: "email.opened",
		webhook: client.WebhookInput{Dialect: "cakemail", Secret: textSecret}, header: "X-Cakemail-Signature"},
	{name: "php/cloudcusp.php", path: "/webhooks/cloudcusp.php", env: "WEBHOOK_SECRET=" + textSecret, kind: "contact.created",
		webhook: client.WebhookInput{Dialect: "cloudcusp", Secret: textSecret, ExpectJSON: true}, header: "X-Webhook-Signature"},
	{name: "php/standard.php", path: "/webhooks/standard.php", env: "WEBHOOK_SECRET=" + standardSecret, kind: "email.opened",
		webhook: client.WebhookInput{Secret: standardSecret}, header: "Webhook-Signature"},
	{name: "go/standard", path: "/webhooks/standard", env: "WEBHOOK_SECRET=" + standardSecret, kind: "email.opened",
		webhook: client.WebhookInput{Secret: standardSecret}, header: "Webhook-Signature"},
	{name: "go/cloudcusp", path: "/webhooks/cloudcusp", env: "WEBHOOK_SECRET=" + textSecret, kind: "contact.created",
		webhook: client.WebhookInput{Dialect: "cloudcusp", Secret: textSecret, ExpectJSON: true}, header: "X-Webhook-Signature"},
	{name: "go/cocoonmail", path: "/webhooks/cocoonmail", env: "WEBHOOK_TOKEN=" + token, kind: "contact.created",
		webhook: client.WebhookInput{Dialect: "cocoonmail", Auth: bearer(token)}, header: "Authorization"},
}

func bearer(token string) *postroom.Auth {
	return &postroom.Auth{Type: postroom.AuthBearer, Token: token}
}

// running is an example that runs, with a workspace and a webhook for it.
type running struct {
	example
	t   *testing.T
	url string // that is posted to
	api *client.Client
	key string // of the workspace's administrator
	id  postroom.WebhookID

	port, inbox string
	process     *process
	done        func() string // since its start, a line for each call whose work is done, and what went wrong
}

// TestExamples has every example take real deliveries, and refuse what is none.
func TestExamples(t *testing.T) {
	postroomURL := startPostroom(t)
	for _, e := range examples {
		t.Run(strings.Trim(e.name+strings.ReplaceAll(e.path, token, ""), "/"), func(t *testing.T) {
			x := &running{example: e, t: t}
			x.api, x.key = newWorkspace(t, postroomURL)
			x.start()
			x.id = x.subscribe(e.webhook)
			x.takesDeliveries()
			x.worksOnce()
			x.refusesOthers()
			x.refusesForgeries()
			if e.header == "Webhook-Signature" {
				x.standard()
				x.goesOn()
			}
		})
	}
}

// start runs the example on a free port, or again where it ran.
func (x *running) start() {
	x.t.Helper()
	if x.port == "" {
		x.port, x.inbox = fmt.Sprint(testenv.FreePort(x.t)), filepath.Join(x.t.TempDir(), "inbox")
		x.url = "http://127.0.0.1:" + x.port + x.path
	}
	folder, file := filepath.Split(x.name)
	env := environment("PORT="+x.port, "INBOX="+x.inbox, x.env)
	var cmd *exec.Cmd
	switch folder {
	case "node-express/":
		cmd = exec.Command(node(x.t), file)
	case "python-flask/":
		cmd = exec.Command(python(x.t), file)
	case "php/":
		cmd = exec.Command(program(x.t, "php"), "-S", "127.0.0.1:"+x.port, file)
	case "go/":
		built := filepath.Join(x.t.TempDir(), file)
		if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", built, "./"+x.name).CombinedOutput(); err != nil {
			x.t.Fatalf("%v\n%s", err, out)
		}
		cmd = exec.Command(built)
	}
	cmd.Dir, cmd.Env = folder, env
	x.process = start(x.t, cmd)
	x.process.await(x.t, func() error {
		_, err := call(http.MethodGet, "http://127.0.0.1:"+x.port, nil, "")
		return err
	})
	x.done = x.process.said
	if folder == "php/" {
		worker := &strings.Builder{}
		x.done = func() string {
			work := exec.Command(program(x.t, "php"), "work.php")
			work.Dir, work.Env, work.Stdout, work.Stderr = folder, env, worker, worker
			if err := work.Run(); err != nil {
				x.t.Fatalf("work.php: %v\n%s", err, worker)
			}
			return worker.String()
		}
	}
}

// subscribe makes a webhook that calls the example once for each delivery. Its body carries the event's id and all of its data.
func (x *running) subscribe(in client.WebhookInput) postroom.WebhookID {
	x.t.Helper()
	in.Name, in.URL, in.Events = "Example", x.url, []string{x.kind}
	in.Payload = &postroom.Payload{Add: []byte(`{"id":"{event_id}","all":"{data}"}`)}
	in.Retry = &client.RetryInput{Schedule: []postroom.Duration{}}
	w, err := x.api.CreateWebhook(x.t.Context(), in)
	if err != nil {
		x.t.Fatal(err)
	}
	return w.ID
}

// publish publishes an event whose data holds a value that is hard to send, in all places that dialects take something from.
func (x *running) publish(id, value string) {
	x.t.Helper()
	who := who(id)
	status, err := call(http.MethodPost, x.api.URL()+"/v1/events", http.Header{"Authorization": {"Bearer " + x.key}, "Content-Type": {"application/json"}}, `{
		"id": "`+id+`", "type": "`+x.kind+`", "data": {
			"contact": {"id": 501, "uid": "c", "email": "`+who+`", "custom_fields": {"hard": `+value+`}},
			"message": {"id": "m", "type": "`+who+`", "from": "`+who+`", "text": "<>&"}, "chat": {"id": 1.50, "title": "<Ada & co>"},
			"hard": `+value+`, "10": `+value+`}}`)
	if err != nil || status != http.StatusAccepted {
		x.t.Fatalf("publishing is answered %d, %v", status, err)
	}
}

// who is a text of an event that shows in the line that the example writes when it has done its work.
func who(id string) string { return id + "@example.com" }

// ended waits until a webhook has n deliveries that have ended, of one event or of all, and gives them.
func (x *running) ended(n int, f client.DeliveryFilter) (found []postroom.DeliveryResource) {
	x.t.Helper()
	testenv.Eventually(x.t, arrivalTimeout, func() error {
		found = nil
		for d, err := range x.api.Deliveries(x.t.Context(), f) {
			if err != nil {
				return err
			}
			if d.Status == postroom.DeliverySucceeded || d.Status == postroom.DeliveryFailed {
				found = append(found, d)
			}
		}
		if len(found) != n {
			return fmt.Errorf("%d of %d deliveries have ended", len(found), n)
		}
		return nil
	})
	return found
}

// attempts are those of a delivery, as the log has them.
func (x *running) attempts(d postroom.DeliveryResource) []postroom.AttemptResource {
	x.t.Helper()
	d, err := x.api.Delivery(x.t.Context(), d.ID.String())
	if err != nil {
		x.t.Fatal(err)
	}
	return d.Attempts
}

// takesDeliveries publishes every value that is hard, and checks that the example accepted what was sent.
func (x *running) takesDeliveries() {
	x.t.Helper()
	for i, c := range hard {
		x.publish(fmt.Sprintf("case-%d", i), c.value)
	}
	for _, d := range x.ended(len(hard), client.DeliveryFilter{Webhook: x.id.String()}) {
		var n int
		if _, err := fmt.Sscanf(d.EventID, "case-%d", &n); err != nil {
			x.t.Fatal(err)
		}
		c, a := hard[n], x.attempts(d)[0]
		if d.Status != postroom.DeliverySucceeded {
			x.t.Errorf("%s: %s: %+v", c.name, d.Status, a.Error)
		}
		if body := a.Request.Body; !strings.Contains(body, `"hard":`+c.sent) || !strings.Contains(body, `"10":`+c.sent) {
			x.t.Errorf("%s: what was sent does not carry %.200s: %.500s", c.name, c.sent, body)
		}
	}
}

// worksOnce checks that the work of each call is done, and only once though the call comes again.
func (x *running) worksOnce() {
	x.t.Helper()
	x.expect(http.StatusOK, x.sent("case-1"))
	if _, err := x.api.ReplayEvent(x.t.Context(), "case-0"); err != nil {
		x.t.Fatal(err)
	}
	testenv.Eventually(x.t, arrivalTimeout, func() error {
		d := x.ended(1, client.DeliveryFilter{Event: "case-0"})[0]
		if made := x.attempts(d); len(made) != 2 || d.Status != postroom.DeliverySucceeded {
			return fmt.Errorf("the delivery that is replayed is %s after %d attempts", d.Status, len(made))
		}
		return nil
	})
	x.publish("last", "1") // whose work is done after all other
	var said string
	testenv.Eventually(x.t, arrivalTimeout, func() error {
		if said = x.done(); !strings.Contains(said, who("last")) {
			return errors.New("the work of the last call is not done")
		}
		return nil
	})
	for i, c := range hard {
		if n := strings.Count(said, who(fmt.Sprintf("case-%d", i))); n != 1 {
			x.t.Errorf("%s: the work is done %d times", c.name, n)
		}
	}
}

var leftCall = regexp.MustCompile(`(\S+) is left for the next`)

// goesOn checks that what was stored and not done is tried again by the next process, and what is done is not. It has a call whose work
// fails: one that is signed, and nothing that the example expects.
func (x *running) goesOn() {
	x.t.Helper()
	x.expect(http.StatusOK, x.signedNow("1"))
	for range 2 {
		var said string
		testenv.Eventually(x.t, arrivalTimeout, func() error {
			if said = x.done(); !leftCall.MatchString(said) {
				return errors.New("the work that fails is not tried")
			}
			return nil
		})
		x.process.kill()
		x.start()
	}
	x.publish("after", "1")
	testenv.Eventually(x.t, arrivalTimeout, func() error {
		said := x.done()
		if strings.Contains(said, "case-") || strings.Contains(said, who("last")) {
			x.t.Fatal("what was done is done again by the next process")
		}
		if !strings.Contains(said, who("after")) || !leftCall.MatchString(said) {
			return errors.New("the next process does not do its work")
		}
		calls := map[string]bool{}
		for _, found := range leftCall.FindAllStringSubmatch(said, -1) {
			calls[found[1]] = true
		}
		if len(calls) != 1 {
			x.t.Fatalf("more than the one call whose work fails is left: %v", calls)
		}
		return nil
	})
}

// signed tells whether the sender is known by a signature over the body.
func (x *running) signed() bool { return x.header != "" && x.header != "Authorization" }

// refusesOthers checks that deliveries of webhooks that do not know what is secret are answered 401.
func (x *running) refusesOthers() {
	x.t.Helper()
	in := x.webhook
	switch {
	case in.Auth != nil:
		in.Auth = bearer(token + "0")
	case x.header == "":
		x.url += "0"
		defer func() { x.url = strings.TrimSuffix(x.url, "0") }()
	default:
		in.Secret = "" // a new one
	}
	stranger := x.subscribe(in)
	x.publish("stranger", `1`)
	d := x.ended(1, client.DeliveryFilter{Webhook: stranger.String()})[0]
	if d.Status != postroom.DeliveryFailed || d.LastStatusCode != http.StatusUnauthorized {
		x.t.Errorf("a stranger's delivery is %s with %d, want a failed one with 401", d.Status, d.LastStatusCode)
	}
	if err := x.api.DeleteWebhook(x.t.Context(), stranger.String()); err != nil {
		x.t.Fatal(err)
	}
}
