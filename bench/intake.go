package bench

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"syscall"

	"github.com/postroom/postroom"
)

const bareHandler = "bare handler"

// Where the signature of a call stands, and what it is made with.
const (
	signatureHeader = "X-Signature"
	signatureSecret = "the secret of a sender that is measured"
)

// intakeAnswer is what the bare handler answers: as many bytes as Postroom does.
const intakeAnswer = `{"success":true,"message":"The call was processed.","processed_records":1,"request_id":"req_00000000000000000000000000"}`

// intakeSource are the settings of a source that is measured: a call proves itself with the token in its URL and a signature of its body.
// Nothing subscribes to its events.
type intakeSource struct {
	Name      string                    `json:"name"`
	EventType string                    `json:"event_type"`
	Signature *postroom.SourceSignature `json:"signature"`
	Mapping   []postroom.MappingRow     `json:"mapping"`
	Actions   []postroom.Action         `json:"actions"`
}

func newIntakeSource() intakeSource {
	return intakeSource{Name: "Benchmark", EventType: measuredType, Mapping: []postroom.MappingRow{}, Actions: []postroom.Action{},
		Signature: &postroom.SourceSignature{Scheme: "hmac", Header: signatureHeader, Algorithm: "sha256", Encoding: "hex", Secret: signatureSecret}}
}

// intake compares calls to a source with the same calls to a bare handler, which reads them, answers the same and keeps nothing. What
// counts are the answers, and each call that Postroom answered must be in the log of the source afterwards.
func intake(s *session, ctx context.Context, db database) ([]Comparison, error) {
	plain, adding := newIntakeSource(), newIntakeSource()
	adding.Mapping = []postroom.MappingRow{{From: postroom.Paths{"data.contact.email"}, To: "email"}}
	adding.Actions = []postroom.Action{{Type: postroom.ActionAddSubscriber}}
	comparisons := []Comparison{
		{
			What: string(db.kind) + ", intake: verified, stored, answered", Subject: "Postroom",
			Goal: &Goal{Must: 0.5, Aim: 0.7, MustText: "0.5 of a bare net/http handler that answers", AimText: "0.7"},
		},
		{What: string(db.kind) + ", intake: the same, and a new contact for each call", Subject: "Postroom, add_subscriber"},
	}
	for range s.cfg.Runs {
		base, err := s.withBareHandler(ctx)
		if err != nil {
			return nil, err
		}
		s.tell("intake", db, base)
		for i, settings := range []intakeSource{plain, adding} {
			pair := Pair{Base: base}
			if pair.Subject, err = s.withSource(ctx, db, settings); err != nil {
				return nil, err
			}
			s.tell("intake", db, pair.Subject)
			comparisons[i].Pairs = append(comparisons[i].Pairs, pair)
		}
	}
	for i := range comparisons {
		comparisons[i].Scenario, comparisons[i].Metric, comparisons[i].Base = "intake", Answers, bareHandler
	}
	return comparisons, nil
}

// answering is a bare handler.
func answering(w http.ResponseWriter, r *http.Request) {
	if _, err := io.ReadAll(r.Body); err != nil {
		http.Error(w, "the body broke off", http.StatusBadRequest)
		return
	}
	h := w.Header()
	h["X-Content-Type-Options"] = []string{"nosniff"}
	h["Cache-Control"] = []string{"no-store"}
	h["Content-Type"] = []string{"application/json"}
	_, _ = io.WriteString(w, intakeAnswer) // the caller may be gone, and notices
}

// withBareHandler starts a bare handler, warms it up, and measures it.
func (s *session) withBareHandler(ctx context.Context) (m Measurement, err error) {
	server, address, err := startRole(ctx, s.cfg.Executable, s.dir, roleHandler)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, server.end(syscall.SIGTERM)) }()
	t := target{
		name: bareHandler, url: "http://" + address + "/in/src_00000000000000000000000000?token=00000000000000000000000000",
		transport: newTransport(s.cfg.Publishers), server: server, processes: []process{{name: roleHandler, child: server}},
	}
	defer t.transport.CloseIdleConnections()
	m, _, err = s.measureAnswers(ctx, t)
	return m, err
}

// withSource starts a server with a source, warms it up, measures it, and counts what was stored.
func (s *session) withSource(ctx context.Context, db database, settings intakeSource) (m Measurement, err error) {
	err = s.withGateway(ctx, db, nil, func(g *gateway) (err error) {
		made, err := g.client.CreateSource(ctx, settings)
		if err != nil {
			return fmt.Errorf("create a source: %w", err)
		}
		if g.database.stays {
			defer func() {
				ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), startTimeout)
				defer cancel()
				err = errors.Join(err, g.client.DeleteSource(ctx, made.ID.String()))
			}()
		}
		t := g.target(s)
		defer t.transport.CloseIdleConnections()
		t.url, t.key = made.URL, ""
		var answered int
		if m, answered, err = s.measureAnswers(ctx, t); err != nil {
			return err
		}
		kept, err := g.client.Source(ctx, made.ID.String(), false)
		if err != nil {
			return err
		}
		m.Missing = max(answered-int(kept.Requests.Total), 0) // what was refused may be stored all the same
		m.Arrived -= m.Missing
		return nil
	})
	return m, err
}

// measureAnswers makes calls that are signed, some of them to warm up, and counts those that are answered with 200: in the measurement, and in all.
func (s *session) measureAnswers(ctx context.Context, t target) (m Measurement, answered int, err error) {
	t.sign, t.accepts = []byte(signatureSecret), http.StatusOK
	l := load{eventType: measuredType, events: s.cfg.Warmup}
	warm, err := publish(ctx, t, l, s.numbers(l.events), s.cfg.Publishers)
	if err != nil {
		return m, 0, err
	}
	if warm.refused > 0 {
		return m, 0, fmt.Errorf("the warm-up of the %s failed: %d of %d calls were refused, the first one with: %s", t.name, warm.refused, l.events, warm.refusal)
	}
	l.events = s.cfg.Events
	processes := append([]process{{name: "publisher"}}, t.processes...)
	before, err := usage(processes)
	if err != nil {
		return m, 0, err
	}
	sent, err := publish(ctx, t, l, s.numbers(l.events), s.cfg.Publishers)
	if err != nil {
		return m, 0, err
	}
	if t.server.hasEnded() {
		return m, 0, errors.Join(fmt.Errorf("the %s ended during the measurement", t.name), t.server.lastWords())
	}
	if err := pause(ctx, s.cfg.settle); err != nil {
		return m, 0, err
	}
	after, err := usage(processes)
	if err != nil {
		return m, 0, err
	}
	m = newMeasurement(t.name, l, sent, arrivals{Arrived: sent.accepted, LastUS: sent.startUS + sent.took.Microseconds()})
	m.Calls, m.Deliveries, m.Latency = true, sent.accepted, m.Publish
	m.Processes = difference(before, after, l.events)
	return m, warm.accepted + sent.accepted, nil
}

// signer signs bodies, one at a time.
type signer struct {
	mac hash.Hash
	sum []byte
}

func newSigner(secret []byte) *signer {
	return &signer{mac: hmac.New(sha256.New, secret)}
}

// sign gives the signature of a body, as the header has it.
func (s *signer) sign(body []byte) string {
	s.mac.Reset()
	_, _ = s.mac.Write(body) // never fails
	s.sum = s.mac.Sum(s.sum[:0])
	return hex.EncodeToString(s.sum)
}
