package costs

// PricesAsOf is when the list prices below were last looked at. They change: look them up before a decision hangs on one.
const PricesAsOf = "2025-12"

// hours of a month, as AWS's own calculator counts.
const hours = 730

// Units of prices.
const (
	Hour  = "hour"
	Month = "month"
)

// rate is a list price in US dollars for one of something in a unit of time, by region. What is the same in every region
// has the region "".
type rate struct {
	per    string
	prices map[string]float64
	source string
}

// Things that are paid for as long as they exist.
const (
	interfaceEndpoint = "interface endpoint in a zone"
	balancerEndpoint  = "gateway load balancer endpoint in a zone"
	natGateway        = "NAT gateway"
	publicAddress     = "public IPv4 address"
	controlPlane      = "EKS control plane"
	key               = "KMS key, before rotations"
	vpnAssociation    = "Client VPN association of a zone"
	alarm             = "CloudWatch alarm"
	disk              = "GiB of gp3 disk"
)

// rates are in USD. Regions that are not here have no price, and neither have things whose price nobody was sure of.
var rates = map[string]rate{
	interfaceEndpoint: {Hour, map[string]float64{"us-east-1": 0.01, "eu-central-1": 0.012}, "https://aws.amazon.com/privatelink/pricing/"},
	balancerEndpoint:  {per: Hour, source: "https://aws.amazon.com/privatelink/pricing/"},
	natGateway:        {Hour, map[string]float64{"us-east-1": 0.045, "eu-central-1": 0.052}, "https://aws.amazon.com/vpc/pricing/"},
	publicAddress:     {Hour, map[string]float64{"": 0.005}, "https://aws.amazon.com/vpc/pricing/"},
	controlPlane:      {Hour, map[string]float64{"": 0.10}, "https://aws.amazon.com/eks/pricing/"},
	key:               {Month, map[string]float64{"": 1}, "https://aws.amazon.com/kms/pricing/"},
	vpnAssociation:    {Hour, map[string]float64{"us-east-1": 0.10, "eu-central-1": 0.10}, "https://aws.amazon.com/vpn/pricing/"},
	alarm:             {Month, map[string]float64{"us-east-1": 0.10, "eu-central-1": 0.10}, "https://aws.amazon.com/cloudwatch/pricing/"},
	disk:              {Month, map[string]float64{"us-east-1": 0.08, "eu-central-1": 0.0952}, "https://aws.amazon.com/ebs/pricing/"},
}

const machineSource = "https://aws.amazon.com/ec2/pricing/on-demand/"

// machines are the hourly on-demand prices of a family's large size under Linux; a size twice as large costs twice that.
var machines = map[string]map[string]float64{
	"us-east-1":    {"m5": 0.096, "m6i": 0.096, "m7i": 0.1008},
	"eu-central-1": {"m5": 0.115, "m6i": 0.115},
}

// sizes are in larges.
var sizes = map[string]float64{"large": 1, "xlarge": 2, "2xlarge": 4, "4xlarge": 8, "8xlarge": 16, "12xlarge": 24, "16xlarge": 32, "24xlarge": 48}

// price is the list price of a thing in a region, and whether it is known.
func price(thing, region string) (rate, float64, bool) {
	r := rates[thing]
	if p, ok := r.prices[region]; ok {
		return r, p, true
	}
	p, ok := r.prices[""]
	return r, p, ok
}
