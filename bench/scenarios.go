package bench

import (
	"context"
	"fmt"
)

// scenario is one thing that is measured on each database.
type scenario struct {
	name string
	run  func(*session, context.Context, database) ([]Comparison, error)
}

// scenarioTable lists the scenarios in the order in which they run.
func scenarioTable() []scenario {
	return []scenario{
		{"one", one},         // one webhook
		{"bulk", bulk},       // one webhook, many events in a request
		{"fanout", fanout},   // five webhooks get each event
		{"paced", paced},     // a steady rate, far from what the machine can do
		{"hang", hanging},    // one of ten webhooks does not answer
		{"backlog", backlog}, // many deliveries wait for a webhook that does not answer
		{"start", starting},  // many deliveries wait when the server starts
		{"memory", memory},   // there are many webhooks, and many deliveries wait
		{"logs", logs},       // a log of a month, searched by every filter
		{"intake", intake},   // calls to a source, verified and stored
	}
}

// Scenarios are the names of what can be measured.
func Scenarios() (names []string) {
	for _, s := range scenarioTable() {
		names = append(names, s.name)
	}
	return names
}

const bareForwarder = "bare forwarder"

// How many webhooks there are in `fanout` and in `hang`.
const (
	fanoutWebhooks = 5
	hangWebhooks   = 10
)

func one(s *session, ctx context.Context, db database) ([]Comparison, error) {
	c := Comparison{
		Scenario: "one", What: "SQLite, one webhook: delivered events per second, whole way", Metric: Throughput,
		Base: bareForwarder, Subject: "Postroom", Goal: forwarderGoal(0.45, 0.7),
	}
	if db.kind == postgres {
		c.What, c.Goal = "PostgreSQL, one node, same machine", forwarderGoal(0.2, 0.4)
	}
	return s.besideForwarder(ctx, db, c, s.single(), load{eventType: measuredType, events: s.cfg.Events, lanes: 1})
}

func bulk(s *session, ctx context.Context, db database) ([]Comparison, error) {
	c := Comparison{
		Scenario: "bulk", What: string(db.kind) + ", bulk publish (NDJSON), one webhook", Metric: Throughput,
		Base: bareForwarder, Subject: fmt.Sprintf("Postroom, %d events a request", s.cfg.BulkLines),
	}
	if db.kind == sqlite {
		c.Goal = forwarderGoal(0.8, 1.0)
	}
	return s.besideForwarder(ctx, db, c, s.single(), load{eventType: measuredType, events: s.cfg.Events, lanes: 1, lines: s.cfg.BulkLines})
}

func fanout(s *session, ctx context.Context, db database) ([]Comparison, error) {
	c := Comparison{
		Scenario: "fanout", What: fmt.Sprintf("%s, fan-out to %d: deliveries per second", db.kind, fanoutWebhooks), Metric: Throughput,
		Base: bareForwarder, Subject: fmt.Sprintf("Postroom, %d webhooks", fanoutWebhooks),
		Goal: &Goal{Must: 0.6, Aim: 0.9, MustText: "0.6 of the bare forwarder's posts", AimText: "0.9"},
	}
	return s.besideForwarder(ctx, db, c, s.single(), load{eventType: measuredType, events: s.cfg.Events, lanes: fanoutWebhooks})
}

func paced(s *session, ctx context.Context, db database) ([]Comparison, error) {
	c := Comparison{
		Scenario: "paced", What: fmt.Sprintf("%s, %d events/s: publish to arrival, p99", db.kind, s.cfg.Rate), Metric: P99,
		Base: bareForwarder, Subject: "Postroom",
		Goal: &Goal{Must: 5, Aim: 2.5, MustText: "5 ms", AimText: "2.5 ms"},
	}
	l := s.pacedLoad(1)
	return s.besideForwarder(ctx, db, c, l, l)
}

// single is what the bare forwarder gets, one event in each request, whatever Postroom gets.
func (s *session) single() load { return load{eventType: measuredType, events: s.cfg.Events, lanes: 1} }

func (s *session) pacedLoad(lanes int) load {
	return load{eventType: measuredType, events: s.cfg.pacedEvents(), lanes: lanes, rate: s.cfg.Rate}
}

func forwarderGoal(must, aim float64) *Goal {
	return &Goal{Must: must, Aim: aim, MustText: fmt.Sprintf("%g of the bare forwarder", must), AimText: fmt.Sprintf("%.1f", aim)}
}

// besideForwarder measures the bare forwarder and Postroom in turn.
func (s *session) besideForwarder(ctx context.Context, db database, c Comparison, base, subject load) ([]Comparison, error) {
	for range s.cfg.Runs {
		var pair Pair
		var err error
		if pair.Base, err = s.withForwarder(ctx, base); err != nil {
			return nil, err
		}
		s.tell(c.Scenario, db, pair.Base)
		err = s.withPostroom(ctx, db, s.lanes(subject.lanes), subject.lanes, func(t target) (err error) {
			pair.Subject, err = s.measure(ctx, t, subject)
			return err
		})
		if err != nil {
			return nil, err
		}
		s.tell(c.Scenario, db, pair.Subject)
		c.Pairs = append(c.Pairs, pair)
	}
	return []Comparison{c}, nil
}

// hanging compares ten webhooks that answer with ten of which the last does not. What is counted is what the other nine
// get, in both: at a steady rate, for the time that it takes, and at full speed.
func hanging(s *session, ctx context.Context, db database) ([]Comparison, error) {
	none, hangs := fmt.Sprintf("Postroom, %d webhooks answer", hangWebhooks), "Postroom, one of them hangs"
	what := fmt.Sprintf("%s, one of %d webhooks hangs: ", db.kind, hangWebhooks)
	steady := Comparison{
		Scenario: "hang", What: what + "the others' p99", Metric: P99Ratio, Base: none, Subject: hangs,
		Goal: &Goal{Must: 1.2, Aim: 1 + noDifference, MustText: "within 20 % of none hanging", AimText: "no difference"},
	}
	full := Comparison{
		Scenario: "hang", What: what + "the others' throughput", Metric: Throughput, Base: none, Subject: hangs,
		Goal: &Goal{Must: 0.8, Aim: 1 - noDifference, MustText: "within 20 % of none hanging", AimText: "no difference"},
	}
	run := func(hooks []hook) (slow, fast Measurement, err error) {
		const lanes = hangWebhooks - 1
		err = s.withPostroom(ctx, db, hooks, lanes, func(t target) (err error) {
			if slow, err = s.measure(ctx, t, s.pacedLoad(lanes)); err != nil {
				return err
			}
			s.tell("hang", db, slow)
			// As many deliveries as the other scenarios have.
			fast, err = s.measure(ctx, t, load{eventType: measuredType, events: max(s.cfg.Events/hangWebhooks, 1), lanes: lanes})
			s.tell("hang", db, fast)
			return err
		})
		return slow, fast, err
	}
	hooks := s.lanes(hangWebhooks)
	withHang := append(s.lanes(hangWebhooks-1), hook{url: s.at(hangPath), eventType: measuredType})
	for range s.cfg.Runs {
		var slow, fast Pair
		var err error
		if slow.Base, fast.Base, err = run(hooks); err != nil {
			return nil, err
		}
		if slow.Subject, fast.Subject, err = run(withHang); err != nil {
			return nil, err
		}
		steady.Pairs, full.Pairs = append(steady.Pairs, slow), append(full.Pairs, fast)
	}
	return []Comparison{steady, full}, nil
}

// noDifference is by how much two figures may differ that count as the same: runs of the same thing differ as much.
const noDifference = 0.05
