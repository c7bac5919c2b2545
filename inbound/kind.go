package inbound

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/dialect"
	"github.com/postroom/postroom/inbound/scheme"
)

// kind is the incoming part of a dialect, compiled.
type kind struct {
	key                 []*row
	in                  *dialect.In
	split               *path // nil where the call is split otherwise
	typ, id, time, data []*row
	fields              []*row
	challenge           *path
}

// newKind compiles the incoming part of a dialect. Problems have pointers into it.
func newKind(in *dialect.In, problems *postroom.Problems) *kind {
	k := &kind{in: in}
	if in.Split != dialect.SplitItems && in.Split != dialect.SplitNone {
		at, err := parsePath(in.Split)
		if err != nil {
			problems.Add("/split", "%s", err)
		} else if at.root != rootBody {
			problems.Add("/split", "the items are in the body")
		}
		k.split = &at
	}
	if in.Challenge != "" {
		at, err := parsePath(in.Challenge)
		if err != nil {
			problems.Add("/challenge", "%s", err)
		}
		k.challenge = &at
	}
	for _, part := range []struct {
		name string
		rows []postroom.MappingRow
		dest *[]*row
	}{{"type", in.Type, &k.typ}, {"id", in.ID, &k.id}, {"time", in.Time, &k.time}, {"data", in.Data, &k.data}, {"key", in.Key, &k.key}, {"fields", in.Fields, &k.fields}} {
		for n, r := range part.rows {
			*part.dest = append(*part.dest, newRow(r, 0, fmt.Sprintf("/%s/%d", part.name, n), problems))
		}
	}
	return k
}

// read understands an item as its sender means it. What is odd in it is noted, and no error: the sender does not hear of it, and the rest of
// the event is still good.
func (k *kind) read(i *Item) {
	i.first(k.typ)
	i.first(k.id)
	i.first(k.key)
	i.first(k.time)
	if r := i.first(k.data); r != nil && len(r.from) == 1 {
		i.base = &r.from[0]
	} else if len(k.data) == 0 {
		i.data, i.base = dataOf(i.Body), &path{text: wholeRef}
	}
	for _, r := range k.fields {
		value, wrong := r.run(i)
		if wrong != nil {
			i.warn(wrong)
			continue
		}
		if value != nil {
			i.moved(r)
		}
	}
}

// first runs rows until one finds something, and gives that one; nil if none does.
func (i *Item) first(rows []*row) *row {
	for _, r := range rows {
		value, wrong := r.run(i)
		if wrong != nil {
			i.warn(wrong)
			continue
		}
		if !isMissing(value) {
			return r
		}
	}
	return nil
}

// moved takes away from the data what a row has taken whole from there and put elsewhere.
func (i *Item) moved(r *row) {
	if i.base == nil {
		return
	}
	for n := range r.from {
		name, whole := r.from[n].memberOf(i.base)
		if whole && (len(r.to.path) == 0 || r.to.path[0] != name) {
			i.data.remove(name)
		}
	}
}

// Challenge is what a GET is answered with, once it is verified; false where the kind asks for no such thing, or the call has it not.
func (p *Program) Challenge(c *Call) (string, bool) {
	if p.kind == nil || p.kind.challenge == nil {
		return "", false
	}
	text, err := textOf(p.kind.challenge.find(c, []byte("{}")))
	return text, err == nil && text != ""
}

// VerifyConfig is how calls of a kind prove where they come from, without secrets: Fill puts them in. False where the kind has no way of its own.
func VerifyConfig(in *dialect.In) (scheme.Config, bool, error) {
	var c scheme.Config
	if in.Verify == nil {
		return c, false, nil
	}
	d := json.NewDecoder(bytes.NewReader(in.Verify))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return c, false, errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	return c, true, nil
}

// CheckKind says what is wrong with the incoming part of a dialect: it is the Check of dialect.Known.
func CheckKind(in *dialect.In) (faults []dialect.Fault) {
	var problems postroom.Problems
	newKind(in, &problems)
	faults = append(faults, faultsOf(problems.Err(), "")...)
	c, given, err := VerifyConfig(in)
	if err != nil {
		return append(faults, dialect.Fault{Pointer: "/verify", Message: err.Error()})
	}
	if given {
		_, err := scheme.Compile(c.Fill(stand(in)))
		faults = append(faults, faultsOf(err, "/verify")...)
	}
	return faults
}

// standIn is a secret in place of one that a source will have.
const standIn = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

func stand(in *dialect.In) map[string][]string {
	all := map[string][]string{}
	for _, c := range in.Credentials {
		all[c.Name] = []string{standIn}
	}
	return all
}

// faultsOf takes an error of pointers apart. That a stand-in is no public key or address does not matter.
func faultsOf(err error, root string) (faults []dialect.Fault) {
	var wrong *postroom.Error
	if !errors.As(err, &wrong) {
		return nil
	}
	for _, f := range wrong.Fields {
		if strings.Contains(f.Pointer, "/secrets/") || strings.Contains(f.Pointer, "/allow/") {
			continue
		}
		faults = append(faults, dialect.Fault{Pointer: root + f.Pointer, Message: f.Detail})
	}
	return faults
}
