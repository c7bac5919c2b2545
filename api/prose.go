package api

import "strings"

// The descriptions in the OpenAPI document are CommonMark. The pages show the part of it that they use: paragraphs, lists with
// asterisks, `code` and **bold**.

// block is a paragraph, or a list.
type block struct {
	Items  [][]span // one for a paragraph
	IsList bool
}

// span is a run of text.
type span struct {
	Text       string
	Code, Bold bool
}

// blocks takes a text apart.
func blocks(text string) []block {
	var out []block
	for part := range strings.SplitSeq(text, "\n\n") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		if !strings.HasPrefix(part, "* ") {
			out = append(out, block{Items: [][]span{spans(part)}})
			continue
		}
		list := block{IsList: true}
		for item := range strings.SplitSeq("\n"+part, "\n* ") {
			if item != "" {
				list.Items = append(list.Items, spans(item))
			}
		}
		out = append(out, list)
	}
	return out
}

// spans takes a paragraph apart. Within code, nothing else is looked for.
func spans(text string) []span {
	var out []span
	for i, part := range strings.Split(text, "`") {
		if i%2 == 1 {
			out = append(out, span{Text: part, Code: true})
			continue
		}
		for j, run := range strings.Split(part, "**") {
			if run != "" {
				out = append(out, span{Text: run, Bold: j%2 == 1})
			}
		}
	}
	return out
}
