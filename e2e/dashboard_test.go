package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/postroom/postroom/internal/testenv"
)

func TestDashboardSettings(t *testing.T) {
	x := startServer(t, settings{flags: devFlags()})
	b := openTab(t, x)
	b.expects(`status of 422`)
	b.open("/settings/keys")
	b.sees("Sign in")
	b.shoot("sign-in")
	b.fill("Email address", "root@example.com")
	b.fill("Password", "wrong")
	b.click("Sign in")
	b.sees("The email address or the password is wrong.")

	b.open(firstLink(t, x))
	b.sees("You are the first administrator")
	b.shoot("link")
	b.click("Sign in")
	b.sees("Set a password")
	b.fill("Your email address", "root@example.com")
	b.fill("New password", "short")
	b.fill("New password, again", "short")
	b.click("Set the password")
	b.sees("password has at least 10 characters")
	b.shoot("welcome")
	b.fill("New password", browserPassword)
	b.fill("New password, again", browserPassword)
	b.click("Set the password")
	b.sees("Your password is set.")
	b.shoot("overview")

	b.click("Settings")
	b.click("Members")
	b.click("Invite a member")
	b.fill("Email address", "ada@example.com")
	b.fill("Name", "Ada <b>Lovelace</b>")
	b.choose("Publisher")
	b.choose("All webhooks and sources")
	b.shoot("invite")
	b.click("Invite")
	b.sees("It works once")
	link := b.secret()
	b.shoot("invitation")
	b.click("Done")
	b.sees("invited")
	b.shoot("members")

	ada := openTab(t, x)
	ada.open(link)
	ada.click("Sign in")
	ada.fill("New password", browserPassword)
	ada.fill("New password, again", browserPassword)
	ada.click("Set the password")
	ada.sees("Your password is set.")
	ada.open("/settings/members")
	ada.lacks("Invite a member")

	b.click("Ada <b>Lovelace</b>")
	b.choose("Viewer")
	b.fill("Phone", "12")
	b.click("Save")
	b.sees("not a phone number")
	b.shoot("member")
	b.fill("Phone", "+1 202 555 0143")
	b.click("Save")
	b.sees("was changed.")

	b.click("API keys")
	b.click("New key")
	b.fill("Name", "Shop backend")
	b.choose("Expires", "90")
	b.shoot("new-key")
	b.click("Create the key")
	b.sees("This is the only time")
	if key := b.secret(); !strings.HasPrefix(key, "prk_") {
		t.Errorf("the key is %q", key)
	}
	b.shoot("key")
	b.click("Done")
	b.sees("Shop backend")
	b.shoot("keys")
	b.click("Revoke…")
	b.click("Revoke First key")
	b.sees("The key is revoked.")

	b.click("Audit log")
	b.sees("key.deleted")
	b.shoot("audit")

	b.click("Administrator")
	b.sees("Where you are signed in")
	b.shoot("account")
	b.click("Sign out")
	b.sees("You are signed out.")
}

func TestDashboardOverview(t *testing.T) {
	x := startServer(t, settings{flags: devFlags()})
	b := signedIn(t, x)
	b.until("wait for the chart", `document.querySelector("[data-chart] canvas") !== null`)
	testenv.Eventually(t, browserPatience, func() error { // the page may not be listening yet
		x.do(t, call{method: "POST", path: "/v1/events", key: operatorKey, body: `{"type":"email.opened","id":"<i>one</i>","data":{}}`})
		if text := b.text(); !strings.Contains(text, "<i>one</i>") {
			return fmt.Errorf("the page does not show the event: %s", text)
		}
		return nil
	})
	b.shoot("overview-live")

	b.emulate("light", 390, 844)
	b.click("Menu")
	b.shoot("menu")
	b.emulate("light", 390, 844)
	b.click("Webhooks")
	b.until("wait for the page", `location.pathname === "/webhooks"`)
	b.emulate("light", 1280, 800)
	b.click("Dark")
	b.until("wait for the colours", `getComputedStyle(document.documentElement).colorScheme === "dark"`)
}
