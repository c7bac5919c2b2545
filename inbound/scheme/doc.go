// Package scheme is the closed set of ways to verify that a call comes from whom it should.
//
//	Config (data) ──▶ Fill (credentials) ──▶ Compile ──▶ Scheme ─┐
//	                                                             ▼
//	connection, headers ──▶ ClientAddr ──▶ Request ──────────▶ Verify ──▶ nil, or a *Reason for the log
//
// Everything here is a pure function of its arguments: no clock, no network, no state. What a scheme misses and cannot compute, the
// certificate of an SNS message, it asks for in its Reason, and the caller verifies again.
//
// Rules that hold for every scheme:
//
//   - The caller learns that it was refused and nothing else. The Reason is for the log; it holds no secret and no text of the call.
//   - Secrets are compared in constant time, tokens and passwords by their digests, so that their lengths do not show either.
//   - Several secrets may be valid at a time. All signatures in a header count, and one that fits is enough.
//   - A header, parameter or field that counts and is there twice is refused: another reader might take the other one.
//   - A timestamp or an id that is configured must be part of what is signed. The signature is checked before the timestamp's age, so
//     that "too old" means a genuine call that came late, was replayed, or met a wrong clock.
//   - Bytes are hashed as they came. The URL is the public one, and never made of the Host header.
//
// The schemes and their parameters stand at [Name] and [Config]. Which provider uses which, as data in testdata/providers.json:
//
//	generic             token, api_key, basic, hmac, ip, and any of them together (all)
//	standard            standard
//	cloudevents         standard
//	resend, Svix        standard, header svix-signature
//	cloudcusp           hmac, X-Webhook-Signature: sha256=<hex>
//	cakemail            hmac, X-Cakemail-Signature or X-Signature, in hex or base64
//	cocoonmail          api_key, Authorization as the user gave it
//	cooby, sendook      token
//	github              hmac, X-Hub-Signature-256: sha256=<hex>
//	whatsapp (Meta)     hmac as github's on POST; token at query:hub.verify_token on GET
//	shopify             hmac, base64
//	slack               hmac over v0:{timestamp}:{body}
//	stripe              hmac over {timestamp}.{body}; t=… and v1=… are items of one header
//	twilio              hmac (SHA-1) over {url}{params}; for JSON over {url}, and hash of the body at query:bodySHA256
//	mandrill            hmac (SHA-1) over {url}{params}
//	mailgun             hmac over {timestamp} and the token, all in the body (JSON, or form fields); the body itself is not signed
//	sendgrid            ecdsa over {timestamp}{body}
//	hubspot             hmac over {method}{url}{body}{timestamp} in milliseconds; versions 1 and 2: hash of {secret} and the call
//	ses (SNS)           rsa-sns; every account can sign, so the topics are a list
//	postmark, mailjet   basic
//	brevo               api_key, Authorization: Bearer …; ip
//	sparkpost           basic, or api_key in X-MessageSystems-Webhook-Token
//	mailchimp           token in the URL
//	salesforce          token in the URL; ip
//	zapier              token or api_key
//	Discord and others  ed25519 over {timestamp}{body}
package scheme
