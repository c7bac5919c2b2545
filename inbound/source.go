package inbound

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/dialect"
	"github.com/postroom/postroom/inbound/scheme"
)

// SourceContext is what a source's secrets are sealed for.
func SourceContext(id postroom.SourceID) string { return "source secrets " + id.String() }

const (
	// sourceLife is how old what is known of a source may be: a change that another node made counts after it.
	sourceLife = 5 * time.Second
	// maxSources bounds the sources that are kept ready.
	maxSources = 20_000
	// maxLogged is how many refused calls of a source are stored in a minute.
	maxLogged = 60
)

// source is one that is ready to take calls. It never changes, but for its state, which all that was read of the source share.
type source struct {
	postroom.StoredSource
	proof   *scheme.Scheme // how a caller proves who it is; nil where its address does
	allow   *scheme.Scheme // where callers may be; nil for anywhere
	kind    *dialect.In    // nil for a generic one
	program *Program       // nil where the settings cannot be understood any more
	broken  error          // why they cannot
	fields  []postroom.Field
	hidden  credentials
	*sourceState
}

// sourceState is what a node knows of a source beside its settings.
type sourceState struct {
	mu      sync.Mutex
	limiter *rate.Limiter // nil for no limit
	logged  []time.Time   // the last refused calls that were stored
	missed  int64         // refused calls since that were not

	healing sync.Mutex // held while a change of the health is being stored
	health  postroom.SourceHealth
}

func (s *sourceState) getHealth() postroom.SourceHealth {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.health
}

func (s *sourceState) setHealth(h postroom.SourceHealth) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.health = h
}

// limit counts a call, and says how long its caller has to wait if it is one too many.
func (s *sourceState) limit(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.limiter == nil {
		return 0
	}
	r := s.limiter.ReserveN(now, 1)
	if wait := r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return wait
	}
	return 0
}

// setLimit brings the limiter in step with the settings.
func (s *sourceState) setLimit(limit *postroom.RateLimit, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if limit == nil || limit.Limit <= 0 || limit.Period <= 0 {
		s.limiter = nil
		return
	}
	each := rate.Limit(float64(limit.Limit) / time.Duration(limit.Period).Seconds())
	if s.limiter == nil {
		s.limiter = rate.NewLimiter(each, limit.Limit)
	} else if math.Abs(float64(s.limiter.Limit()-each)) > 1e-9 || s.limiter.Burst() != limit.Limit {
		s.limiter.SetLimitAt(now, each)
		s.limiter.SetBurstAt(now, limit.Limit)
	}
}

// mayLog tells whether a refused call is one of those that are stored, and how many before it were not.
func (s *sourceState) mayLog(now time.Time) (missed int64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.logged) > 0 && now.Sub(s.logged[0]) >= time.Minute {
		s.logged = s.logged[1:]
	}
	if len(s.logged) >= maxLogged {
		s.missed++
		return 0, false
	}
	s.logged = append(s.logged, now)
	missed, s.missed = s.missed, 0
	return missed, true
}

// sources keeps sources ready.
type sources struct {
	load func(ctx context.Context, id postroom.SourceID, had *source) (*source, error)
	now  func() time.Time

	mu      sync.Mutex
	ready   map[postroom.SourceID]*cached
	loading map[postroom.SourceID]*loading
}

type cached struct {
	*source
	until time.Time
}

// loading is a source that is being read; others wait for it.
type loading struct {
	done   chan struct{}
	source *source
	err    error
}

// get finds a source. Its error has CodeNotFound where there is none.
func (s *sources) get(ctx context.Context, id postroom.SourceID) (*source, error) {
	s.mu.Lock()
	c, had := s.ready[id]
	if had && s.now().Before(c.until) {
		s.mu.Unlock()
		return c.source, nil
	}
	l, others := s.loading[id]
	if !others {
		l = &loading{done: make(chan struct{})}
		if s.loading == nil {
			s.loading = map[postroom.SourceID]*loading{}
		}
		s.loading[id] = l
	}
	s.mu.Unlock()
	if !others {
		var known *source
		if had {
			known = c.source
		}
		s.read(context.WithoutCancel(ctx), id, known, l)
		return l.source, l.err
	}
	select {
	case <-l.done:
		return l.source, l.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// read reads a source, and keeps it unless it has changed meanwhile.
func (s *sources) read(ctx context.Context, id postroom.SourceID, known *source, l *loading) {
	l.err = errors.New("the source could not be read") // where load panics
	defer close(l.done)
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.loading[id] != l {
			return
		}
		delete(s.loading, id)
		if l.err != nil {
			if postroom.CodeOf(l.err) == postroom.CodeNotFound {
				delete(s.ready, id)
			}
			return
		}
		if len(s.ready) >= maxSources {
			for other := range s.ready { // any one will do
				delete(s.ready, other)
				break
			}
		}
		s.ready[id] = &cached{l.source, s.now().Add(sourceLife)}
	}()
	l.source, l.err = s.load(ctx, id, known)
}

// forget has a source read again by whoever asks from now on. What is known beside its settings is kept.
func (s *sources) forget(id postroom.SourceID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.ready[id]; ok {
		c.until = time.Time{}
	}
	delete(s.loading, id)
}

// loadSource reads sources. had is what was known of one before, or nil.
func (in *Intake) loadSource(opener Opener) func(context.Context, postroom.SourceID, *source) (*source, error) {
	return func(ctx context.Context, id postroom.SourceID, had *source) (*source, error) {
		stored, err := in.store.SourceOf(ctx, id)
		if err != nil {
			return nil, err
		}
		var secrets postroom.SourceSecrets
		plain, err := opener.Open(SourceContext(id), stored.Sealed)
		if err != nil {
			return nil, fmt.Errorf("the secrets of source %s: %w", id, err)
		}
		if err := json.Unmarshal(plain, &secrets); err != nil {
			return nil, fmt.Errorf("the secrets of source %s: %w", id, err)
		}
		s := &source{StoredSource: stored}
		if err := in.prepare(ctx, s, &secrets); err != nil {
			return nil, err
		}
		if had != nil {
			s.sourceState = had.sourceState
			err = in.renewHealth(ctx, s)
		} else {
			s.sourceState, err = in.newState(ctx, id)
		}
		if err != nil {
			return nil, err
		}
		s.setLimit(s.RateLimit, in.now())
		return s, nil
	}
}

func (in *Intake) newState(ctx context.Context, id postroom.SourceID) (*sourceState, error) {
	health, _, err := in.store.SourceHealth(ctx, id)
	return &sourceState{health: health}, err
}

// renewHealth sees what other nodes have found out about a source.
func (in *Intake) renewHealth(ctx context.Context, s *source) error {
	if !in.shared || !s.healing.TryLock() { // this node is finding something out
		return nil
	}
	defer s.healing.Unlock()
	health, _, err := in.store.SourceHealth(ctx, s.ID)
	if err == nil {
		s.setHealth(health)
	}
	return err
}

// prepare makes a source's settings ready. Settings that were right when they were saved, and are not any more, keep its calls from being
// processed, but not from being stored.
func (in *Intake) prepare(ctx context.Context, s *source, secrets *postroom.SourceSecrets) error {
	kind, err := in.kindOf(s.Kind)
	if err != nil {
		return err
	}
	s.kind = kind
	all, err := proofs(&s.SourceSettings, secrets, kind)
	if err != nil {
		return err
	}
	var problems postroom.Problems
	s.proof, s.allow = compileProofs(all, &problems), compileAllowed(s.IPAllow, &problems)
	if err := problems.Err(); err != nil {
		return fmt.Errorf("calls to source %s cannot be verified: %w", s.ID, err)
	}
	s.hidden = credentialsOf(&s.SourceSettings, all)
	if s.fields, err = in.store.Fields(ctx, s.WorkspaceID); err != nil {
		return err
	}
	types, err := in.types(ctx, s.WorkspaceID)
	if err != nil {
		return err
	}
	s.program, s.broken = Compile(&s.SourceSettings, kind, types)
	return nil
}

// kindOf finds what a kind of sources knows; nil for generic ones.
func (in *Intake) kindOf(name string) (*dialect.In, error) {
	if name == postroom.KindGeneric {
		return nil, nil
	}
	d, ok := in.dialects[name]
	if !ok || d.In == nil {
		return nil, postroom.Invalid(postroom.CodeInvalid, "/kind", "there is no kind %q of sources", name)
	}
	return d.In, nil
}
