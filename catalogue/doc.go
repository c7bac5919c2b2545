// Package catalogue holds the event types that Postroom knows by itself: for each its name, group, title, description, a
// JSON Schema of its data and a sample. All of that is data; the Go code only puts the files together and answers
// questions about names.
//
//	groups.yaml     the groups, in order ────────────────┐
//	objects.yaml    contact, campaign, message, … ──$ref─┤
//	samples.yaml    the same people everywhere ──$sample─┼── Load ── Catalogue ── Types, Lookup, Groups, Nearest
//	types/*.yaml    one file a group ────────────────────┘
//
// To add a type, add it to its group's file: a schema made of objects by $ref, and a sample made of samples by $sample.
// Names that a workspace declares for itself (the group "custom") are not here.
//
// CheckPattern says whether a subscription is written correctly, and Match whether it takes in an event. They need no
// Catalogue, since they hold for a workspace's own names too.
package catalogue
