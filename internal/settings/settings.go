// Package settings reads and checks a stack's configuration. It knows nothing of
// Pulumi: values come in as text by key, as the engine hands them to the program
// after it has filled in the defaults of Pulumi.yaml.
package settings

import (
	"regexp"
	"strings"
)

// Settings is the whole configuration of one stack. One that Load returned is checked
// as a whole: whoever holds it need not check again.
type Settings struct {
	Stack        string            `json:"-"`       // name of the stack, which is the environment
	Region       string            `json:"region"`  // AWS region of everything but organization and billing
	Tags         map[string]string `json:"tags"`    // extra default tags of every AWS resource
	Protect      bool              `json:"protect"` // refuse to destroy what holds data or accounts
	Organization Organization      `json:"organization"`
	Storage      Storage           `json:"storage"`
	SageMaker    SageMaker         `json:"sagemaker"`
	Guardrails   Guardrails        `json:"guardrails"`
	Budget       Budget            `json:"budget"`
	CI           CI                `json:"ci"`
	Network      Network           `json:"network"`
	Cluster      Cluster           `json:"cluster"`
	Git          Git               `json:"git"`
	Training     Training          `json:"training"`
}

// Load reads the values of a stack, by top-level key without the project's namespace.
// Its error names every fault: missing, mistyped, out of range, contradictory, and
// unknown keys with the nearest known one. Of the values under the secret keys it
// shows none that may be secret, and elsewhere it takes none that must be.
func Load(stack string, values map[string]string, secretKeys ...string) (Settings, error) {
	f := &faults{secret: secretKeys}
	s := Settings{Stack: stack}
	f.decode(values, &s)
	s.check(f)
	if err := f.err(stack); err != nil {
		return Settings{}, err
	}
	return s, nil
}

func (s *Settings) check(f *faults) {
	if !stackName.MatchString(s.Stack) {
		f.add("(stack)", "%q: the stack's name is part of account names and tags: use 1 to 20 lower-case letters, digits and hyphens, a letter first", s.Stack)
	}
	if !regionName.MatchString(s.Region) {
		f.add("region", "%q is not a region's name, as us-west-2 is (without the letter of an availability zone)", s.Region)
	}
	checkTags(f, s.Tags)
	s.Organization.check(f, s.Stack)
	s.Storage.check(f)
	s.SageMaker.check(f, s.Storage)
	s.Guardrails.check(f, s)
	s.Budget.check(f, s.Organization)
	s.CI.check(f, s.Stack, s.Organization)
	s.Network.check(f, s.Region)
	s.Cluster.check(f, s.Region, s.Network, s.Organization)
	s.Git.check(f, s.Stack)
	s.Training.check(f, s.Cluster)
}

var (
	stackName  = regexp.MustCompile(`^[a-z][a-z0-9-]{0,19}$`)
	regionName = regexp.MustCompile(`^(us|us-gov|us-iso[a-z]?|ca|mx|sa|eu|eu-isoe|eusc-[a-z]+|af|il|me|ap|cn)-(north|south|east|west|central|northeast|northwest|southeast|southwest)-[1-9]$`)
	accountID  = regexp.MustCompile(`^[0-9]{12}$`)
)

// ownTags are the default tags that the program sets itself.
var ownTags = []string{"Environment", "ManagedBy", "Project"}

// maxTags is how many tags an S3 object, the most restricted of our resources, takes.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
const maxTags = 10

func checkTags(f *faults, tags map[string]string) {
	if len(tags)+len(ownTags) > maxTags {
		f.add("tags", "%d are too many: an S3 object takes %d, of which %d are the program's own", len(tags), maxTags, len(ownTags))
	}
	for _, name := range names(tags) {
		at, value := "tags."+name, tags[name]
		// https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
		if name == "" || len([]rune(name)) > 128 || len([]rune(value)) > 256 {
			f.add(at, "a tag has a name of 1 to 128 characters and a value of at most 256")
		}
		if strings.HasPrefix(strings.ToLower(name), "aws:") {
			f.add(at, "names that begin with aws: are AWS's own")
		}
		for _, own := range ownTags {
			if strings.EqualFold(name, own) {
				f.add(at, "is set by the program itself: choose another name")
			}
		}
	}
}

// checkAccount checks an account's id, which may be empty.
func checkAccount(f *faults, key, id string) {
	if id != "" && !accountID.MatchString(id) {
		f.add(key, "%q is not an account's id: 12 digits, in quotes so that YAML keeps a leading zero", id)
	}
}
