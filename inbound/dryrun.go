package inbound

import (
	"context"
	"encoding/json"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/payload"
)

// DryRun says what a source with some settings would make of a request, and stores nothing. Of the result, Request and Stored are not set,
// and it does not know what came before.
func (in *Intake) DryRun(ctx context.Context, s *postroom.StoredSource, r *postroom.Request) (postroom.SourceTest, error) {
	var t postroom.SourceTest
	src, err := in.untried(ctx, s)
	if err != nil {
		return t, err
	}
	call := *r
	call.WorkspaceID, call.SourceID, call.RequestResult = s.WorkspaceID, s.ID, postroom.RequestResult{}
	if call.At.IsZero() {
		call.At = in.now()
	}
	w := newWork(verifiedBefore(src, &call), in.now())
	ctx, cancel := context.WithTimeout(ctx, processTime)
	defer cancel()
	p, err := in.plan(ctx, w)
	if err != nil {
		return t, err
	}
	defer p.unlock()
	return p.shown(), nil
}

// untried makes settings ready that may not be stored.
func (in *Intake) untried(ctx context.Context, s *postroom.StoredSource) (src *source, err error) {
	src = &source{StoredSource: *s, sourceState: &sourceState{}}
	if src.kind, err = in.kindOf(s.Kind); err != nil {
		return nil, err
	}
	if src.fields, err = in.store.Fields(ctx, s.WorkspaceID); err != nil {
		return nil, err
	}
	types, err := in.types(ctx, s.WorkspaceID)
	if err != nil {
		return nil, err
	}
	src.program, err = Compile(&s.SourceSettings, src.kind, types)
	return src, err
}

// shown is what people see of a plan.
func (p *plan) shown() postroom.SourceTest {
	t := postroom.SourceTest{Items: []postroom.SourceTestItem{}, Error: p.err, Warnings: []postroom.RequestNote{}}
	for _, e := range p.events {
		t.Items = append(t.Items, e.shown())
	}
	return t
}

func (e *effects) shown() postroom.SourceTestItem {
	item := postroom.SourceTestItem{Number: e.Number, Input: e.Body, Type: e.Type, Name: e.Name, ID: e.ID, Duplicate: !e.seen.IsZero(),
		Fields: e.Contact.shown(), Data: e.Data, Contact: e.contact, Actions: e.actions, Events: []postroom.SourceTestEvent{}, Error: e.err,
		Warnings: append([]postroom.RequestNote{}, e.notes...)}
	if !e.Time.IsZero() {
		at := stamp(e.Time)
		item.Time = &at
	}
	if item.Actions == nil {
		item.Actions = []postroom.ActionResult{}
	}
	item.Warnings = append(item.Warnings, e.Warnings...)
	for _, caused := range e.events {
		item.Events = append(item.Events, postroom.SourceTestEvent{Type: caused.Event.Type, Data: caused.Event.Data})
	}
	return item
}

// shown are the fields of a contact, as a mapping makes them.
func (d *ContactDraft) shown() map[string]json.RawMessage {
	fields := map[string]json.RawMessage{}
	text := func(name string, value *string) {
		if value != nil {
			fields[name] = payload.AppendString(nil, *value)
		}
	}
	f := &d.Fields
	text("uid", f.UID)
	text("email", f.Email)
	text("phone", f.Phone)
	text("first_name", f.FirstName)
	text("last_name", f.LastName)
	text("source", f.Source)
	if f.Status != nil {
		status := string(*f.Status)
		text("status", &status)
	}
	for name, value := range f.CustomFields {
		fields["custom_field."+name] = value
	}
	names := func(name string, all []string) {
		if len(all) == 0 {
			return
		}
		list := []byte{'['}
		for _, one := range all {
			list = payload.AppendString(payload.AppendComma(list), one)
		}
		fields[name] = append(list, ']')
	}
	names("lists", d.Lists)
	names("tags", d.Tags)
	return fields
}
