package demo

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
	"github.com/postroom/postroom/config"
	"github.com/postroom/postroom/server"
)

// Config is what the demo needs.
type Config struct {
	Version string
	Out     io.Writer
	Colour  bool
	Listen  string // host:port for the server; when it is taken, any free port
	Exit    bool   // end when everything has arrived, instead of going on until ctx ends
	Events  int    // how many are published; 0 for a hundred
}

// patience is how long everything may take to arrive.
const patience = 60 * time.Second

// Run runs the demo. It fails when an event does not arrive, or with a signature that does not verify.
func Run(ctx context.Context, c Config) (err error) {
	if c.Events == 0 {
		c.Events = 100
	}
	dir, err := os.MkdirTemp("", "postroom-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	account := &account{out: c.Out, colour: c.Colour, started: time.Now()}
	receiver, err := startReceiver(account)
	if err != nil {
		return err
	}
	defer receiver.stop()

	key := "prk_demo" + strings.ToLower(rand.Text())
	gateway, err := startServer(ctx, c, dir, key)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, gateway.stop()) }()
	api, err := client.New(client.Config{URL: gateway.url, Key: key})
	if err != nil {
		return err
	}
	account.say("Postroom runs at %s, with a fresh database in %s", gateway.url, dir)
	account.say("A receiver runs at %s; it verifies each signature, and fails some calls at first", receiver.url)
	account.say("→ is a call that comes in, ← its answer, ✓ a call that went out and arrived\n")

	if err := subscribe(ctx, api, receiver); err != nil {
		return err
	}
	sender, err := startSender(ctx, api, account, receiver)
	if err != nil {
		return err
	}
	if err := sender.work(ctx, max(3, c.Events/20)); err != nil {
		return err
	}
	if err := publish(ctx, api, account, receiver, c.Events); err != nil {
		return err
	}
	if err := receiver.wait(ctx, patience); err != nil {
		return err
	}
	if err := summary(ctx, api, account, receiver); err != nil {
		return err
	}
	if c.Exit {
		return nil
	}
	account.say(`
The server goes on running. Try, in another terminal:

    export POSTROOM_URL=%s POSTROOM_API_KEY=%s
    postroom deliveries list
    postroom sources requests
    postroom contacts list
    postroom events tail
    postroom members link admin@localhost      # a link that signs in to the dashboard
    postroom events send --type contact.created --data '{"contact":{"email":"you@example.com"}}'

and open %s/docs, the documentation of the API, in a browser. Ctrl-C ends the demo.
`, gateway.url, key, gateway.url)
	select {
	case <-ctx.Done():
		return nil
	case err := <-gateway.ended:
		gateway.ended <- err
		return err
	}
}

// gateway is the server of the demo.
type gateway struct {
	url    string
	cancel context.CancelFunc
	ended  chan error
}

func (g *gateway) stop() error {
	g.cancel()
	return <-g.ended
}

func startServer(ctx context.Context, c Config, dir, key string) (*gateway, error) {
	listen := c.Listen
	if probe, err := net.Listen("tcp", listen); err != nil {
		listen = "127.0.0.1:0"
	} else if err := probe.Close(); err != nil {
		return nil, err
	}
	cfg, err := config.Load(config.Given{Flags: map[string][]string{
		"listen": {listen}, "database": {"sqlite:" + filepath.Join(dir, "postroom.db")}, "dev": {"true"}, "log-level": {"error"},
		"shutdown-timeout": {"5s"},
	}, Environ: []string{"POSTROOM_ADMIN_KEY=" + key}})
	if err != nil {
		return nil, err
	}
	running, cancel := context.WithCancel(ctx)
	g := &gateway{cancel: cancel, ended: make(chan error, 1)}
	address := make(chan net.Addr, 1)
	go func() {
		g.ended <- server.Run(running, cfg, server.Options{Version: c.Version, Stderr: c.Out, Started: func(a net.Addr) { address <- a }})
	}()
	select {
	case a := <-address:
		g.url = config.URLOf(a.String())
		return g, nil
	case err := <-g.ended:
		cancel()
		return nil, err
	}
}

// subscribe makes a webhook for each of the receiver's paths.
func subscribe(ctx context.Context, api *client.Client, r *receiver) error {
	soon := &client.RetryInput{Schedule: []postroom.Duration{postroom.Duration(500 * time.Millisecond), postroom.Duration(time.Second), postroom.Duration(2 * time.Second)}}
	for _, w := range []client.WebhookInput{
		{Name: "CRM sync", URL: r.url + "/crm", Events: []string{"contact.*", "email.bounced"}, Retry: soon},
		{Name: "Analytics", URL: r.url + "/analytics", Events: []string{"email.*", "whatsapp.*"}, Retry: soon},
		{Name: "Campaign log", URL: r.url + "/campaigns", Events: []string{"campaign.*"}, Retry: soon},
	} {
		created, err := api.CreateWebhook(ctx, w)
		if err != nil {
			return err
		}
		if err := r.expectFrom(created); err != nil {
			return err
		}
	}
	return nil
}

// publish publishes real-looking events: the catalogue's samples, each for another person.
func publish(ctx context.Context, api *client.Client, a *account, r *receiver, n int) error {
	types := []string{"contact.created", "email.sent", "email.delivered", "email.opened", "email.clicked", "campaign.sent",
		"whatsapp.message_received", "email.bounced", "contact.tagged", "whatsapp.read"}
	for i := range n {
		name := types[i%len(types)]
		sample, err := api.EventTypeSample(ctx, name)
		if err != nil {
			return err
		}
		data, err := forPerson(sample, i)
		if err != nil {
			return err
		}
		published, err := api.Publish(ctx, client.NewEvent{Type: name, Data: data})
		if err != nil {
			return err
		}
		r.expect(published)
	}
	a.say("\nOut: %d events published: each was on the disk before Postroom said yes\n", n)
	return nil
}

// forPerson gives a sample's data another contact.
func forPerson(sample json.RawMessage, i int) (json.RawMessage, error) {
	var event struct {
		Data map[string]json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(sample, &event); err != nil {
		return nil, err
	}
	if raw, ok := event.Data["contact"]; ok {
		contact := map[string]any{}
		if err := json.Unmarshal(raw, &contact); err != nil {
			return nil, err
		}
		contact["first_name"] = firstName(i)
		contact["email"] = fmt.Sprintf("person%02d@example.com", i)
		contact["id"] = 500 + i
		changed, err := json.Marshal(contact)
		if err != nil {
			return nil, err
		}
		event.Data["contact"] = changed
	}
	return json.Marshal(event.Data)
}

func firstName(i int) string {
	first := []string{"Ada", "Björn", "Chloé", "Dmitri", "Esra", "Fumiko", "Gwen", "Hôa", "Íñigo", "Jürgen"}
	return first[i%len(first)]
}

func summary(ctx context.Context, api *client.Client, a *account, r *receiver) error {
	got := r.totals()
	// The last results may still be on their way into the database.
	stats, err := api.Stats(ctx, client.StatsQuery{})
	for tries := 0; err == nil && stats.Attempts < int64(got.arrived+got.failed) && tries < 100; tries++ {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
		stats, err = api.Stats(ctx, client.StatsQuery{})
	}
	if err != nil {
		return err
	}
	a.say("\n%d deliveries arrived, every one of them signed; %d calls were failed on purpose and tried again.", got.arrived, got.failed)
	a.say("Postroom's own count: %d attempts, %d succeeded, %d retried; answered within %.1f ms (median), %.1f ms (99 %%).",
		stats.Attempts, stats.Succeeded, stats.Retried, stats.LatencyMs.P50, stats.LatencyMs.P99)
	if got.bad > 0 {
		return fmt.Errorf("%d calls came with a signature that does not verify", got.bad)
	}
	return nil
}

// account tells what happens, a line each.
type account struct {
	mu      sync.Mutex
	out     io.Writer
	colour  bool
	started time.Time
}

func (a *account) say(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, _ = fmt.Fprintf(a.out, format+"\n", args...)
}

// call tells of one call that the receiver got.
func (a *account) call(ok bool, webhook, eventType, who, note string) {
	mark := "✓"
	if !ok {
		mark = "✗"
	}
	a.line(mark, ok, webhook, eventType, who, note)
}

// line tells of one call: when, which way, and what became of it.
func (a *account) line(mark string, ok bool, party, eventType, who, note string) {
	on, off := "\x1b[32m", "\x1b[0m"
	if !ok {
		on = "\x1b[33m"
	}
	if !a.colour {
		on, off = "", ""
	}
	a.say("%7.3fs  %s%s  %-13s %-26s %-22s %s", time.Since(a.started).Seconds(), on+mark, off, party, eventType, who, note)
}
