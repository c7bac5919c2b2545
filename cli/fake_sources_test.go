package cli

import "strings"

const (
	src1 = "src_01jd3v8x2mf4k8c0q9r7t5y1za"
	req1 = "req_01jd3v8x2mf4k8c0q9r7t5y1za"
	con9 = "con_01jd3v8x2mf4k8c0q9r7t5y1za"
)

const sourceJSON = `{"id":"` + src1 + `","uid":null,"name":"Signup form","description":"","kind":"generic","event_type":"contact.created","status":"active","require_token":true,` +
	`"api_key":null,"signature":null,"basic_auth":null,"ip_allow":[],"rate_limit":null,"dedupe":{"by":"auto"},"mapping":[],"actions":[],` +
	`"url":"https://hooks.example.com/in/` + src1 + `?token=***","requests":{"total":1204,"failed":3},"created_at":` + stamp + `,"updated_at":` + stamp + `}`

const fullSourceJSON = `{"id":"` + src1 + `","uid":"shop","name":"Shop","description":"Orders","kind":"generic","event_type":"","status":"inactive","require_token":true,` +
	`"api_key":{"header":"X-API-Key","key":"•••"},"signature":{"scheme":"hmac","header":"X-Sign","secret":"•••","secrets":["•••"]},"basic_auth":{"username":"ada","password":"•••"},` +
	`"ip_allow":["203.0.113.0/24","2001:db8::1"],"rate_limit":{"limit":50,"period":"1s"},"dedupe":{"by":"header","header":"X-Request-Id"},` +
	`"mapping":[{"from":"contact_email","to":"email","transform":["trim","lower"]},{"from":["first","last"],"to":"custom_field.full_name","transform":[{"join":" "}],"when":"has(body.first)"}],` +
	`"actions":[{"type":"add_subscriber","lists":["Newsletter"],"tags":["vip"]},{"type":"apply_tag","tags":["lead"],"when":"body.score > 10"},` +
	`{"type":"call_api","call":{"url":"https://crm.example.com/","webhook_id":"` + whk1 + `"}}],` +
	`"url":"https://hooks.example.com/in/` + src1 + `?token=***","requests":{"total":7,"failed":0},"created_at":"2025-12-24T18:00:00.000Z","updated_at":` + stamp + `}`

const requestFields = `"id":"` + req1 + `","source_id":"` + src1 + `","received_at":` + stamp + `,"status":"processed","event_type":"contact.created","sender":"203.0.113.7","method":"POST",` +
	`"path":"/in/` + src1 + `?token=***","records":1,"attempts":1,"next_attempt_at":null,"duration_ms":3.4,"error":null,"warnings":[{"kind":"mapping","message":"there is no phone","event":1,"row":2,"path":"phone"}],` +
	`"actions":[{"event":1,"action":1,"type":"add_subscriber","outcome":"done","detail":"The contact was made.","at":` + stamp + `,"duration_ms":0.2,"contact_id":"` + con9 + `"},` +
	`{"event":1,"action":2,"type":"apply_tag","outcome":"skipped","at":` + stamp + `,"duration_ms":0},{"event":1,"action":3,"type":"call_api","outcome":"queued","at":` + stamp + `,"duration_ms":0.1,"delivery_id":"` + dlv1 + `"}],` +
	`"events":["` + evt1 + `"],"contacts":["` + con9 + `"],"resent_from":null,"answer":{"status_code":200,"body":{"success":true,"processed_records":1}}`

const wholeRequestJSON = `{` + requestFields + `,"headers":[{"name":"Content-Type","value":"application/json"},{"name":"X-B","value":"x\u001b[2J"}],"body":"{\"contact_email\":\"ada@example.com\"}"}`

func failedRequestJSON() string {
	return `{` + strings.NewReplacer(`"status":"processed"`, `"status":"retrying"`, `"error":null`,
		`"error":{"kind":"mapping","message":"\"x\" is not a number","event":1,"row":3,"path":"score","value":"x"}`, `"next_attempt_at":null`, `"next_attempt_at":"2026-01-31T10:35:06.000Z"`).Replace(requestFields) + `}`
}

const sourceTestJSON = `{"stored":false,"request":` + wholeRequestJSON + `,"items":[{"number":1,"input":{"contact_email":"ada@example.com"},"type":"contact.created","name":"signup","id":"e-1","time":` + stamp + `,` +
	`"duplicate":true,"fields":{"first_name":"Ada","email":"ada@example.com","score":7},"data":{},"contact":{"id":"` + con9 + `","email":"ada@example.com","first_name":"Ada","status":"subscribed",` +
	`"lists":[{"id":"lst_01jd3v8x2mf4k8c0q9r7t5y1za","name":"Newsletter","status":"subscribed"}],"tags":["vip"],"custom_fields":{"plan":"pro"}},` +
	`"actions":[{"event":1,"action":1,"type":"add_subscriber","outcome":"done","at":` + stamp + `,"duration_ms":0.2}],"events":[{"type":"contact.created","data":{"contact":{"email":"ada@example.com"}}}],"error":null,"warnings":[]},` +
	`{"number":2,"input":{"score":"x"},"type":"","name":"","id":"","time":null,"duplicate":false,"fields":{},"data":{},"contact":null,"actions":[],"events":[],` +
	`"error":{"kind":"mapping","message":"this is not a number","event":2,"row":3,"path":"score","value":"x"},"warnings":[]}],"error":null,"warnings":[]}`

// sourceAnswers are what the fake server says to calls for sources and requests.
func sourceAnswers() map[string]string {
	const source = "/v1/sources/" + src1
	created := strings.NewReplacer(`"api_key":null`, `"api_key":{"header":"X-API-Key","key":"n5b2q7wd4ktzr3xy6mhcvp2aeu"}`, "token=***", "token=k7d2mq4zt5bw3nxr6ypvhc2aeu").Replace(sourceJSON)
	return map[string]string{
		"POST /v1/sources":                      "201 " + created,
		"GET /v1/sources":                       page(sourceJSON, fullSourceJSON),
		"GET " + source:                         sourceJSON,
		"GET /v1/sources/shop":                  fullSourceJSON,
		"PATCH " + source:                       sourceJSON,
		"POST " + source + "/token":             created,
		"DELETE " + source:                      "204 ",
		"POST " + source + "/test":              sourceTestJSON,
		"POST /v1/sources/shop/test":            `{"stored":true,"request":` + wholeRequestJSON + `,"items":[],"error":null,"warnings":[]}`,
		"GET " + source + "/requests":           page("{"+requestFields+"}", failedRequestJSON()),
		"GET /v1/requests":                      page(failedRequestJSON()),
		"DELETE " + source + "/requests":        `{"deleted":1204}`,
		"GET /v1/requests/" + req1:              wholeRequestJSON,
		"POST /v1/requests/" + req1 + "/retry":  "202 " + failedRequestJSON(),
		"POST /v1/requests/" + req1 + "/resend": "202 " + strings.Replace(wholeRequestJSON, `"resent_from":null`, `"resent_from":"`+req1+`"`, 1),
		"GET /v1/requests/export":               "id,status\r\n" + req1 + ",failed\r\n",
		"GET " + source + "/stats": `{"after":"2026-01-30T10:00:00.000Z","before":"2026-01-31T11:00:00.000Z","requests":1290,"processed":1281,"failed":2,"retried":6,"duplicates":4,"refused":3,` +
			`"duration_ms":{"mean":2.1,"p50":1.8,"p95":4.9,"p99":12.5},"last_at":` + stamp + `,"series":[{"at":"2026-01-31T09:00:00.000Z","requests":1290,"processed":1281,"failed":2,"retried":6,"duplicates":4,"refused":3}]}`,
	}
}
