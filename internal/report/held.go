package report

// held is what is lost with a resource of a type. Pulumi, the providers and AWS do not ask again.
var held = map[string]string{
	"aws:s3/bucketV2:BucketV2":                                "all objects in it, with all versions",
	"aws:s3/bucketObjectv2:BucketObjectv2":                    "the object, with all versions",
	"aws:s3/objectCopy:ObjectCopy":                            "the object, with all versions",
	"aws:kms/key:Key":                                         "whatever is encrypted with it, which nobody can read without the key",
	"aws:ecr/repository:Repository":                           "all images in it",
	"aws:organizations/organization:Organization":             "the organization, with its policies",
	"aws:organizations/organizationalUnit:OrganizationalUnit": "the OU, with the policies attached to it",
	"aws:organizations/account:Account":                       "the account, with everything in it; its e-mail address can never be reused",
	"aws:eks/cluster:Cluster":                                 "all Kubernetes objects in it, also those of others, and its nodes",
	"aws:sagemaker/notebookInstance:NotebookInstance":         "the files on its volume",
	"aws:cloudwatch/logGroup:LogGroup":                        "all log records in it",
	"github:index/branch:Branch":                              "all commits that are on no other branch",
	"gitlab:index/branch:Branch":                              "all commits that are on no other branch",
}

// Held returns what is lost when a resource of a type is deleted, or "" if it holds nothing that an update could not create
// again.
func Held(resourceType string) string { return held[resourceType] }

// Lost returns the steps that delete or replace what holds data. A resource that is retained on deletion leaves the stack
// only, and one that the stack has only read stays in any case.
func (p Preview) Lost() []Step { return p.removed(false) }

// Retained returns the steps that take what holds data from the stack and leave it where it is.
func (p Preview) Retained() []Step { return p.removed(true) }

func (p Preview) removed(retained bool) []Step {
	var steps []Step
	for _, s := range p.Steps {
		if s.removes() && Held(s.Type()) != "" && (s.Old != nil && (s.Old.Retain || s.Old.External)) == retained {
			steps = append(steps, s)
		}
	}
	return steps
}

// interruptions is what else a step breaks off, by the type of its resource.
var interruptions = map[string]struct {
	removed string            // when it is deleted or replaced
	updated map[string]string // when a property changes, by its first name
}{
	"kubernetes:batch/v1:Job": {removed: "ends the run"},
	"aws:eks/nodeGroup:NodeGroup": {removed: "terminates its nodes", updated: map[string]string{
		"launchTemplate": rolled, "version": rolled, "releaseVersion": rolled,
	}},
	"aws:eks/cluster:Cluster":       {updated: map[string]string{"version": "upgrades Kubernetes, which cannot be undone"}},
	"aws:ec2/natGateway:NatGateway": {removed: "breaks connections to the internet"},
}

const rolled = "replaces its nodes, one after another"

// interrupts returns what the step breaks off, or "".
func (s Step) interrupts() string {
	known := interruptions[s.Type()]
	if s.removes() {
		return known.removed
	}
	if s.Op == "update" {
		for _, property := range s.Diff {
			if text := known.updated[firstName(property)]; text != "" {
				return text
			}
		}
	}
	return ""
}
