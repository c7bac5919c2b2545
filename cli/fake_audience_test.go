package cli

import "strings"

const (
	con1 = "con_01jd3v8x2mf4k8c0q9r7t5y1za"
	lst1 = "lst_01jd3v8x2mf4k8c0q9r7t5y1za"
	imp1 = "imp_01jd3v8x2mf4k8c0q9r7t5y1za"

	contactJSON = `{"id":"` + con1 + `","uid":"u-17","email":"ada@example.com","phone":"+12025550143","first_name":"Ada","last_name":"Lovelace","status":"subscribed",` +
		`"lists":[{"id":"` + lst1 + `","name":"Newsletter","status":"subscribed","at":` + stamp + `},{"id":"` + lst1 + `","name":"Deals","status":"pending","at":` + stamp + `},{"id":"` + lst1 + `","name":"Old","status":"unsubscribed","at":` + stamp + `}],` +
		`"tags":["lead","vip"],"custom_fields":{"company":"Analytical Engines","note":"\u001b[2J","n":12345678901234567890},"source":"api","created_at":` + stamp + `,"updated_at":` + stamp + `}`
	bareContactJSON = `{"id":"` + con1 + `","uid":null,"email":"","phone":"+12025550143","first_name":"","last_name":"","status":"bounced","lists":[],"tags":[],"custom_fields":{},"source":"","created_at":` + stamp + `,"updated_at":` + stamp + `}`
	audienceList    = `{"id":"` + lst1 + `","uid":"news","name":"Newsletter","description":"Once a month","members":1234,"created_at":` + stamp + `,"updated_at":` + stamp + `}`
	fieldJSON       = `{"name":"plan","title":"Plan","type":"choice","options":["free","pro"],"created_at":` + stamp + `,"updated_at":` + stamp + `}`
)

// importJSON is an import with more fields.
func importJSON(id, more string) string {
	return `{"id":` + id + `,"rows":20000,"created":19000,"updated":400,"unchanged":598,"refused":2,"created_at":` + stamp + `,"updated_at":` + stamp + `,"ended_at":` + stamp + `,` + more + `}`
}

// audienceAnswers are what the fake server says of contacts and what belongs to them.
func audienceAnswers() map[string]string {
	const contacts, members = "/v1/contacts", "/v1/lists/Newsletter/members"
	bad := `"problems":[{"row":17,"email":"ada@","errors":[{"pointer":"/email","detail":"is no email address"}]},{"row":18,"errors":[{"pointer":"","detail":"the row has 1 values, and there are 2 columns"}]}]`
	return map[string]string{
		"GET " + contacts:                               page(contactJSON, bareContactJSON),
		"GET " + contacts + "/ada@example.com":          contactJSON,
		"GET " + contacts + "/" + con1:                  contactJSON,
		"PUT " + contacts + "/ada@example.com":          "201 " + contactJSON,
		"PATCH " + contacts + "/ada@example.com":        contactJSON,
		"PATCH " + contacts + "/" + con1:                contactJSON,
		"DELETE " + contacts + "/" + con1:               "204 ",
		"POST " + contacts + "/" + con1 + "/tags":       contactJSON,
		"POST " + contacts + "/ada@example.com/erase":   `{"contact_id":null,"rows":20,"done":false}` + "\n" + `{"contact_id":"` + con1 + `","rows":1234,"done":true}` + "\n",
		"GET " + contacts + "/ada@example.com/events":   page(eventJSON + "}"),
		"GET " + contacts + "/ada@example.com/consents": page(`{"at":`+stamp+`,"contact_id":"`+con1+`","list_id":"`+lst1+`","from":"pending","to":"subscribed","origin":"request","request_id":"req_01jd3v8x2mf4k8c0q9r7t5y1za","key_id":null}`, `{"at":`+stamp+`,"contact_id":"`+con1+`","list_id":null,"from":"","to":"subscribed","origin":"api","request_id":null,"key_id":"`+key1+`"}`),
		"GET " + contacts + "/export":                   "id,email\r\n" + con1 + ",ada@example.com\r\n",
		"POST " + contacts + "/import":                  "201 " + importJSON(`"`+imp1+`"`, `"state":"done",`+bad),
		"POST " + contacts + "/import?dry_run":          importJSON("null", `"state":"done","problems":[]`),
		"POST " + contacts + "/import?broken":           "201 " + importJSON(`"`+imp1+`"`, `"state":"failed","reason":"The file broke off: its sender went away.","problems":[]`),
		"GET /v1/imports":                               page(importJSON(`"`+imp1+`"`, `"state":"running","problems":[]`), importJSON(`"`+imp1+`"`, `"state":"failed","problems":[]`)),
		"GET /v1/lists":                                 page(audienceList, strings.NewReplacer(`"news"`, "null", "Newsletter", "Deals", "1234", "1").Replace(audienceList)),
		"GET /v1/lists/Newsletter":                      audienceList,
		"POST /v1/lists":                                "201 " + audienceList,
		"PATCH /v1/lists/Newsletter":                    audienceList,
		"DELETE /v1/lists/" + lst1:                      "204 ",
		"GET " + members:                                page(contactJSON),
		"POST " + members:                               page(contactJSON),
		"DELETE " + members + "/ada@example.com":        contactJSON,
		"POST " + members + "/ada@example.com/confirm":  contactJSON,
		"GET /v1/tags":                                  page(`{"name":"lead","contacts":12345}`, `{"name":"vip","contacts":1}`),
		"PATCH /v1/tags/lead":                           `{"name":"prospect","contacts":12345}`,
		"DELETE /v1/tags/lead":                          "204 ",
		"GET /v1/fields":                                page(fieldJSON, `{"name":"age","title":"Age","type":"number","created_at":`+stamp+`,"updated_at":`+stamp+`}`),
		"POST /v1/fields":                               "201 " + fieldJSON,
		"PATCH /v1/fields/plan":                         fieldJSON,
		"DELETE /v1/fields/plan":                        "204 ",
		"GET /v1/audit":                                 page(`{"id":"aud_01jd3v8x2mf4k8c0q9r7t5y1za","at":`+stamp+`,"key_id":"`+key1+`","action":"key.created","subject":"`+key1+`","detail":{"role":"admin"}}`, `{"id":"aud_01jd3v8x2mf4k8c0q9r7t5y1za","at":`+stamp+`,"key_id":null,"action":"contact.erased","subject":"`+con1+`"}`),
	}
}
