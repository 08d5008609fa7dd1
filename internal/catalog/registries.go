package catalog

import "fmt"

// EKSRegistry returns the host of the registry with EKS's own images in a region.
func EKSRegistry(region string) string {
	account, listed := eksRegistryAccounts()[region]
	if !listed {
		account = "602401143452"
	}
	return fmt.Sprintf("%s.dkr.ecr.%s.%s", account, region, dnsSuffix)
}

// eksRegistryAccounts returns the account of EKS's registry by region. Regions that are not listed have
// 602401143452. Those of other partitions are left out.
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
		"eu-central-2":   "900612956339",
		"eu-south-1":     "590381155156",
		"eu-south-2":     "455263428931",
		"il-central-1":   "066635153087",
		"me-central-1":   "759879836304",
		"me-south-1":     "558608220178",
		"mx-central-1":   "730335286997",
	}
}

// DeepLearningAccount returns the account that owns the registry of AWS's Deep Learning Containers in a region.
// Regions that are not listed have 763104351884.
func DeepLearningAccount(region string) string {
	if account, listed := deepLearningAccounts()[region]; listed {
		return account
	}
	return "763104351884"
}

// deepLearningAccounts returns the account of the registry of AWS's Deep Learning Containers by region.
// https://aws.github.io/deep-learning-containers/reference/region_availability, read 2026-11-26
func deepLearningAccounts() map[string]string {
	return map[string]string{
		"af-south-1":     "626614931356",
		"ap-east-1":      "871362719292",
		"ap-east-2":      "975050140332",
		"ap-northeast-3": "364406365360",
		"ap-south-2":     "772153158452",
		"ap-southeast-3": "907027046896",
		"ap-southeast-4": "457447274322",
		"ap-southeast-5": "550225433462",
		"ap-southeast-6": "633930458069",
		"ap-southeast-7": "590183813437",
		"ca-west-1":      "204538143572",
		"eu-central-2":   "380420809688",
		"eu-south-1":     "692866216735",
		"eu-south-2":     "503227376785",
		"il-central-1":   "780543022126",
		"me-central-1":   "914824155844",
		"me-south-1":     "217643126080",
		"mx-central-1":   "637423239942",
	}
}
