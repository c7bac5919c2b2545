package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postroom/postroom"
)

// callOf is a valid call of an operation: its path, its body and the headers that it needs.
func callOf(op *huma.Operation) (path, body string, headers []string) {
	path = strings.NewReplacer("{id}", "crm", "{type}", "email.opened", "{name}", "standard", "{contact}", "ada@example.com", "{tag}", "vip", "{field}", "plan").Replace(op.Path)
	switch op.OperationID {
	case "get-event", "replay-event":
		path = strings.Replace(path, "crm", "order-1", 1)
	case "import-contacts":
		return path, "email\nada@example.com\n", []string{"Content-Type", "text/csv"}
	case "publish-events":
		return path, examplePublish, nil
	}
	if op.RequestBody != nil {
		for media, content := range op.RequestBody.Content {
			if content.Example != nil {
				return path, indented(content.Example), []string{"Content-Type", media}
			}
		}
	}
	return path, "", nil
}

func TestEveryOperationNeedsItsRole(t *testing.T) {
	s := newServer(t)
	public := map[string]bool{"/healthz": true, "/readyz": true}
	close(s.watched) // so that a tail ends
	close(s.watchedCalls)
	for _, op := range operationsOf(s.api.document) {
		if op.Extensions["x-intake"] != nil {
			continue // package inbound serves it
		}
		path, body, headers := callOf(op)
		role, _ := op.Extensions["x-role"].(postroom.Role)
		if (role == "") != public[op.Path] {
			t.Errorf("%s: role %q", op.OperationID, role)
		}
		if role == "" {
			continue
		}
		for _, bad := range []string{"", "prk_admin", "Basic cHJrOmFkbWlu", "Bearer ", "Bearer prk_nobody"} {
			w := s.call(op.Method, path, body, append(headers, "Authorization", bad)...)
			s.problemOf(w, postroom.CodeUnauthenticated, nil)
			if !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("%s: no WWW-Authenticate", op.OperationID)
			}
		}
		for _, has := range []postroom.Role{postroom.RoleViewer, postroom.RolePublisher, postroom.RoleAdmin, "operator"} {
			w := s.call(op.Method, path, body, append(headers, "Authorization", "bearer prk_"+string(has))...)
			operator, _ := op.Extensions["x-operator"].(bool)
			allowed := has == "operator" || has.Allows(role) && !operator
			if !allowed {
				s.problemOf(w, postroom.CodeForbidden, nil)
			} else if w.Code >= 400 {
				t.Errorf("%s as %s: status %d: %s", op.OperationID, has, w.Code, w.Body)
			}
		}
	}
}

func TestTwoKeys(t *testing.T) {
	s := newServer(t)
	r := request("GET", "/v1/webhooks", "")
	r.Header.Add("Authorization", "Bearer prk_admin")
	s.problemOf(s.do(r), postroom.CodeUnauthenticated, nil)
}

func TestBodiesThatAreRefused(t *testing.T) {
	s := newServer(t)
	big := `{"name":"` + strings.Repeat("x", 70<<10) + `"}`
	for _, op := range operationsOf(s.api.document) {
		if op.Method != http.MethodPost && op.Method != http.MethodPatch && op.Method != http.MethodPut || op.OperationID == "import-contacts" ||
			op.Extensions["x-intake"] != nil {
			continue
		}
		path, _, _ := callOf(op)
		s.refused(postroom.CodeBadJSON, []string{"/a"}, op.Method, path, `{"a":1`)
		s.refused(postroom.CodeUnsupportedMedia, nil, op.Method, path, `{}`, "Content-Type", "application/x-www-form-urlencoded")
		s.refused(postroom.CodeUnsupportedMedia, nil, op.Method, path, `{}`, "Content-Type", "application/json; charset=latin1")
		s.refused(postroom.CodeUnsupportedMedia, nil, op.Method, path, `{}`, "Content-Type", ";;")
		s.refused(postroom.CodeUnsupportedMedia, nil, op.Method, path, `{}`, "Content-Encoding", "gzip")
		s.refused(postroom.CodeTooLarge, nil, op.Method, path, big)
		unsized := request(op.Method, path, big)
		unsized.ContentLength = -1
		s.problemOf(s.do(unsized), postroom.CodeTooLarge, nil)
		s.refused(postroom.CodeInvalid, []string{"?force"}, op.Method, path+"?force=1", `{}`)
		if op.OperationID != "publish-events" {
			s.refused(postroom.CodeBadJSON, nil, op.Method, path, `[]`)
			s.refused(postroom.CodeUnknownField, []string{"/a~1b"}, op.Method, path, `{"a/b":1}`)
		}
	}
}
