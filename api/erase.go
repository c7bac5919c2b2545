package api

import (
	"context"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/postroom/postroom"
)

type eraseInput struct {
	ContactRef
	Accept string `header:"Accept" doc:"With application/x-ndjson the answer says from time to time how far the erasure is."`
}

func (a *api) routeErase(rt *router) {
	register(rt, operation{
		ID: "erase-contact", Method: http.MethodPost, Path: contactPath + "/{id}/erase", Tag: "Contacts", Role: postroom.RoleAdmin,
		Summary: "Erase a person",
		Description: "Removes a person everywhere: the contact, its history, and the events, deliveries, attempts and requests that tell of it; what is still to be delivered of them is not. The event contact.deleted follows, with nothing but the contact's id, and the audit log keeps that it was done. " +
			"Where there is much to remove this takes a while, and it goes on when the caller has gone. With `Accept: application/x-ndjson` the answer has a line every now and then, " +
			"the last one with `done`; if the server fails on the way, the connection is cut, and the call can be made again.",
		Shape: reflect.TypeFor[postroom.ErasureResource](), Produces: []string{mediaLines}, Answer: `{"contact_id":"con_01jd3v8x2mf4k8c0q9r7t5y1za","rows":128,"done":true}`,
	}, a.eraseContact)
}

// eraseEvery is how often an erasure says how far it is.
const eraseEvery = 250 * time.Millisecond

func (a *api) eraseContact(ctx context.Context, c *call, in *eraseInput) (*stream, error) {
	return &stream{func(hc huma.Context) {
		r, w := humago.Unwrap(hc)
		if !strings.Contains(in.Accept, mediaLines) {
			done, err := a.App.EraseContact(ctx, c.who, in.ID, func(int64) {})
			if err != nil {
				a.fail(w, r, err)
				return
			}
			w.Header()["Content-Type"] = a.headers.json
			a.eraseLine(w, postroom.ErasureResource{ContactID: &done.ContactID, Rows: done.Rows, Done: true})
			return
		}
		var told time.Time
		begun := false
		tell := func(e postroom.ErasureResource) {
			if !begun {
				w.Header().Set("Content-Type", mediaLines)
				w.Header().Set("X-Accel-Buffering", "no") // nginx would hold lines back
			}
			begun, told = true, time.Now()
			a.eraseLine(w, e)
			_ = http.NewResponseController(w).Flush() // what cannot be flushed comes at the end
		}
		done, err := a.App.EraseContact(ctx, c.who, in.ID, func(rows int64) {
			if time.Since(told) >= eraseEvery {
				tell(postroom.ErasureResource{Rows: rows})
			}
		})
		switch {
		case err == nil:
			tell(postroom.ErasureResource{ContactID: &done.ContactID, Rows: done.Rows, Done: true})
		case !begun:
			a.fail(w, r, err)
		default:
			a.logCause(r, a.problem(err))
			panic(http.ErrAbortHandler)
		}
	}}, nil
}

func (a *api) eraseLine(w http.ResponseWriter, e postroom.ErasureResource) {
	line, err := marshal(e)
	if err != nil { // cannot be: it holds an id and numbers
		panic(err)
	}
	_, _ = w.Write(append(line, '\n')) // the caller may be gone
}
