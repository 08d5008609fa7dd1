package edits

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"llm-platform/internal/report"
	"llm-platform/internal/stackfile"
	"llm-platform/test/engine"
	"llm-platform/test/engine/enginetest"
	"llm-platform/test/simcloud"
)

var all = flag.Bool("all", false, "carry out every row, not only the quick ones")

// standing is a base that is up: copies of it are edited.
type standing struct {
	stack engine.Snapshot
	cloud []byte
	run   string // that trains
}

// bases brings every base up once, when the first row needs it.
var bases = func() map[string]func() (standing, error) {
	all := map[string]func() (standing, error){}
	for name, base := range Bases() {
		all[name] = sync.OnceValues(func() (standing, error) { return up(base) })
	}
	return all
}()

// up brings a base up.
func up(base Base) (standing, error) {
	ctx := context.Background()
	project, err := enginetest.Repository()
	if err != nil {
		return standing{}, err
	}
	settings, err := base.settings(project)
	if err != nil {
		return standing{}, err
	}
	cloud := simcloud.New()
	if err := base.assume(cloud, settings); err != nil {
		return standing{}, err
	}
	s, stop, err := enginetest.Serve(cloud, engine.Options{Stack: base.Stack})
	if err != nil {
		return standing{}, err
	}
	defer stop()
	for _, path := range slices.Sorted(maps.Keys(base.Set)) {
		if err := s.Set("llm-platform:"+path, base.Set[path]); err != nil {
			return standing{}, err
		}
	}
	for path, value := range base.Secrets {
		if err := s.SetSecret(ctx, "llm-platform:"+path, value); err != nil {
			return standing{}, err
		}
	}
	result, err := s.Run(ctx, "up")
	if err != nil {
		return standing{}, fmt.Errorf("%s: %w", base.Title, err)
	}
	var b standing
	b.run, _ = result.Outputs["runName"].(string)
	if b.stack, err = s.Snapshot(); err != nil {
		return standing{}, err
	}
	b.cloud, err = cloud.Save()
	return b, err
}

// copied opens a copy of a standing stack, in a copy of its cloud.
func copied(t *testing.T, options engine.Options, from standing) (*simcloud.Cloud, *engine.Stack) {
	t.Helper()
	cloud, err := simcloud.Load(from.cloud)
	if err != nil {
		t.Fatal(err)
	}
	options.From, options.Out = from.stack, t.Output()
	s, stop, err := enginetest.Serve(cloud, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return cloud, s
}

// Every row does what it says, and the preview says so.
func TestEdits(t *testing.T) {
	carried, refused := 0, 0
	steps, err := readGolden("testdata/steps.txt")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // after the rows
		if *update {
			if err := steps.write(); err != nil {
				t.Error(err)
			}
		}
	})
	for _, row := range Rows() {
		if !row.Quick && !*all {
			continue
		}
		carried++
		if row.Effect == Refused {
			refused++
		}
		t.Run(row.Name(), func(t *testing.T) {
			t.Parallel()
			from, err := bases[row.Base]()
			if err != nil {
				t.Fatal(err)
			}
			carry(t, row, from, steps)
		})
	}
	if carried < 15 {
		t.Errorf("only %d rows are carried out", carried)
	}
	t.Logf("%d rows, %d carried out, %d of them refused", len(Rows()), carried, refused)
}

func carry(t *testing.T, row Row, from standing, steps *golden) {
	cloud, s := copied(t, engine.Options{Stack: Bases()[row.Base].Stack}, from)
	edit(t, s, row)
	before := cloud.Resources()
	if row.Effect == Refused {
		refuse(t, row, cloud, s, before)
		return
	}
	preview := enginetest.Run(t, s, "preview")
	steps.expect(t, row, "preview", preview)
	contradict(t, row, preview)
	if got, want := losses(preview), slices.Sorted(slices.Values(row.Loses)); !slices.Equal(got, want) {
		t.Errorf("the review says that the edit loses %v, want %v", got, want)
	}
	for _, words := range slices.Concat(row.Says, announced(preview, from.run)) {
		if !strings.Contains(said(preview), words) {
			t.Errorf("the preview does not say %q, only:\n%s", words, said(preview))
		}
	}
	if *update || t.Failed() { // the rest would only repeat it
		return
	}
	up := enginetest.Run(t, s, "up")
	steps.expect(t, row, "up", up)
	for _, r := range lost(row, before, cloud.Resources()) {
		t.Errorf("lost %s", r)
	}
	for _, change := range resized(row, before, cloud.Resources()) {
		t.Errorf("nodes of %s", change)
	}
	enginetest.Expect(t, "refresh", enginetest.Run(t, s, "refresh"))
	enginetest.Expect(t, "a second up", enginetest.Run(t, s, "up"))
}

// edit applies the settings of a row.
func edit(t *testing.T, s *engine.Stack, row Row) {
	t.Helper()
	set := func(path string, value any) {
		if err := s.Set("llm-platform:"+path, value); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(row.With)) {
		set(path, row.With[path])
	}
	if !row.Secret || row.To == nil {
		set(row.Path, row.To)
	} else if err := s.SetSecret(t.Context(), "llm-platform:"+row.Path, fmt.Sprint(row.To)); err != nil {
		t.Fatal(err)
	}
}

// refuse expects that preview and up fail with the row's words, and that neither changes anything.
func refuse(t *testing.T, row Row, cloud *simcloud.Cloud, s *engine.Stack, before []simcloud.Resource) {
	state, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if len(row.Says) == 0 {
		t.Error("the row does not say what the refusal says")
	}
	verbs := []string{"preview", "up"}
	if row.Late {
		verbs = verbs[:1]
	}
	for _, verb := range verbs {
		_, message := enginetest.Fail(t, s, verb)
		for _, words := range row.Says {
			if !strings.Contains(message, words) {
				t.Errorf("%s does not say %q, only:\n%s", verb, words, message)
			}
		}
	}
	if !reflect.DeepEqual(cloud.Resources(), before) {
		t.Error("a refused edit changed the cloud")
	}
	after, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	for file, content := range state {
		if strings.HasSuffix(file, ".json") && resourcesOf(t, content) != resourcesOf(t, after[file]) {
			t.Error("a refused edit changed the state")
		}
	}
}

// said returns the warnings of a run.
func said(result engine.Result) string {
	var messages []string
	for _, d := range result.Diagnostics {
		if d.Severity != "debug" {
			messages = append(messages, d.Message)
		}
	}
	return strings.Join(messages, "\n")
}

// announced returns what a preview must say because of its steps, whatever the row says: which pools roll or are deleted,
// and that a run ends.
func announced(preview engine.Result, run string) []string {
	var words []string
	for _, step := range preview.Changed() {
		deletes := step.Op == apitype.OpReplace || step.Op == apitype.OpDelete
		switch {
		case rolls(step) || deletes && strings.HasSuffix(step.Type, ":NodeGroup"):
			words = append(words, strings.TrimPrefix(step.Name(), "pool-"))
		case deletes && strings.HasSuffix(step.Type, ":Job"):
			words = append(words, run)
		}
	}
	return words
}

// rolls reports whether a step makes EKS replace the nodes of a group.
func rolls(step engine.Step) bool {
	return step.Op == apitype.OpUpdate && strings.HasSuffix(step.Type, ":NodeGroup") && slices.ContainsFunc(step.Diffs, func(diff string) bool {
		return strings.HasPrefix(diff, "launchTemplate") || diff == "version" || diff == "releaseVersion"
	})
}

// contradict compares what a preview does with the effect of its row, whatever the steps of the row are.
func contradict(t *testing.T, row Row, preview engine.Result) {
	t.Helper()
	var creates, updates, deletes, replaces, rolling, jobs, newJobs int
	for _, step := range preview.Changed() {
		isJob := strings.HasSuffix(step.Type, ":Job")
		switch {
		case rolls(step):
			rolling++
		case step.Type == stash:
		case step.Op == apitype.OpUpdate:
			updates++
		case step.Op == apitype.OpCreate && isJob:
			newJobs++
		case step.Op == apitype.OpCreate:
			creates++
		case isJob:
			jobs++
		case step.Op == apitype.OpReplace:
			replaces++
		case step.Op == apitype.OpDelete:
			deletes++
		}
	}
	runs := jobs + newJobs
	fits := map[Effect]bool{
		InPlace:  updates > 0 && creates+deletes+replaces+rolling+runs == 0,
		Creates:  creates > 0 && deletes+replaces+rolling+runs == 0,
		Deletes:  deletes > 0 && replaces+rolling+runs == 0,
		Replaces: replaces > 0 && rolling+runs == 0,
		Rolls:    rolling > 0 && replaces+runs == 0,
		Restarts: jobs == 1 && newJobs == 1,
		Ends:     jobs == 1 && newJobs == 0,
		Nothing:  creates+updates+deletes+replaces+rolling+runs == 0,
		Ignored:  creates+updates+deletes+replaces+rolling+runs == 0,
	}
	if !fits[row.Effect] {
		t.Errorf("the row says %q, and the preview creates %d, updates %d, deletes %d, replaces %d, rolls %d pools, ends %d runs and starts %d",
			row.Effect, creates, updates, deletes, replaces, rolling, jobs, newJobs)
	}
}

// stash is the type of a value that the state keeps. It is no resource of a vendor.
const stash = "pulumi:index:Stash"

// losses returns the types of what a review of the preview calls lost.
func losses(result engine.Result) []string {
	var p report.Preview
	for _, s := range result.Changed() {
		step := report.Step{Op: string(s.Op), URN: s.URN}
		if s.Old != nil {
			step.Old = &report.State{Retain: s.Old.RetainOnDelete, External: s.Old.External}
		}
		p.Steps = append(p.Steps, step)
	}
	var types []string
	for _, s := range p.Lost() {
		types = append(types, s.Type()[strings.LastIndex(s.Type(), ":")+1:])
	}
	slices.Sort(types)
	return slices.Compact(types)
}

// lost returns what holds data, money or accounts and no longer exists, unless the row says so.
func lost(row Row, before, after []simcloud.Resource) []string {
	var gone []string
	for _, r := range before {
		exists := slices.ContainsFunc(after, func(other simcloud.Resource) bool { return other.Type == r.Type && other.ID == r.ID })
		short := r.Type[strings.LastIndex(r.Type, ":")+1:]
		if report.Held(r.Type) != "" && !exists && !slices.Contains(row.Loses, short) {
			gone = append(gone, short+" "+r.ID)
		}
	}
	return gone
}

// resized returns the node groups that have another number of nodes than before.
func resized(row Row, before, after []simcloud.Resource) []string {
	if row.Path == "cluster.systemNodes" {
		return nil
	}
	var changed []string
	for _, a := range before {
		for _, b := range after {
			old, present := stackfile.Get(a.Outputs, "scalingConfig.desiredSize"), stackfile.Get(b.Outputs, "scalingConfig.desiredSize")
			if a.Type == "aws:eks/nodeGroup:NodeGroup" && a.Type == b.Type && a.ID == b.ID && old != present {
				changed = append(changed, fmt.Sprintf("%s: %v, before %v", a.Name, present, old))
			}
		}
	}
	return changed
}

// resourcesOf returns the resources of a state as text, without the times of their updates and without their secrets,
// which every update encrypts anew.
func resourcesOf(t *testing.T, state string) string {
	t.Helper()
	var content struct {
		Checkpoint struct {
			Latest struct{ Resources []map[string]any }
		}
	}
	if err := json.Unmarshal([]byte(state), &content); err != nil {
		t.Fatal(err)
	}
	if len(content.Checkpoint.Latest.Resources) == 0 {
		t.Fatal("no resources in the state: this test tests nothing")
	}
	var all []string
	for _, r := range content.Checkpoint.Latest.Resources {
		if r["type"] == string(resource.RootStackType) {
			continue // its outputs
		}
		delete(r, "modified")
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(text))
	}
	slices.Sort(all)
	return ciphertext.ReplaceAllString(strings.Join(all, "\n"), "")
}

var ciphertext = regexp.MustCompile(`"ciphertext":"[^"]*"`)
