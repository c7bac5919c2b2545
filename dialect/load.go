package dialect

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Problem is something wrong in a dialect's file.
type Problem struct {
	File    string // its path
	Line    int    // from 1; 0 for the whole file
	Message string // a clause that says what is wrong
}

// Problems are all that is wrong with the dialects of a folder; it is the error of Load.
type Problems []Problem

// Error is a line for each problem, as file:line: message.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

// String is the problem as compilers write theirs.
func (p Problem) String() string {
	if p.Line == 0 {
		return p.File + ": " + p.Message
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Message)
}

// Known says what a dialect may speak of.
type Known struct {
	// Types are the catalogue's event types by name, each with its JSON Schema and its sample.
	Types map[string]EventType
}

// EventType is an event type of the catalogue.
type EventType struct{ Schema, Sample []byte }

// fileName is the file that makes a folder a dialect.
const fileName = "dialect.yaml"

var folderName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// Load compiles each folder of a file system that has a dialect.yaml; others are passed over. root is what stands before the paths in
// errors, which are Problems.
func Load(files fs.FS, root string, known Known) (Set, error) {
	folders, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, fmt.Errorf("the dialects in %s cannot be listed: %w", root, err)
	}
	set, problems := Set{}, Problems(nil)
	for _, folder := range folders {
		if !folder.IsDir() {
			continue
		}
		raw, err := fs.ReadFile(files, path.Join(folder.Name(), fileName))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		file := path.Join(root, folder.Name(), fileName)
		if err != nil {
			problems = append(problems, Problem{File: file, Message: err.Error()})
			continue
		}
		d, wrong := Compile(folder.Name(), file, raw, known)
		if wrong != nil {
			problems = append(problems, wrong...)
			continue
		}
		set[d.Name] = d
	}
	if problems != nil {
		return nil, problems
	}
	return set, nil
}

// With is the dialects of both sets; those of more replace others of the same name, but for the standard one, whose bytes the log of
// attempts relies on.
func (s Set) With(more Set) (Set, error) {
	all := Set{}
	for name, d := range s {
		all[name] = d
	}
	for name, d := range more {
		if name == Standard {
			return nil, errors.New("the dialect standard cannot be replaced")
		}
		all[name] = d
	}
	return all, nil
}

// maxFile bounds a dialect's file, in bytes.
const maxFile = 256 << 10

// Compile reads one dialect. file is its path for errors.
func Compile(name, file string, raw []byte, known Known) (*Dialect, Problems) {
	c := &compiler{file: file, known: known, d: &Dialect{Name: name}}
	if !folderName.MatchString(name) {
		return nil, Problems{{File: file, Message: "the folder's name is the dialect's: up to 32 small letters, digits and hyphens, a letter first"}}
	}
	if len(raw) > maxFile {
		return nil, Problems{{File: file, Message: fmt.Sprintf("the file is larger than %d bytes", maxFile)}}
	}
	var document yaml.Node
	if err := yaml.Unmarshal(raw, &document); err != nil {
		return nil, Problems{yamlProblem(file, err)}
	}
	if document.Kind == 0 {
		return nil, Problems{{File: file, Message: "the file is empty"}}
	}
	c.dialect(document.Content[0])
	if c.problems != nil {
		slices.SortStableFunc(c.problems, func(a, b Problem) int { return a.Line - b.Line })
		return nil, c.problems
	}
	return c.d, nil
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// yamlProblem takes the line out of the library's message.
func yamlProblem(file string, err error) Problem {
	p := Problem{File: file, Message: err.Error()}
	if m := yamlLine.FindStringSubmatch(p.Message); m != nil {
		p.Message = p.Message[len(m[0]):]
		_, _ = fmt.Sscan(m[1], &p.Line) // no number: the whole file
	}
	return p
}
