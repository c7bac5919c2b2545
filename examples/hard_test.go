package examples

import "strings"

// hard are values that a sender and a receiver may write differently, and how they are sent: as JavaScript writes them.
var hard = []struct{ name, value, sent string }{
	{"markup", `"<b>&amp;\u003ci\u003e\u0026</b>"`, `"<b>&amp;<i>&</b>"`},
	{"emoji", `"\ud83d\ude00 👩‍👩‍👧 é e\u0301"`, "\"😀 👩‍👩‍👧 é e\u0301\""},
	{"line separators", `"a\u2028b\u2029c"`, "\"a\u2028b\u2029c\""},
	{"a byte order mark", `"\ufeffx"`, "\"\ufeffx\""},
	{"control characters", `"\u0000\u0008\u001F\u007f\/"`, `"\u0000\b\u001f` + "\x7f" + `/"`},
	{"big integers", `[9007199254740993,12345678901234567890,-9007199254740993]`, `[9007199254740992,12345678901234567000,-9007199254740992]`},
	{"big integers in texts", `["9007199254740993"]`, `["9007199254740993"]`},
	{"fractions", `[1.10,0.1,48.85661400,1.0,-0.0]`, `[1.1,0.1,48.856614,1,0]`},
	{"exponents", `[1e21,1E20,123e19,1e-6,1e-7,5e-324,1e400]`, `[1e+21,100000000000000000000,1.23e+21,0.000001,1e-7,5e-324,null]`},
	{"keys that are numbers", `{"b":1,"10":2,"a":3,"2":4,"01":5}`, `{"2":4,"10":2,"b":1,"a":3,"01":5}`},
	{"keys of prototypes", `{"__proto__":{"admin":true},"constructor":{"prototype":1},"toString":2}`, `{"__proto__":{"admin":true},"constructor":{"prototype":1},"toString":2}`},
	{"keys twice", `{"a":1,"b":2,"a":3}`, `{"a":3,"b":2}`},
	{"lone surrogates", `["\uD83D","\ude00x","\ud83d\ud83d\ude00","\\ud83d"]`, `["\ud83d","\ude00x","\ud83d😀","\\ud83d"]`},
	{"emptiness", `{"":"","list":[],"object":{},"null":null}`, `{"":"","list":[],"object":{},"null":null}`},
	{"white space", "{ \"a\" :\n\t[ 1 , 2 ] }", `{"a":[1,2]}`},
	{"depth", strings.Repeat(`[{"a":`, 120) + "1.0" + strings.Repeat("}]", 120), strings.Repeat(`[{"a":`, 120) + "1" + strings.Repeat("}]", 120)},
	{"length", `"` + strings.Repeat("🐝<>&", 40_000) + `"`, `"` + strings.Repeat("🐝<>&", 40_000) + `"`},
}
