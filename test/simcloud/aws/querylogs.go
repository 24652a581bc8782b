package aws

import (
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// queryLogTypes are the logs of DNS queries: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resolver-query-logs.html
func queryLogTypes() []*simcloud.ResourceType {
	t := kind(queryLog, route53.ResolverQueryLogConfigArgs{}, route53.ResolverQueryLogConfig{})
	t.Naming = &simcloud.Naming{Property: "name", Automatic: true, Max: 64}
	t.Replace = []string{"name", "destinationArn"}
	t.InUse = func(*simcloud.Object, *simcloud.Object) *simcloud.Error {
		return errorf("InvalidRequestException", "Cannot delete a query logging configuration that is associated with VPCs: disassociate them first")
	}
	t.Check = func(p *simcloud.Plan) {
		if name := p.Values.String("name"); len(name) > 64 {
			p.Add("name", "expected length of name to be in the range (1 - 64), got "+name)
		}
	}
	t.Create = func(c *simcloud.Change) error {
		destination := c.New.String("destinationArn")
		missing := errorf("InvalidParameterException", "[RSLVR-01412] The destination %s does not exist or cannot be written to", destination)
		switch {
		case strings.HasPrefix(destination, "arn:aws:s3:::"):
			name, _, _ := strings.Cut(strings.TrimPrefix(destination, "arn:aws:s3:::"), "/")
			if c.Cloud.Get("", bucket, name) == nil {
				return missing
			}
		case c.Cloud.By(c.Scope, logGroup, "arn", strings.TrimSuffix(destination, ":*")) == nil:
			return missing
		}
		c.ID = "rqlc-" + digits(c.Cloud, "rqlc", 17)
		c.Out["arn"], c.Out["ownerId"], c.Out["shareStatus"] = arn("route53resolver", c.Scope, "resolver-query-log-config/"+c.ID), Account, "NOT_SHARED"
		return nil
	}

	association := kind(queryLogAssociation, route53.ResolverQueryLogConfigAssociationArgs{}, route53.ResolverQueryLogConfigAssociation{})
	association.Replace = []string{"resolverQueryLogConfigId", "resourceId"}
	association.References = []simcloud.Reference{toVPC("resourceId"),
		holding(to("resolverQueryLogConfigId", "ResourceNotFoundException", "[RSLVR-01601] The specified query logging configuration doesn't exist: %s", queryLog))}
	association.Create = func(c *simcloud.Change) error {
		for _, o := range c.Cloud.Find(c.Scope, queryLogAssociation, nil) {
			if o.State.String("resourceId") == c.New.String("resourceId") && o.State.String("resolverQueryLogConfigId") == c.New.String("resolverQueryLogConfigId") {
				return errorf("ResourceExistsException", "The VPC %s is associated with the configuration already", c.New.String("resourceId"))
			}
		}
		c.ID = "rqlca-" + digits(c.Cloud, "rqlca", 17)
		return nil
	}
	return []*simcloud.ResourceType{t, association}
}
