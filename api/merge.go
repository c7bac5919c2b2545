package api

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/postroom/postroom/payload"
)

// patch applies a JSON merge patch (RFC 7396) to settings: it merges the patch into their JSON, and decodes the result. What
// the patch sets to null is removed, and thus takes its value in defaults. Pointers of errors are into the patch, since merging
// moves nothing. When there is an error, settings stay as they are. A field of whole is not merged but replaced.
func patch[T any](settings *T, defaults T, body []byte, whole ...string) error {
	if len(body) == 0 {
		return nil
	}
	if err := payload.Valid(body); err != nil {
		return badJSON(err)
	}
	if kind := payload.KindOf(body); kind != payload.KindObject {
		return notAnObject(kind)
	}
	var d decoder
	d.twice(body, "")
	if err := d.err(); err != nil {
		return err
	}
	present, err := marshal(settings)
	if err != nil {
		return err
	}
	if err := decode(merge(nil, present, body, whole...), &defaults); err != nil {
		return err
	}
	*settings = defaults
	return nil
}

// twice blames keys that an object, or an object in it, has twice.
func (d *decoder) twice(raw []byte, pointer string) {
	d.members(raw, pointer, func(_ string, raw []byte, at string) {
		if payload.KindOf(raw) == payload.KindObject {
			d.twice(raw, at)
		}
	})
}

// merge appends to dst what a merge patch makes of target, which may be empty. The members of target keep their order, and
// new ones follow in that of the patch. Both texts are valid, and the patch has no key twice. The members that whole names become
// what the patch says, nulls in it included.
func merge(dst, target, patch []byte, whole ...string) []byte {
	if payload.KindOf(patch) != payload.KindObject {
		return append(dst, patch...)
	}
	type member struct {
		key string
		raw []byte
	}
	var changes []member
	at := map[string]int{}
	// Neither call of Members can fail: the texts are valid, and the functions return nil.
	_ = payload.Members(patch, func(key, raw []byte) error {
		at[string(key)] = len(changes)
		changes = append(changes, member{string(key), raw})
		return nil
	})
	dst = append(dst, '{')
	put := func(key string, target, patch []byte) {
		if slices.Contains(whole, key) {
			dst = append(payload.AppendKey(dst, key), patch...)
		} else if payload.KindOf(patch) != payload.KindNull {
			dst = merge(payload.AppendKey(dst, key), target, patch)
		}
	}
	if payload.KindOf(target) == payload.KindObject {
		_ = payload.Members(target, func(k, raw []byte) error {
			key := string(k)
			i, changed := at[key]
			if !changed {
				dst = append(payload.AppendKey(dst, key), raw...)
				return nil
			}
			put(key, raw, changes[i].raw)
			delete(at, key)
			return nil
		})
	}
	for _, c := range changes {
		if _, isNew := at[c.key]; isNew {
			put(c.key, nil, c.raw)
		}
	}
	return append(dst, '}')
}

// marshal writes v as JSON, without escaping what HTML would need: texts in it stay as they are but for white space.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
