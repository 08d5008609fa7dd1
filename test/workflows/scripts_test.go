package workflows

import (
	"maps"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// recorded writes a call to the file calls.
const recorded = "echo \"$0 $*\" | sed 's|.*/bin/||' >> \"$CALLS\"\n"

// The review of a pull request is posted to the one whose head is the commit, and to no other.
func TestComment(t *testing.T) {
	gh := recorded + `case "$*" in *api*) echo $NUMBER ;; *comment*) cat "${@: -1}" >> "$CALLS" ;; esac`
	files := map[string]string{"reviews/review-dev/review.md": strings.Repeat("x", 70000), "reviews/review-prod/review.md": "of prod\n"}
	run := script(t, "preview-comment.yml", "comment", "gh pr comment")
	env := []string{"SHA=0123abcd", "GH_REPO=o/r", "NUMBER=7"}
	calls, out, code := fake(t, map[string]string{"gh": gh}, env, files, "bash", "-e", "-c", run)
	for _, text := range []string{`.head.sha == "0123abcd"`, "gh pr comment 7 --edit-last --create-if-none", "<sub>review-dev</sub>\n\nxxx", "<sub>review-prod</sub>\n\nof prod\n"} {
		if !strings.Contains(calls, text) {
			t.Errorf("%q not in\n%s", text, calls)
		}
	}
	if code != 0 || len(calls) > 65536 {
		t.Errorf("code %d, %d characters: %s", code, len(calls), out)
	}
	calls, _, code = fake(t, map[string]string{"gh": gh}, []string{"SHA=0123abcd", "GH_REPO=o/r", "NUMBER="}, files, "bash", "-e", "-c", run)
	if code != 0 || strings.Contains(calls, "comment") {
		t.Errorf("without a pull request: %d %s", code, calls)
	}
}

// A deployment that loses data stops unless it was asked for; a preview that fails stops in any case.
func TestUpStops(t *testing.T) {
	run := script(t, "up.yml", "preview", "-steps")
	for name, c := range map[string]struct{ review, lose, want string }{
		"fine":                 {"0", "false", "0"},
		"data lost":            {"2", "false", "2"},
		"data lost, on demand": {"2", "true", "0"},
		"failed":               {"1", "true", "1"},
	} {
		files := map[string]string{".build/bin/review": "#!/bin/sh\necho '## Preview'; exit " + c.review}
		_, out, code := fake(t, nil, []string{"LOSE=" + c.lose, "GITHUB_STEP_SUMMARY=summary"}, files, "bash", "-e", "-c", run+"\ncat summary")
		if got := string(rune('0' + code)); got != c.want {
			t.Errorf("%s: %s, want %s: %s", name, got, c.want, out)
		}
	}
}

// One issue is created, updated and closed.
func TestIssue(t *testing.T) {
	gh := recorded + `[ "$2" != list ] || echo $NUMBER`
	for name, c := range map[string]struct {
		number, text, says string
		code               int
	}{
		"new":       {"", "update Vpc", "gh issue create --title Drift --body-file", 1},
		"known":     {"12", "update Vpc", "gh issue edit 12 --body-file", 1},
		"gone":      {"12", "", "gh issue close 12", 0},
		"was never": {"", "", "gh issue list", 0},
	} {
		calls, out, code := fake(t, map[string]string{"gh": gh}, []string{"NUMBER=" + c.number}, map[string]string{"drift.txt": c.text},
			filepath.Join(folder(t), ".github", "issue.sh"), "Drift", "drift.txt")
		if code != c.code || !strings.Contains(calls, c.says) || strings.Count(calls, "\n") > 2 || c.text == "" != (out == "") {
			t.Errorf("%s: %d\n%s\n%s", name, code, calls, out)
		}
	}
}

// Facts that were read a year ago are listed, and only these.
func TestFacts(t *testing.T) {
	for today, want := range map[string]int{"2026-11-26": 0, "2027-07-20": 0, "2027-07-21": 1, "2036-01-01": 20} {
		cmd := exec.CommandContext(t.Context(), "make", "-s", "facts", "TODAY="+today)
		cmd.Dir = folder(t)
		out, err := cmd.Output()
		if old := strings.Count("\n"+string(out), "\n| 2"); (err != nil) != (want > 0) || old < want || want < 20 && old != want {
			t.Errorf("%s: %d facts (%v), want %d\n%s", today, old, err, want, out)
		}
	}
}

// The bucket and the keys of the state are created once, and what protects them is set each time. A stack has a key of its own,
// also beside a bucket that an earlier release created.
func TestState(t *testing.T) {
	const keys, bucket = "arn:aws-cn:kms:cn-north-1:111122223333:key/", "llm-platform-state-111122223333-cn-north-1"
	aws := recorded + `case "$*" in
*"query Account"*) echo 111122223333 ;;
*"query Arn"*) echo arn:aws-cn:sts::111122223333:assumed-role/a/b ;;
"kms create-key"*" prod "*) echo 5678 ;;
"kms create-key"*) echo 1234 ;;
"kms create-alias"*) mkdir -p "$4" && echo "$6" > "$4/id" ;;
"kms describe-key"*) [ -e "$4/id" ] && echo ` + keys + `$(cat "$4/id") ;;
"s3api head-bucket"* | "s3api get-bucket-policy"*) [ -e bucket ] ;;
"s3api put-bucket-policy"*) touch bucket ;;
esac`
	bucketKey, stackKey := "kms create-alias --alias-name alias/llm-platform-state --target-key-id 1234\n", "kms create-alias --alias-name alias/llm-platform-state-prod --target-key-id 5678\n"
	always := []string{
		"kms enable-key-rotation --key-id " + keys + "1234\n", "kms enable-key-rotation --key-id " + keys + "5678\n", "BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true",
		"put-bucket-versioning --bucket " + bucket + " --versioning-configuration Status=Enabled", `"KMSMasterKeyID": "` + keys + `1234"`}
	ofBucket := []string{`"aws:SecureTransport": "false"`, `"arn:aws-cn:s3:::` + bucket + `/*"`, bucketKey, "create-bucket --bucket " + bucket + " --create-bucket-configuration LocationConstraint=cn-north-1"}
	earlier := map[string]string{"bucket": "", "alias/llm-platform-state/id": "1234"}
	again := maps.Clone(earlier)
	again["alias/llm-platform-state-prod/id"] = "5678"
	for name, c := range map[string]struct {
		files          map[string]string
		bucket, secret bool // are created
	}{"new": {nil, true, true}, "of an earlier release": {earlier, false, true}, "again": {again, false, false}} {
		calls, out, code := fake(t, map[string]string{"aws": aws}, []string{"AWS_REGION=cn-north-1", "STACK=prod"}, c.files, filepath.Join(folder(t), ".github", "state.sh"))
		if code != 0 {
			t.Fatalf("%s: %d %s", name, code, out)
		}
		for _, text := range always {
			if !strings.Contains(calls, text) {
				t.Errorf("%s: %q not in\n%s", name, text, calls)
			}
		}
		for _, text := range ofBucket {
			if strings.Contains(calls, text) != c.bucket {
				t.Errorf("%s: %q in\n%s", name, text, calls)
			}
		}
		if strings.Contains(calls, stackKey) != c.secret {
			t.Errorf("%s: %q in\n%s", name, stackKey, calls)
		}
		for _, line := range []string{
			"pulumi login 's3://" + bucket + "?region=cn-north-1'",
			"pulumi stack init prod --secrets-provider 'awskms:///alias/llm-platform-state-prod?region=cn-north-1'",
			"pulumi config set --path ci.stateBucketArn arn:aws-cn:s3:::" + bucket,
			"pulumi config set --path ci.stateKmsKeyArn " + keys + "5678",
		} {
			if !strings.Contains(out, line+"\n") {
				t.Errorf("%s: %q not in\n%s", name, line, out)
			}
		}
	}
}

// Without a region or a stack nothing is created, and nothing after a key that cannot be.
func TestStateNeeds(t *testing.T) {
	for want, c := range map[string]struct{ env, fails, not string }{
		"set AWS_REGION":            {"STACK=prod", "configure", "create"},
		"STACK: is the stack":       {"AWS_REGION=us-west-2", "configure", "create"},
		"kms create-key is refused": {"AWS_REGION=us-west-2 STACK=prod", "kms", "create-alias"},
	} {
		calls, out, code := fake(t, map[string]string{"aws": recorded + `[ "$1" != ` + c.fails + ` ] || { echo "$1 $2 is refused" >&2; exit 1; }`},
			strings.Fields(c.env), nil, filepath.Join(folder(t), ".github", "state.sh"))
		if code != 1 || !strings.Contains(out, want) || strings.Contains(calls, c.not) {
			t.Errorf("%d %s %s", code, calls, out)
		}
	}
}
