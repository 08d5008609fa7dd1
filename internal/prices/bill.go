// Package prices says what a stack costs, as far as the settings decide it: what is billed by the hour whether or not
// anybody trains. Traffic, objects, logs, metrics, requests, keys, public addresses and taxes are not counted.
package prices

import (
	"fmt"
	"maps"
	"slices"

	"llm-platform/internal/accelerator"
	"llm-platform/internal/nodepool"
	"llm-platform/internal/settings"
)

// Line is one part of a Bill.
type Line struct {
	What    string  // for example 2 x p5.48xlarge in pool gpu
	Initial float64 // USD per hour with the initial number of nodes
	Maximum float64 // USD per hour with maxNodes; the same for what is not a pool
	Unknown string  // why there is no price; empty: there is one
}

// Bill is what a stack costs.
type Bill struct {
	Region string // of the prices
	Lines  []Line
}

// Total returns the known cost in USD per hour, initially and with all pools at maxNodes, and reports whether the price
// of every line is known.
func (b Bill) Total() (initial, maximum float64, complete bool) {
	complete = true
	for _, line := range b.Lines {
		initial, maximum = initial+line.Initial, maximum+line.Maximum
		complete = complete && line.Unknown == ""
	}
	return initial, maximum, complete
}

// Month returns the cost of a month, from that of an hour.
func Month(usdPerHour float64) float64 { return usdPerHour * hoursPerMonth }

// Cost returns what a stack costs at the prices of its own region.
func Cost(s settings.Settings) Bill { return cost(s, s.Region) }

// Reference returns what a stack would cost in Region. A price that cluster.instanceTypes gives for the stack's own
// region is preferred.
func Reference(s settings.Settings) Bill { return cost(s, s.Region, Region) }

// cost takes prices of the given regions, the last of which is that of the bill.
func cost(s settings.Settings, regions ...string) Bill {
	b := biller{regions: regions}
	if !s.Cluster.Existing() {
		b.cluster(s)
	}
	if kind := s.SageMaker.NotebookInstanceType; kind != "" {
		b.add(Line{What: "notebook, " + kind, Unknown: "no price of SageMaker's instance types"})
	}
	return Bill{Region: regions[len(regions)-1], Lines: b.lines}
}

type biller struct {
	regions []string
	lines   []Line
}

func (b *biller) add(line Line) { b.lines = append(b.lines, line) }

// service adds what has a rate in Region, of which the costs are given in USD per hour.
func (b *biller) service(what string, initial, maximum float64) {
	if !slices.Contains(b.regions, Region) {
		b.add(Line{What: what, Unknown: b.elsewhere()})
		return
	}
	b.add(Line{What: what, Initial: initial, Maximum: maximum})
}

func (b *biller) elsewhere() string { return "no price in " + b.regions[0] }

func (b *biller) cluster(s settings.Settings) {
	system := nodepool.DescribeSystem(s.Cluster.SystemInstanceType)
	volumes := float64(s.Cluster.SystemNodes) * volumeHour(system.VolumeGB, system.VolumeMiBps)
	most := volumes
	for _, name := range slices.Sorted(maps.Keys(s.Cluster.Pools)) {
		pool := s.Cluster.Pools[name]
		b.add(b.pool(name, pool))
		volume := volumeHour(pool.VolumeGB, nodepool.VolumeMiBps)
		volumes += float64(pool.Nodes) * volume
		most += float64(pool.MaxNodes) * volume
	}
	b.add(b.system(s.Cluster))
	b.service("EKS control plane", controlPlaneHour, controlPlaneHour)
	if zones := len(s.Network.Zones); s.Network.VPCID == "" {
		gateways := 1
		if s.Network.NAT == settings.NATPerZone {
			gateways = zones
		}
		b.fixed(gateways, "NAT gateway", 1, natGatewayHour)
		b.fixed(len(s.Network.InterfaceEndpoints), "interface endpoint", zones, endpointZoneHour)
	}
	b.service("volumes of the nodes", volumes, most)
}

// fixed adds n items, each of which is billed so many times; none adds nothing.
func (b *biller) fixed(n int, what string, times int, rate float64) {
	if n == 0 {
		return
	}
	what = fmt.Sprintf("%d x %s", n, what)
	if times > 1 {
		what += fmt.Sprintf(" in %d zones", times)
	}
	usd := float64(n*times) * rate
	b.service(what, usd, usd)
}

// pool returns the line of a pool. A capacity reservation costs the on-demand price of its instances.
func (b *biller) pool(name string, pool settings.Pool) Line {
	line := Line{What: fmt.Sprintf("%d x %s in pool %s", pool.Nodes, pool.InstanceType, name)}
	if pool.MaxNodes > pool.Nodes {
		line.What += fmt.Sprintf(", at most %d", pool.MaxNodes)
	}
	switch usd := b.hour(pool.Type.Price); {
	case pool.Capacity == settings.Spot:
		line.Unknown = "spot prices vary"
	case pool.Capacity == settings.CapacityBlock:
		line.Unknown = "paid with the capacity block"
	case usd == 0:
		line.Unknown = b.elsewhere()
	default:
		line.Initial, line.Maximum = float64(pool.Nodes)*usd, float64(pool.MaxNodes)*usd
	}
	return line
}

func (b *biller) system(c settings.Cluster) Line {
	line := Line{What: fmt.Sprintf("%d x %s for the cluster's own pods", c.SystemNodes, c.SystemInstanceType)}
	t, err := accelerator.LookupProcessor(c.SystemInstanceType)
	usd := b.hour(t.Price)
	if err != nil || usd == 0 {
		line.Unknown = b.elsewhere()
		return line
	}
	line.Initial = float64(c.SystemNodes) * usd
	line.Maximum = line.Initial
	return line
}

// hour returns a price of an hour, or 0 if it is unknown in the regions.
func (b *biller) hour(p accelerator.Price) float64 {
	if slices.Contains(b.regions, p.Region) {
		return p.USDPerHour
	}
	return 0
}

// volumeHour returns the cost of a gp3 volume, in USD per hour; throughput 0 is the base.
func volumeHour(gb, mibps int) float64 {
	return (float64(gb)*gp3GBMonth + float64(max(0, mibps-gp3BaseMiBps))*gp3MiBpsMonth) / hoursPerMonth
}
