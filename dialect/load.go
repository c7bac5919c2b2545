package dialect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"syscall"

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
	// Check says what is wrong with the paths, rows and conditions of an incoming part, which package inbound knows. Nil for no such check.
	Check func(*In) []Fault
}

// EventType is an event type of the catalogue.
type EventType struct{ Schema, Sample []byte }

// fileName is the file that makes a folder a dialect.
const fileName = "dialect.yaml"

var folderName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// Load compiles each folder of a file system that has a dialect.yaml; others are passed over, and so are those whose names begin with a
// dot. root is what stands before the paths in errors, which are Problems.
func Load(files fs.FS, root string, known Known) (Set, error) {
	folders, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, fmt.Errorf("the dialects in %s cannot be listed: %w", root, err)
	}
	set, problems := Set{}, Problems(nil)
	for _, folder := range folders {
		name := folder.Name()
		if strings.HasPrefix(name, ".") || !Is(files, name) {
			continue
		}
		d, wrong := LoadOne(files, name, name, path.Join(root, name), known)
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

// Is tells whether a folder of a file system is a dialect's.
func Is(files fs.FS, folder string) bool {
	_, err := fs.Stat(files, path.Join(folder, fileName)) // which follows links
	return err == nil || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR)
}

// LoadOne compiles the dialect of one folder of a file system. root is what stands before the file's name in errors.
func LoadOne(files fs.FS, folder, name, root string, known Known) (*Dialect, Problems) {
	file := path.Join(root, fileName)
	raw, err := read(files, path.Join(folder, fileName))
	if err != nil {
		return nil, Problems{{File: file, Message: err.Error()}}
	}
	return Compile(name, file, raw, known)
}

// maxFile bounds a dialect's file, in bytes.
const maxFile = 256 << 10

// read reads a file, but no more of it than shows that it is too large.
func read(files fs.FS, name string) ([]byte, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}

// ErrStandard means that the dialect standard was to be replaced.
var ErrStandard = errors.New("the dialect standard cannot be replaced: the log of attempts relies on its bytes")

// With is the dialects of both sets; those of more replace others of the same name, but for the standard one. The error is ErrStandard.
func (s Set) With(more Set) (Set, error) {
	all := Set{}
	for name, d := range s {
		all[name] = d
	}
	for name, d := range more {
		if name == Standard {
			return nil, ErrStandard
		}
		all[name] = d
	}
	return all, nil
}

// Compile reads one dialect. file is its path for errors.
func Compile(name, file string, raw []byte, known Known) (*Dialect, Problems) {
	c := &compiler{file: file, known: known, d: &Dialect{Name: name}}
	if !folderName.MatchString(name) {
		return nil, Problems{{File: file, Message: "the folder's name is the dialect's: up to 32 small letters, digits and hyphens, a letter first"}}
	}
	if len(raw) > maxFile {
		return nil, Problems{{File: file, Message: fmt.Sprintf("the file is larger than %d bytes", maxFile)}}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(raw))
	var document, another yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil, Problems{{File: file, Message: "the file is empty"}}
	} else if err != nil {
		return nil, Problems{yamlProblem(file, err)}
	} else if len(document.Content) == 0 {
		return nil, Problems{{File: file, Message: "the file is empty"}}
	}
	if err := decoder.Decode(&another); err == nil {
		return nil, Problems{{file, another.Line, "a dialect is one document, and here another one begins"}}
	} else if !errors.Is(err, io.EOF) {
		return nil, Problems{yamlProblem(file, err)}
	}
	if c.plain(&document); c.problems == nil {
		c.dialect(document.Content[0])
	}
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
		p.Message = "this is no YAML: " + p.Message[len(m[0]):]
		_, _ = fmt.Sscan(m[1], &p.Line) // no number: the whole file
	}
	return p
}
