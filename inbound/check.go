package inbound

import (
	"context"

	"github.com/postroom/postroom"
)

// Check refuses settings with which calls could not be verified or understood. Its error is a *postroom.Error that blames pointers of the
// source's JSON.
func (in *Intake) Check(ctx context.Context, workspace postroom.WorkspaceID, s *postroom.SourceSettings, secrets postroom.SourceSecrets) error {
	kind, err := in.kindOf(s.Kind)
	if err != nil {
		return err
	}
	var problems postroom.Problems
	all, err := proofs(s, &secrets, kind)
	if err != nil {
		blame(&problems, err, func(pointer string) string { return pointer })
	}
	proof, allow := compileProofs(all, &problems), compileAllowed(s.IPAllow, &problems)
	if problems.Err() == nil && proof == nil && allow == nil {
		problems.Add("/require_token", "anybody could call the source: require the token, or another proof of who calls")
	}
	fields, err := in.store.Fields(ctx, workspace)
	if err != nil {
		return err
	}
	checkActions(s, fields, &problems)
	types, err := in.types(ctx, workspace)
	if err != nil {
		return err
	}
	if _, err := Compile(s, kind, types); err != nil {
		if postroom.CodeOf(err) == postroom.CodeInternal {
			return err
		}
		blame(&problems, err, func(pointer string) string { return pointer })
	}
	return problems.Err()
}
