package aws

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/guardduty"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// guardDutyTypes are threat detection: https://docs.aws.amazon.com/guardduty/latest/ug/kubernetes-protection.html
func guardDutyTypes() []*simcloud.ResourceType {
	t := kind(detector, guardduty.DetectorArgs{}, guardduty.Detector{})
	t.Defaults = simcloud.Values{"enable": true}
	t.Check = func(p *simcloud.Plan) {
		oneOf(p, "findingPublishingFrequency", "FIFTEEN_MINUTES", "ONE_HOUR", "SIX_HOURS")
	}
	t.Create = func(c *simcloud.Change) error {
		if len(c.Cloud.Find(c.Scope, detector, nil)) > 0 {
			return errorf("BadRequestException", "The request is rejected because a detector already exists for the current account.")
		}
		c.ID = digits(c.Cloud, "detector", 32)
		c.Out["accountId"], c.Out["arn"] = Account, arn("guardduty", c.Scope, "detector/"+c.ID)
		if !c.New.Has("findingPublishingFrequency") {
			c.Out["findingPublishingFrequency"] = "SIX_HOURS"
		}
		return nil
	}

	feature := kind(detectorFeature, guardduty.DetectorFeatureArgs{}, guardduty.DetectorFeature{})
	feature.Naming = &simcloud.Naming{Property: "name"}
	feature.Replace = []string{"detectorId", "name"}
	feature.References = []simcloud.Reference{to("detectorId", "BadRequestException", "The request is rejected because the input detectorId %s is not owned by the current account.", detector)}
	feature.Check = func(p *simcloud.Plan) {
		oneOf(p, "name", "S3_DATA_EVENTS", "EKS_AUDIT_LOGS", "EBS_MALWARE_PROTECTION", "RDS_LOGIN_EVENTS", "EKS_RUNTIME_MONITORING", "LAMBDA_NETWORK_LOGS", "RUNTIME_MONITORING")
		oneOf(p, "status", "ENABLED", "DISABLED")
		if !p.Values.Has("name") {
			p.Add("name", "missing required argument: the feature's name")
		}
		for i := range p.Values.List("additionalConfigurations") {
			oneOf(p, fmt.Sprintf("additionalConfigurations[%d].name", i), "EKS_ADDON_MANAGEMENT", "ECS_FARGATE_AGENT_MANAGEMENT", "EC2_AGENT_MANAGEMENT")
			oneOf(p, fmt.Sprintf("additionalConfigurations[%d].status", i), "ENABLED", "DISABLED")
		}
	}
	feature.Create = func(c *simcloud.Change) error {
		of, name := c.New.String("detectorId"), c.New.String("name")
		c.ID = of + "/" + name
		if c.Cloud.Get(c.Scope, detectorFeature, c.ID) != nil {
			return errorf("BadRequestException", "The feature %s is configured twice", name)
		}
		exclusive := map[string]string{"RUNTIME_MONITORING": "EKS_RUNTIME_MONITORING", "EKS_RUNTIME_MONITORING": "RUNTIME_MONITORING"}[name]
		if exclusive != "" && c.Cloud.Get(c.Scope, detectorFeature, of+"/"+exclusive) != nil {
			return errorf("BadRequestException", "The request is rejected because RUNTIME_MONITORING and EKS_RUNTIME_MONITORING cannot be enabled together.")
		}
		return nil
	}
	return []*simcloud.ResourceType{t, feature}
}
