package scheme

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"maps"
	"testing"
)

// The strings to sign that AWS documents.
func TestSNSText(t *testing.T) {
	var vectors []struct {
		ID      string            `json:"id"`
		Message map[string]string `json:"message"`
		String  string            `json:"string"`
	}
	readJSON(t, "sns_text.json", &vectors)
	if len(vectors) != 2 {
		t.Fatal(len(vectors))
	}
	for _, v := range vectors {
		text, reason := snsMessage(v.Message).text()
		if reason != nil || string(text) != v.String {
			t.Errorf("%s: %q, %v", v.ID, text, reason)
		}
	}
}

// snsVector is a genuine message and its fields.
func snsVector(t *testing.T) (*Request, map[string]string) {
	t.Helper()
	for _, v := range readVectors(t) {
		if v.ID == "ses/sns-v2-subject" {
			fields := map[string]string{}
			if err := json.Unmarshal([]byte(v.Body), &fields); err != nil {
				t.Fatal(err)
			}
			return v.request(t), fields
		}
	}
	t.Fatal("no vector")
	return nil, nil
}

func TestSNS(t *testing.T) {
	r, genuine := snsVector(t)
	s := mustCompile(t, Config{Scheme: SchemeRSASNS, Allow: []string{"arn:aws:sns:us-east-1:1:other", genuine["TopicArn"]}})
	for name, test := range map[string]struct {
		change map[string]string // "-" removes
		want   Kind
	}{
		"genuine":                       {nil, ""},
		"another message":               {map[string]string{"Message": "x"}, KindMismatch},
		"another subject":               {map[string]string{"Subject": "x"}, KindMismatch},
		"no subject":                    {map[string]string{"Subject": "-"}, KindMismatch},
		"another time":                  {map[string]string{"Timestamp": "2022-07-28T22:53:56Z"}, KindMismatch},
		"another version":               {map[string]string{"SignatureVersion": "1"}, KindMismatch},
		"an unknown version":            {map[string]string{"SignatureVersion": "3"}, KindMalformed},
		"another type":                  {map[string]string{"Type": "SubscriptionConfirmation"}, KindMissing},
		"an unknown type":               {map[string]string{"Type": "x"}, KindMalformed},
		"another topic":                 {map[string]string{"TopicArn": "arn:aws:sns:us-east-2:2:mine"}, KindUntrusted},
		"another topic in the list":     {map[string]string{"TopicArn": "arn:aws:sns:us-east-1:1:other"}, KindMismatch},
		"no signature":                  {map[string]string{"Signature": "-"}, KindMalformed},
		"no certificate":                {map[string]string{"SigningCertURL": "-"}, KindUntrusted},
		"a certificate not fetched":     {map[string]string{"SigningCertURL": "https://sns.us-east-2.amazonaws.com/SimpleNotificationService-0.pem"}, KindNeedsCertificate},
		"in China":                      {map[string]string{"SigningCertURL": "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-0.pem"}, KindNeedsCertificate},
		"for the government":            {map[string]string{"SigningCertURL": "https://sns.us-gov-west-1.amazonaws.com/SimpleNotificationService-0.pem"}, KindNeedsCertificate},
		"a certificate of a bucket":     {map[string]string{"SigningCertURL": "https://sns.s3-us-west-2.amazonaws.com/SimpleNotificationService-0.pem"}, KindUntrusted},
		"of a bucket, the new way":      {map[string]string{"SigningCertURL": "https://sns.s3.us-west-2.amazonaws.com/SimpleNotificationService-0.pem"}, KindUntrusted},
		"of somebody else":              {map[string]string{"SigningCertURL": "https://sns.us-east-2.amazonaws.com.example.com/SimpleNotificationService-0.pem"}, KindUntrusted},
		"with a user":                   {map[string]string{"SigningCertURL": "https://sns.us-east-2.amazonaws.com@example.com/SimpleNotificationService-0.pem"}, KindUntrusted},
		"with a user at the right host": {map[string]string{"SigningCertURL": "https://x@sns.us-east-2.amazonaws.com/SimpleNotificationService-0.pem"}, KindUntrusted},
		"with a port":                   {map[string]string{"SigningCertURL": "https://sns.us-east-2.amazonaws.com:8443/SimpleNotificationService-0.pem"}, KindUntrusted},
		"without TLS":                   {map[string]string{"SigningCertURL": "http://sns.us-east-2.amazonaws.com/SimpleNotificationService-0.pem"}, KindUntrusted},
		"with a query":                  {map[string]string{"SigningCertURL": "https://sns.us-east-2.amazonaws.com/SimpleNotificationService-0.pem?x"}, KindUntrusted},
		"with another path":             {map[string]string{"SigningCertURL": "https://sns.us-east-2.amazonaws.com/x/SimpleNotificationService-0.pem"}, KindUntrusted},
		"with an escape":                {map[string]string{"SigningCertURL": "https://sns.us-east-2.amazonaws.com/%53impleNotificationService-0.pem"}, KindUntrusted},
		"with a line after its host":    {map[string]string{"SigningCertURL": "https://sns.us-east-2.amazonaws.com\n/SimpleNotificationService-0.pem"}, KindUntrusted},
		"a timestamp that is no time":   {map[string]string{"Timestamp": "now"}, KindMalformed},
	} {
		fields := maps.Clone(genuine)
		for k, v := range test.change {
			if fields[k] = v; v == "-" {
				delete(fields, k)
			}
		}
		call := *r
		call.Body, _ = json.Marshal(fields)
		err := s.Verify(&call)
		if kind := kindOf(t, err); kind != test.want {
			t.Errorf("%s: %q, want %q (%v)", name, kind, test.want, err)
		}
		var reason *Reason
		if errors.As(err, &reason) && (reason.CertificateURL != "") != (reason.Kind == KindNeedsCertificate) {
			t.Errorf("%s: certificate %q", name, reason.CertificateURL)
		}
	}

	call := *r
	call.Body = append([]byte(`{"Message":"forged",`), r.Body[1:]...)
	if kind := kindOf(t, s.Verify(&call)); kind != KindAmbiguous {
		t.Errorf("a field twice: %q", kind)
	}
	for body, want := range map[string]Kind{"": KindBody, "x": KindBody, "[]": KindBody, "null": KindBody, "{}": KindMalformed, `{"Type":null}`: KindMalformed} {
		call.Body = []byte(body)
		if kind := kindOf(t, s.Verify(&call)); kind != want {
			t.Errorf("%q: %q", body, kind)
		}
	}
	everybody := mustCompile(t, Config{Scheme: SchemeRSASNS, Allow: []string{"*"}})
	if err := everybody.Verify(r); err != nil {
		t.Error(err)
	}
}

func TestSNSCertificate(t *testing.T) {
	r, genuine := snsVector(t)
	s := mustCompile(t, Config{Scheme: SchemeRSASNS, Allow: []string{genuine["TopicArn"]}})
	call := *r
	call.At = r.At.AddDate(1, 0, 0)
	if kind := kindOf(t, s.Verify(&call)); kind != KindCertificate {
		t.Errorf("an old certificate: %q", kind)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other := *r.Certificates[snsCertificate]
	other.PublicKey = &key.PublicKey
	call.At, call.Certificates = r.At, map[string]*x509.Certificate{snsCertificate: &other}
	if kind := kindOf(t, s.Verify(&call)); kind != KindCertificate {
		t.Errorf("a certificate without an RSA key: %q", kind)
	}
	for _, text := range []string{"", "x", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"} {
		if _, err := ParseCertificate([]byte(text)); err == nil {
			t.Errorf("%q is a certificate", text)
		}
	}
}

func TestSubscribeURL(t *testing.T) {
	const ok = "https://sns.us-east-2.amazonaws.com/?Action=ConfirmSubscription&Token=233"
	for body, want := range map[string]string{
		`{"Type":"SubscriptionConfirmation","SubscribeURL":"` + ok + `"}`:                       ok,
		`{"Type":"UnsubscribeConfirmation","SubscribeURL":"` + ok + `"}`:                        "",
		`{"Type":"SubscriptionConfirmation","SubscribeURL":"https://example.com/"}`:             "",
		`{"Type":"SubscriptionConfirmation","SubscribeURL":"http://169.254.169.254/"}`:          "",
		`{"Type":"SubscriptionConfirmation"}`:                                                   "",
		`{"Type":"Notification","Type":"SubscriptionConfirmation","SubscribeURL":"` + ok + `"}`: "",
		`x`: "",
	} {
		if got := SubscribeURL(&Request{Body: []byte(body)}); got != want {
			t.Errorf("%s: %q", body, got)
		}
	}
}
