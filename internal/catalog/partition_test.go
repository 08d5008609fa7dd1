package catalog

import "testing"

func TestPartition(t *testing.T) {
	for region, want := range map[string]string{"us-west-2": "aws", "cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov"} {
		if got := Partition(region); got != want {
			t.Errorf("%s lies in %s, want %s", region, got, want)
		}
	}
}
