package scheme

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"testing"
	"time"
)

// vector is a call, and whether it is to be verified. Those with a source are published there; the others follow from the algorithm
// that the provider describes.
type vector struct {
	ID          string              `json:"id"`
	Source      string              `json:"source"`
	Provider    string              `json:"provider"`
	Credentials map[string][]string `json:"credentials"`
	Method      string              `json:"method"`
	URL         string              `json:"url"`
	Headers     map[string]string   `json:"headers"`
	Body        string              `json:"body"`
	At          time.Time           `json:"at"`
	Valid       bool                `json:"valid"`
}

func readJSON(t testing.TB, name string, into any) {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		t.Fatal(name, err)
	}
}

func readProviders(t testing.TB) (providers map[string]Config) {
	t.Helper()
	readJSON(t, "providers.json", &providers)
	return providers
}

func readVectors(t testing.TB) (vectors []vector) {
	t.Helper()
	readJSON(t, "vectors.json", &vectors)
	return vectors
}

const snsCertificate = "https://sns.us-east-2.amazonaws.com/SimpleNotificationService-7ff5318490ec183fbaddaa2a969abfda.pem"

func (v vector) request(t testing.TB) *Request {
	t.Helper()
	r := &Request{Method: v.Method, URL: v.URL, Header: make(http.Header), Body: []byte(v.Body), At: v.At}
	for name, value := range v.Headers {
		r.Header.Add(name, value)
	}
	raw, err := os.ReadFile("testdata/sns.pem")
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	r.Certificates = map[string]*x509.Certificate{snsCertificate: certificate}
	return r
}

func mustCompile(t testing.TB, c Config) Scheme {
	t.Helper()
	s, err := Compile(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// kindOf is "" for a call that was verified.
func kindOf(t testing.TB, err error) Kind {
	t.Helper()
	if err == nil {
		return ""
	}
	var reason *Reason
	if !errors.As(err, &reason) {
		t.Fatalf("%T is not a reason: %v", err, err)
	}
	return reason.Kind
}

// Every vector is judged right; and no vector fits another body, or is fresh a month later, where that is checked.
func TestVectors(t *testing.T) {
	providers, seen := readProviders(t), make(map[string]bool)
	for _, v := range readVectors(t) {
		t.Run(v.ID, func(t *testing.T) {
			config, ok := providers[v.Provider]
			if !ok {
				t.Fatal("no such provider")
			}
			s := mustCompile(t, config.Fill(v.Credentials))
			r := v.request(t)
			err := s.Verify(r)
			if !v.Valid {
				if kind := kindOf(t, err); kind != KindMismatch {
					t.Errorf("got %q (%v), want a mismatch", kind, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			seen[v.Provider] = true
			if v.Provider != "mailgun" { // which signs no body
				r.Body = append(r.Body, 'x')
				if s.Verify(r) == nil {
					t.Error("another body fits too")
				}
				r.Body = []byte(v.Body)
			}
			r.At = v.At.AddDate(0, 1, 0)
			got := kindOf(t, s.Verify(r))
			switch v.Provider {
			case "sendgrid", "standard", "resend", "slack", "stripe", "hubspot", "mailgun":
				if got != KindTooOld {
					t.Errorf("a month later: %q", got)
				}
			case "ses":
				if got != KindTooOld && got != KindCertificate {
					t.Errorf("a month later: %q", got)
				}
			default:
				if got != "" {
					t.Errorf("a month later: %q, though it has no timestamp", got)
				}
			}
		})
	}
	if len(seen) < 15 {
		t.Errorf("only %d providers have a vector", len(seen))
	}
}

// The data of every provider compiles once its credentials are filled in, and not before.
func TestProviders(t *testing.T) {
	credentials := map[string][]string{
		"secret": {"user:bWFkZS11cC1zZWNyZXQ="}, "verify_token": {"made-up"}, "topics": {"arn:aws:sns:eu-west-1:1:made-up"},
		"public_key": {"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g=="},
	}
	for name, config := range readProviders(t) {
		if _, err := Compile(config); err == nil {
			t.Errorf("%s compiles without credentials", name)
		}
		with := credentials
		switch config.Scheme {
		case SchemeStandard:
			with = map[string][]string{"secret": {"whsec_bWFkZS11cC1zZWNyZXQ="}}
		case SchemeEd25519:
			with = map[string][]string{"public_key": {"whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="}}
		}
		s, err := Compile(config.Fill(with))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if s.Verify(&Request{Method: "POST", URL: "https://hooks.example.com/in/src_1", Header: http.Header{}, Body: []byte("{}")}) == nil {
			t.Errorf("%s verifies a call with nothing in it", name)
		}
	}
}
