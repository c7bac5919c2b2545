package store

import (
	"context"
	"time"
)

// freshContacts is how many contacts a node stores before it makes sure that PostgreSQL has statistics of them. With fewer, reading all is no worse.
const freshContacts = 1000

// grown counts contacts that were stored. Of a table that PostgreSQL has never looked at, it takes one index to be as good as another, and finds
// an email by reading all contacts of the workspace. Its autovacuum looks at new tables within a minute or two, in which a first import or the
// first calls of a busy source may have made a table large; so this does it once.
func (s *postgresStore) grown(work postgresBatch) {
	made := 0
	for _, c := range work.wholes {
		made += len(c.Contacts)
	}
	if made == 0 {
		return
	}
	if now := s.contacts.Add(int64(made)); now < freshContacts || now-int64(made) >= freshContacts {
		return
	}
	go s.analyze() // the pool closes when it has ended
}

// analyze makes statistics of the tables of contacts, if there are none. What fails is left to autovacuum.
func (s *postgresStore) analyze() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var unknown bool
	err := s.pool.QueryRow(ctx, "SELECT reltuples < 0 FROM pg_class WHERE oid = 'contacts'::regclass").Scan(&unknown)
	if err == nil && unknown {
		_, _ = s.pool.Exec(ctx, "ANALYZE contacts, contact_tags, memberships")
	}
}
