package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/dialect"
	"github.com/postroom/postroom/outbound"
)

// actionCalled is the type of the events that calls of actions bring to their webhooks.
const actionCalled = "postroom.action.called"

// callsOf makes the webhooks through which the source's actions call, one for each call_api action. A call that was there before keeps its
// webhook, with its log. The actions get the ids of their webhooks, and lose the secrets of their auth.
func (a *App) callsOf(ctx context.Context, who Caller, p *postroom.Problems, e *sourceEdit) ([]postroom.StoredWebhook, error) {
	old, err := a.oldCalls(ctx, who, e)
	if err != nil {
		return nil, err
	}
	actions := e.after.Actions
	kept := keepCalls(p, actions, old)
	calls := []postroom.StoredWebhook{}
	for i := range actions {
		if actions[i].Type != postroom.ActionCallAPI || actions[i].Call == nil {
			continue // a call that is missing, or is one too many, Intake.Check refuses
		}
		var was *postroom.StoredWebhook
		if id := kept[i]; !id.IsZero() {
			w := old[id]
			was = &w
			delete(old, id)
		}
		w, err := a.callWebhook(ctx, who, p, e, i, was)
		if err != nil {
			return nil, err
		}
		actions[i].Call.WebhookID = &w.ID
		calls = append(calls, w)
	}
	for w := range maps.Values(old) {
		e.gone = append(e.gone, w)
	}
	return calls, nil
}

// oldCalls are the webhooks of the calls that the source had.
func (a *App) oldCalls(ctx context.Context, who Caller, e *sourceEdit) (map[postroom.WebhookID]postroom.StoredWebhook, error) {
	old := map[postroom.WebhookID]postroom.StoredWebhook{}
	if e.before == nil {
		return old, nil
	}
	for _, action := range e.before.Actions {
		if action.Call == nil || action.Call.WebhookID == nil {
			continue
		}
		w, err := a.Store.Webhook(ctx, who.Workspace, *action.Call.WebhookID, a.Now())
		if postroom.CodeOf(err) == postroom.CodeNotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		old[w.ID] = w
	}
	return old, nil
}

// keepCalls says which of the old webhooks each call goes on with: the one that it names, else one with the same URL.
func keepCalls(p *postroom.Problems, actions []postroom.Action, old map[postroom.WebhookID]postroom.StoredWebhook) map[int]postroom.WebhookID {
	kept, taken := map[int]postroom.WebhookID{}, map[postroom.WebhookID]bool{}
	for i, action := range actions {
		if action.Call == nil || action.Call.WebhookID == nil {
			continue
		}
		id := *action.Call.WebhookID
		if _, ok := old[id]; !ok || taken[id] {
			p.Add(callPointer(i)+"/webhook_id", "this is set by Postroom: leave it out, or as it was")
			continue
		}
		kept[i], taken[id] = id, true
	}
	for i, action := range actions {
		if action.Call == nil || action.Call.WebhookID != nil {
			continue
		}
		for id, w := range old {
			if !taken[id] && w.URL == action.Call.URL {
				kept[i], taken[id] = id, true
				break
			}
		}
	}
	return kept
}

func callPointer(action int) string { return "/actions/" + strconv.Itoa(action) + "/call" }

// callWebhook is the webhook of one call: was, as it is to be now, or a new one.
func (a *App) callWebhook(ctx context.Context, who Caller, p *postroom.Problems, e *sourceEdit, action int, was *postroom.StoredWebhook) (postroom.StoredWebhook, error) {
	call, now := e.after.Actions[action].Call, a.Now()
	w := postroom.StoredWebhook{Webhook: postroom.Webhook{ID: postroom.Next[postroom.WebhookKind](a.IDs, now), WorkspaceID: who.Workspace,
		Status: postroom.WebhookActive, StatusAt: stamp(now), Version: 1, CreatedAt: stamp(now), UpdatedAt: stamp(now)}}
	var before *postroom.WebhookSettings
	if was != nil {
		old, err := outbound.OpenAuth(a.Sealer, *was)
		if err != nil {
			return w, err
		}
		unredact(call.Auth, old)
		w, before = *was, &was.WebhookSettings
	}
	w.WebhookSettings = a.callSettings(e.after.Name, action, call)
	if err := a.checkCall(ctx, who, p, callPointer(action), &w.WebhookSettings, before); err != nil {
		return w, err
	}
	w.Events = []string{} // nothing but what is addressed to it
	if err := a.sealAuth(&w, w.Auth); err != nil {
		return w, err
	}
	if call.Auth != nil {
		call.Auth = w.Auth
	}
	return w, nil
}

// callSettings are the settings of a call's webhook.
func (a *App) callSettings(source string, action int, call *postroom.Call) postroom.WebhookSettings {
	s := a.DefaultSettings(dialect.Standard)
	s.Name = fmt.Sprintf("%s: call of action %d", cutName(source, 128), action+1)
	s.URL, s.Headers, s.Auth, s.Payload = call.URL, call.Headers, call.Auth, call.Payload
	if call.Method != "" {
		s.Method = call.Method
	}
	if call.Retry != nil {
		s.Retry = *call.Retry
	}
	if call.Timeout != 0 {
		s.Timeout = call.Timeout
	}
	a.fillDefaults(&s)
	return s
}

// checkCall refuses a call that cannot be made. Its problems are those of a webhook with the same settings.
func (a *App) checkCall(ctx context.Context, who Caller, p *postroom.Problems, pointer string, s, before *postroom.WebhookSettings) error {
	var own postroom.Problems
	if before == nil || before.URL != s.URL {
		a.checkURL(&own, "/url", s.URL)
	}
	a.checkDialect(&own, s)
	s.Events = []string{actionCalled}
	if err := a.checkPayload(ctx, who, &own, s); err != nil {
		return err
	}
	checkDelivery(&own, s)
	checkHeaders(&own, "/headers", s.Headers)
	a.checkAuth(&own, s, before)
	return addAll(p, pointer, own.Err())
}

// addAll adds the problems of an error under a pointer. It returns an error that has none.
func addAll(p *postroom.Problems, pointer string, err error) error {
	var known *postroom.Error
	if err == nil {
		return nil
	}
	if !errors.As(err, &known) || len(known.Fields) == 0 {
		return err
	}
	for _, f := range known.Fields {
		p.AddCode(known.Code, pointer+f.Pointer, "%s", f.Detail)
	}
	return nil
}

// cutName cuts a text to at most so many bytes, at the end of a character.
func cutName(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && s[most]&0xc0 == 0x80 {
		most--
	}
	return s[:most] + "…"
}
