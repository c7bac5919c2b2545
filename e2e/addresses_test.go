package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

// forbidden are URLs that a server without --dev and --allow-net must not call, in as many spellings as there are.
func forbidden() []string {
	return []string{
		"https://127.0.0.1/", "https://127.1/", "https://127.0.1/", "https://2130706433/", "https://0x7f000001/", "https://0x7f.1/", "https://0177.0.0.1/", "https://017700000001/",
		"https://127.0.0.1:8443/", "https://127.255.255.254/", "https://0.0.0.0/", "https://0/", "https://localhost/", "https://LOCALHOST/", "https://a.localhost/",
		"https://localhost.localdomain/", "https://ip6-localhost/", "https://[::1]/", "https://[0:0:0:0:0:0:0:1]/", "https://[::]/", "https://[::ffff:127.0.0.1]/",
		"https://[::ffff:7f00:1]/", "https://[::127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://[64:ff9b::169.254.169.254]/", "https://[2002:7f00:1::]/",
		"https://10.0.0.1/", "https://10.255.255.255/", "https://172.16.0.1/", "https://172.31.255.255/", "https://192.168.0.1/", "https://192.168.1/", "https://100.64.0.1/",
		"https://169.254.169.254/latest/meta-data/", "https://2852039166/", "https://0xa9fea9fe/", "https://169.254.1.1/", "https://168.63.129.16/", "https://[fd00:ec2::254]/",
		"https://[fe80::1]/", "https://[fc00::1]/", "https://[ff02::1]/", "https://224.0.0.1/", "https://240.0.0.1/", "https://255.255.255.255/", "https://192.0.2.1/",
		"https://198.18.0.1/", "https://198.51.100.1/", "https://203.0.113.1/", "https://192.0.0.1/", "https://[2001:db8::1]/",
	}
}

// unusable are URLs that no server takes.
func unusable() []string {
	return []string{
		"example.com/hooks", "//example.com/hooks", "/hooks", "https:///hooks", "https:example.com", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/",
		"javascript:alert(1)", "https://", "https://user:password@example.com/", "https://user@example.com/", "https://example.com/#fragment", "https://example.com:0/",
		"https://example.com:99999/", "https://example.com:/", "https://example.com:http/", "https://exa mple.com/", "https://example.com/\\u0000", "https://example.com\\\\@127.0.0.1/",
		"https://ex%61mple.com/", "https://example..com/", "https://example.com./", "https://１２７.0.0.1/", "https://ⓛocalhost/", "https://[::1/", "https://[v1.a]/",
		"https://example.com/" + strings.Repeat("a", 2100), "https://" + strings.Repeat("a", 64) + ".com/", "https://[fe80::1%25eth0]/", "https://127.0.0.1%2f@example.com/",
		"https://example.com/\\r\\nX-Injected: 1", "\\thttps://example.com/", " https://example.com/",
	}
}

// TestAddresses asks a server that was told to allow nothing for webhooks to where it must not call.
func TestAddresses(t *testing.T) {
	t.Parallel()
	x := newTenant(t, startServer(t, settings{}))
	// The URL that an access token is asked for at is held against the same policy as that of the webhook.
	refuse := func(url string, codes ...postroom.Code) {
		for pointer, body := range map[string]string{
			"/url": `{"name":"n","url":"` + url + `","events":["*"]}`,
			"/auth/token_url": `{"name":"n","url":"https://hooks.example.com/","events":["*"],"auth":{"type":"oauth2","grant":"client_credentials","client_id":"i","client_secret":"s","token_url":"` +
				url + `"}}`,
		} {
			t.Run(url[:min(len(url), 40)]+pointer, func(t *testing.T) {
				a := x.s.do(t, call{method: http.MethodPost, path: "/v1/webhooks", key: x.key, body: body})
				var p struct{ Code postroom.Code }
				a.into(t, &p)
				for _, code := range codes {
					if p.Code == code {
						a.refused(t, 422, code, pointer)
						return
					}
				}
				t.Errorf("%s is answered with %d %s", url, a.status, a.body)
			})
		}
	}
	for _, url := range forbidden() {
		refuse(url, postroom.CodeAddressNotAllowed)
	}
	for _, url := range unusable() {
		// Of a host in an odd spelling it does not matter which of the two is said.
		refuse(url, postroom.CodeURLInvalid, postroom.CodeAddressNotAllowed)
	}
	for _, url := range []string{"http://example.com/", "HTTP://example.com/", "http://93.184.216.34/"} {
		refuse(url, postroom.CodeURLInvalid)
	}
	refuse("", postroom.CodeInvalid)
	if page := must(x.api.WebhookPage(t.Context(), postroom.PageQuery{}))(t); len(page.Data) != 0 {
		t.Errorf("%d webhooks were made", len(page.Data))
	}

	// A webhook to a public address may be made, and not be changed to another one.
	w := must(x.api.CreateWebhook(t.Context(), client.WebhookInput{Name: "n", URL: "https://hooks.example.com/a?b=c", Events: []string{"*"}, Status: postroom.WebhookPaused}))(t)
	for _, url := range []string{"https://127.0.0.1/", "https://[::ffff:10.0.0.1]/", "http://hooks.example.com/"} {
		body := fmt.Sprintf(`{"name":"new","url":%q}`, url)
		code := postroom.CodeAddressNotAllowed
		if strings.HasPrefix(url, "http:") {
			code = postroom.CodeURLInvalid
		}
		x.do(http.MethodPatch, "/v1/webhooks/"+w.ID.String(), body).refused(t, 422, code, "/url")
	}
	if now := must(x.api.Webhook(t.Context(), w.ID.String()))(t); now.URL != "https://hooks.example.com/a?b=c" || now.Name != "n" {
		t.Errorf("the webhook is now %+v", now)
	}
}

// TestAddressesAtTheTimeOfTheCall stores a webhook while loopback is allowed, and calls it when it is not any more: what
// counts is the address at the time of the call.
func TestAddressesAtTheTimeOfTheCall(t *testing.T) {
	t.Parallel()
	s := startServer(t, settings{flags: devFlags()})
	x := newTenant(t, s)
	w := x.webhook("/hook", client.WebhookInput{Retry: quick(0)})
	named := must(x.api.CreateWebhook(t.Context(), client.WebhookInput{Name: "n", URL: strings.Replace(x.r.url("/hook"), "127.0.0.1", "localhost", 1), Events: []string{"email.*"}, Retry: quick(0)}))(t)
	s.kill(t)
	s.flags = []string{"--allow-http"}
	s.start(t)
	x.api = newClient(t, s, x.key)
	x.publish("e", "email.opened", `{}`)
	for _, id := range []postroom.WebhookID{w.ID, named.ID} {
		d := x.settled(id, postroom.DeliveryFailed)[0]
		if d.Attempts[0].Error.Kind != "address_not_allowed" || strings.Contains(d.Attempts[0].Error.Message, "::1") {
			t.Errorf("the attempt failed with %+v", d.Attempts[0].Error)
		}
	}
	if got := x.r.on("/hook"); len(got) > 0 {
		t.Errorf("%d calls reached loopback", len(got))
	}
}
