package scheme

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // SignatureVersion 1
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// snsScheme is Amazon SNS: an RSA signature over some fields of the JSON body, by a certificate whose URL stands there too. Every AWS
// account can have SNS sign a message, so the topic says whose it is.
type snsScheme struct {
	topics    []string
	tolerance time.Duration // 0 for any age
}

func (c *compiler) sns() verifier {
	if n := len(c.Allow); n == 0 || n > maxAllow {
		c.blame("allow", "There are %d topics; it takes 1 to %d: the ARNs whose messages are taken, or \"*\" for those of everybody.", n, maxAllow)
	}
	for i, topic := range c.Allow {
		if topic != "*" && !strings.HasPrefix(topic, "arn:") || len(topic) > maxText {
			c.blame(fmt.Sprintf("allow/%d", i), "This is not the ARN of a topic, such as arn:aws:sns:us-east-1:123456789012:name.")
		}
	}
	return &snsScheme{slices.Clone(c.Allow), c.tolerance(0)}
}

func (s *snsScheme) cost() cost   { return costKey }
func (s *snsScheme) proves() bool { return true }

// minRSA is the size of the smallest key that is trusted, in bits.
const minRSA = 2048

func (s *snsScheme) verify(r *Request) *Reason {
	m, reason := parseSNS(r.Body)
	if reason != nil {
		return reason
	}
	text, reason := m.text()
	if reason != nil {
		return reason
	}
	signature, ok := decode(m["Signature"], "base64")
	if !ok {
		return because(KindMalformed, "the field Signature of the body is missing, or not base64")
	}
	at, ok := parseTime(m["Timestamp"], "rfc3339")
	if !ok {
		return because(KindMalformed, "the field Timestamp of the body is not in the format rfc3339")
	}
	if version := m["SignatureVersion"]; version != "1" && version != "2" {
		return because(KindMalformed, "the field SignatureVersion of the body is neither 1 nor 2")
	}
	if !slices.Contains(s.topics, "*") && !slices.Contains(s.topics, m["TopicArn"]) {
		return because(KindUntrusted, "the message is of a topic that is not allowed")
	}
	certificate, reason := m.certificate(r)
	if reason != nil {
		return reason
	}
	if !fitsRSA(certificate, m["SignatureVersion"], text, signature) {
		return because(KindMismatch, "the signature in the field Signature does not fit the body")
	}
	if s.tolerance > 0 {
		return (&timestamp{place{inJSON, "/Timestamp"}, "rfc3339", s.tolerance}).fresh(at, r.At)
	}
	return nil
}

// snsMessage are the fields of a message that are strings.
type snsMessage map[string]string

func parseSNS(body []byte) (snsMessage, *Reason) {
	if !json.Valid(body) {
		return nil, because(KindBody, "the body is not JSON")
	}
	members, err := jsonMembers(body)
	if err != nil {
		return nil, because(KindBody, "the body is not a JSON object")
	}
	m, seen := make(snsMessage), make(map[string]bool)
	for _, member := range members {
		if seen[member.name] {
			return nil, because(KindAmbiguous, "a field of the body is there twice")
		}
		seen[member.name] = true
		var value *string
		if json.Unmarshal(member.value, &value) == nil && value != nil {
			m[member.name] = *value
		}
	}
	return m, nil
}

// text is what was signed: the name and the value of each field that counts, in lines.
func (m snsMessage) text() ([]byte, *Reason) {
	var fields []string
	switch m["Type"] {
	case "Notification":
		fields = []string{"Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"}
	case "SubscriptionConfirmation", "UnsubscribeConfirmation":
		fields = []string{"Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"}
	default:
		return nil, because(KindMalformed, "the field Type of the body is none that SNS signs")
	}
	var text []byte
	for _, field := range fields {
		value, ok := m[field]
		if !ok {
			if field == "Subject" {
				continue
			}
			return nil, because(KindMissing, "the field %s of the body is missing", field)
		}
		text = append(append(append(append(text, field...), '\n'), value...), '\n')
	}
	return text, nil
}

// A region does not begin with "s3", so that no bucket named sns is taken for the service.
var (
	snsHost = regexp.MustCompile(`^sns\.[a-z]{2}(-[a-z]+)+-[0-9]{1,2}\.amazonaws\.com(\.cn)?$`)
	snsPath = regexp.MustCompile(`^/SimpleNotificationService-[0-9A-Za-z]+\.pem$`)
)

// isSNS tells whether a URL is one of the service's own.
func isSNS(raw string) (*url.URL, bool) {
	u, err := url.Parse(raw)
	return u, err == nil && u.Scheme == "https" && u.User == nil && u.Fragment == "" && snsHost.MatchString(u.Host)
}

// certificate is the one that the message names. It comes from AWS itself, over TLS; what is left to check is its time and its key.
func (m snsMessage) certificate(r *Request) (*x509.Certificate, *Reason) {
	raw := m["SigningCertURL"]
	if u, ok := isSNS(raw); !ok || !snsPath.MatchString(u.Path) || u.RawPath != "" || u.RawQuery != "" || u.ForceQuery {
		return nil, because(KindUntrusted, "the field SigningCertURL of the body is missing, or not a URL of SNS")
	}
	certificate := r.Certificates[raw]
	if certificate == nil {
		return nil, &Reason{Kind: KindNeedsCertificate, Message: "the signing certificate could not be fetched", CertificateURL: raw}
	}
	if r.At.Before(certificate.NotBefore) || r.At.After(certificate.NotAfter) {
		return nil, because(KindCertificate, "the signing certificate has expired, or is not valid yet")
	}
	if key, ok := certificate.PublicKey.(*rsa.PublicKey); !ok || key.N.BitLen() < minRSA {
		return nil, because(KindCertificate, "the signing certificate has no RSA key of %d bits or more", minRSA)
	}
	return certificate, nil
}

// fitsRSA checks a signature of one of the two versions (PKCS #1 1.5).
func fitsRSA(certificate *x509.Certificate, version string, text, signature []byte) bool {
	key, ok := certificate.PublicKey.(*rsa.PublicKey)
	if !ok {
		return false
	}
	if version == "1" {
		sum := sha1.Sum(text) //nolint:gosec // what the version says
		return rsa.VerifyPKCS1v15(key, crypto.SHA1, sum[:], signature) == nil
	}
	sum := sha256.Sum256(text)
	return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) == nil
}

// SubscribeURL is the URL that confirms a subscription to an SNS topic, if the call asks for that; else "". The call must have been
// verified. It is a URL of SNS and of nobody else.
func SubscribeURL(r *Request) string {
	m, reason := parseSNS(r.Body)
	if reason != nil || m["Type"] != "SubscriptionConfirmation" {
		return ""
	}
	if _, ok := isSNS(m["SubscribeURL"]); !ok {
		return ""
	}
	return m["SubscribeURL"]
}
