package dialects_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/dialect/fixture"
	"github.com/postroom/postroom/inbound"
)

// request is the request of a fixture.
func request(t *testing.T, name string) (headers map[string]string, body string) {
	t.Helper()
	archive, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.Files {
		if f.Name != "request" {
			continue
		}
		head, body, _ := strings.Cut(string(f.Data), "\n\n")
		headers = map[string]string{}
		for _, line := range strings.Split(head, "\n")[1:] {
			name, value, _ := strings.Cut(line, ": ")
			if headers[name] != "" {
				t.Errorf("%s is there twice", name)
			}
			headers[name] = value
		}
		return headers, strings.TrimSuffix(body, "\n")
	}
	t.Fatalf("%s has no request", name)
	return nil, ""
}

// The examples of the vendors' documents, as they print them, are what is sent, less the white space.
func TestExamples(t *testing.T) {
	for file, want := range map[string]string{
		"cakemail/testdata/email.sent.example.txtar": `{
"event": "email.sent",
"timestamp": "2024-03-15T10:30:00Z",
"data": {
"campaign_id": 790,
"contact_id": 501,
"email": "user@example.com",
"message_id": "msg_abc123"
}
}`,
		"cakemail/testdata/email.opened.example.txtar": `{
"event": "email.opened",
"timestamp": "2024-03-15T11:45:00Z",
"data": {
"campaign_id": 790,
"contact_id": 501,
"email": "user@example.com",
"user_agent": "Mozilla/5.0...",
"ip_address": "192.168.1.1"
}
}`,
		"cooby/testdata/whatsapp.message_sent.example.txtar": `{
"chat_id": "[email protected]",
"chat_type": "individual",
"chat_title": "Sarah Brown",
"user_phone": "447441368384",
"user_email": "[email protected]",
"direction": "sent",
"message": {
"id": "3EB093D273669B3BE3D2",
"type": "chat",
"text": "Hi, welcome to Cooby!",
"file_name": "Cooby Image 2023-07-12 at 11.13.32 AM",
"file_url": "https://api.cooby.co/v2/files/xxxxx",
"caption": "Hi, welcome to Cooby!",
"is_error": false,
"error_code": null,
"error_message": null
},
"timestamp": "1628843453",
"participants": [
{"phone": "447441369136", "wa_name": "Sarah Brown"},
{"phone": "447441368384", "wa_name": "Cooby"}
],
"sender": {"phone": "447441368384", "wa_name": "Cooby"}
}`,
		// The Payload Builder's text, with its values in place.
		"cloudcusp/testdata/email.opened.builder.txtar": `{
"event_type": "email_opened",
"timestamp": "2024-01-15T11:45:00.000Z",
"subscriber": {
"id": 123,
"email": "john@example.com",
"first_name": "John",
"custom_field": null
},
"campaign": {
"id": 456,
"name": "January Newsletter"
},
"custom_data": {
"your_field": "your_value"
}
}`,
		"sendook/testdata/message.sent.no-inbox.txtar": `{"event": "message.sent", "messageId": "msg_1", "payload": {"id": "msg_1", "to": ["bob@example.com"], "subject": "Welcome", "status": "sent"}}`,
		"zapier/testdata/order.paid.id.txtar":          `{"id": "order-17", "event": "order.paid", "timestamp": "2026-01-01T10:00:00.000Z", "contact_id": 5}`,
	} {
		var compact bytes.Buffer
		if err := json.Compact(&compact, []byte(want)); err != nil {
			t.Fatal(err)
		}
		if _, body := request(t, file); body != compact.String() {
			t.Errorf("%s has\n%s\nwant\n%s", file, body, compact.String())
		}
	}
}

// Every call of a vendor that signs has the signature that its receivers calculate, and no other has one.
func TestSignatures(t *testing.T) {
	for vendor, c := range map[string]struct{ header, prefix string }{
		"cakemail": {"X-Cakemail-Signature", ""}, "cloudcusp": {"X-Webhook-Signature", "sha256="}, "cocoonmail": {}, "cooby": {}, "sendook": {}, "slack": {}, "zapier": {},
	} {
		files, err := filepath.Glob(filepath.Join(vendor, "testdata", "*.txtar"))
		if err != nil || files == nil {
			t.Fatalf("%s has no fixtures: %v", vendor, err)
		}
		for _, file := range files {
			headers, body := request(t, file)
			mac := hmac.New(sha256.New, []byte(fixture.Secret))
			mac.Write([]byte(body))
			if want := c.prefix + hex.EncodeToString(mac.Sum(nil)); c.header != "" && headers[c.header] != want {
				t.Errorf("%s is signed %q, want %s", file, headers[c.header], want)
			}
			for name := range headers {
				if strings.Contains(name, "Signature") && name != c.header {
					t.Errorf("%s has the header %s", file, name)
				}
			}
		}
	}
}

// Cocoonmail's headers, by the group of the event.
func TestCocoonmailHeaders(t *testing.T) {
	always := []string{"X-Cocoon-Event-Type", "X-Cocoon-Event-Datetime"}
	for group, more := range map[string][]string{
		"contact":  {"X-Cocoon-Contact-Uuid", "X-Cocoon-Contact-Email"},
		"email":    {"X-Cocoon-Contact-Uuid", "X-Cocoon-Contact-Email"},
		"whatsapp": {"X-Cocoon-Contact-Uuid", "X-Cocoon-Contact-Whatsapp"},
	} {
		files, err := filepath.Glob("cocoonmail/testdata/" + group + ".*.txtar")
		if err != nil || len(files) < 3 {
			t.Fatal(files, err)
		}
		allowed := append(append([]string{}, always...), more...)
		switch group {
		case "contact":
			allowed = append(allowed, "X-Cocoon-Contact-Whatsapp")
		case "email":
			allowed = append(allowed, "X-Cocoon-Email-Message-Id", "X-Cocoon-Email-Sender")
		case "whatsapp":
			allowed = append(allowed, "X-Cocoon-Message-Id", "X-Cocoon-Sender-Phonenumber")
		}
		for _, file := range files {
			headers, _ := request(t, file)
			for _, name := range append(append([]string{}, always...), more...) {
				if headers[name] == "" {
					t.Errorf("%s has no %s", file, name)
				}
			}
			for name := range headers {
				if strings.HasPrefix(name, "X-Cocoon") && !strings.Contains(strings.Join(allowed, " ")+" ", name+" ") {
					t.Errorf("%s has the header %s, which is not that of its group", file, name)
				}
			}
		}
	}
}

// A body that goes through JavaScript's JSON comes out the same; compact JSON with unescaped characters is a part of it.
func TestBodiesAreCompact(t *testing.T) {
	files, err := filepath.Glob("*/testdata/*.txtar")
	if err != nil || len(files) < 100 {
		t.Fatal(len(files), err)
	}
	for _, file := range files {
		_, body := request(t, file)
		var compact bytes.Buffer
		if err := json.Compact(&compact, []byte(body)); err != nil || compact.String() != body {
			t.Errorf("%s: %v", file, err)
		}
	}
	if _, err := os.Stat("standard/testdata/postroom.test.txtar"); err != nil {
		t.Error(err)
	}
}

// part is a file of a fixture.
func part(t *testing.T, fixture, name string) string {
	t.Helper()
	archive, err := txtar.ParseFile(fixture)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	t.Fatalf("%s has no %s", fixture, name)
	return ""
}

// The examples of CloudCusp's guide come in as it prints them.
func TestCloudCuspCalls(t *testing.T) {
	for file, want := range map[string]string{
		"subscriber_added": `{
"event": "subscriber_added",
"timestamp": "2024-01-15T10:30:00Z",
"data": {
"subscriber_id": 123,
"email": "john@example.com",
"first_name": "John",
"last_name": "Doe",
"list_id": 1,
"status": "subscribed",
"source": "form_submission",
"custom_fields": {
"company": "Acme Corp",
"phone": "+1234567890"
}
}
}
`,
		"email_opened": `{
"event": "email_opened",
"timestamp": "2024-01-15T11:45:00Z",
"data": {
"subscriber_id": 123,
"subscriber_email": "john@example.com",
"campaign_id": 456,
"campaign_name": "January Newsletter",
"device_type": "desktop",
"email_client": "Gmail",
"ip_address": "192.168.1.1",
"user_agent": "Mozilla/5.0...",
"open_count": 1
}
}
`,
	} {
		file = "cloudcusp/testdata/in/" + file + ".txtar"
		if _, body, _ := strings.Cut(part(t, file, "call"), "\n\n"); body != want {
			t.Errorf("%s has\n%s", file, body)
		}
		// Nothing of the example is lost on the way: each value of it is in the event.
		var call struct {
			Data map[string]any
		}
		if err := json.Unmarshal([]byte(want), &call); err != nil {
			t.Fatal(err)
		}
		items := part(t, file, "items")
		for name, value := range call.Data {
			if text, err := json.Marshal(value); err != nil || name != "custom_fields" && !strings.Contains(items, ": "+string(text)) {
				t.Errorf("%s: %s is not in the event", file, name)
			}
		}
	}
}

// Every name of CloudCusp's guide is understood, in any case of letters.
func TestCloudCuspNames(t *testing.T) {
	for name, want := range map[string]string{
		"subscriber_added": "contact.created", "subscriber_updated": "contact.updated", "subscriber_deleted": "contact.deleted", "subscriber_status_changed": "contact.status_changed",
		"subscriber_tagged": "contact.tagged", "subscriber_untagged": "contact.untagged", "email_sent": "email.sent", "email_opened": "email.opened", "email_clicked": "email.clicked",
		"email_bounced": "email.bounced", "email_complained": "email.complained", "campaign_created": "campaign.created", "campaign_sent": "campaign.sent",
		"campaign_completed": "campaign.completed", "Campaign_Failed": "campaign.failed",
	} {
		if got, ok := load(t)["cloudcusp"].In.TypeOf(name); !ok || got != want {
			t.Errorf("%s is %s, %v", name, got, ok)
		}
		if got, ok := load(t).TypeNamed(name); !ok || got != want {
			t.Errorf("of all vendors, %s is %s, %v", name, got, ok)
		}
	}
}

// These are the kinds, and the samples of each are understood without a warning.
func TestKinds(t *testing.T) {
	set := load(t)
	if diff := cmp.Diff([]string{"cloudcusp", "cloudevents", "standard", "zapier"}, set.Kinds()); diff != "" {
		t.Error(diff)
	}
	names := []string{}
	for name := range known(t).Types {
		names = append(names, name)
	}
	for _, kind := range set.Kinds() {
		program, err := inbound.Compile(&postroom.SourceSettings{Kind: kind}, set[kind].In, inbound.NewTypes(names, set))
		if err != nil {
			t.Fatal(err)
		}
		if len(set[kind].In.Samples) == 0 {
			t.Errorf("%s has no samples", kind)
		}
		for _, sample := range set[kind].In.Samples {
			r := &postroom.Request{Body: []byte(sample.Body), Headers: []postroom.Header{{Name: "Content-Type", Value: "application/json"}}}
			items, err := program.Read(inbound.NewCall(r))
			if err != nil || len(items) != 1 || items[0].Type == "" || items[0].Contact.Ref.Email == "" || items[0].Warnings != nil || items[0].Err != nil {
				t.Errorf("%s, %s: %v, %+v", kind, sample.Name, err, items)
			}
		}
	}
}
