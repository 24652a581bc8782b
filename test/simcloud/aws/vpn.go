package aws

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2clientvpn"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// vpnTypes are Client VPN endpoints: https://docs.aws.amazon.com/vpn/latest/clientvpn-admin/limits.html
func vpnTypes() []*simcloud.ResourceType {
	t := kind(vpnEndpoint, ec2clientvpn.EndpointArgs{}, ec2clientvpn.Endpoint{}, "authenticationOptions")
	t.Defaults = simcloud.Values{"transportProtocol": "udp", "vpnPort": 443, "sessionTimeoutHours": 24, "splitTunnel": false, "selfServicePortal": "disabled"}
	t.Replace = []string{"authenticationOptions", "clientCidrBlock", "transportProtocol"}
	t.References = []simcloud.Reference{holding(toVPC("vpcId")), holding(toGroup("securityGroupIds[]")),
		to("connectionLogOptions.cloudwatchLogGroup", "InvalidParameterValue", "The log group %s does not exist", logGroup)}
	t.Check = func(p *simcloud.Plan) {
		cidrAt(p, "clientCidrBlock", 12, 22)
		oneOf(p, "transportProtocol", "udp", "tcp")
		oneOf(p, "vpnPort", 443, 1194)
		oneOf(p, "sessionTimeoutHours", 8, 10, 12, 24)
		for i, o := range p.Values.List("authenticationOptions") {
			at := fmt.Sprintf("authenticationOptions[%d].", i)
			oneOf(p, at+"type", "certificate-authentication", "directory-service-authentication", "federated-authentication")
			needs := map[string]string{"certificate-authentication": "rootCertificateChainArn", "directory-service-authentication": "activeDirectoryId", "federated-authentication": "samlProviderArn"}[o.String("type")]
			if needs != "" && !o.Has(needs) {
				p.Add(at+needs, "MissingParameter: authentication of type "+o.String("type")+" needs "+needs)
			}
		}
		if text := p.Values.String("serverCertificateArn"); text != "" && !strings.HasPrefix(text, "arn:aws:acm:") {
			p.Add("serverCertificateArn", "InvalidParameterValue: Certificate "+text+" does not exist: it is an ARN of ACM")
		}
	}
	t.Create = func(c *simcloud.Change) error {
		for _, group := range c.New.Strings("securityGroupIds") {
			if o := c.Cloud.Get(c.Scope, securityGroup, group); o.State.String("vpcId") != c.New.String("vpcId") {
				return errorf("InvalidParameterValue", "Security group %s does not belong to VPC %q", group, c.New.String("vpcId"))
			}
		}
		c.ID = id(c, "cvpn-endpoint")
		c.Out["arn"], c.Out["dnsName"] = arn("ec2", c.Scope, "client-vpn-endpoint/"+c.ID), "*."+c.ID+".prod.clientvpn."+c.Scope+".amazonaws.com"
		return nil
	}

	endpoint := to("clientVpnEndpointId", "InvalidClientVpnEndpointId.NotFound", "Endpoint %s does not exist", vpnEndpoint)
	association := kind(vpnAssociation, ec2clientvpn.NetworkAssociationArgs{}, ec2clientvpn.NetworkAssociation{})
	association.Replace = []string{"clientVpnEndpointId", "subnetId"}
	association.References = []simcloud.Reference{holding(endpoint), holding(toSubnet("subnetId"))}
	association.Create = func(c *simcloud.Change) error {
		of := c.Cloud.Get(c.Scope, vpnEndpoint, c.New.String("clientVpnEndpointId"))
		in := c.Cloud.Get(c.Scope, subnet, c.New.String("subnetId"))
		clients, err := netip.ParsePrefix(of.State.String("clientCidrBlock"))
		if err != nil {
			return errorf("InvalidParameterValue", "%v", err)
		}
		for _, local := range vpcRanges(c.Cloud, c.Scope, in.State.String("vpcId")) {
			if local.Overlaps(clients) {
				return errorf("InvalidParameterValue", "The client CIDR range %s overlaps with the local CIDR %s of the VPC", clients, local)
			}
		}
		if at := of.State.String("vpcId"); at != "" && at != in.State.String("vpcId") {
			return errorf("InvalidParameterValue", "Subnet %s is not in VPC %s of endpoint %s", in.ID, at, of.ID)
		}
		for _, o := range c.Cloud.Find(c.Scope, vpnAssociation, nil) {
			other := c.Cloud.Get(c.Scope, subnet, o.State.String("subnetId"))
			if o.State.String("clientVpnEndpointId") == of.ID && other != nil && other.State.String("availabilityZone") == in.State.String("availabilityZone") {
				return errorf("InvalidClientVpnDuplicateAssociation", "The endpoint %s is associated with a subnet of %s already", of.ID, in.State.String("availabilityZone"))
			}
		}
		c.ID = id(c, "cvpn-assoc")
		c.Out["associationId"], c.Out["vpcId"] = c.ID, in.State["vpcId"]
		c.Beside = []*simcloud.Object{newInterface(c, in, "interface", "ClientVPN Endpoint resource "+of.ID, of.State.Strings("securityGroupIds"))}
		return nil
	}

	rule := kind(vpnAuthorization, ec2clientvpn.AuthorizationRuleArgs{}, ec2clientvpn.AuthorizationRule{})
	rule.Replace = []string{"accessGroupId", "authorizeAllGroups", "clientVpnEndpointId", "description", "targetNetworkCidr"}
	rule.References = []simcloud.Reference{endpoint}
	rule.Check = func(p *simcloud.Plan) {
		cidrAt(p, "targetNetworkCidr", 0, 32)
		exactlyOne(p, []string{"accessGroupId", "authorizeAllGroups"})
	}
	rule.Create = func(c *simcloud.Change) error {
		c.ID = c.New.String("clientVpnEndpointId") + "," + c.New.String("targetNetworkCidr")
		if group := c.New.String("accessGroupId"); group != "" {
			c.ID += "," + group
		}
		if c.Cloud.Get(c.Scope, vpnAuthorization, c.ID) != nil {
			return errorf("InvalidClientVpnDuplicateAuthorizationRule", "The rule %s exists already", c.ID)
		}
		return nil
	}
	return []*simcloud.ResourceType{t, association, rule}
}
