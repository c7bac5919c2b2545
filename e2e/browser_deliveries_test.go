package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/postroom/postroom/internal/testenv"
)

// Somebody on call finds out from the overview what fails and why, mends it and sends it again.
func TestDashboardDeliveries(t *testing.T) {
	x := startServer(t, settings{flags: devFlags()})
	r := newReceiver(t)
	r.answer("/broken", always(reply{status: http.StatusInternalServerError, body: `{"error":"<b>no disk</b>","n":1.10}`}))
	api := func(method, path, body string) {
		t.Helper()
		if got := x.do(t, call{method: method, path: path, key: operatorKey, body: body}); got.status >= 300 {
			t.Fatalf("%s %s: %d %s", method, path, got.status, got.body)
		}
	}
	b := signedIn(t, x)
	b.open("/")
	b.sees("First steps")
	b.shoot("overview-new")

	api("POST", "/v1/webhooks", fmt.Sprintf(`{"name":"Warehouse","url":%q,"events":["email.*"],"retry":{"schedule":[]}}`, r.url("/broken")))
	api("POST", "/v1/webhooks", fmt.Sprintf(`{"name":"CRM sync","url":%q,"events":["email.opened"]}`, r.url("/fine")))
	for i := range 4 {
		api("POST", "/v1/events", fmt.Sprintf(`{"type":"email.opened","id":"open-%d","data":{"contact":{"email":"ada@example.com"},"n":%d.50}}`, i, i))
	}
	testenv.Eventually(t, browserPatience, func() error {
		b.open("/")
		if text := b.text(); !strings.Contains(text, "Warehouse has failed") || !strings.Contains(text, "Newest failures") {
			return fmt.Errorf("the overview does not tell of the failures: %s", text)
		}
		return nil
	})
	b.until("wait for the charts", `document.querySelectorAll("[data-chart] canvas").length === 2`)
	b.shoot("overview-failing")

	b.click("See the failures")
	b.sees("All webhooks")
	b.until("wait for the failures only", `document.querySelectorAll("#results tbody tr").length === 4`)
	b.shoot("deliveries")
	b.choose("Status", "succeeded")
	b.until("wait for the list", `location.search.includes("status=succeeded") && document.body.innerText.includes("No delivery fits")`)
	b.choose("Webhook", "")
	b.until("wait for the list", `!location.search.includes("webhook") && document.querySelectorAll("#results tbody tr").length === 4`)
	b.choose("Live")
	b.sees("what is new shows up by itself")
	api("POST", "/v1/events", `{"type":"email.opened","id":"open-live","data":{}}`)
	b.sees("open-live")
	b.choose("Live")
	b.until("wait for the end of live", `!document.querySelector("#results[hx-get]")`)

	b.choose("Status", "failed")
	b.until("wait for the failures", `location.search.includes("status=failed")`)
	b.until("wait for the list", `document.querySelectorAll("#results tbody tr").length === 5`)
	b.run("open the newest", clickFirst("#results tbody a"))
	b.sees("The receiver answered 500")
	b.sees(`"n": 1.10`)
	b.sees("First byte")
	b.click("As a curl command")
	b.sees("curl -X 'POST'")
	b.shoot("delivery")
	r.answer("/broken", always(reply{}))
	b.click("Retry now")
	b.sees("succeeded")

	b.open("/deliveries?status=failed")
	b.click("Deliver all of these again…")
	b.sees("4 deliveries would be made again")
	b.shoot("replay-preview")
	b.click("Deliver 4 again")
	b.sees("none of them waits any more")
	b.shoot("replay")
}

// clickFirst clicks the first element of a selector.
func clickFirst(selector string) chromedp.Action[chromedp.Void] {
	return chromedp.Click(chromedp.CSS(selector))
}

// Somebody publishes an event by hand, finds it, and delivers it again; and declares an event type.
func TestDashboardEvents(t *testing.T) {
	x := startServer(t, settings{flags: devFlags()})
	r := newReceiver(t)
	b := signedIn(t, x)
	b.expects(`status of 422`)
	x.do(t, call{method: "POST", path: "/v1/webhooks", key: operatorKey, body: fmt.Sprintf(`{"name":"CRM sync","url":%q,"events":["*"]}`, r.url("/crm"))})
	b.open("/events")
	b.sees("There are no events yet")
	b.click("Publish")
	b.choose("Event type", "email.clicked")
	b.until("wait for the sample", `document.querySelector("textarea[name=data]").value.includes("link")`)
	b.shoot("publish")
	b.open("/event-types")
	b.sees("email.bounced")
	b.shoot("event-types")
	b.click("New event type")
	b.fill("Name", "order paid")
	b.click("Declare")
	b.sees("cannot be an event type")
	b.fill("Name", "order.paid")
	b.fill("Title", "Paid <b>now</b>")
	b.fill("Sample of its data", `{"total":1.10}`)
	b.click("Declare")
	b.sees("The event type is declared.")
	b.shoot("event-type")
	b.click("Publish one")
	b.until("wait for the sample", `document.querySelector("textarea[name=data]").value.includes("1.10")`)
	b.fill("Data", "{")
	b.run("send the form", clickFirst("form.card button.primary"))
	b.sees("nvalid JSON at line 1") // the first letter is drawn as a capital
	b.fill("Data", `{"total":2.50,"contact":{"email":"ada@example.com"},"text":"<b>bold</b>"}`)
	b.run("send the form", clickFirst("form.card button.primary"))
	b.sees("goes to 1 webhook")
	b.sees("2.50")
	b.shoot("event")
	b.click("Deliver again")
	b.sees("It is being delivered again.")
	b.open("/events")
	b.fill("Text in the data", "bold")
	b.click("Filter")
	b.until("wait for the list", `location.search.includes("q=bold")`)
	b.sees("order.paid")
	b.shoot("events")
}
