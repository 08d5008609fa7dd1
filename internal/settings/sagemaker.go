package settings

import "regexp"

// SageMaker is the settings of the notebook instance; the execution role has none.
type SageMaker struct {
	NotebookInstanceType     string   `json:"notebookInstanceType"`     // as ml.t3.medium. Empty: no notebook
	NotebookSubnetID         string   `json:"notebookSubnetId"`         // private subnet that the notebook stands in
	NotebookSecurityGroupIDs []string `json:"notebookSecurityGroupIds"` // one to five
	VolumeGB                 int      `json:"notebookVolumeGB"`         // GB
}

var (
	notebookType  = regexp.MustCompile(`^ml\.[a-z0-9]+\.[a-z0-9]+$`)
	subnetID      = regexp.MustCompile(`^subnet-[0-9a-f]{8,17}$`)
	securityGroup = regexp.MustCompile(`^sg-[0-9a-f]{8,17}$`)
)

func (s *SageMaker) check(f *faults, storage Storage) {
	const typeKey, subnetKey, groupsKey = "sagemaker.notebookInstanceType", "sagemaker.notebookSubnetId", "sagemaker.notebookSecurityGroupIds"
	// https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateNotebookInstance.html
	f.between("sagemaker.notebookVolumeGB", s.VolumeGB, 5, 16384, "GB")
	if s.NotebookSubnetID != "" && !subnetID.MatchString(s.NotebookSubnetID) {
		f.add(subnetKey, "%q is not a subnet's id (subnet-…)", s.NotebookSubnetID)
	}
	if len(s.NotebookSecurityGroupIDs) > 5 {
		f.add(groupsKey, "%d are too many: SageMaker takes five", len(s.NotebookSecurityGroupIDs))
	}
	for _, group := range s.NotebookSecurityGroupIDs {
		if !securityGroup.MatchString(group) {
			f.add(groupsKey, "%q is not a security group's id (sg-…)", group)
		}
	}
	if s.NotebookInstanceType == "" {
		if s.NotebookSubnetID != "" || len(s.NotebookSecurityGroupIDs) > 0 {
			f.add(typeKey, "is empty, but a subnet or security groups are given: set it, as ml.t3.medium, or remove them")
		}
		return
	}
	if !notebookType.MatchString(s.NotebookInstanceType) {
		f.add(typeKey, "%q is not a SageMaker instance type, as ml.t3.medium", s.NotebookInstanceType)
	}
	if s.NotebookSubnetID == "" {
		f.add(subnetKey, "is missing: the notebook is private, so it needs a subnet of the training account (or set %s to \"\")", typeKey)
	}
	if len(s.NotebookSecurityGroupIDs) == 0 {
		f.add(groupsKey, "is empty: a notebook in a subnet needs one to five security groups")
	}
	if storage.Encryption == AES256 {
		f.add(typeKey, "the notebook's volume is encrypted with the key of the data, and storage.encryption aes256 makes none: set it to kms")
	}
}
