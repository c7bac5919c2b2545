package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestDashboardPortal(t *testing.T) {
	x := startServer(t, settings{flags: devFlags()})
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"thanks":true}`) }))
	t.Cleanup(receiver.Close)
	link := ""
	operators := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, `<!doctype html><meta name="viewport" content="width=device-width"><title>The operator's</title><link rel="icon" href="data:,"><p>Our application</p><iframe src=%q title="Webhooks" width="360" height="500"></iframe>`, link)
	}))
	t.Cleanup(operators.Close)

	b := signedIn(t, x)
	b.expects(`status of 4(22|09)`)
	b.open("/settings/portal")
	b.sees("Set a filter first")
	b.fill("Your name", "Acme Cloud")
	b.fill("Colour of buttons and links", "blue")
	b.fill("Sites that may have it in a frame", operators.URL)
	b.fill("Filter", "event.data.account == {customer}")
	b.click("Save")
	b.sees("colour is written as #rrggbb")
	b.fill("Colour of buttons and links", "#0b7285")
	b.fill("Colour of the page", "#f1f5f4")
	b.click("Save")
	b.sees("The portal was changed.")
	b.shoot("portal-settings")
	b.fill("Customer", "acme")
	b.click("Make a link")
	b.sees("It opens the portal for one customer")
	link = b.secret()

	p := openTab(t, x)
	p.expects(`status of 4(22|01)`)
	p.open(link)
	p.sees("There are no webhooks yet")
	p.shoot("portal-empty")
	p.click("Add a webhook")
	p.fill("Name", "Orders <b>CRM</b>")
	p.fill("URL", "https://10.0.0.1/hooks")
	p.choose("Contact created")
	p.click("Add the webhook")
	p.sees("Something is not right yet")
	p.shoot("portal-form")
	p.fill("URL", receiver.URL+"/hooks")
	p.click("Add the webhook")
	p.sees("Your webhook is ready")
	p.shoot("portal-secret")
	p.click("Done")
	p.click("Send a test")
	p.sees("A sample was sent.")
	p.sees(`"thanks": true`)
	p.shoot("portal-delivery")
	p.click("Webhook")
	p.click("Pause")
	p.sees("The webhook is paused.")
	p.click("Resume")
	p.sees("active again")
	p.shoot("portal-webhook")
	p.click("New secret…")
	p.click("Make a new secret")
	p.sees("Your new secret")
	p.click("Done")
	p.sees("Recent deliveries")
	p.open(link)
	p.sees("Orders <b>CRM</b>")
	p.shoot("portal-list")

	frame := openTab(t, x) // a refusal to have the frame would be trouble
	frame.open(operators.URL)
	frame.sees("Our application")
	frame.shoot("portal-frame")

	b.open("/settings/portal")
	b.click("End all links…")
	b.click("End all links")
	b.sees("have ended")
	p.open(link)
	p.sees("This link has ended.")
}
