package catalog

import "fmt"

// EKSRegistry returns the host of the registry with EKS's own images in a region.
func EKSRegistry(region string) string {
	account, listed := eksRegistryAccounts()[region]
	if !listed {
		account = "602401143452"
	}
	return fmt.Sprintf("%s.dkr.ecr.%s.%s", account, region, DNSSuffix(region))
}

// eksRegistryAccounts returns the account of EKS's registry by region. Regions that are not listed have
// 602401143452. The account of eusc-de-east-1, 877088126301, is left out with its partition.
// https://docs.aws.amazon.com/eks/latest/userguide/add-ons-images.html, read 2026-11-25
func eksRegistryAccounts() map[string]string {
	return map[string]string{
		"af-south-1":     "877085696533",
		"ap-east-1":      "800184023465",
		"ap-east-2":      "533267051163",
		"ap-south-2":     "900889452093",
		"ap-southeast-3": "296578399912",
		"ap-southeast-4": "491585149902",
		"ap-southeast-5": "151610086707",
		"ap-southeast-6": "333609536671",
		"ap-southeast-7": "121268973566",
		"ca-west-1":      "761377655185",
		"cn-north-1":     "918309763551",
		"cn-northwest-1": "961992271922",
		"eu-central-2":   "900612956339",
		"eu-south-1":     "590381155156",
		"eu-south-2":     "455263428931",
		"il-central-1":   "066635153087",
		"me-central-1":   "759879836304",
		"me-south-1":     "558608220178",
		"mx-central-1":   "730335286997",
		"us-gov-east-1":  "151742754352",
		"us-gov-west-1":  "013241004608",
	}
}

// DeepLearningAccount returns the account that owns the registry of AWS's Deep Learning Containers in a
// region. It knows the regions that are enabled by default, China and us-gov-west-1; opt-in regions have
// other accounts.
// https://docs.aws.amazon.com/sagemaker/latest/dg-ecr-paths/ecr-us-west-2.html, read 2026-11
func DeepLearningAccount(region string) string {
	switch Partition(region) {
	case "aws-cn":
		return "727897471807"
	case "aws-us-gov":
		return "442386744353"
	default:
		return "763104351884"
	}
}
