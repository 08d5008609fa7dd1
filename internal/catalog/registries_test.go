package catalog

import (
	"regexp"
	"testing"
)

func TestEKSRegistry(t *testing.T) {
	for region, want := range map[string]string{
		"us-west-2":     "602401143452.dkr.ecr.us-west-2.amazonaws.com",
		"il-central-1":  "066635153087.dkr.ecr.il-central-1.amazonaws.com",
		"ca-west-1":     "761377655185.dkr.ecr.ca-west-1.amazonaws.com",
		"us-gov-west-1": "013241004608.dkr.ecr.us-gov-west-1.amazonaws.com",
		"cn-north-1":    "918309763551.dkr.ecr.cn-north-1.amazonaws.com.cn",
	} {
		if got := EKSRegistry(region); got != want {
			t.Errorf("%s: %s, want %s", region, got, want)
		}
	}
	account := regexp.MustCompile(`^[0-9]{12}$`)
	seen := map[string]string{}
	for region, id := range eksRegistryAccounts() {
		if other, twice := seen[id]; twice || !account.MatchString(id) {
			t.Errorf("%s has account %q, as has %q", region, id, other)
		}
		seen[id] = region
	}
	if len(seen) < 20 {
		t.Fatalf("%d accounts: this test tests little", len(seen))
	}
}

func TestDeepLearningAccount(t *testing.T) {
	for region, want := range map[string]string{
		"us-west-2": "763104351884", "cn-north-1": "727897471807", "us-gov-west-1": "442386744353", "us-gov-east-1": "446045086412",
		"ap-northeast-3": "364406365360", // enabled by default, and still has an account of its own
		"eu-south-1":     "692866216735",
	} {
		if got := DeepLearningAccount(region); got != want {
			t.Errorf("%s: %s, want %s", region, got, want)
		}
	}
	account := regexp.MustCompile(`^[0-9]{12}$`)
	for region, id := range deepLearningAccounts() {
		if !account.MatchString(id) || id == "763104351884" {
			t.Errorf("%s has account %q", region, id)
		}
	}
}

func TestEFADevicePlugin(t *testing.T) {
	const want = "602401143452.dkr.ecr.us-west-2.amazonaws.com/eks/aws-efa-k8s-device-plugin:v0.5.20"
	if got := EFADevicePlugin("us-west-2"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
