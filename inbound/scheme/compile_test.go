package scheme

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func TestCompileRefuses(t *testing.T) {
	for text, want := range map[string][]string{
		`{}`:                 {`/scheme: There is no such scheme; there are token,`},
		`{"scheme":"hmca"}`:  {`/scheme: There is no such scheme (did you mean hmac?)`},
		`{"scheme":"token"}`: {`/secrets: There are 0 secrets`},
		`{"scheme":"token","secrets":["a","", " b"]}`:                        {`/secrets/1: The secret is empty`, `/secrets/2: The secret begins or ends with white space`},
		`{"scheme":"token","secrets":["a"],"allow":["x"],"signed":"{body}"}`: {`/allow: The scheme token has no such parameter`, `/signed: The scheme token has no such`},
		`{"scheme":"token","secrets":["a"],"prefix":"x"}`:                    {`/prefix: It stands in front`},
		`{"scheme":"api_key","secrets":["a"],"header":"X Y"}`:                {`/header: This is not the name of a header`},
		`{"scheme":"api_key","secrets":["a"],"header":"cookie:x"}`:           {`/header: A place is`},
		`{"scheme":"api_key","secrets":["a"],"header":"query:"}`:             {`/header: A name is missing`},
		`{"scheme":"api_key","secrets":["a"],"header":"json:x"}`:             {`/header: This is not a JSON pointer`},
		`{"scheme":"api_key","secrets":["a"],"header":"item:x"}`:             {`/header: There are items only`},
		`{"scheme":"api_key","secrets":["a"],"methods":["get",""]}`:          {`/methods/0: This is the name`, `/methods/1: This is`},
		`{"scheme":"basic","secrets":["a",":b","a:"]}`:                       {`/secrets/0: This is a user and a password`, `/secrets/1: This is a user`},
		`{"scheme":"ip"}`: {`/allow: There are 0 addresses`},
		`{"scheme":"ip","allow":["10.0.0.1/8","x"]}`:                                                                       {`/allow/0: "10.0.0.1/8" has bits beyond its length; the range is 10.0.0.0/8`, `/allow/1: "x" is not an address`},
		`{"scheme":"hmac","secrets":["a"]}`:                                                                                {`/header: The header that holds the signature is missing`},
		`{"scheme":"hmac","secrets":["a"],"header":"X-S","algorithm":"sha265","encoding":"hexx"}`:                          {`/encoding: This is not one of auto, hex or base64 (did you mean hex?)`, `/algorithm: This is not one of sha256, sha1 or sha512 (did you mean sha256?)`},
		`{"scheme":"hmac","secrets":["a"],"header":"X-S","signed":"{bdy}"}`:                                                {`/signed: {bdy} is not known (did you mean body?)`},
		`{"scheme":"hmac","secrets":["a"],"header":"X-S","signed":"{body"}`:                                                {`/signed: A brace has no other end`},
		`{"scheme":"hmac","secrets":["a"],"header":"X-S","signed":"body}"}`:                                                {`/signed: A brace has no other end`},
		`{"scheme":"hmac","secrets":["a"],"header":"X-S","signed":"body"}`:                                                 {`/signed: Nothing of the call is in it`},
		`{"scheme":"hmac","secrets":["a"],"header":"X-S","signed":"{header:X Y}{body}"}`:                                   {`/signed: {header:X Y}: This is not the name of a header`},
		`{"scheme":"hmac","secrets":["a"],"header":"X-S","signed":"{item:t=}"}`:                                            {`/signed: {item:t=}: an item`},
		`{"scheme":"hmac","secrets":["a"],"header":"X-S","signed":"{secret}{body}"}`:                                       {`/signed: {secret} is the key here`},
		`{"scheme":"hmac","secrets":["a"],"header":"X-S","timestamp":"X-T"}`:                                               {`/timestamp: {timestamp} must stand in what is signed`},
		`{"scheme":"hmac","secrets":["a"],"header":"X-S","signed":"{timestamp}{body}"}`:                                    {`/timestamp: {timestamp} must stand in what is signed`},
		`{"scheme":"hmac","secrets":["a"],"header":"X-S","signed":"{id}{body}"}`:                                           {`/id: {id} must stand in what is signed`},
		`{"scheme":"hmac","secrets":["a"],"header":"X-S","tolerance":"5m"}`:                                                {`/timestamp: It says where`},
		`{"scheme":"hmac","secrets":["a"],"header":"X-S","signed":"{timestamp}","timestamp":"X-T","tolerance":"9999h"}`:    {`/tolerance: 9999h is not between 1s and 168h`},
		`{"scheme":"hmac","secrets":["a"],"header":"X-S","signed":"{timestamp}","timestamp":"X-T","tolerance":"-5m"}`:      {`/tolerance: -5m is not between`},
		`{"scheme":"hmac","secrets":["a"],"header":"X-S","signed":"{timestamp}","timestamp":"item:t="}`:                    {`/timestamp: There are items only`},
		`{"scheme":"hmac","secrets":["a"],"header":"X-S","signed":"{timestamp}","timestamp":"X-T","timestamp_format":"s"}`: {`/timestamp_format: This is not one of unix, unix_ms or rfc3339`},
		`{"scheme":"hmac","secrets":["a"],"header":"X-S","separator":","}`:                                                 {`/prefix: With a separator there must be a prefix`},
		`{"scheme":"hmac","secrets":["a"],"header":"X-S","secret_encoding":"hex"}`:                                         {`/secrets/0: The secret is not hex`},
		`{"scheme":"hash","header":"X-S"}`:                                                                                 {`/scheme: A hash of what everybody can see proves nothing`},
		`{"scheme":"hash","header":"X-S","secrets":["a"]}`:                                                                 {`/signed: There is a secret, and {secret} is not in what is hashed`},
		`{"scheme":"hash","header":"X-S","signed":"{secret}"}`:                                                             {`/signed: Nothing of the call is in it`, `/secrets: There are 0`},
		`{"scheme":"ed25519","header":"X-S","secrets":["a"]}`:                                                              {`/secrets/0: This is not the public key of an Ed25519 key pair`},
		`{"scheme":"ed25519","header":"X-S","secrets":["-----BEGIN PUBLIC KEY-----"],"signed":"{secret}{body}"}`:           {`/signed: There is no {secret}`, `/secrets/0: This is not the public key`},
		`{"scheme":"ecdsa","header":"X-S","secrets":["1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="]}`:                     {`/secrets/0: This is not the public key of an ECDSA key pair`},
		`{"scheme":"standard","secrets":["whsec_#","whpk_AAAA"],"header":"X-S"}`:                                           {`/header: This is the name of the signature header`},
		`{"scheme":"standard","secrets":["whsec_#","whpk_AAAA"]}`:                                                          {`/secrets/0: The secret is not whsec_ and base64`, `/secrets/1: The public key is not whpk_`},
		`{"scheme":"rsa-sns"}`:                   {`/allow: There are 0 topics`},
		`{"scheme":"rsa-sns","allow":["topic"]}`: {`/allow/0: This is not the ARN of a topic`},
		`{"scheme":"all"}`:                       {`/of: There are 0 schemes`},
		`{"scheme":"all","secrets":["a"],"of":[{"scheme":"token","secrets":["a"]},{"scheme":"any","of":[{"scheme":"basic","secrets":["x"]}]}]}`: {`/secrets: The scheme all has no such parameter`, `/of/1/of/0/secrets/0: This is a user`},
		`{"scheme":"any","of":[{"scheme":"token","secrets":["a"]},{"scheme":"hash","header":"X-S"}]}`:                                           {`/scheme: A hash of what everybody can see`},
		`{"scheme":"all","of":[{"scheme":"all","of":[{"scheme":"all","of":[{"scheme":"all","of":[{"scheme":"all","of":[]}]}]}]}]}`:              {`/of/0/of/0/of/0/of/0/of: There are 0`},
	} {
		var c Config
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			t.Fatal(text, err)
		}
		_, err := Compile(c)
		var problem *postroom.Error
		if !errors.As(err, &problem) || problem.Code != postroom.CodeInvalid {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if len(problem.Fields) != len(want) {
			t.Errorf("%s:\ngot  %v\nwant %q", text, err, want)
			continue
		}
		for i, f := range problem.Fields {
			if got := f.Pointer + ": " + f.Detail; !strings.HasPrefix(got, want[i]) {
				t.Errorf("%s:\ngot  %s\nwant %s", text, got, want[i])
			}
		}
	}
	deep := Config{Scheme: SchemeToken, Secrets: []string{"a"}}
	for range maxDepth + 1 {
		deep = Config{Scheme: SchemeAll, Of: []Config{deep}}
	}
	if _, err := Compile(deep); err == nil || !strings.Contains(err.Error(), "deep in each other") {
		t.Errorf("too deep: %v", err)
	}
}

// Configurations survive being stored.
func TestConfigJSON(t *testing.T) {
	for name, config := range readProviders(t) {
		raw, err := json.Marshal(config)
		if err != nil {
			t.Fatal(err)
		}
		var again Config
		if err := json.Unmarshal(raw, &again); err != nil {
			t.Fatal(err)
		}
		raw2, err := json.Marshal(again)
		if err != nil || string(raw) != string(raw2) {
			t.Errorf("%s: %s, %s, %v", name, raw, raw2, err)
		}
	}
}

// Fill leaves what is there, and the configuration that it was made of.
func TestFill(t *testing.T) {
	c := Config{Scheme: SchemeAny, Of: []Config{
		{Scheme: SchemeToken, Secrets: []string{"own"}}, {Scheme: SchemeIP, Credential: "nets"}, {Scheme: SchemeHash, Header: "X-S"}, {Scheme: SchemeHMAC, Header: "X-S"},
	}}
	filled := c.Fill(map[string][]string{"secret": {"s"}, "nets": {"10.0.0.0/8"}})
	if c.Of[3].Secrets != nil {
		t.Error("the original was changed")
	}
	got, _ := json.Marshal(filled.Of)
	want := `[{"scheme":"token","secrets":["own"]},{"scheme":"ip","credential":"nets","allow":["10.0.0.0/8"]},{"scheme":"hash","header":"X-S"},{"scheme":"hmac","secrets":["s"],"header":"X-S"}]`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestParseTime(t *testing.T) {
	want := time.Unix(1600112502, 0)
	for _, test := range []struct {
		text, format string
		ok           bool
	}{
		{"1600112502", "unix", true}, {"1600112502000", "unix_ms", true}, {"2020-09-14T19:41:42Z", "rfc3339", true}, {"2020-09-14T21:41:42.000+02:00", "rfc3339", true},
		{"", "unix", false}, {"+1600112502", "unix", false}, {"-1", "unix", false}, {"1600112502.0", "unix", false}, {" 1600112502", "unix", false}, {"1e9", "unix", false},
		{"1600112502000", "unix", false}, {"0x5f5fc6b6", "unix", false}, {"16001125020000000", "unix_ms", false}, {"١٦٠٠١١٢٥٠٢", "unix", false},
		{"2020-09-14 19:41:42", "rfc3339", false}, {"2020-09-14T19:41:42", "rfc3339", false}, {"2020-09-14T19:41:42." + strings.Repeat("0", 60) + "Z", "rfc3339", false},
	} {
		if got, ok := parseTime(test.text, test.format); ok != test.ok || ok && !got.Equal(want) {
			t.Errorf("%q as %s: %s, %t", test.text, test.format, got, ok)
		}
	}
}
