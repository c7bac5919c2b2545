package api

// The examples of contacts and what belongs to them.
const (
	exampleContactInput = `{"email":"ada@example.com","first_name":"Ada","custom_fields":{"company":"Analytical Engines"},"tags":["vip"],"lists":["Newsletter"]}`

	exampleContact = `{"id":"con_01jd3v8x2mf4k8c0q9r7t5y1za","uid":null,"email":"ada@example.com","phone":"","first_name":"Ada","last_name":"","status":"subscribed",
"lists":[{"id":"lst_01jd3v8x2mf4k8c0q9r7t5y1za","name":"Newsletter","status":"subscribed","at":"2026-01-31T09:30:00.127Z"}],
"tags":["vip"],"custom_fields":{"company":"Analytical Engines"},"source":"api","created_at":"2026-01-31T09:30:00.127Z","updated_at":"2026-01-31T09:30:00.127Z"}`

	exampleImport = `{"id":"imp_01jd3v8x2mf4k8c0q9r7t5y1za","state":"done","rows":20000,"created":19000,"updated":400,"unchanged":598,"refused":2,
"problems":[{"row":17,"email":"ada@","errors":[{"pointer":"/email","detail":"\"ada@\" is not an email address, such as name@example.com"}]}],
"created_at":"2026-01-31T09:30:00.127Z","updated_at":"2026-01-31T09:30:12.500Z","ended_at":"2026-01-31T09:30:12.500Z"}`

	exampleList = `{"id":"lst_01jd3v8x2mf4k8c0q9r7t5y1za","uid":null,"name":"Newsletter","description":"","members":12,
"created_at":"2026-01-31T09:30:00.127Z","updated_at":"2026-01-31T09:30:00.127Z"}`

	exampleField = `{"name":"plan","title":"Plan","type":"choice","options":["free","pro"],"created_at":"2026-01-31T09:30:00.127Z","updated_at":"2026-01-31T09:30:00.127Z"}`
)

// contactDocs says what the fields mean of contacts and what belongs to them, as fieldDocs does for others.
func contactDocs() map[string]string {
	return map[string]string{
		"Contact.id":            "The contact's id.",
		"Contact.uid":           "Your own id of the contact, unique in the workspace; null for none.",
		"Contact.email":         "The email address, as it was written; empty for none. Upper and lower case are the same.",
		"Contact.phone":         "The phone number as in +12025550143; empty for none.",
		"Contact.first_name":    "The given name; empty for none.",
		"Contact.last_name":     "The family name; empty for none.",
		"Contact.status":        "Whether the contact may be written to, or why not.",
		"Contact.lists":         "The lists that it is on, has yet to confirm, or has left, in the order in which that came about.",
		"Contact.tags":          "Its tags, sorted.",
		"Contact.custom_fields": "Your own fields by name.",
		"Contact.source":        "Where it came from, such as signup_form or import.",
		"Contact.created_at":    "When it was made.",
		"Contact.updated_at":    "When it was last changed.",

		"ContactSettings.uid":           "Your own id of the contact, unique in the workspace; null for none.",
		"ContactSettings.email":         "The email address, unique in the workspace; upper and lower case are the same.",
		"ContactSettings.phone":         "The phone number with its country code; it is kept as in +12025550143.",
		"ContactSettings.first_name":    "The given name.",
		"ContactSettings.last_name":     "The family name.",
		"ContactSettings.status":        "Whether the contact may be written to, or why not.",
		"ContactSettings.source":        "Where it came from.",
		"ContactSettings.tags":          "All of its tags.",
		"ContactSettings.custom_fields": "Your own fields by name, each with a value of its type; null takes one away.",

		"Membership.id":     "Of the list.",
		"Membership.name":   "Of the list.",
		"Membership.status": "Whether the contact is on the list, has yet to confirm that, or has left it.",
		"Membership.at":     "Since when.",

		"List.id":               "The list's id.",
		"List.uid":              "Your own id of the list, unique in the workspace; null for none.",
		"List.name":             "Unique in the workspace; upper and lower case are the same.",
		"List.description":      "For people.",
		"List.members":          "How many contacts are subscribed.",
		"List.created_at":       "When it was made.",
		"List.updated_at":       "When it was last changed.",
		"ListInput.uid":         "Your own id of the list, unique in the workspace; it can be used in place of the id.",
		"ListInput.name":        "Unique in the workspace; upper and lower case are the same.",
		"ListInput.description": "For people.",

		"Tag.name":     "The tag.",
		"Tag.contacts": "How many contacts have it.",

		"Field.name":         "What it is called among a contact's custom fields.",
		"Field.title":        "For people.",
		"Field.type":         "What it holds. A date is a day or a time as in RFC 3339, a choice one of the options.",
		"Field.options":      "What a choice is made of.",
		"Field.created_at":   "When it was declared.",
		"Field.updated_at":   "When it was last changed.",
		"FieldInput.name":    "What it is called among a contact's custom fields. It cannot be changed.",
		"FieldInput.title":   "For people; the name if it is left out.",
		"FieldInput.type":    "What it holds; text if it is left out. A date is a day or a time as in RFC 3339, a choice one of the options.",
		"FieldInput.options": "What a choice is made of.",

		"Consent.at":         "When it became so.",
		"Consent.contact_id": "Of the contact.",
		"Consent.list_id":    "The list that it is about; null for the contact's own status.",
		"Consent.from":       "The status before; empty for none.",
		"Consent.to":         "The status after.",
		"Consent.origin":     "What changed it.",
		"Consent.request_id": "The request to a source that asked for it; null for none.",
		"Consent.ip":         "The address that it was asked for from, if that is known.",
		"Consent.key_id":     "The key with which it was asked for; null for none.",

		"Import.id":         "The import's id; null of a dry run.",
		"Import.state":      "running; done; or failed, when the file could not be read to its end: what came before that is stored.",
		"Import.rows":       "Rows that were read so far, without the names of columns.",
		"Import.created":    "Contacts that were made.",
		"Import.updated":    "Rows that changed a contact.",
		"Import.unchanged":  "Rows whose contact was as they say already.",
		"Import.refused":    "Rows that could not be stored.",
		"Import.problems":   "The first of those, up to 1,000.",
		"Import.reason":     "Why it failed, in a sentence.",
		"Import.created_at": "When it began.",
		"Import.updated_at": "When it last moved on.",
		"Import.ended_at":   "When it ended; null while it runs.",
		"BadRow.row":        "Its number from 1, blank ones counted; the names of a CSV's columns are row 1.",
		"BadRow.email":      "What it has for an email, to be found again.",
		"BadRow.errors":     "What is wrong: pointers are the names of a contact's fields, or empty for the row as a whole.",

		"Erasure.contact_id": "The contact that is gone; null before the end.",
		"Erasure.rows":       "How many things that told of the contact are gone so far.",
		"Erasure.done":       "That was all.",

		"AuditEntry.id":        "The entry's id.",
		"AuditEntry.at":        "When it was done.",
		"AuditEntry.key_id":    "The key with which it was done; null for none.",
		"AuditEntry.member_id": "The member who did it in the dashboard; null for none.",
		"AuditEntry.action":    "What was done, such as webhook.created or contact.erased.",
		"AuditEntry.subject":   "The id of what it was done to.",
		"AuditEntry.detail":    "What more there is to say.",
	}
}
