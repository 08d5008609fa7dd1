//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"llm-platform/test/engine"
	"llm-platform/test/engine/enginetest"
)

// edit is a change of settings, and what it must cause.
type edit struct {
	name    string
	before  func(*reader) // what happens to the stack behind its back
	refresh bool          // refresh the state before the edit
	set     map[string]any
	secrets map[string]string
	want    []string      // changes, "operation type name" each; * stands for a run's hash
	updates bool          // instead of want: updates in place, more than ten, and nothing else
	says    []string      // part of a warning of the preview each
	unsaid  []string      // parts that no warning of the preview has
	check   func(*reader) // after the update

	// An edit with refused changes nothing: preview and update fail, and their message has these parts. Then undo and
	// undoSecrets are set.
	refused     []string
	undo        map[string]any
	undoSecrets map[string]string
}

// carryOut previews the edit and carries it out. last is the result of the last update.
func (e edit) carryOut(t *testing.T, s *engine.Stack, last *engine.Result) string {
	t.Helper()
	if e.before != nil {
		e.before(newReader(t, last.Outputs))
	}
	if e.refresh {
		enginetest.Run(t, s, "refresh")
	}
	set(t, s, e.set)
	setSecrets(t, s, e.secrets)
	if len(e.refused) > 0 {
		e.refuse(t, s)
		return "refused, nothing changed"
	}
	preview := enginetest.Run(t, s, "preview")
	warnings := warned(preview)
	for _, part := range e.says {
		if !strings.Contains(warnings, part) {
			t.Errorf("preview: %s: no warning has %q:\n%s", e.name, part, warnings)
		}
	}
	for _, part := range e.unsaid {
		if strings.Contains(warnings, part) {
			t.Errorf("preview: %s: a warning has %q:\n%s", e.name, part, warnings)
		}
	}
	*last = enginetest.Run(t, s, "up")
	if e.updates {
		if count(t, preview, "update") <= 10 || count(t, *last, "update") <= 10 {
			t.Errorf("%s: preview %s, update %s", e.name, tally(preview), tally(*last))
		}
	} else {
		enginetest.Expect(t, "preview: "+e.name, preview, e.want...)
		enginetest.Expect(t, e.name, *last, e.want...)
	}
	if e.check != nil {
		e.check(newReader(t, last.Outputs))
	}
	return tally(*last)
}

// refuse checks that preview and update are refused with the same message before anything changes, and undoes the edit.
func (e edit) refuse(t *testing.T, s *engine.Stack) {
	t.Helper()
	for _, verb := range []string{"preview", "up"} {
		result, message := enginetest.Fail(t, s, verb)
		for _, part := range e.refused {
			if !strings.Contains(message, part) {
				t.Errorf("%s: %s: the message lacks %q:\n%s", verb, e.name, part, message)
			}
		}
		enginetest.Expect(t, verb+": "+e.name, changedByUpdate(result))
	}
	set(t, s, e.undo)
	setSecrets(t, s, e.undoSecrets)
	enginetest.Expect(t, "preview after "+e.name, enginetest.Run(t, s, "preview"))
}

// changedByUpdate returns the result without the stash of the standing settings, whose update is what is refused.
func changedByUpdate(result engine.Result) engine.Result {
	changed := engine.Result{}
	for _, step := range result.Steps {
		if step.Type != stashType {
			changed.Steps = append(changed.Steps, step)
		}
	}
	return changed
}

const stashType = "pulumi:index:Stash"

// Changes of the stack's memory of its settings.
const (
	standing = "update " + stashType + " standing"
	running  = "update " + stashType + " running"
)

func setSecrets(t *testing.T, s *engine.Stack, secrets map[string]string) {
	t.Helper()
	for path, value := range secrets {
		if err := s.SetSecret(t.Context(), path, value); err != nil {
			t.Fatal(err)
		}
	}
}

// warned returns the warnings of a run, a line each, without those about the plugins of this machine.
func warned(result engine.Result) string {
	var all []string
	for _, diagnostic := range result.Diagnostics {
		if diagnostic.Severity == "warning" && !strings.Contains(diagnostic.Message, "plugin") && !strings.Contains(diagnostic.Message, " from $PATH") {
			all = append(all, strings.TrimSpace(diagnostic.Message))
		}
	}
	return strings.Join(all, "\n")
}

// scale sets the number of nodes of a pool as an operator or an autoscaler does.
func (r *reader) scale(pool string, nodes int32) {
	r.t.Helper()
	r.resize(pool, &ekstypes.NodegroupScalingConfig{DesiredSize: aws.Int32(nodes)})
}

func (r *reader) resize(pool string, size *ekstypes.NodegroupScalingConfig) {
	r.t.Helper()
	name := r.output("clusterName")
	must(eks.NewFromConfig(r.account).UpdateNodegroupConfig(r.t.Context(), &eks.UpdateNodegroupConfigInput{
		ClusterName: &name, NodegroupName: r.nodeGroups()[pool].NodegroupName, ScalingConfig: size,
	}))
}

// nodes checks the number of nodes of a pool.
func (r *reader) nodes(pool string, want int32) {
	r.t.Helper()
	r.equal("pool "+pool+": number of nodes", *r.nodeGroups()[pool].ScalingConfig.DesiredSize, want)
}

// template checks the version of the launch template that a pool's nodes have.
func (r *reader) template(pool, want string) {
	r.t.Helper()
	r.equal("pool "+pool+": version of the launch template", *r.nodeGroups()[pool].LaunchTemplate.Version, want)
}

// zone checks the zone of a pool's subnet.
func (r *reader) zone(pool, want string) {
	r.t.Helper()
	r.equal("pool "+pool+": zones", r.zonesOf(r.nodeGroups()[pool].Subnets), []string{region + want})
}

// controlPlane checks the zones of the subnets that the control plane has: EKS accepts no other set of zones than the first.
func (r *reader) controlPlane(zones ...string) {
	r.t.Helper()
	name := r.output("clusterName")
	cluster := must(eks.NewFromConfig(r.account).DescribeCluster(r.t.Context(), &eks.DescribeClusterInput{Name: &name})).Cluster
	var want []string
	for _, zone := range zones {
		want = append(want, region+zone)
	}
	r.equal("control plane: zones", r.zonesOf(cluster.ResourcesVpcConfig.SubnetIds), want)
}

func (r *reader) zonesOf(subnets []string) []string {
	r.t.Helper()
	var zones []string
	for _, subnet := range must(ec2.NewFromConfig(r.account).DescribeSubnets(r.t.Context(), &ec2.DescribeSubnetsInput{SubnetIds: subnets})).Subnets {
		zones = append(zones, *subnet.AvailabilityZone)
	}
	slices.Sort(zones)
	return zones
}

// copied checks that the copy at the place of one object of the source is the content of another, or of the same.
func (r *reader) copied(at, of int) {
	r.t.Helper()
	r.equal("the object at "+key(at), r.object(r.output("destinationDataUrl")+key(at)), content(of))
}

// checkpoints writes into the bucket of checkpoints what a long training leaves: checkpoints of several parts, the markers of
// those that it has deleted, some of them twice, more objects than a listing has on a page, and an upload that was interrupted.
func (r *reader) checkpoints() {
	r.t.Helper()
	ctx, client := r.t.Context(), bucketClient(r.account)
	bucket := strings.TrimSuffix(strings.TrimPrefix(r.output("checkpointUrl"), "s3://"), "/")
	put := func(key, body string) {
		must(client.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(body)}))
	}
	upload := func(key string) (part *s3.UploadPartOutput, id *string) {
		id = must(client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: &key})).UploadId
		return must(client.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: &bucket, Key: &key, UploadId: id, PartNumber: aws.Int32(1), Body: strings.NewReader(strings.Repeat("w", 5<<20)),
		})), id
	}
	for step := range 4 {
		folder := fmt.Sprintf("runs/%s/step-%08d/", r.output("runName"), step)
		weights := folder + "__0_0.distcp"
		part, id := upload(weights)
		must(client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: &bucket, Key: &weights, UploadId: id,
			MultipartUpload: &s3types.CompletedMultipartUpload{Parts: []s3types.CompletedPart{{PartNumber: aws.Int32(1), ETag: part.ETag}}}}))
		put(folder+".metadata.tmp", "{}")
		source := bucket + "/" + folder + ".metadata.tmp"
		must(client.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &bucket, Key: aws.String(folder + ".metadata"), CopySource: &source}))
		for _, name := range []string{".metadata.tmp", "complete.json", "complete.json"} {
			must(client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: aws.String(folder + name)}))
		}
		if step < 2 {
			must(client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: &weights}))
		}
	}
	for part := range 1000 { // more than a page of a listing
		put(fmt.Sprintf("runs/parts/%d", part), "{}")
	}
	upload("runs/interrupted.distcp")
	versions := must(client.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: &bucket}))
	r.equal("versions and markers: more than a page", aws.ToBool(versions.IsTruncated), true)
}
