package scheme

import (
	"fmt"
	"slices"
)

// Reason is why a call was not verified: for the log, and never for the caller. It holds no secret, and of the call no more than names that
// the configuration gave, times, and the client's address.
type Reason struct {
	Scheme  Name // which one said so
	Kind    Kind
	Message string // a sentence for people

	// CertificateURL is where the certificate is that KindNeedsCertificate misses: a URL that only the signer can have chosen.
	CertificateURL string
}

// Error is the sentence.
func (r *Reason) Error() string { return r.Message }

// Kind says to programs why a call was not verified. It never changes its meaning.
type Kind string

// The kinds, from the least to the most specific: each says that the call passed what the ones before it complain about.
const (
	KindNothing          Kind = "nothing"           // nothing is there that could verify a call
	KindMethod           Kind = "method"            // the scheme is not for calls with this method
	KindBody             Kind = "body"              // the scheme is not for calls with this kind of body, such as one that is not JSON
	KindMissing          Kind = "missing"           // what should prove the caller is not there
	KindAmbiguous        Kind = "ambiguous"         // it is there more than once, and it is not clear which one counts
	KindMalformed        Kind = "malformed"         // it cannot be read
	KindAddress          Kind = "address"           // the caller's address is not in the allow-list, or not known
	KindMismatch         Kind = "mismatch"          // it does not fit: a wrong key, token or password, or another body than was signed
	KindUntrusted        Kind = "untrusted"         // it speaks for somebody that is not on the list of those trusted
	KindNeedsCertificate Kind = "needs_certificate" // the signer's certificate must be fetched first
	KindCertificate      Kind = "certificate"       // the signer's certificate cannot be used
	KindTooOld           Kind = "too_old"           // the signature fits, and its timestamp is older than allowed
	KindTooNew           Kind = "too_new"           // the signature fits, and its timestamp is in the future
)

// Kinds are all of them, from the least to the most specific.
func Kinds() []Kind {
	return []Kind{KindNothing, KindMethod, KindBody, KindMissing, KindAmbiguous, KindMalformed, KindAddress, KindMismatch, KindUntrusted,
		KindNeedsCertificate, KindCertificate, KindTooOld, KindTooNew}
}

func because(kind Kind, format string, args ...any) *Reason {
	return &Reason{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// moreSpecific is the one of two reasons that says more; the first of two that say the same. Either may be nil.
func moreSpecific(a, b *Reason) *Reason {
	if a == nil {
		return b
	}
	if b != nil && slices.Index(Kinds(), b.Kind) > slices.Index(Kinds(), a.Kind) {
		return b
	}
	return a
}
