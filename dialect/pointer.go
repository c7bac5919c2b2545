package dialect

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// lineOf is the line, from 1, in which the value begins that a JSON pointer names; the first one for a pointer that leads nowhere.
func lineOf(source []byte, pointer string) int {
	d := json.NewDecoder(bytes.NewReader(source))
	at, ok := find(d, strings.Split(pointer, "/")[1:])
	if pointer == "" || !ok {
		return 1
	}
	return 1 + bytes.Count(source[:at], []byte{'\n'})
}

// find reads on until the value that a path leads to, and gives the offset of its first byte, or of one before it in its line.
func find(d *json.Decoder, path []string) (offset int64, ok bool) {
	token, err := d.Token()
	if err != nil || len(path) == 0 {
		return d.InputOffset(), err == nil
	}
	name := strings.NewReplacer("~1", "/", "~0", "~").Replace(path[0])
	for i := 0; d.More(); i++ {
		here := strconv.Itoa(i) == name
		if token == json.Delim('{') {
			key, err := d.Token()
			if err != nil {
				return 0, false
			}
			here = key == name
		}
		if here {
			return find(d, path[1:])
		}
		var other json.RawMessage
		if d.Decode(&other) != nil {
			return 0, false
		}
	}
	return 0, false
}
