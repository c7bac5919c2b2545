// Package egress is the only way out: every call that Postroom makes to another system goes through a [Client], and a Client
// reaches public addresses and what the operator allowed, nothing else.
//
//	CheckURL(raw)                        when a webhook is saved: tells a person at once what is wrong
//
//	Do(ctx, request, limits)
//	   │
//	   ├─ check the request's URL        scheme, host, port, literal addresses, odd spellings
//	   ├─ take or open a connection      resolve the name → for each address: check it, then connect  (Dialer.Control)
//	   ├─ send, wait for the answer      a connection that had gone stale is replaced, and the request sent again
//	   ├─ read the body                  keep the first bytes, drain a little more, else close
//	   │
//	   └─ Result and, on failure, *Error with a kind and a sentence (Classify)
//
// The address is checked after the name was resolved and just before the socket connects, on the very address that the
// socket connects to. A name that resolves to something else the second time therefore gains nothing. The static check of
// a URL is a courtesy to the person who types it, and the only protection that depends on it is that of the scheme.
//
// Redirects are answers like any other and are never followed. The context's deadline covers everything up to the last
// byte of the body that is read. Nothing is decompressed. Proxies named in the environment are ignored.
//
// # With a proxy
//
// With [Config].Proxy the proxy's own address is what is dialled, and as the operator named it, it is not checked. What the
// proxy then connects to is out of sight, so Do resolves the target's name first and refuses the call if any of its
// addresses is refused; a name that cannot be resolved here is left to the proxy. A name that resolves differently for the
// proxy passes: a proxy that serves a Postroom with tenants one does not trust must refuse private networks by itself.
package egress
