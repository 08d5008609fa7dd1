package settings

import (
	"regexp"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// SageMaker describes the notebook instance. The execution role has no settings.
type SageMaker struct {
	NotebookInstanceType     string   `json:"notebookInstanceType"`     // for example ml.t3.medium. Empty: no notebook
	NotebookSubnetID         string   `json:"notebookSubnetId"`         // private subnet
	NotebookSecurityGroupIDs []string `json:"notebookSecurityGroupIds"` // one to five
	NotebookVolumeGB         int      `json:"notebookVolumeGB"`
}

var (
	notebookType  = regexp.MustCompile(`^ml\.[a-z0-9]+\.[a-z0-9]+$`)
	subnetID      = regexp.MustCompile(`^subnet-[0-9a-f]{8,17}$`)
	securityGroup = regexp.MustCompile(`^sg-[0-9a-f]{8,17}$`)
)

// https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateNotebookInstance.html
func (s SageMaker) validate(p *field.Path, storage Storage) field.ErrorList {
	kind, subnet, groups := p.Child("notebookInstanceType"), p.Child("notebookSubnetId"), p.Child("notebookSecurityGroupIds")
	errs := between(p.Child("notebookVolumeGB"), s.NotebookVolumeGB, 5, 16384)
	errs = append(errs, optional(kind, s.NotebookInstanceType, notebookType,
		"a SageMaker instance type, for example ml.t3.medium")...)
	errs = append(errs, optional(subnet, s.NotebookSubnetID, subnetID, "a subnet id (subnet-…)")...)
	errs = append(errs, unique(groups, s.NotebookSecurityGroupIDs)...)
	if n := len(s.NotebookSecurityGroupIDs); n > 5 {
		errs = append(errs, field.Invalid(groups, n, "must be one to five security groups"))
	}
	for i, group := range s.NotebookSecurityGroupIDs {
		errs = append(errs, match(groups.Index(i), group, securityGroup, "a security group id (sg-…)")...)
	}
	if s.NotebookInstanceType == "" {
		if s.NotebookSubnetID != "" || len(s.NotebookSecurityGroupIDs) > 0 {
			errs = append(errs, field.Required(kind,
				"set it, for example to ml.t3.medium, or remove the notebook's subnet and security groups"))
		}
		return errs
	}
	if s.NotebookSubnetID == "" {
		errs = append(errs, field.Required(subnet, "name an existing private subnet of the training account. The "+
			"first pulumi up creates those of the stack's own VPC (output vpcId): add the notebook after it"))
	}
	if len(s.NotebookSecurityGroupIDs) == 0 {
		errs = append(errs, field.Required(groups, "list one to five security groups"))
	}
	if storage.Encryption == AES256 {
		errs = append(errs, field.Forbidden(kind,
			"cannot be combined with storage.encryption aes256: the notebook's volume is encrypted with the KMS "+
				"key of the data; set storage.encryption to kms"))
	}
	return errs
}
