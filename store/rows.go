package store

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// maxRowsPerStatement bounds how many rows one statement stores; a statement has 32,766 parameters at most.
const maxRowsPerStatement = 500

var (
	oneRow      = regexp.MustCompile(`VALUES (\([^()]*\))`)
	oneArgument = regexp.MustCompile(`([$?])(\d+)`)
)

// execRows runs a named text that stores one row, its VALUES, with many rows in one statement, and says how many it touched. All rows have
// as many values as the text has parameters.
func (q querier) execRows(ctx context.Context, name string, rows [][]any) (total int64, err error) {
	text, err := q.text(name)
	if err != nil {
		return 0, err
	}
	for len(rows) > 0 {
		some := rows[:min(len(rows), maxRowsPerStatement)]
		rows = rows[len(some):]
		args := make([]any, 0, len(some)*len(some[0]))
		for _, row := range some {
			args = append(args, row...)
		}
		res, err := q.ExecContext(ctx, manyRows(text, len(some), len(some[0])), args...)
		if err != nil {
			return total, fmt.Errorf("%s: %w", name, err)
		}
		n, err := res.RowsAffected()
		if err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}

// manyRows repeats the row of values of a text.
func manyRows(text string, rows, columns int) string {
	if rows == 1 {
		return text
	}
	at := oneRow.FindStringSubmatchIndex(text)
	if at == nil {
		return text
	}
	row := text[at[2]:at[3]]
	var b strings.Builder
	b.WriteString(text[:at[3]])
	for i := 1; i < rows; i++ {
		b.WriteString(", ")
		b.WriteString(oneArgument.ReplaceAllStringFunc(row, func(p string) string {
			n, _ := strconv.Atoi(p[1:]) // digits
			return p[:1] + strconv.Itoa(n+i*columns)
		}))
	}
	b.WriteString(text[at[3]:])
	return b.String()
}

// hexList is a list of ids as a JSON array of hexadecimal texts, which both databases take.
func hexList[K interface{ ~[16]byte }](ids []K) string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		b := [16]byte(id)
		texts[i] = hex.EncodeToString(b[:])
	}
	return jsonList(texts)
}

// jsonList is a list as a JSON array. Texts with the character zero, which PostgreSQL cannot hold, are left out: nothing has them.
func jsonList[T string | int64](list []T) string {
	kept := make([]T, 0, len(list))
	for _, v := range list {
		if s, ok := any(v).(string); ok && strings.ContainsRune(s, 0) {
			continue
		}
		kept = append(kept, v)
	}
	b, _ := json.Marshal(kept) // of texts and numbers: it cannot fail
	return string(b)
}
