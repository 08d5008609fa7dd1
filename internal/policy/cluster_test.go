package policy

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

const (
	dataset     = "arn:aws:s3:::dataset"
	checkpoints = "arn:aws:s3:::checkpoints"
	key         = "arn:aws:kms:us-west-2:111122223333:key/a"
)

// allowed is the resources on which a document allows an action, without conditions.
func allowed(t *testing.T, d Document, action string) []string {
	t.Helper()
	if len(d) == 0 {
		t.Fatal("an empty document: this test tests nothing")
	}
	var on []string
	for _, s := range d {
		if s.Effect != Allow || len(s.NotAction) > 0 || len(s.NotResource) > 0 {
			t.Errorf("statement %s allows by exception", s.Sid)
		}
		if slices.ContainsFunc(s.Action, func(a string) bool { return strings.Contains(a, "*") }) {
			t.Errorf("statement %s allows %v", s.Sid, s.Action)
		}
		if slices.Contains(s.Action, action) {
			on = append(on, s.Resource...)
		}
	}
	return on
}

func TestTrainingReadsAllAndWritesRuns(t *testing.T) {
	d := Training([]string{dataset}, []string{checkpoints}, "runs/", "training", []string{key})
	own := checkpoints + "/runs/${aws:PrincipalTag/kubernetes-service-account}/*"
	earlier := checkpoints + "/runs/*" // on a condition
	for action, want := range map[string][]string{
		"s3:GetObject":              {dataset + "/*", checkpoints + "/*"},
		"s3:ListBucket":             {dataset, checkpoints},
		"s3:PutObject":              {own, earlier},
		"s3:DeleteObject":           {own, earlier},
		"s3:AbortMultipartUpload":   {own, earlier},
		"kms:GenerateDataKey":       {key},
		"kms:Decrypt":               {key},
		"s3:PutBucketPolicy":        nil,
		"s3:DeleteObjectVersion":    nil,
		"s3:PutObjectRetention":     nil,
		"ecr:GetAuthorizationToken": nil,
	} {
		if got := allowed(t, d, action); !slices.Equal(got, want) {
			t.Errorf("%s on %v, want %v", action, got, want)
		}
	}
}

// A pattern of service accounts does not match the one that runs of earlier releases shared, nor that of another name.
func TestPodTrustOfRuns(t *testing.T) {
	got := PodTrust("111122223333", "arn:aws:eks:us-west-2:111122223333:cluster/c", "training", "?*-??????????")[0].Condition
	const tag = "aws:RequestTag/kubernetes-service-account"
	if _, exact := got["StringEquals"][tag]; exact || !slices.Equal(got["StringLike"][tag], Values{"?*-??????????"}) {
		t.Errorf("condition is %v", got)
	}
}

func TestPodTrust(t *testing.T) {
	d := PodTrust("111122223333", "arn:aws:eks:us-west-2:111122223333:cluster/llm-platform-dev", "training", "train")
	if len(d) != 1 || !slices.Equal(d[0].Principal.Service, []string{"pods.eks.amazonaws.com"}) || !slices.Equal(d[0].Action, []string{"sts:AssumeRole", "sts:TagSession"}) {
		t.Fatalf("%+v", d)
	}
	want := Conditions{
		"StringEquals": {
			"aws:SourceAccount":                         {"111122223333"},
			"aws:RequestTag/kubernetes-namespace":       {"training"},
			"aws:RequestTag/kubernetes-service-account": {"train"},
		},
		"ArnEquals": {"aws:SourceArn": {"arn:aws:eks:us-west-2:111122223333:cluster/llm-platform-dev"}},
	}
	if !reflect.DeepEqual(d[0].Condition, want) {
		t.Errorf("condition is %v, want %v", d[0].Condition, want)
	}
}

func TestFlowLogsStayInTheirGroup(t *testing.T) {
	const group = "arn:aws:logs:us-west-2:111122223333:log-group:flow"
	if got := allowed(t, FlowLogs(group), "logs:PutLogEvents"); !slices.Equal(got, []string{group, group + ":*"}) {
		t.Errorf("writes to %v", got)
	}
	if got := allowed(t, FlowLogs(group), "logs:CreateLogGroup"); got != nil {
		t.Errorf("makes %v", got)
	}
}
