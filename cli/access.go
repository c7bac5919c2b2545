package cli

import (
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

type keysCmd struct {
	Create keyCreateCmd `cmd:"" help:"Create an API key."`
	List   keyListCmd   `cmd:"" help:"List API keys."`
	Delete keyDeleteCmd `cmd:"" help:"Delete an API key, which stops working at once."`
}

type keyCreateCmd struct {
	Name    string `short:"n" placeholder:"TEXT" help:"What the key is for."`
	Role    string `required:"" enum:"viewer,publisher,admin" placeholder:"ROLE" help:"What the bearer may do: viewer (read), publisher (and publish) or admin (and change everything)."`
	Expires string `placeholder:"WHEN" help:"When it stops working: a time, a date, or after how long, such as 720h; by default never."`
}

// Help is shown by `postroom keys create --help`.
func (keyCreateCmd) Help() string {
	return `The key is shown this once.

    postroom keys create --role publisher -n "Shop backend"`
}

// Run creates the key.
func (cmd keyCreateCmd) Run(s *session) error {
	in := client.KeyInput{Name: cmd.Name, Role: postroom.Role(cmd.Role)}
	if after, err := time.ParseDuration(cmd.Expires); err == nil {
		in.Expires = s.Now().Add(after)
	} else if in.Expires, err = s.moment("--expires", cmd.Expires); err != nil {
		return usagef("--expires is %q, but must be a time such as 2027-01-31T09:30:00Z, a date such as 2027-01-31, or after how long, such as 720h", cmd.Expires)
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	key, err := c.CreateKey(s.ctx, in)
	if err != nil {
		return err
	}
	return s.show(key, func(p *screen) {
		p.done("Key created")
		p.fields(keyFields(p, key)...)
	})
}

// keyFields are what is shown of a new key.
func keyFields(p *screen, key client.CreatedKey) []field {
	return []field{
		{label: "ID", value: val(key.ID.String())},
		{label: "Name", value: val(key.Name)},
		{label: "Role", value: val(string(key.Role))},
		{label: "Expires", value: val(expiry(p, key.Key))},
		{"Key", val(key.Value), "shown once"},
	}
}

func expiry(p *screen, key postroom.Key) string {
	if key.ExpiresAt == nil {
		return "never"
	}
	return p.time(key.ExpiresAt.Time)
}

type keyListCmd struct{}

// Run lists the keys.
func (keyListCmd) Run(s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	list, err := c.Keys(s.ctx)
	if err != nil {
		return err
	}
	t := newTable("ID", "NAME", "ROLE", "KEY", "CREATED", "EXPIRES")
	return showList(s, list, false, "There are no keys.", t, func(p *screen, key postroom.Key) {
		role := string(key.Role)
		if key.Operator {
			role += ", operator"
		}
		t.row(val(key.ID.String()), val(key.Name), val(role), val(key.Hint+"…"), val(p.time(key.CreatedAt.Time)), val(expiry(p, key)))
	})
}

type keyDeleteCmd struct {
	Key   string `arg:"" help:"The key's id (key_…)."`
	Force bool   `short:"f" help:"Delete without asking."`
}

// Run deletes the key.
func (cmd keyDeleteCmd) Run(s *session) error {
	if err := s.askable(cmd.Force); err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	key, err := c.Key(s.ctx, cmd.Key)
	if err != nil {
		return err
	}
	if err := s.confirm(cmd.Force, "Delete key %s? It stops working at once.", named(key.ID.String(), key.Name)); err != nil {
		return err
	}
	if err := c.DeleteKey(s.ctx, key.ID.String()); err != nil {
		return err
	}
	return s.showDeleted("Key", key.ID.String())
}

type workspacesCmd struct {
	Create workspaceCreateCmd `cmd:"" help:"Create a workspace, with its first key."`
	List   workspaceListCmd   `cmd:"" help:"List workspaces."`
	Delete workspaceDeleteCmd `cmd:"" help:"Delete a workspace with everything in it."`
}

type workspaceCreateCmd struct {
	Name string `short:"n" required:"" placeholder:"TEXT" help:"Name, for people."`
}

// Help is shown by `postroom workspaces create --help`.
func (workspaceCreateCmd) Help() string {
	return `Only the operator's key may do this: the first key of the installation. The new workspace's key is shown this once.

    postroom workspaces create -n "Acme"`
}

// Run creates the workspace.
func (cmd workspaceCreateCmd) Run(s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	w, err := c.CreateWorkspace(s.ctx, cmd.Name)
	if err != nil {
		return err
	}
	return s.show(w, func(p *screen) {
		p.done("Workspace created")
		p.fields(
			field{label: "ID", value: val(w.ID.String())},
			field{label: "Name", value: val(w.Name)},
			field{"Key", val(w.AdminKey.Value), "shown once"},
		)
	})
}

type workspaceListCmd struct{}

// Run lists the workspaces.
func (workspaceListCmd) Run(s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	list, err := c.Workspaces(s.ctx)
	if err != nil {
		return err
	}
	t := newTable("ID", "CREATED", "NAME")
	return showList(s, list, false, "There are no workspaces.", t, func(p *screen, w postroom.Workspace) {
		t.row(val(w.ID.String()), val(p.time(w.CreatedAt.Time)), val(w.Name))
	})
}

type workspaceDeleteCmd struct {
	Workspace string `arg:"" help:"The workspace's id (wsp_…)."`
	Force     bool   `short:"f" help:"Delete without asking."`
}

// Run deletes the workspace.
func (cmd workspaceDeleteCmd) Run(s *session) error {
	if err := s.askable(cmd.Force); err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	w, err := c.Workspace(s.ctx, cmd.Workspace)
	if err != nil {
		return err
	}
	if err := s.confirm(cmd.Force, "Delete workspace %s with all its webhooks, events and keys?", named(w.ID.String(), w.Name)); err != nil {
		return err
	}
	if err := c.DeleteWorkspace(s.ctx, w.ID.String()); err != nil {
		return err
	}
	return s.showDeleted("Workspace", w.ID.String())
}
