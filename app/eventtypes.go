package app

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/catalogue"
	"github.com/postroom/postroom/payload"
)

// typesLife is for how long a workspace's own event types are believed without asking the database.
const typesLife = 30 * time.Second

const maxCachedTypes = 10000 // workspaces

type cachedTypes struct {
	names map[string]bool
	until time.Time
}

type typeCache struct {
	mu    sync.RWMutex
	ready map[postroom.WorkspaceID]cachedTypes
}

func (c *typeCache) forget(workspace postroom.WorkspaceID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.ready, workspace)
}

// checkEventType refuses a type that is neither in the catalogue nor declared by the workspace.
func (a *App) checkEventType(ctx context.Context, workspace postroom.WorkspaceID, name string, now time.Time) error {
	if _, ok := a.Catalogue.Lookup(name); ok {
		return nil
	}
	if name == "" {
		return postroom.Invalid(postroom.CodeInvalid, "/type", "an event has a type")
	}
	a.types.mu.RLock()
	types, ok := a.types.ready[workspace]
	a.types.mu.RUnlock()
	if ok && now.Before(types.until) && types.names[name] {
		return nil
	}
	declared, err := a.Store.EventTypes(ctx, workspace)
	if err != nil {
		return err
	}
	types = cachedTypes{map[string]bool{}, now.Add(typesLife)}
	for _, t := range declared {
		types.names[t.Name] = true
	}
	a.types.mu.Lock()
	if len(a.types.ready) >= maxCachedTypes {
		clear(a.types.ready)
	}
	a.types.ready[workspace] = types
	a.types.mu.Unlock()
	if types.names[name] {
		return nil
	}
	return postroom.Invalid(postroom.CodeUnknownEventType, "/type", "%s", a.unknownType(name))
}

func (a *App) unknownType(name string) string {
	s := "there is no event type " + quote(name)
	if near := a.Catalogue.Nearest(name); near != "" {
		s += " (did you mean " + near + "?)"
	}
	return s + "; GET /v1/event-types lists them, and POST /v1/event-types declares your own"
}

func quote(s string) string {
	if len(s) > 64 {
		s = strings.ToValidUTF8(s[:64], "") + "…"
	}
	b, err := json.Marshal(s)
	if err != nil {
		return "(unreadable)"
	}
	return string(b)
}

func checkPattern(pattern string) error { return catalogue.CheckPattern(pattern) }

func matchesAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if catalogue.Match(p, name) {
			return true
		}
	}
	return false
}

func fromCatalogue(t catalogue.Type) postroom.EventType {
	return postroom.EventType{Name: t.Name, Group: t.Group, Title: t.Title, Description: t.Description, Schema: t.Schema, Sample: t.Sample}
}

// EventTypes lists the catalogue, and then the types that the workspace declared.
func (a *App) EventTypes(ctx context.Context, who Caller) ([]postroom.EventType, error) {
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return nil, err
	}
	own, err := a.Store.EventTypes(ctx, who.Workspace)
	if err != nil {
		return nil, err
	}
	var all []postroom.EventType
	for _, t := range a.Catalogue.Types() {
		all = append(all, fromCatalogue(t))
	}
	return append(all, own...), nil
}

// EventType finds one event type by its name.
func (a *App) EventType(ctx context.Context, who Caller, name string) (postroom.EventType, error) {
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return postroom.EventType{}, err
	}
	return a.findEventType(ctx, who, name)
}

func (a *App) findEventType(ctx context.Context, who Caller, name string) (postroom.EventType, error) {
	if t, ok := a.Catalogue.Lookup(name); ok {
		return fromCatalogue(t), nil
	}
	own, err := a.Store.EventTypes(ctx, who.Workspace)
	if err != nil {
		return postroom.EventType{}, err
	}
	for _, t := range own {
		if t.Name == name {
			return t, nil
		}
	}
	return postroom.EventType{}, postroom.Errorf(postroom.CodeNotFound, "There is no event type %s.", quote(name))
}

// CreateEventType declares an event type of the workspace's own.
func (a *App) CreateEventType(ctx context.Context, who Caller, in EventTypeInput) (postroom.EventType, error) {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return postroom.EventType{}, err
	}
	t, err := a.checkedEventType(in)
	if err != nil {
		return t, err
	}
	if err := a.Store.CreateEventType(ctx, who.Workspace, t, a.Now()); err != nil {
		return t, err
	}
	a.types.forget(who.Workspace)
	return a.findEventType(ctx, who, t.Name)
}

// UpdateEventType changes an event type of the workspace's own; its name stays.
func (a *App) UpdateEventType(ctx context.Context, who Caller, name string, change func(*EventTypeInput) error) (postroom.EventType, error) {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return postroom.EventType{}, err
	}
	t, err := a.findEventType(ctx, who, name)
	if err != nil {
		return t, err
	}
	if !t.Custom {
		return t, notOwn(name)
	}
	in := EventTypeInput{t.Name, t.Group, t.Title, t.Description, t.Schema, t.Sample}
	if err := change(&in); err != nil {
		return t, err
	}
	if in.Name != name {
		return t, postroom.Invalid(postroom.CodeInvalid, "/name", "the name of an event type cannot be changed: declare another one")
	}
	if t, err = a.checkedEventType(in); err != nil {
		return t, err
	}
	if err := a.Store.UpdateEventType(ctx, who.Workspace, t, a.Now()); err != nil {
		return t, err
	}
	return a.findEventType(ctx, who, name)
}

// DeleteEventType takes an event type of the workspace's own back. Events of it stay.
func (a *App) DeleteEventType(ctx context.Context, who Caller, name string) error {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return err
	}
	if _, ok := a.Catalogue.Lookup(name); ok {
		return notOwn(name)
	}
	if postroom.CheckEventTypeName(name) != nil { // nor can a database look for it
		return postroom.Errorf(postroom.CodeNotFound, "There is no event type %s.", quote(name))
	}
	if err := a.Store.DeleteEventType(ctx, who.Workspace, name); err != nil {
		return err
	}
	a.types.forget(who.Workspace)
	return nil
}

func notOwn(name string) error {
	return postroom.Errorf(postroom.CodeConflict, "The event type %s is part of the catalogue, which cannot be changed.", name)
}

// EventTypeSample is a whole event of a type, as it would be published: {"type","time","data"}.
func (a *App) EventTypeSample(ctx context.Context, who Caller, name string) (json.RawMessage, error) {
	t, err := a.EventType(ctx, who, name)
	if err != nil {
		return nil, err
	}
	sample := payload.AppendString(payload.AppendKey([]byte{'{'}, "type"), t.Name)
	sample = payload.AppendTime(payload.AppendKey(sample, "time"), a.Now())
	sample = append(payload.AppendKey(sample, "data"), sampleOf(t)...)
	return append(sample, '}'), nil
}

func sampleOf(t postroom.EventType) []byte {
	if t.Sample == nil {
		return []byte("{}")
	}
	return t.Sample
}

const (
	maxTitle       = 200
	maxDescription = 2000
	maxSchema      = 64 << 10
)

func (a *App) checkedEventType(in EventTypeInput) (postroom.EventType, error) {
	t := postroom.EventType{Name: in.Name, Group: in.Group, Title: in.Title, Description: in.Description, Schema: in.Schema, Sample: in.Sample, Custom: true}
	if t.Group == "" {
		t.Group = "custom"
	}
	if t.Title == "" {
		t.Title = t.Name
	}
	var p postroom.Problems
	if err := postroom.CheckEventTypeName(in.Name); err != nil {
		p.Add("/name", "%s", err.Error())
	}
	if _, ok := a.Catalogue.Lookup(in.Name); ok {
		p.AddCode(postroom.CodeConflict, "/name", "the event type %q is part of the catalogue already", in.Name)
	} else if strings.HasPrefix(in.Name, "postroom.") {
		p.Add("/name", "names that begin with postroom. are Postroom's own")
	}
	checkText(&p, "/group", t.Group, maxTitle)
	checkText(&p, "/title", t.Title, maxTitle)
	checkLongText(&p, "/description", t.Description)
	for _, raw := range []struct {
		pointer string
		value   *json.RawMessage
	}{{"/schema", &t.Schema}, {"/sample", &t.Sample}} {
		if payload.KindOf(*raw.value) == payload.KindNull {
			*raw.value = nil
		}
		if *raw.value == nil {
			continue
		}
		if len(*raw.value) > maxSchema {
			p.Add(raw.pointer, "this is at most %d bytes long", maxSchema)
		} else if payload.KindOf(*raw.value) != payload.KindObject || payload.Valid(*raw.value) != nil {
			p.Add(raw.pointer, "this is a JSON object")
		}
	}
	return t, p.Err()
}

// checkLongText lets line breaks and tabs through.
func checkLongText(p *postroom.Problems, pointer, text string) {
	checkText(p, pointer, strings.NewReplacer("\n", " ", "\t", " ", "\r", " ").Replace(text), maxDescription)
}
