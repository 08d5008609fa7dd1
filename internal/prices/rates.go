package prices

// Region is the region of the rates below and of the prices in internal/accelerator. Prices of other regions differ, and
// are known only where cluster.instanceTypes has them.
const Region = "us-east-1"

// hoursPerMonth is what AWS's own pricing examples use: 365 days of 24 hours in 12 months.
const hoursPerMonth = 730

// Rates of services in Region, in USD.
const (
	// A cluster in standard support, which all versions of internal/catalog are in.
	// https://aws.amazon.com/blogs/containers/amazon-eks-extended-support-for-kubernetes-versions-pricing/, read 2026-11-26
	controlPlaneHour = 0.10

	// A NAT gateway, without the traffic through it. AWS's page gives the same for us-east-2.
	// https://sst.dev/docs/component/aws/vpc/ and https://aws.amazon.com/vpc/pricing/ in transcript, read 2026-11-26
	natGatewayHour = 0.045

	// An interface endpoint in one zone, without traffic. Of AWS's page only copies without the figure were to be had; this
	// calculator has 43.78 USD for 4378 hours: https://cloudcostkit.com/calculators/aws-vpc-interface-endpoint-cost-calculator,
	// read 2026-11-26
	endpointZoneHour = 0.01

	// A GB of a gp3 volume, and a MiB/s of throughput beyond the base that the size includes.
	// https://www.saisci.com/aws/gp2-vs-gp3-cost-comparison-ebs-volumes/, of 2021-02-04, which quotes AWS's page for us-east-1,
	// read 2026-11-26
	gp3GBMonth, gp3MiBpsMonth = 0.08, 0.04
	gp3BaseMiBps              = 125
)
