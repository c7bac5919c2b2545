package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
	"github.com/postroom/postroom/internal/fill"
)

// gateway is a running `postroom serve` with its database and the webhooks that were made for a run.
type gateway struct {
	server   *child
	database opened
	dir      string
	kind     kind
	base     string // http://127.0.0.1:PORT
	client   *client.Client
	webhooks []postroom.WebhookID
	started  time.Time // when the process of the server was
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
	g = &gateway{dir: dir, kind: db.kind}
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
	if err := s.serve(ctx, g); err != nil {
		return g, err
	}
	err = g.createWebhooks(ctx, hooks)
	return g, err
}

// serve starts the server of a gateway, whose database may have been used before.
func (s *session) serve(ctx context.Context, g *gateway) error {
	port, err := freePort()
	if err != nil {
		return err
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
	g.started = time.Now()
	g.server, err = start("postroom", command(s.cfg.Executable, []string{"serve", "--listen", address, "--dev"}, g.dir, env...))
	if err != nil {
		return err
	}
	if err := g.ready(ctx); err != nil {
		return errors.Join(fmt.Errorf("start Postroom on %s: %w", g.kind, err), g.server.lastWords())
	}
	g.client, err = client.New(client.Config{URL: g.base, Key: s.adminKey})
	return err
}

// stop ends the server, whose database stays as it is.
func (g *gateway) stop() error { return g.server.end(syscall.SIGTERM) }

// refill stops the server, has its database filled, and starts it again.
func (s *session) refill(ctx context.Context, g *gateway, with func(d *fill.Database, workspace postroom.WorkspaceID) error) error {
	if err := g.stop(); err != nil {
		return err
	}
	rows := 0
	d, err := fill.Open(ctx, g.database.url, func(n int) {
		rows += n
		_, _ = fmt.Fprintf(s.cfg.Progress, "%s: %s rows written\n", g.kind, count(rows)) // progress that cannot be shown is no failure
	})
	if err != nil {
		return err
	}
	workspace, err := d.Workspace(ctx, g.webhooks[0])
	if err == nil {
		err = with(d, workspace)
	}
	if err = errors.Join(err, d.Close()); err != nil {
		return err
	}
	return s.serve(ctx, g)
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
	g.webhooks = make([]postroom.WebhookID, len(hooks))
	errs := make([]error, min(len(hooks), webhookMakers))
	var makers sync.WaitGroup
	for m := range errs {
		makers.Go(func() {
			for i := m; i < len(hooks) && errs[m] == nil; i += len(errs) {
				made, err := g.client.CreateWebhook(ctx, client.WebhookInput{
					Name: "Benchmark " + strconv.Itoa(i), URL: hooks[i].url, Events: []string{hooks[i].eventType}, Concurrency: forwarderWorkers,
				})
				if err != nil {
					errs[m] = fmt.Errorf("create a webhook: %w", err)
					continue
				}
				g.webhooks[i] = made.ID
			}
		})
	}
	makers.Wait()
	return errors.Join(errs...)
}

// webhookMakers is how many webhooks are made at once.
const webhookMakers = 16

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
		if g.webhooks[0].IsZero() { // it could not be made
			g.webhooks = g.webhooks[1:]
			continue
		}
		if err := g.client.DeleteWebhook(ctx, g.webhooks[0].String()); err != nil {
			return fmt.Errorf("remove a webhook: %w", err)
		}
		g.webhooks = g.webhooks[1:]
	}
	return nil
}
