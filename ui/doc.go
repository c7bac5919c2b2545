// Package ui is the dashboard: pages that the server renders, which work without JavaScript and get better with it.
//
//	GET, POST ──▶ ServeHTTP: headers ▶ route ▶ guard ─▶ handler ─▶ app
//	                                   │        │          ├─ render ─▶ pages/AREA/*.html in pages/shared/layout.html
//	                                   │        │          └─ redirect, with a flash
//	                                   │        └ same origin, session, token of the form, password set, role
//	                                   └ areas(): one table of every method, path and least role
//
// Nothing is trusted here that app does not check again: guard refuses early, and app decides.
//
// # Adding a page
//
//  1. An area is a file NAME.go with a function NAMERoutes() []route, and a folder pages/NAME. Both exist for every area; only areas() in
//     routes.go and the navigation in nav.go name them.
//  2. What the area needs of the application is an interface of its own, in its file, embedded in App.
//  3. A handler is func(c *call) error. It reads c.Request, calls c.app with c.in.Caller, and ends with c.render, c.redirect or c.fragment.
//     An error that it returns becomes a page; that of a form goes to c.invalid, which shows the form again with the errors at their fields.
//  4. pages/NAME/x.html defines "content", with the shared templates of pages/shared (text, select, checks, pager, badge, empty, …). Files that
//     begin with _ are shared within the area. c.fragment renders one {{define}} of a page, for htmx.
//  5. A form posts to a route, has {{$.Token}} in it, and redirects when it is done. Paths end in what is done: /keys/{id}/revoke.
//  6. Styles are classes of static/app.css; no style attributes, no scripts in pages: the policy forbids them. Behaviour is in static/app.js,
//     bound by data attributes.
//  7. Tests: newSite in ui_test.go drives the real application without a browser; e2e/browser_test.go has a browser. Every route is walked by
//     TestEveryRouteIsGuarded by itself.
package ui
