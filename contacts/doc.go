// Package contacts has the rules of contacts, as pure functions: what a change means, whether it is allowed, what is to be stored
// and which events follow.
//
//	contact as it is stored ─┐
//	what is wanted of it    ─┼─▶ Plan ─▶ ContactWrite (the contact as it becomes, its consents, new lists) ─┐
//	declared custom fields  ─┘    │                                                                       ├─▶ one Commit
//	                              └────▶ Events (contact.created, contact.tagged, …) ─────────────────────┘
//
// plan.go tells the story; clean.go and fields.go bring what people write into the form that is stored, apply.go changes the
// contact, and events.go says what follows from the difference. Several changes of one contact follow each other: each is
// planned on what the one before left, and [Merge] makes one write of them.
package contacts
