// Package edits is the edit matrix: for every setting, what an edit of it does to a stack that is up. The tests walk the
// settings so that none is left out, carry the rows out in the Pulumi engine against the simulator, and write docs/edits.md.
package edits

import (
	"fmt"
	"slices"
	"strings"

	"llm-platform/internal/settings"
	"llm-platform/internal/stackfile"
)

// Change is a kind of edit.
type Change string

const (
	Value     Change = "value"     // another value
	Added     Change = "added"     // a new entry or element
	Removed   Change = "removed"   // without an entry or element, or with an empty value
	Renamed   Change = "renamed"   // the same entry under another name
	Reordered Change = "reordered" // the same elements in another order
	Renewed   Change = "renewed"   // other credentials for the same server
)

// Effect is what an edit does.
type Effect string

const (
	InPlace  Effect = "in place"                 // updates, and creates what goes with them
	Creates  Effect = "creates"                  // creates and updates
	Deletes  Effect = "deletes"                  // deletes what the note names
	Replaces Effect = "replaces"                 // replaces what the note names
	Rolls    Effect = "rolls"                    // EKS replaces the nodes of a pool, one after the other
	Restarts Effect = "ends the run, starts one" // under another name
	Ends     Effect = "ends the run"             //
	Nothing  Effect = "changes nothing"          // until something else happens, which the note names
	Ignored  Effect = "ignored"                  // after creation; the note says how to do it instead
	Refused  Effect = "refused"                  // before anything changes
)

// Row is an edit of a standing stack. Its steps are in testdata/steps.txt.
type Row struct {
	Base   string         // a key of Bases
	Change Change         //
	Path   string         // of the setting, for example cluster.pools.gpu.nodes
	To     any            // its new value; nil removes it
	With   map[string]any // further paths that the edit needs, with their values
	Secret bool           // To is a secret, set as `pulumi config set --secret` does

	Effect Effect
	Note   string // what a user must know besides; of a refusal or an ignored edit, the way

	Says  []string // what the preview must say, in warnings, or of a refusal in its error
	Loses []string // types of which the edit may delete what holds data, money or accounts; see lost
	Late  bool     // an update without a preview is refused too late, when it has changed something
	Quick bool     // carried out by `make test` too
}

// Name returns the row's name as a test.
func (r Row) Name() string {
	name := r.Base + "/" + r.Path + "/" + string(r.Change)
	if r.To != nil && r.Change == Value && !r.Secret {
		name += "=" + fmt.Sprint(r.To)
	}
	return strings.ReplaceAll(name, " ", "_")
}

// Setting returns the setting of a path, with * for a name that the user chose, as settings.Paths has it, or of an entry as
// such, for example cluster.pools.*. It returns nothing if there is no such setting.
func Setting(path string) string {
	names := stackfile.Names(path)
	for _, known := range settings.Paths() {
		parts := strings.Split(known, ".")
		if len(parts) < len(names) || !slices.EqualFunc(parts[:len(names)], names, func(part, name string) bool { return part == "*" || part == name }) {
			continue
		}
		if len(parts) == len(names) || parts[len(names)-1] == "*" || parts[len(names)] == "*" {
			return strings.Join(parts[:len(names)], ".")
		}
	}
	return ""
}

// Rows returns the matrix.
func Rows() []Row {
	return slices.Concat(generalRows(), organizationRows(), storageRows(), networkRows(), clusterRows(), instanceTypeRows(), poolRows(), gitRows(), trainingRows())
}
