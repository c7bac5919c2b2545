package app

import (
	"context"
	"errors"
	"io"
	"runtime/debug"
	"sync"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/contacts"
)

// ImportOptions say how a file of contacts is brought in.
type ImportOptions struct {
	Format  string   // FormatCSV or FormatNDJSON
	Lists   []string // names or ids of lists that every contact joins; one that does not exist is made
	Tags    []string // that every contact is given
	Pending bool     // what is joined is to be confirmed first
	Keep    bool     // contacts that exist keep their fields; their lists and tags are added to all the same
	DryRun  bool     // nothing is changed, and the import is not kept
}

const (
	importBeat = 15 * time.Second // how often an import says that it is still there
	importLost = time.Minute      // after which one that has not is over
)

// ImportContacts brings a file of contacts in, while it comes, some hundred rows in each transaction. Rows that cannot be are reported and do not keep the
// others from being stored. To import a file again changes nothing more.
func (a *App) ImportContacts(ctx context.Context, who Caller, o ImportOptions, file io.Reader) (postroom.Import, error) {
	m, rows, err := a.beginImport(ctx, who, o, file)
	if err != nil {
		return postroom.Import{}, err
	}
	return m.all(context.WithoutCancel(ctx), rows) // when the caller goes, so does the file
}

// MaxImportFile is how many bytes of a file StartImport should be given at most.
const MaxImportFile = 256 << 20

// StartImport begins what ImportContacts does, and gives the import as it begins; Import tells how far it is. file is closed at the end. An
// import that the end of the server cuts off is told to have failed, and its file can be imported again.
func (a *App) StartImport(ctx context.Context, who Caller, o ImportOptions, file io.ReadCloser) (postroom.Import, error) {
	m, rows, err := a.beginImport(ctx, who, o, file)
	if err != nil {
		return postroom.Import{}, errors.Join(err, file.Close())
	}
	begun := m.i
	go func() {
		defer func() {
			if p := recover(); p != nil {
				a.Log.Error("panic while importing", "workspace", who.Workspace, "import", begun.ID, "panic", p, "stack", string(debug.Stack()))
			}
		}()
		_, err := m.all(context.WithoutCancel(ctx), rows)
		if err = errors.Join(err, file.Close()); err != nil {
			a.Log.Error("import failed", "workspace", who.Workspace, "import", begun.ID, "error", err)
		}
	}()
	return begun, nil
}

// beginImport checks an import, and reads the head of its file.
func (a *App) beginImport(ctx context.Context, who Caller, o ImportOptions, file io.Reader) (*importing, rowReader, error) {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return nil, nil, err
	}
	fields, err := a.Store.Fields(ctx, who.Workspace)
	if err != nil {
		return nil, nil, err
	}
	if err := a.checkImport(who, o); err != nil {
		return nil, nil, err
	}
	rows, err := newRowReader(o.Format, file, fields)
	if err != nil {
		return nil, nil, err
	}
	now := a.Now()
	m := &importing{App: a, who: who, o: o, i: postroom.Import{ID: postroom.Next[postroom.ImportKind](a.IDs, now), WorkspaceID: who.Workspace,
		State: postroom.ImportRunning, Problems: []postroom.BadRow{}, CreatedAt: stamp(now), UpdatedAt: stamp(now)}}
	if o.DryRun {
		return m, rows, nil
	}
	if err := a.Store.CreateImport(ctx, m.i); err != nil {
		return nil, nil, unavailable(err)
	}
	a.audit(ctx, who, "contacts.imported", m.i.ID.String(), nil)
	return m, rows, nil
}

// all brings all rows in.
func (m *importing) all(ctx context.Context, rows rowReader) (postroom.Import, error) {
	if !m.o.DryRun {
		defer m.beat(ctx)()
	}
	return m.end(ctx, m.run(ctx, rows))
}

// checkImport refuses lists and tags that no contact can have.
func (a *App) checkImport(who Caller, o ImportOptions) error {
	var p postroom.Problems
	for _, name := range o.Lists {
		if _, err := postroom.ParseID[postroom.ListKind](name); err != nil {
			if _, err := contacts.ListName(name); err != nil {
				p.Add("?list", "%s", err.Error())
			}
		}
	}
	for _, tag := range o.Tags {
		if _, err := contacts.Tag(tag); err != nil {
			p.Add("?tag", "%s", err.Error())
		}
	}
	return p.Err()
}

// importing is an import that runs.
type importing struct {
	*App
	who Caller
	o   ImportOptions

	mu sync.Mutex
	i  postroom.Import
}

// beat keeps the import from being taken for one that is over, while its file does not come, until stop is called.
func (m *importing) beat(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(importBeat)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				m.save(ctx)
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// save keeps how far the import is. That it could not be does not end it.
func (m *importing) save(ctx context.Context) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.o.DryRun || m.i.State != postroom.ImportRunning {
		return
	}
	m.i.UpdatedAt = stamp(m.Now())
	if err := m.Store.UpdateImport(ctx, m.i); err != nil && ctx.Err() == nil {
		m.Log.Warn("how far an import is could not be stored", "workspace", m.who.Workspace, "import", m.i.ID, "error", err)
	}
}

// run reads rows to the end of the file. Those that came whole before it broke off are stored.
func (m *importing) run(ctx context.Context, rows rowReader) error {
	some := make([]importRow, 0, changedAtOnce)
	for {
		row, err := rows.next()
		if err == nil {
			if some = append(some, row); len(some) < changedAtOnce {
				continue
			}
		}
		begun := time.Now()
		if failed := m.store(ctx, some); failed != nil {
			return failed
		}
		some = some[:0]
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return errBroken{err}
		}
		m.save(ctx)
		pause(ctx, time.Since(begun)) // publishers get as much time as each step took
	}
}

// errBroken says that a file could not be read to its end.
type errBroken struct{ cause error }

// Error says why.
func (e errBroken) Error() string { return endOf(e.cause) }

// end keeps how the import ended. An import whose file broke off has failed; for a caller who waits, that is no error of the server.
func (m *importing) end(ctx context.Context, err error) (postroom.Import, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := stamp(m.Now())
	m.i.State, m.i.UpdatedAt, m.i.EndedAt = postroom.ImportDone, now, &now
	var broken errBroken
	switch {
	case errors.As(err, &broken):
		m.i.State, m.i.Reason, err = postroom.ImportFailed, broken.Error(), nil
	case err != nil:
		m.i.State, m.i.Reason = postroom.ImportFailed, "It could not be stored: the log of the server has the cause."
	}
	if m.o.DryRun {
		return m.i, unavailable(err)
	}
	if failed := m.Store.UpdateImport(ctx, m.i); failed != nil && err == nil {
		err = failed
	}
	m.Log.Info("import "+string(m.i.State), "workspace", m.who.Workspace, "import", m.i.ID, "rows", m.i.Rows, "created", m.i.Created, "updated", m.i.Updated,
		"refused", m.i.Refused, "key", m.who.Key)
	return m.i, unavailable(err)
}

// tally is what rows have come to.
type tally struct {
	created, updated, unchanged int64
	bad                         []postroom.BadRow
}

// store stores some rows in one transaction.
func (m *importing) store(ctx context.Context, rows []importRow) error {
	if len(rows) == 0 {
		return nil
	}
	var t tally
	c := audienceChange{lists: m.o.Lists, plan: func(b *contacts.Batch, lists map[string]postroom.List) error {
		t = tally{} // it may run again
		for i := range rows {
			if err := m.apply(b, lists, &rows[i], &t); err != nil {
				return err
			}
		}
		return nil
	}}
	for i := range rows {
		c.refs = append(c.refs, rows[i].refs()...)
		for _, l := range rows[i].lists {
			c.lists = append(c.lists, l.name)
		}
	}
	var err error
	if m.o.DryRun {
		_, err = m.batch(ctx, m.who, c)
	} else {
		err = m.change(ctx, m.who, c)
	}
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.i.Rows += int64(len(rows))
	m.i.Created += t.created
	m.i.Updated += t.updated
	m.i.Unchanged += t.unchanged
	m.i.Refused += int64(len(t.bad))
	m.i.Problems = append(m.i.Problems, t.bad[:min(len(t.bad), postroom.MaxBadRows-len(m.i.Problems))]...)
	return nil
}

// apply makes a row a part of the batch, or reports it. It fails only where the whole import does.
func (m *importing) apply(b *contacts.Batch, lists map[string]postroom.List, row *importRow, t *tally) error {
	faults := row.faults
	if len(faults) == 0 {
		made, changed, err := m.applyRow(b, lists, row)
		switch {
		case err == nil && made:
			t.created++
		case err == nil && changed:
			t.updated++
		case err == nil:
			t.unchanged++
		default:
			if faults = faultsOf(err); faults == nil {
				return err
			}
		}
	}
	if len(faults) > 0 {
		t.bad = append(t.bad, postroom.BadRow{Row: row.number, Email: cutText(textOf(row.fields.Email)), Errors: faults})
	}
	return nil
}

// faultsOf is what a refusal blames; nil for an error that is none.
func faultsOf(err error) []postroom.FieldError {
	var known *postroom.Error
	if !errors.As(err, &known) || known.Code == postroom.CodeInternal || known.Code == postroom.CodeUnavailable {
		return nil
	}
	if len(known.Fields) > 0 {
		return known.Fields
	}
	return []postroom.FieldError{{Detail: known.Message}}
}

func (m *importing) applyRow(b *contacts.Batch, lists map[string]postroom.List, row *importRow) (made, changed bool, err error) {
	ch := postroom.ContactChange{Fields: row.fields, Tag: append(append([]string(nil), row.tags...), m.o.Tags...), MayMake: true, MayAlter: !m.o.Keep,
		By: m.who.author(postroom.OriginImport)}
	var found *postroom.Contact
	for _, ref := range row.refs() { // by email, else uid; by phone only where there is neither
		if found = b.Find(ref); found != nil {
			ch.Ref = postroom.ContactRef{ID: found.ID}
			break
		}
	}
	if found == nil && ch.Fields.Source == nil {
		source := string(postroom.OriginImport)
		ch.Fields.Source = &source
	}
	before := b.Version()
	pending := postroom.ContactChange{Pending: true, By: ch.By}
	ch.Pending = m.o.Pending
	if ch.Join, err = namedLists(m.o.Lists, lists); err != nil {
		return false, false, err
	}
	for _, l := range row.lists {
		list, err := namedLists([]string{l.name}, lists)
		switch {
		case err != nil:
			return false, false, err
		case l.pending && !m.o.Pending:
			pending.Join = append(pending.Join, list...)
		default:
			ch.Join = append(ch.Join, list...)
		}
	}
	after, err := b.Apply(ch)
	if err == nil && len(pending.Join) > 0 {
		pending.Ref = postroom.ContactRef{ID: after.ID}
		_, err = b.Apply(pending)
	}
	return found == nil, b.Version() != before, err
}

// shown is an import as people see it: one that has not been heard of for a while is over.
func (a *App) shownImport(i postroom.Import) postroom.Import {
	if i.State == postroom.ImportRunning && a.Now().Sub(i.UpdatedAt.Time) > importLost {
		i.State, i.Reason = postroom.ImportFailed, "The server ended before the import did. What was stored before that stays, and the file can be imported again."
		i.EndedAt = &i.UpdatedAt
	}
	return i
}

// Import finds an import, and tells how far it is.
func (a *App) Import(ctx context.Context, who Caller, ref string) (postroom.Import, error) {
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return postroom.Import{}, err
	}
	id, err := postroom.ParseID[postroom.ImportKind](ref)
	if err != nil {
		return postroom.Import{}, postroom.Errorf(postroom.CodeNotFound, "There is no import %s in this workspace.", quote(ref))
	}
	i, err := a.Store.Import(ctx, who.Workspace, id)
	return a.shownImport(i), err
}

// Imports lists imports, newest first.
func (a *App) Imports(ctx context.Context, who Caller, q postroom.PageQuery) (postroom.Page[postroom.Import], error) {
	var none postroom.Page[postroom.Import]
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return none, err
	}
	limit, cursor, err := pageOf(q)
	if err != nil {
		return none, err
	}
	found, err := a.Store.Imports(ctx, who.Workspace, cursor, limit+1)
	if err != nil {
		return none, err
	}
	for i := range found {
		found[i] = a.shownImport(found[i])
	}
	return postroom.NewPage(found, limit, cursor, nil, func(i postroom.Import) [16]byte { return i.ID }), nil
}
