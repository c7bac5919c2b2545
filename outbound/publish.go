package outbound

import (
	"context"
	"errors"
	"slices"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/failpoint"
)

// maxRematches bounds how often the subscriptions may change under a publication.
const maxRematches = 10

// Publish matches events, stores them with their deliveries in one commit, and hands those deliveries to their lanes for
// which there is room. When it returns without an error all of it is durable; it does not give up before that is known.
func (e *Engine) Publish(ctx context.Context, events []*postroom.Outgoing) error {
	if len(events) == 0 {
		return nil
	}
	return e.PublishWith(ctx, events, e.store.Publish)
}

// PublishWith is Publish with more that is stored in the same transaction. store is given the publications, and stores all
// of them and what causes them, or nothing: it returns an error that ends PublishWith, or, where a publication is stale, sets all to be so,
// and is called again with those that were matched anew.
func (e *Engine) PublishWith(ctx context.Context, events []*postroom.Outgoing, store func(context.Context, []*postroom.Publication) error) (err error) {
	ctx = context.WithoutCancel(ctx)
	if len(events) == 0 {
		return store(ctx, nil)
	}
	ctx, span := e.trace.Publish(ctx, events[0].Event.WorkspaceID, len(events))
	defer func() { span.End(err) }()
	for try := 0; len(events) > 0; try++ {
		pubs := make([]*postroom.Publication, len(events))
		var index *subscriptions // the same for all: when it is stale, none of them may get ahead of those before it
		var of postroom.WorkspaceID
		for i, o := range events {
			if index == nil || o.Event.WorkspaceID != of {
				var err error
				if index, err = e.matchers.get(ctx, o.Event.WorkspaceID); err != nil {
					e.cancelReservations(pubs[:i])
					return err
				}
				of = o.Event.WorkspaceID
			}
			p := e.prepare(o, index)
			e.trace.Begun(ctx, o.Event.ID)
			if try >= maxRematches {
				p.Revision = 0 // what changed meanwhile may or may not be seen; the event is not refused for it
			}
			pubs[i] = p
		}
		failpoint.Hit(failpoint.PublishBegun)
		waiting := e.trace.Commit(ctx)
		err := store(ctx, pubs)
		if waiting.End(err); err != nil {
			if !errors.Is(err, postroom.ErrNotStored) {
				e.metrics.unpublished.Add(int64(len(pubs)))
			}
			e.cancelReservations(pubs)
			return err
		}
		failpoint.Hit(failpoint.PublishCommitted)
		events = e.published(pubs, events)
		failpoint.Hit(failpoint.PublishHandedOver)
	}
	return nil
}

// prepare matches one event and reserves room in the lanes.
func (e *Engine) prepare(o *postroom.Outgoing, index *subscriptions) *postroom.Publication {
	p := &postroom.Publication{Event: o.Event, Keys: o.Keys}
	var who []*subscriber
	if o.To != nil {
		who = index.only(o.To)
	} else {
		who = e.passing(index.match(o.Event.Type), o.Event)
		who = slices.DeleteFunc(who, func(s *subscriber) bool { return s.id == o.Except })
		if e.checkRevision {
			p.Revision = index.revision
		}
	}
	now := e.now()
	waiting := o.State
	if waiting == postroom.StateLeased {
		waiting = postroom.StateFresh
	}
	o.Webhooks = make([]postroom.WebhookID, len(who))
	p.Deliveries = make([]postroom.NewDelivery, len(who))
	for i, s := range who {
		d := postroom.NewDelivery{ID: postroom.Next[postroom.DeliveryKind](e.ids, now), WebhookID: s.id, State: waiting, DueAt: now,
			OrderKey: s.ordering.KeyOf(o.Event)}
		if s.active && waiting == postroom.StateFresh && e.lanes.reserve(o.Event.WorkspaceID, s.id, len(o.Event.Data)) {
			d.State, d.DueAt = postroom.StateLeased, now.Add(e.lease)
		}
		o.Webhooks[i], p.Deliveries[i] = s.id, d
	}
	return p
}

// only finds the named webhooks.
func (x *subscriptions) only(ids []postroom.WebhookID) []*subscriber {
	wanted := make([]*subscriber, 0, len(ids))
	for _, id := range ids {
		wanted = append(wanted, &subscriber{id: id, active: true})
	}
	return wanted
}

// published hands over what was stored, and returns what must be matched again.
func (e *Engine) published(pubs []*postroom.Publication, events []*postroom.Outgoing) (again []*postroom.Outgoing) {
	for i, p := range pubs {
		o := events[i]
		switch {
		case p.Stale:
			e.cancelReservations(pubs[i : i+1])
			e.Changed(p.Event.WorkspaceID, postroom.WebhookID{})
			again = append(again, o)
		case p.Duplicate != nil:
			e.metrics.duplicates.Add(1)
			e.cancelReservations(pubs[i : i+1])
			o.Duplicate = p.Duplicate
		default:
			e.handOver(p)
			e.tell(p.Event)
		}
	}
	return again
}

// handOver gives the deliveries that are stored to their lanes. What is parked comes when its turn does.
func (e *Engine) handOver(p *postroom.Publication) {
	e.metrics.published.Add(1)
	for i := range p.Deliveries {
		d := &p.Deliveries[i]
		switch leased := d.State == postroom.StateLeased; {
		case leased && d.Parked:
			e.lanes.cancel(p.Event.WorkspaceID, d.WebhookID, len(p.Event.Data))
		case leased:
			e.lanes.fill(&postroom.Job{DeliveryID: d.ID, WebhookID: d.WebhookID, Event: p.Event, From: postroom.StateFresh, Claim: 1,
				LeaseUntil: d.DueAt, Test: d.Test, OrderKey: d.OrderKey})
		case !d.Parked:
			e.lanes.due(p.Event.WorkspaceID, d.WebhookID, d.State, d.DueAt)
		}
	}
}

func (e *Engine) cancelReservations(pubs []*postroom.Publication) {
	for _, p := range pubs {
		for i := range p.Deliveries {
			if p.Deliveries[i].State == postroom.StateLeased {
				e.lanes.cancel(p.Event.WorkspaceID, p.Deliveries[i].WebhookID, len(p.Event.Data))
			}
		}
	}
}
