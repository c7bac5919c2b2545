package catalogue

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// TestDialectsFindWhatTheyNeed wants in the samples all that the payloads and headers of the vendors are made of. A place
// that may be absent from one sample must at least be described by the schema.
func TestDialectsFindWhatTheyNeed(t *testing.T) {
	c := mustLoad(t)
	emailOf := []string{"campaign.id", "campaign.name", "contact.id", "contact.uid", "contact.email", "message.id", "message.from"}
	opened := append(slices.Clone(emailOf), "client.ip_address", "client.user_agent", "client.device_type", "client.email_client", "counts.opens")
	whatsapp := []string{"message.id", "message.from", "message.to", "message.text", "contact.uid", "contact.phone"}
	chat := []string{
		"chat.id", "chat.type", "chat.title", "member.phone", "member.email", "message.id", "message.type", "message.text",
		"message.file_name", "message.file_url", "message.caption", "participants.phone", "participants.wa_name",
		"sender.phone", "sender.wa_name", "error.code?", "error.message?",
	}
	mail := []string{
		"inbox.id", "message.id", "message.thread_id", "message.from", "message.to", "message.cc", "message.bcc",
		"message.labels", "message.subject", "message.text", "message.html", "message.attachments.name",
		"message.attachments.content_type", "message.attachments.content?", "message.attachments.url?", "message.status",
		"message.external_id", "message.created_at", "message.updated_at",
	}
	contact := []string{
		"contact.id", "contact.email", "contact.phone", "contact.first_name", "contact.last_name", "contact.status",
		"contact.lists.id", "contact.lists.name", "contact.tags", "contact.custom_fields", "contact.source",
	}
	needs := map[string][]string{
		"email.sent": emailOf, "email.delivered": emailOf, "email.opened": opened, "email.complained": emailOf,
		"email.unsubscribed": emailOf,
		"email.clicked":      append(slices.Clone(opened), "link.url", "counts.clicks"),
		"email.bounced":      append(slices.Clone(emailOf), "bounce.type", "bounce.code", "bounce.reason"),
		"campaign.sent":      {"campaign.id", "campaign.name", "campaign.sent_at"},
		"campaign.completed": {"campaign.id", "campaign.name", "campaign.sent_at", "counts.opens", "counts.clicks"},
		"whatsapp.sent":      whatsapp, "whatsapp.read": whatsapp, "whatsapp.engaged": whatsapp, "whatsapp.unsubscribed": whatsapp,
		"whatsapp.failed":           append(slices.Clone(whatsapp), "error.message"),
		"whatsapp.message_received": append(slices.Clone(chat), whatsapp...), "whatsapp.message_sent": chat,
		"inbox.created":  {"inbox.id", "inbox.name", "inbox.email"},
		"contact.tagged": append(slices.Clone(contact), "tag"), "contact.subscribed": append(slices.Clone(contact), "list.id"),
	}
	for _, name := range wantTypes["contact"] {
		if needs[name] == nil {
			needs[name] = contact
		}
	}
	for _, name := range wantTypes["message"] {
		needs[name] = mail
	}
	for name, places := range needs {
		typ, ok := c.Lookup(name)
		if !ok {
			t.Fatalf("no type %q", name)
		}
		schema, sample := decode(t, typ.Schema), decode(t, typ.Sample)
		for _, place := range places {
			place, optional := strings.CutSuffix(place, "?")
			steps := strings.Split(place, ".")
			if !describes(schema, steps) {
				t.Errorf("%s: the schema does not describe %s", name, place)
			}
			if !optional && !has(sample, steps) {
				t.Errorf("%s: the sample has no %s", name, place)
			}
		}
	}
}

func describes(schema any, steps []string) bool {
	for _, step := range steps {
		if items := schema.(map[string]any)["items"]; items != nil {
			schema = items
		}
		next, ok := properties(schema)[step]
		if !ok {
			return false
		}
		schema = next
	}
	return true
}

func has(value any, steps []string) bool {
	if items, ok := value.([]any); ok && len(steps) > 0 {
		return len(items) > 0 && !slices.ContainsFunc(items, func(item any) bool { return !has(item, steps) })
	}
	if len(steps) == 0 {
		return true
	}
	next, ok := value.(map[string]any)[steps[0]]
	return ok && has(next, steps[1:])
}

// TestMessageTypesAreThoseOfWhatsApp keeps the list of kinds of WhatsApp messages whole.
func TestMessageTypesAreThoseOfWhatsApp(t *testing.T) {
	want := strings.Fields(`call_log chat location payment vcard ciphertext multi_vcard revoked oversized groups_v4_invite
		template_button_reply debug image video audio sticker status_v3 document product order list interactive
		interactive_response list_response buttons_response reaction reaction_enc poll_creation request_phone_number
		poll_update native_flow biz-cover-photo keep_in_chat pin_message unknown`)
	c := mustLoad(t)
	for _, name := range []string{"whatsapp.message_received", "whatsapp.message_sent", "whatsapp.sent"} {
		typ, _ := c.Lookup(name)
		var schema struct {
			Properties struct {
				Message struct {
					Properties struct {
						Type struct{ Enum []*string }
					}
				}
			}
		}
		if err := json.Unmarshal(typ.Schema, &schema); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, kind := range schema.Properties.Message.Properties.Type.Enum {
			if kind != nil {
				got = append(got, *kind)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: message types %q, want %q", name, got, want)
		}
	}
}
