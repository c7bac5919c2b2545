package postroom

// FailureKind is a reason for which an attempt fails, as the log, its filters, the exports and the metrics name it.
type FailureKind struct {
	Kind    string // never changes its meaning
	Meaning string // for a person, in one sentence
	Remedy  string // what helps, as a rule
}

// FailureKinds are all the kinds, roughly in the order of a call. docs/operations.md and /docs/errors list them.
func FailureKinds() []FailureKind {
	return []FailureKind{
		{"auth", "There is no access token for the call, or the webhook's client certificate has expired.",
			"See what the sentence says of the token endpoint, and renew the credentials; docs/authentication.md tells how they are used."},
		{"payload", "The body could not be made as the webhook's `payload` or dialect says.", "Preview the webhook with this event: `postroom webhooks preview`."},
		{"dns", "The name in the webhook's URL does not exist, or could not be looked up.", "Mend the URL, or the name servers of the machine that Postroom runs on."},
		{"address_not_allowed", "The URL, or the address behind its name, is one that Postroom may not call, such as a private one; nothing was sent.",
			"Use a public address; an operator can allow networks with `--allow-net`, and plain HTTP with `--allow-http`."},
		{"connect", "The receiver refused the connection, or cannot be reached.", "See whether the receiver runs, and what its firewall does."},
		{"connect_timeout", "The receiver did not accept a connection, or did not complete the TLS handshake, within ten seconds.", "See whether a firewall drops what Postroom sends."},
		{"tls", "The receiver's certificate is expired, for another host or from nobody who is trusted, its port does not speak TLS 1.2 or newer, or it asks for a client certificate that it does not get or accept.",
			"Renew the certificate, and serve it with its intermediate certificates; give the webhook the client certificate in `auth.tls`."},
		{"timeout", "There was no complete answer, body included, within the webhook's timeout.", "Answer first and work afterwards, or raise `timeout`."},
		{"reset", "The receiver closed the connection before its answer was there.", "Look at the receiver's log: it, or a proxy before it, ended at that moment."},
		{"protocol", "What came back is not valid HTTP, or its header is larger than 64 KiB.", "See whether the port is that of a web server."},
		{"body", "The answer's body broke off.", "Look at the receiver's log; the status alone does not count as an answer."},
		{"status", "The receiver answered with a status that is not 2xx.", "The log has its answer."},
		{"redirect", "The receiver answered 3xx; redirects are not followed.", "Set the webhook's URL to where the redirect leads."},
		{"gone", "The receiver answered 410: it wants no more. The webhook is paused.", "Resume the webhook when the receiver is back, or delete it."},
		{"not_json", "The receiver answered 2xx, but not with JSON, which `expect_json` asks for.", "Answer with JSON, or set `expect_json` to false."},
		{"event_gone", "The event had been deleted before it could be delivered, so that the delivery was cancelled.", "None is needed; `--retention` says how long events are kept."},
		{"cancelled", "A test was given up, because Postroom stopped or nobody waited for it any more.", "Test again."},
		{"internal", "Postroom could not make the call: a fault of its own, or a header that cannot be sent.", "The log of the server has the cause."},
	}
}
