package app

import (
	"github.com/postroom/postroom/payload"
)

// Variable is a name that every template of a payload knows.
type Variable struct {
	Name    string // as it is written between braces; custom_field_<name> stands for many
	Path    string // what it is short for, as a path; empty for what has none
	Meaning string // a phrase for people
}

// PayloadVariables lists the names that every template of a payload knows.
func (a *App) PayloadVariables() []Variable {
	var all []Variable
	for _, v := range payload.Variables() {
		all = append(all, Variable{v.Name, v.Path, v.Meaning})
	}
	return all
}
