package app

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/dialect"
)

// How long a link to the portal works.
const (
	DefaultPortalLife = time.Hour
	minPortalLife     = time.Minute
	maxPortalLife     = 24 * time.Hour
)

const (
	maxOrigins  = 20
	portalPath  = "/portal/"
	portalToken = "portal link" // the context that tokens are sealed for
	maxToken    = 1024          // bytes
)

var (
	customerName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:@-]{0,63}$`) // safe in a filter's text, too
	hexColour    = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)
)

func checkCustomer(p *postroom.Problems, pointer, name string) {
	if !customerName.MatchString(name) {
		p.Add(pointer, "a customer is 1 to 64 letters, digits and . _ : @ -, and begins with a letter or digit")
	}
}

// Portal gives the settings of the portal.
func (a *App) Portal(ctx context.Context, who Caller) (postroom.Portal, error) {
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return postroom.Portal{}, err
	}
	return a.portal(ctx, who.Workspace)
}

func (a *App) portal(ctx context.Context, workspace postroom.WorkspaceID) (postroom.Portal, error) {
	p, err := a.Store.Portal(ctx, workspace)
	if p.Dialect == "" {
		p.Dialect = dialect.Standard
	}
	if p.Events == nil {
		p.Events = []string{"*"}
	}
	if p.FrameOrigins == nil {
		p.FrameOrigins = []string{}
	}
	return p, err
}

// UpdatePortal changes the settings of the portal: edit gets them, and edits them.
func (a *App) UpdatePortal(ctx context.Context, who Caller, edit func(*postroom.Portal) error) (postroom.Portal, error) {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return postroom.Portal{}, err
	}
	s, err := a.portal(ctx, who.Workspace)
	if err != nil {
		return s, err
	}
	since := s.LinksSince
	if err := edit(&s); err != nil {
		return s, err
	}
	s.LinksSince = since
	if err := a.checkPortal(&s); err != nil {
		return s, err
	}
	if err := a.Store.SetPortal(ctx, who.Workspace, s, a.Now()); err != nil {
		return s, err
	}
	a.audit(ctx, who, "portal.changed", who.Workspace.String(), nil)
	return s, nil
}

// DialectNames are the names of the dialects that webhooks can have, in their order.
func (a *App) DialectNames() []string { return slices.Sorted(maps.Keys(a.Dialects)) }

func (a *App) checkPortal(s *postroom.Portal) error {
	var p postroom.Problems
	checkText(&p, "/name", s.Name, maxTitle)
	for _, c := range []struct{ pointer, colour string }{{"/accent", s.Accent}, {"/background", s.Background}} {
		if c.colour != "" && !hexColour.MatchString(c.colour) {
			p.Add(c.pointer, "a colour is written as #rrggbb, such as #0b7285")
		}
	}
	if len(s.FrameOrigins) > maxOrigins {
		p.Add("/frame_origins", "there are at most %d", maxOrigins)
	}
	for i, origin := range s.FrameOrigins {
		if !validOrigin(origin) {
			p.Add("/frame_origins/"+strconv.Itoa(i), "%s is not a site that can have a frame: write it as https://app.example.com, without a path", quote(origin))
		}
	}
	d := a.Dialects[s.Dialect]
	if d == nil {
		p.Add("/dialect", "there is no dialect %s", quote(s.Dialect))
	}
	if len(s.Events) == 0 || len(s.Events) > maxPatterns {
		p.Add("/events", "there are 1 to %d", maxPatterns)
	}
	for i, pattern := range s.Events {
		if err := checkPattern(pattern); err != nil {
			p.Add("/events/"+strconv.Itoa(i), "%s", err.Error())
		}
	}
	if err := a.Engine.CheckFilter(filterOf(s.Filter, "acme")); err != nil {
		p.Add("/filter", "%s", err.Error())
	}
	return p.Err()
}

// validOrigin tells whether a text is a source of a content security policy that names one site: it cannot have more in it than that.
func validOrigin(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Scheme+"://"+u.Host != s || u.Hostname() == "" {
		return false
	}
	for _, r := range u.Host {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]", r) {
			return false
		}
	}
	if u.Scheme == "https" {
		return true
	}
	host := u.Hostname()
	addr, err := netip.ParseAddr(host)
	return u.Scheme == "http" && (host == "localhost" || err == nil && addr.IsLoopback()) // to try it
}

// filterOf is the filter of a customer's webhooks. A name has no character that ends a text.
func filterOf(filter, customer string) string {
	return strings.ReplaceAll(filter, "{customer}", `"`+customer+`"`)
}

// portalGrant is what a link's token says. It is sealed, so that nobody else can make or change one, and nothing of it is stored.
type portalGrant struct {
	Workspace postroom.WorkspaceID `json:"w"`
	Customer  string               `json:"c"`
	Made      int64                `json:"m"` // milliseconds
	Expires   int64                `json:"e"`
}

// PortalLink makes a link that opens the portal for a customer, for a life; zero for DefaultPortalLife.
func (a *App) PortalLink(ctx context.Context, who Caller, customer string, life time.Duration) (postroom.PortalLink, error) {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return postroom.PortalLink{}, err
	}
	if life == 0 {
		life = DefaultPortalLife
	}
	var p postroom.Problems
	checkCustomer(&p, "/customer", customer)
	if life < minPortalLife || life > maxPortalLife {
		p.Add("/expires_in", "this is %s to %s", postroom.Duration(minPortalLife), postroom.Duration(maxPortalLife))
	}
	if err := p.Err(); err != nil {
		return postroom.PortalLink{}, err
	}
	s, err := a.portal(ctx, who.Workspace)
	if err != nil {
		return postroom.PortalLink{}, err
	}
	if s.Filter == "" {
		return postroom.PortalLink{}, postroom.Errorf(postroom.CodeConflict, "The portal has no filter yet, so that customers would be sent each other's events: set one first, such as "+
			"event.data.account == {customer}; true lets every event through.")
	}
	now := a.Now()
	ends := now.Add(life).Truncate(time.Millisecond)
	plain, err := json.Marshal(portalGrant{Workspace: who.Workspace, Customer: customer, Made: now.UnixMilli(), Expires: ends.UnixMilli()})
	if err != nil {
		return postroom.PortalLink{}, err
	}
	token := base64.RawURLEncoding.EncodeToString(a.Sealer.Seal(portalToken, plain))
	a.audit(ctx, who, "portal.linked", who.Workspace.String(), map[string]string{"customer": customer})
	return postroom.PortalLink{URL: a.PublicURL + portalPath + token, ExpiresAt: stamp(ends)}, nil
}

// EndPortalLinks ends all links that were made until now.
func (a *App) EndPortalLinks(ctx context.Context, who Caller) error {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return err
	}
	s, err := a.Store.Portal(ctx, who.Workspace)
	if err != nil {
		return err
	}
	now := a.Now()
	since := stamp(now)
	s.LinksSince = &since
	if err := a.Store.SetPortal(ctx, who.Workspace, s, now); err != nil {
		return err
	}
	a.audit(ctx, who, "portal.links_ended", who.Workspace.String(), nil)
	return nil
}

// Visit is somebody in the portal. It finds the webhooks of one customer of one workspace, and what was sent to them.
type Visit struct {
	Customer string
	Portal   postroom.Portal

	workspace postroom.WorkspaceID // only OpenPortal sets it
}

func (v Visit) caller() Caller {
	return Caller{Workspace: v.workspace, Role: postroom.RoleAdmin, Customer: v.Customer}
}

var (
	errPortalLink = &postroom.Error{Code: postroom.CodeNotFound, Message: "This link is not complete, or was not made here. Open the page anew from where you came."}
	errPortalOver = &postroom.Error{Code: postroom.CodeUnauthenticated, Message: "This link has ended. Open the page anew from where you came."}
)

// OpenPortal finds out what a link's token lets do. Of one that has ended it gives the settings of the portal beside the error, so that the
// pages that say so look as the others.
func (a *App) OpenPortal(ctx context.Context, token string) (Visit, error) {
	var g portalGrant
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(token[:min(len(token), maxToken)])
	if err != nil {
		return Visit{}, errPortalLink
	}
	plain, err := a.Sealer.Open(portalToken, sealed)
	if err != nil {
		return Visit{}, errPortalLink
	}
	if err := json.Unmarshal(plain, &g); err != nil {
		return Visit{}, err
	}
	if !customerName.MatchString(g.Customer) || g.Workspace.IsZero() { // cannot be: an empty one would be everybody
		return Visit{}, errPortalLink
	}
	s, err := a.portal(ctx, g.Workspace)
	if postroom.CodeOf(err) == postroom.CodeNotFound { // the workspace is deleted
		return Visit{}, errPortalLink
	}
	if err != nil {
		return Visit{}, err
	}
	if a.Now().UnixMilli() >= g.Expires || s.LinksSince != nil && g.Made <= s.LinksSince.UnixMilli() {
		return Visit{Portal: s}, errPortalOver
	}
	return Visit{Customer: g.Customer, Portal: s, workspace: g.Workspace}, nil
}

// offered tells whether customers may choose an event type.
func offered(s postroom.Portal, d *dialect.Dialect, name string) bool {
	return matchesAny(s.Events, name) && d != nil && d.Out.Offers(name)
}

// PortalEventTypes are the event types that a customer may choose.
func (a *App) PortalEventTypes(ctx context.Context, v Visit) ([]postroom.EventType, error) {
	all, err := a.EventTypes(ctx, v.caller())
	return slices.DeleteFunc(all, func(t postroom.EventType) bool { return !offered(v.Portal, a.Dialects[v.Portal.Dialect], t.Name) }), err
}
