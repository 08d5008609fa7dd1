package catalog

import (
	"regexp"
	"testing"
)

func TestEKSRegistry(t *testing.T) {
	for region, want := range map[string]string{
		"us-west-2":    "602401143452.dkr.ecr.us-west-2.amazonaws.com",
		"il-central-1": "066635153087.dkr.ecr.il-central-1.amazonaws.com",
		"ca-west-1":    "761377655185.dkr.ecr.ca-west-1.amazonaws.com",
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
	if len(seen) < 15 {
		t.Fatalf("%d accounts: this test tests little", len(seen))
	}
}

func TestDeepLearningAccount(t *testing.T) {
	for region, want := range map[string]string{
		"us-west-2":      "763104351884",
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

// Regions whose accounts AWS's page had not at first, and for which EKS's own account would be wrong.
func TestEKSRegistryOfNewRegions(t *testing.T) {
	for region, account := range map[string]string{
		"ap-east-2": "533267051163", "ap-southeast-5": "151610086707", "ca-west-1": "761377655185", "mx-central-1": "730335286997",
	} {
		if got := eksRegistryAccounts()[region]; got != account {
			t.Errorf("%s: account %q, want %s", region, got, account)
		}
	}
}
