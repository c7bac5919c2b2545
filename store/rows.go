package store

import (
	"context"
	"database/sql/driver"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

// execRows stores rows with a named text that stores one on SQLite, where it is prepared and run for each, and takes a list for each column
// on PostgreSQL, so that it is one text for any number of rows. It says how many rows it touched.
func (q querier) execRows(ctx context.Context, name string, rows [][]any) (total int64, err error) {
	if len(rows) == 0 {
		return 0, nil
	}
	if q.prepared == nil {
		columns, err := columnsOf(rows)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		return q.exec(ctx, name, columns...)
	}
	for _, row := range rows {
		n, err := q.exec(ctx, name, row...)
		if err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}

// columnsOf are the values of rows, column by column.
func columnsOf(rows [][]any) ([]any, error) {
	columns := make([]any, len(rows[0]))
	for c := range columns {
		column := make([]any, len(rows))
		for r, row := range rows {
			v, err := driver.DefaultParameterConverter.ConvertValue(row[c])
			if err != nil {
				return nil, err
			}
			column[r] = v
		}
		columns[c] = column
	}
	return columns, nil
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
