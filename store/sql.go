package store

import (
	"embed"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
)

//go:embed sql/*.sql
var sqlFiles embed.FS

// dialect is one of the two databases.
type dialect string

const (
	sqlite   dialect = "sqlite"
	postgres dialect = "postgres"
)

// loadSQL reads the named texts of one database. A text begins with a line "-- name: some_name", or with
// "-- name: some_name (postgres)" where one database needs its own. Parameters are written $1, $2, …; SQLite calls
// them ?1, ?2, ….
func loadSQL(d dialect) (map[string]string, error) {
	texts, own := map[string]string{}, map[string]bool{}
	files, err := fs.Glob(sqlFiles, "sql/*.sql")
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		content, err := sqlFiles.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for _, part := range strings.Split("\n"+string(content), "\n-- name: ")[1:] {
			head, body, _ := strings.Cut(part, "\n")
			name, only, isOwn := strings.Cut(strings.TrimSuffix(strings.TrimSpace(head), ")"), " (")
			if isOwn && only != string(sqlite) && only != string(postgres) {
				return nil, fmt.Errorf("%s: %q is for an unknown database", file, head)
			}
			if isOwn && dialect(only) != d || !isOwn && own[name] {
				continue
			}
			if _, twice := texts[name]; twice && isOwn == own[name] {
				return nil, fmt.Errorf("%s: %q stands twice", file, name)
			}
			texts[name], own[name] = translate(d, strings.TrimSpace(body)), isOwn
		}
	}
	return texts, nil
}

var (
	parameter = regexp.MustCompile(`\$(\d+)`)
	indexHint = regexp.MustCompile(` INDEXED BY \w+`)
)

// translate leaves out which index to use for PostgreSQL, which knows from its statistics. SQLite has none, and takes the
// index that has the rows in order, however many of them it then looks at in vain.
func translate(d dialect, text string) string {
	text = strings.TrimSuffix(text, ";")
	if d == sqlite {
		return parameter.ReplaceAllString(text, "?$1")
	}
	return indexHint.ReplaceAllString(text, "")
}
