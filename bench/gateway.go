package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

// gateway is a running `postroom serve` with its database and the webhooks that were made for a run.
type gateway struct {
	server   *child
	database opened
	dir      string
	base     string // http://127.0.0.1:PORT
	client   *client.Client
	webhooks []string // ids
}

// hook is a webhook to make: where it goes, and which type of events it gets.
type hook struct {
	url       string
	eventType string
}

// startPostroom starts a server on a database of its own, with the given webhooks.
func (s *session) startPostroom(ctx context.Context, db database, hooks []hook) (g *gateway, err error) {
	dir, err := os.MkdirTemp(s.dir, "run-")
	if err != nil {
		return nil, err
	}
	g = &gateway{dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.close(ctx))
		}
	}()
	if err := os.Chmod(dir, 0o711); err != nil { // PostgreSQL's account goes through it to its own
		return g, err
	}
	if g.database, err = db.open(ctx, dir); err != nil {
		return g, err
	}
	port, err := freePort()
	if err != nil {
		return g, err
	}
	address := "127.0.0.1:" + port
	env := []string{
		"POSTROOM_DATABASE=" + g.database.url, // not an argument: it may hold a password, and other users see arguments
		"POSTROOM_ADMIN_KEY=" + s.adminKey,
		"POSTROOM_SECRET_KEY=" + s.secretKey,
		"POSTROOM_SHUTDOWN_TIMEOUT=2s", // deliveries to receivers that hang need not be waited for
	}
	if s.cfg.CPUProfile != "" {
		env = append(env, EnvCPUProfile+"="+s.cfg.CPUProfile)
	}
	g.base = "http://" + address
	g.server, err = start("postroom", command(s.cfg.Executable, []string{"serve", "--listen", address, "--dev"}, dir, env...))
	if err != nil {
		return g, err
	}
	if err := g.ready(ctx); err != nil {
		return g, errors.Join(fmt.Errorf("start Postroom on %s: %w", db.kind, err), g.server.lastWords())
	}
	if g.client, err = client.New(client.Config{URL: g.base, Key: s.adminKey}); err != nil {
		return g, err
	}
	err = g.createWebhooks(ctx, hooks)
	return g, err
}

// ready returns when the server can store.
func (g *gateway) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	caller := newCaller()
	defer caller.CloseIdleConnections()
	var last error
	err := poll(ctx, 20*time.Millisecond, func() (bool, error) {
		if g.server.hasEnded() {
			return false, errors.New("it has ended")
		}
		last = call(ctx, caller, http.MethodGet, g.base+"/readyz", nil, nil)
		return last == nil, nil
	})
	return errors.Join(err, last)
}

// createWebhooks makes the webhooks of a run. It refuses a database that has others, as they would get events too.
func (g *gateway) createWebhooks(ctx context.Context, hooks []hook) error {
	found, err := g.client.WebhookPage(ctx, postroom.PageQuery{Limit: 1})
	if err != nil {
		return fmt.Errorf("list the webhooks: %w", err)
	}
	if len(found.Data) > 0 {
		return errors.New("the database has webhooks, and must be empty")
	}
	for i, h := range hooks {
		made, err := g.client.CreateWebhook(ctx, client.WebhookInput{
			Name: "Benchmark " + strconv.Itoa(i), URL: h.url, Events: []string{h.eventType}, Concurrency: forwarderWorkers,
		})
		if err != nil {
			return fmt.Errorf("create a webhook: %w", err)
		}
		g.webhooks = append(g.webhooks, made.ID.String())
	}
	return nil
}

// target is this server as something to publish to.
func (g *gateway) target(s *session) target {
	t := target{
		name: "Postroom", url: g.base + "/v1/events", key: s.adminKey, transport: newTransport(s.cfg.Publishers), server: g.server,
		processes: []process{{name: "postroom", child: g.server}},
	}
	if g.database.server != nil {
		t.processes = append(t.processes, process{name: "postgres", child: g.database.server, family: true})
	}
	return t
}

// close ends the server, after removing its webhooks if its database stays, and removes its files.
func (g *gateway) close(ctx context.Context) error {
	var errs []error
	if g.database.stays && len(g.webhooks) > 0 && !g.server.hasEnded() {
		errs = append(errs, g.removeWebhooks(ctx))
	}
	errs = append(errs, g.server.end(syscall.SIGTERM), g.database.close(), os.RemoveAll(g.dir))
	return errors.Join(errs...)
}

// removeWebhooks removes what createWebhooks made, even when ctx has ended: the next run wants a database without them.
func (g *gateway) removeWebhooks(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), startTimeout) // a backlog is cancelled with its webhook
	defer cancel()
	for len(g.webhooks) > 0 {
		if err := g.client.DeleteWebhook(ctx, g.webhooks[0]); err != nil {
			return fmt.Errorf("remove a webhook: %w", err)
		}
		g.webhooks = g.webhooks[1:]
	}
	return nil
}
