package outbound

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/dialect"
	"github.com/postroom/postroom/internal/expr"
)

// subscriptions is an index of what a workspace's webhooks want, as of one revision.
type subscriptions struct {
	revision int64
	exact    map[string][]*subscriber // by event type
	groups   map[string][]*subscriber // by "group." and deeper prefixes
	all      []*subscriber            // "*"
}

// subscriber is what matching needs of one webhook.
type subscriber struct {
	id       postroom.WebhookID
	active   bool
	ordering postroom.Ordering // empty for none
	filter   *filter           // nil for none
	dialect  *dialect.Dialect  // nil for one that is missing
}

// wants tells whether the webhook's dialect sends events of a type. One whose dialect is missing gets what it subscribes to: it waits.
func (s *subscriber) wants(eventType string) bool {
	return s.dialect == nil || s.dialect.Out.Offers(eventType)
}

// indexSubscriptions makes the index. A filter that does not compile is reported, and its webhook gets nothing.
func indexSubscriptions(subs []postroom.Subscription, revision int64, filters *expr.Compiler, dialects dialect.Set) (*subscriptions, error) {
	var failed []error
	x := &subscriptions{revision: revision, exact: map[string][]*subscriber{}, groups: map[string][]*subscriber{}}
	for _, s := range subs {
		who := &subscriber{id: s.ID, active: s.Status == postroom.WebhookActive, ordering: s.Settings.Ordering,
			dialect: dialects[s.Settings.Dialect]}
		var err error
		if who.filter, err = compileFilter(filters, s); err != nil {
			failed = append(failed, err)
		}
		for _, pattern := range s.Settings.Events {
			switch group, isGroup := strings.CutSuffix(pattern, "*"); {
			case pattern == "*":
				x.all = append(x.all, who)
			case isGroup:
				x.groups[group] = append(x.groups[group], who)
			default:
				x.exact[pattern] = append(x.exact[pattern], who)
			}
		}
	}
	return x, errors.Join(failed...)
}

// match finds the webhooks that want an event type, each once.
func (x *subscriptions) match(eventType string) []*subscriber {
	found := append([]*subscriber(nil), x.exact[eventType]...)
	for i := range len(eventType) {
		if eventType[i] == '.' && len(x.groups) > 0 {
			found = append(found, x.groups[eventType[:i+1]]...)
		}
	}
	found = slices.DeleteFunc(append(found, x.all...), func(s *subscriber) bool { return !s.wants(eventType) })
	if len(found) < 2 {
		return found
	}
	once, seen := found[:0], make(map[postroom.WebhookID]bool, len(found))
	for _, s := range found {
		if !seen[s.id] {
			seen[s.id] = true
			once = append(once, s)
		}
	}
	return once
}

// maxMatchers bounds for how many workspaces the index is kept.
const maxMatchers = 10000

// matchers keeps the indexes of workspaces.
type matchers struct {
	store    Store
	filters  *expr.Compiler
	dialects dialect.Set
	log      *slog.Logger

	mu    sync.RWMutex
	ready map[postroom.WorkspaceID]*subscriptions
	epoch uint64 // grows with each change, so that what was read before one is not kept after it
}

func (m *matchers) get(ctx context.Context, workspace postroom.WorkspaceID) (*subscriptions, error) {
	m.mu.RLock()
	x, epoch := m.ready[workspace], m.epoch
	m.mu.RUnlock()
	if x != nil {
		return x, nil
	}
	subs, revision, err := m.store.Subscriptions(ctx, workspace)
	if err != nil {
		return nil, err
	}
	x, failed := indexSubscriptions(subs, revision, m.filters, m.dialects)
	if failed != nil {
		m.log.Error("webhooks get nothing because their filter cannot be read", "workspace", workspace, "error", failed)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if epoch == m.epoch {
		if len(m.ready) >= maxMatchers {
			for other := range m.ready { // any one will do
				delete(m.ready, other)
				break
			}
		}
		m.ready[workspace] = x
	}
	return x, nil
}

func (m *matchers) forget(workspace postroom.WorkspaceID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.epoch++
	delete(m.ready, workspace)
}

// revisions are those of the workspaces whose index is kept.
func (m *matchers) revisions() map[postroom.WorkspaceID]int64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	all := make(map[postroom.WorkspaceID]int64, len(m.ready))
	for id, x := range m.ready {
		all[id] = x.revision
	}
	return all
}

// Match finds the webhooks that want an event now.
func (e *Engine) Match(ctx context.Context, event *postroom.Event) ([]postroom.WebhookID, error) {
	index, err := e.matchers.get(ctx, event.WorkspaceID)
	if err != nil {
		return nil, err
	}
	var ids []postroom.WebhookID
	for _, s := range e.passing(index.match(event.Type), event) {
		ids = append(ids, s.id)
	}
	return ids, nil
}
