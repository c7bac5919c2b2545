package e2e

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
	"github.com/postroom/postroom/internal/testenv"
)

// canary is in every credential of TestCredentialsStaySecret.
const canary = "cAnArY"

// TestCredentialsStaySecret gives webhooks credentials of every kind, and receivers and token endpoints that send back
// whatever they get. Nothing of a credential may then be in any answer, on any screen, in the log, or in any file but the
// sealed value.
func TestCredentialsStaySecret(t *testing.T) {
	t.Parallel()
	s := startServer(t, settings{flags: devFlags()})
	x := newTenant(t, s)
	x.r.answer("/echo", func(a arrival) reply { return echo(a) })
	tokens := httptest.NewServer(http.HandlerFunc(echoTokens))
	t.Cleanup(tokens.Close)
	receivers, clients := testenv.NewAuthority(t), testenv.NewAuthority(t)
	secure := startReceiver(t, &tls.Config{Certificates: []tls.Certificate{receivers.Issue(t, "127.0.0.1", time.Now().Add(-time.Hour), time.Now().Add(time.Hour))},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients.Pool()})
	secure.answer("/echo", func(a arrival) reply { return echo(a) })

	client1 := &postroom.Auth{Type: postroom.AuthOAuth2, Grant: postroom.GrantClientCredentials, TokenURL: tokens.URL + "/good", ClientID: "crm", ClientSecret: canary + "-client&secret",
		Params: map[string]string{"resource": canary + "-param"}}
	inBody, refused, jwt := *client1, *client1, newTokenEndpoint(t).assertion(t)
	inBody.ClientAuth = postroom.ClientAuthBody
	refused.TokenURL, refused.ClientAuth = tokens.URL+"/refused", postroom.ClientAuthBody
	jwt.TokenURL = tokens.URL + "/refused"
	mutual := &postroom.Auth{Type: postroom.AuthBearer, Token: canary + "-mutual", TLS: identity(t, clients, "ada", receivers)}
	kinds := map[string]*postroom.Auth{
		"api_key": {Type: postroom.AuthAPIKey, Key: canary + "-key"},
		"bearer":  {Type: postroom.AuthBearer, Token: canary + "-bearer"},
		"basic":   {Type: postroom.AuthBasic, Username: "ada", Password: canary + "-password"},
		"header":  {Type: postroom.AuthHeader, Headers: map[string]string{"X-A": canary + "-a", "Authorization": "Custom " + canary + "-b"}},
		"query":   {Type: postroom.AuthQuery, Query: map[string]string{"token": canary + "-query & more/"}},
		"oauth2":  client1, "in_body": &inBody, "refused": &refused, "jwt": jwt, "mutual": mutual,
	}
	seen := &witness{t: t, secrets: []string{canary, base64.StdEncoding.EncodeToString([]byte("ada:" + canary + "-password")),
		base64.StdEncoding.EncodeToString([]byte("crm:" + url.QueryEscape(canary+"-client&secret"))), strings.Split(jwt.PrivateKey, "\n")[3], strings.Split(mutual.TLS.Key, "\n")[1]}}
	for name, auth := range kinds {
		target := x.r
		if name == "mutual" {
			target = secure
		}
		in := client.WebhookInput{UID: name, Name: name, URL: target.url("/echo?was=here"), Auth: auth, Events: []string{"email.*"}, Retry: quick(1)}
		body := must(json.Marshal(in))(t)
		a := s.do(t, call{method: http.MethodPost, path: "/v1/webhooks", key: x.key, body: string(body), header: map[string]string{"Idempotency-Key": name}})
		seen.answer("creating "+name, a.is(t, http.StatusCreated))
		seen.answer("testing "+name, x.do(http.MethodPost, "/v1/webhooks/"+name+"/test", ""))
		seen.answer("previewing "+name, x.do(http.MethodPost, "/v1/webhooks/"+name+"/preview", ""))
		seen.answer("changing "+name, x.do(http.MethodPatch, "/v1/webhooks/"+name, `{"description":"new"}`))
		seen.answer("getting "+name, x.do(http.MethodGet, "/v1/webhooks/"+name, ""))
	}
	x.r.mu.Lock()
	x.r.faults = nil // signatures are not what this is about
	x.r.mu.Unlock()
	secure.mu.Lock()
	secure.faults = nil
	secure.mu.Unlock()
	for _, r := range []*receiver{x.r, secure} { // what would make all of this worthless
		if arrived := fmt.Sprintf("%+v", r.on("/echo")); !strings.Contains(arrived, canary) {
			t.Fatalf("no credential has arrived: %s", arrived)
		}
	}
	refusedInputs(x, seen)
	seen.everything(x, kinds)
	s.kill(t)
	seen.files(s)
}

// echo sends back what arrived, in the body, in a header and as a redirect with the same query.
func echo(a arrival) reply {
	return reply{status: http.StatusTemporaryRedirect, body: fmt.Sprintf("%s\n%v", a.uri, a.header), header: map[string]string{"Location": "https://elsewhere.example.com" + a.uri, "X-Echo": fmt.Sprint(a.header.Get("Authorization"), a.header.Get("X-Api-Key"), a.header.Get("X-A"))}}
}

// echoTokens gives a token, or refuses in words that hold all that it was sent.
func echoTokens(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm() // a form that cannot be read is none
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Path == "/good" {
		_, _ = fmt.Fprintf(w, `{"access_token":"%s-access-token-%d","token_type":"Bearer","expires_in":3600}`, canary, time.Now().UnixNano())
		return
	}
	w.WriteHeader(http.StatusBadRequest)
	_, _ = fmt.Fprintf(w, `{"error":"refused","error_description":%q}`, fmt.Sprint(r.PostForm.Get("client_secret"), " ", r.PostForm.Encode()))
}

// refusedInputs are webhooks that are refused because of their credentials, which the refusal may not quote.
func refusedInputs(x *tenant, seen *witness) {
	for _, auth := range []string{
		`{"type":"bearer","token":"` + canary + `\r\nX: y"}`, `{"type":"none","token":"` + canary + `"}`,
		`{"type":"oauth2","grant":"jwt_bearer","token_url":"https://a.example.com/?` + canary + `#x","issuer":"i","private_key":"` + canary + `"}`,
		`{"type":"none","tls":{"certificate":"` + canary + `","key":"` + canary + `"}}`, `{"type":"bearer","token":["` + canary + `"]}`,
		`{"type":"api_key","key":"` + canary + `","header":"Host"}`, `{"type":"basic","username":"a:b","password":"` + canary + `\u0000"}`,
	} {
		a := x.do(http.MethodPost, "/v1/webhooks", `{"name":"n","url":"https://hooks.example.com/","events":["*"],"auth":`+auth+`}`)
		seen.answer(auth, a.is(x.t, http.StatusUnprocessableEntity))
	}
}

// witness looks for what must not be seen.
type witness struct {
	t       *testing.T
	secrets []string
}

func (w *witness) text(where, text string) {
	w.t.Helper()
	for _, secret := range w.secrets {
		if i := strings.Index(text, secret); i >= 0 {
			w.t.Errorf("%s holds a credential: …%q…", where, text[max(0, i-60):min(len(text), i+60)])
		}
	}
}

func (w *witness) answer(where string, a answer) {
	w.t.Helper()
	w.text(where, fmt.Sprintf("%v\n%s", a.header, a.body))
}

// everything publishes an event, waits until its deliveries have failed, and asks for all that there is to be known of it.
func (w *witness) everything(x *tenant, kinds map[string]*postroom.Auth) {
	x.publish("e", "email.opened", `{"contact":{"email":"ada@example.com"}}`)
	testenv.Eventually(w.t, arrivalTimeout, func() error {
		for d, err := range x.api.Deliveries(w.t.Context(), client.DeliveryFilter{Event: "e"}) {
			if err != nil || d.Status != postroom.DeliveryFailed {
				return fmt.Errorf("a delivery is %s: %v", d.Status, err)
			}
		}
		return nil
	})
	paths := []string{"/v1/webhooks", "/v1/events/e", "/v1/events", "/v1/deliveries", "/v1/deliveries/export?format=ndjson", "/v1/deliveries/export?format=csv", "/v1/stats", "/metrics", "/openapi.json"}
	for name := range kinds {
		paths = append(paths, "/v1/webhooks/"+name+"/deliveries", "/v1/webhooks/"+name+"/secrets", "/v1/webhooks/"+name+"/stats")
	}
	attempts := 0
	for d, err := range x.api.Deliveries(w.t.Context(), client.DeliveryFilter{}) {
		if err != nil {
			w.t.Fatal(err)
		}
		paths = append(paths, "/v1/deliveries/"+d.ID.String())
		attempts += d.AttemptCount
	}
	if attempts < 3*len(kinds) {
		w.t.Errorf("there are %d attempts", attempts)
	}
	for _, path := range paths {
		w.answer(path, x.do(http.MethodGet, path, "").is(w.t, http.StatusOK))
	}
	binary := testenv.Binary(w.t)
	for _, args := range [][]string{{"webhooks", "test", "bearer"}, {"webhooks", "test", "refused"}, {"-o", "yaml", "webhooks", "get", "mutual"}, {"webhooks", "preview", "oauth2"}} {
		cmd := exec.Command(binary, args...)
		cmd.Env = []string{"POSTROOM_URL=" + x.s.address(), "POSTROOM_API_KEY=" + x.key, raceDetector}
		out, _ := cmd.CombinedOutput() // a test that fails ends with status 1
		w.text("postroom "+strings.Join(args, " "), string(out))
	}
}

// files looks into all that a server has written: its database, what belongs to it, and its log.
func (w *witness) files(s *server) {
	w.text("the log", s.log.String())
	w.text("stdout", s.out.String())
	found := 0
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		found++
		text, err := os.ReadFile(path)
		w.text(path, string(text))
		return err
	})
	if err != nil || found < 2 {
		w.t.Errorf("%d files were read: %v", found, err)
	}
}
