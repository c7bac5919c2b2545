package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/fill"
)

// The scenarios here need more rows than can be published in a reasonable time: those are written into the database by SQL
// while no server uses it.

// backlog compares an empty database with one in which many deliveries wait for a webhook that does not answer. They
// are due at once, so they are in the way of the others as much as they can be.
func backlog(s *session, ctx context.Context, db database) ([]Comparison, error) {
	c := Comparison{
		Scenario: "backlog", Metric: Throughput, Base: "Postroom, nothing waits",
		What:    fmt.Sprintf("%s, %s deliveries waiting for a dead receiver: throughput of the others", db.kind, count(s.cfg.Backlog)),
		Subject: fmt.Sprintf("Postroom, %s wait", count(s.cfg.Backlog)),
		Goal:    &Goal{Must: 0.9, Aim: 1 - noDifference, MustText: "0.9 of an empty database", AimText: "1.0"},
	}
	hooks := append(s.lanes(1), hook{url: s.at(hangPath), eventType: backlogType})
	l := load{eventType: measuredType, events: s.cfg.Events, lanes: 1}
	for range s.cfg.Runs {
		var pair Pair
		err := s.withGateway(ctx, db, hooks, func(g *gateway) (err error) {
			if pair.Base, err = s.warmAndMeasure(ctx, g, l); err != nil {
				return err
			}
			s.tell("backlog", db, pair.Base)
			if err := s.refill(ctx, g, func(d *fill.Database, workspace postroom.WorkspaceID) error {
				return d.Waiting(ctx, fill.Waiting{Workspace: workspace, Webhooks: g.webhooks[1:], Type: backlogType, Events: s.cfg.Backlog, Until: time.Now()})
			}); err != nil {
				return err
			}
			if err := g.indexed(ctx); err != nil {
				return err
			}
			if pair.Subject, err = s.warmAndMeasure(ctx, g, l); err != nil {
				return err
			}
			s.tell("backlog", db, pair.Subject)
			return nil
		})
		if err != nil {
			return nil, err
		}
		c.Pairs = append(c.Pairs, pair)
	}
	return []Comparison{c}, nil
}

// withGateway starts a server with the webhooks, and has do work with it.
func (s *session) withGateway(ctx context.Context, db database, hooks []hook, do func(*gateway) error) (err error) {
	g, err := s.startPostroom(ctx, db, hooks)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.close(ctx)) }()
	return do(g)
}

func (s *session) warmAndMeasure(ctx context.Context, g *gateway, l load) (Measurement, error) {
	t := g.target(s)
	defer t.transport.CloseIdleConnections()
	if err := s.warmUp(ctx, t, l.lanes); err != nil {
		return Measurement{}, err
	}
	return s.measure(ctx, t, l)
}

// starting measures the time from the start of the server's process to the first arrival of what waits.
func starting(s *session, ctx context.Context, db database) ([]Comparison, error) {
	c := Comparison{
		Scenario: "start", Metric: Seconds, Subject: "Postroom",
		What: fmt.Sprintf("%s, start with %s waiting deliveries, to first delivery", db.kind, count(s.cfg.Backlog)),
		Goal: &Goal{Must: 2, Aim: 0.5, MustText: "2 s", AimText: "0.5 s"},
	}
	err := s.withGateway(ctx, db, s.lanes(1), func(g *gateway) error {
		first := s.numbers(s.cfg.Backlog)
		want := expectation{First: first, Events: s.cfg.Backlog, Lanes: 1}
		begin := func() error { return call(ctx, s.caller, http.MethodPost, s.at(wantPath), want, nil) }
		if err := begin(); err != nil {
			return err
		}
		if err := s.refill(ctx, g, func(d *fill.Database, workspace postroom.WorkspaceID) error {
			return d.Waiting(ctx, fill.Waiting{Workspace: workspace, Webhooks: g.webhooks, Type: measuredType, Events: s.cfg.Backlog, First: first, Until: time.Now()})
		}); err != nil {
			return err
		}
		for run := range s.cfg.Runs {
			if run > 0 { // few have gone out since the last start
				if err := errors.Join(g.stop(), begin(), s.serve(ctx, g)); err != nil {
					return err
				}
			}
			var got arrivals
			if err := poll(ctx, time.Millisecond, func() (bool, error) {
				err := call(ctx, s.caller, http.MethodGet, s.at(statsPath), nil, &got)
				return got.FirstUS > 0 || time.Since(g.started) > s.cfg.Patience, err
			}); err != nil {
				return err
			}
			if got.FirstUS == 0 {
				return fmt.Errorf("nothing arrived within %v of the start", s.cfg.Patience)
			}
			c.Values = append(c.Values, time.UnixMicro(got.FirstUS).Sub(g.started).Seconds())
		}
		return nil
	})
	return []Comparison{c}, err
}

// memory measures what the server has resident while many deliveries wait for another attempt, those of many webhooks, and it
// delivers a little to one more.
func memory(s *session, ctx context.Context, db database) ([]Comparison, error) {
	c := Comparison{
		Scenario: "memory", Metric: MiB, Subject: "Postroom",
		What: fmt.Sprintf("%s, %s webhooks configured, %s waiting: resident memory", db.kind, count(s.cfg.Webhooks), count(s.cfg.Backlog)),
		Goal: &Goal{Must: 400, Aim: 200, MustText: "400 MiB", AimText: "200 MiB"},
	}
	hooks := s.lanes(1)
	for range s.cfg.Webhooks {
		hooks = append(hooks, hook{url: s.at(hangPath), eventType: backlogType})
	}
	for range s.cfg.Runs {
		err := s.withGateway(ctx, db, hooks, func(g *gateway) error {
			if err := s.refill(ctx, g, func(d *fill.Database, workspace postroom.WorkspaceID) error {
				return d.Waiting(ctx, fill.Waiting{Workspace: workspace, Webhooks: g.webhooks[1:], Type: backlogType, Events: s.cfg.Backlog, Until: time.Now(), Retry: true})
			}); err != nil {
				return err
			}
			if err := g.indexed(ctx); err != nil {
				return err
			}
			m, err := s.warmAndMeasure(ctx, g, s.pacedLoad(1))
			if err != nil {
				return err
			}
			s.tell("memory", db, m)
			now, err := residentOf(g.server.cmd.Process.Pid)
			if err != nil {
				return err
			}
			peak, err := peakOf(g.server.cmd.Process.Pid)
			c.Values = append(c.Values, float64(peak)/(1<<20))
			c.Details = append(c.Details, Detail{What: "in the end", Value: float64(now) / (1 << 20)}, Detail{What: "arrival under light load, p99 in ms", Value: m.Latency.P99})
			return errors.Join(err, m.loss())
		})
		if err != nil {
			return []Comparison{c}, err
		}
	}
	return []Comparison{c}, nil
}
