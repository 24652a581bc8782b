package aws

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ebs"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"

	"github.com/redoubt-dev/redoubt/hostconfig/bottlerocket"
	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// MaxUserData is EC2's limit in bytes, before the encoding:
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-add-user-data.html
const MaxUserData = 16 << 10

var templateName = regexp.MustCompile(`^[a-zA-Z0-9()./_-]{3,128}$`)

// templateTypes are launch templates: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateLaunchTemplate.html
func templateTypes() []*simcloud.ResourceType {
	t := kind(launchTemplate, ec2.LaunchTemplateArgs{}, ec2.LaunchTemplate{})
	t.Naming = &simcloud.Naming{Property: "name", Automatic: true, Max: 128, Prefix: "namePrefix"}
	t.Replace = []string{"name", "namePrefix"}
	t.Renews = map[string][]string{"": {"latestVersion", "defaultVersion"}}
	t.References = []simcloud.Reference{toGroup("vpcSecurityGroupIds[]"), toGroup("networkInterfaces[].securityGroups[]"), toSubnet("networkInterfaces[].subnetId"),
		toKey("blockDeviceMappings[].ebs.kmsKeyId")}
	t.Check = checkTemplate
	t.Create = func(c *simcloud.Change) error {
		if name := c.New.String("name"); name != "" && c.Cloud.By(c.Scope, launchTemplate, "name", name) != nil {
			return errorf("InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use.")
		}
		c.ID = id(c, "lt")
		c.Out["arn"], c.Out["latestVersion"], c.Out["defaultVersion"] = arn("ec2", c.Scope, "launch-template/"+c.ID), 1, 1
		return nil
	}
	t.Update = func(c *simcloud.Change) error {
		latest := c.Old.Int("latestVersion") + 1
		c.Out["latestVersion"] = latest
		if c.New.Bool("updateDefaultVersion") {
			c.Out["defaultVersion"] = latest
		} else if wanted := c.New.Int("defaultVersion"); wanted > latest {
			return errorf("InvalidLaunchTemplateId.VersionNotFound", "Could not find the specified version %d for the launch template with ID %s.", wanted, c.Object.ID)
		}
		return nil
	}
	return []*simcloud.ResourceType{t}
}

func checkTemplate(p *simcloud.Plan) {
	if name := p.Values.String("name"); name != "" && !templateName.MatchString(name) {
		p.Add("name", fmt.Sprintf("InvalidLaunchTemplateName.MalformedException: %q is not 3 to 128 of a-zA-Z0-9().-/_", name))
	}
	for i, device := range p.Values.List("blockDeviceMappings") {
		at := fmt.Sprintf("blockDeviceMappings[%d].ebs", i)
		kind := device.String("ebs.volumeType")
		oneOf(p, at+".encrypted", "true", "false")
		oneOf(p, at+".deleteOnTermination", "true", "false")
		oneOf(p, at+".volumeType", "standard", "io1", "io2", "gp2", "gp3", "sc1", "st1")
		if device.Has("ebs.kmsKeyId") && device.Get("ebs.encrypted") != "true" && device.Get("ebs.encrypted") != (simcloud.Unknown{}) {
			p.Add(at+".kmsKeyId", "InvalidParameterDependency: The parameter KmsKeyId requires the parameter Encrypted to be set.")
		}
		if (kind == "io1" || kind == "io2") && !device.Has("ebs.iops") {
			p.Add(at+".iops", "MissingParameter: The parameter iops must be specified for "+kind+" volumes.")
		}
		if device.Has("ebs.throughput") {
			if kind != "gp3" {
				p.Add(at+".throughput", "InvalidParameterCombination: throughput can only be set for gp3 volumes")
			}
			between(p, at+".throughput", 125, 1000)
		}
	}
	oneOf(p, "metadataOptions.httpTokens", "optional", "required")
	oneOf(p, "metadataOptions.httpEndpoint", "enabled", "disabled")
	between(p, "metadataOptions.httpPutResponseHopLimit", 1, 64)
	if p.Values.Has("vpcSecurityGroupIds") && p.Values.Has("networkInterfaces") {
		p.Add("vpcSecurityGroupIds", "InvalidParameterCombination: Network interfaces and an instance-level security groups may not be specified on the same request")
	}
	if text := p.Values.String("userData"); text != "" {
		if data, err := UserData(text); err != nil {
			p.Add("userData", "InvalidUserData.Malformed: "+err.Error())
		} else if len(data) > MaxUserData {
			p.Add("userData", fmt.Sprintf("InvalidParameterValue: User data is limited to %d bytes, got %d", MaxUserData, len(data)))
		} else if _, err := Unpacked(data); err != nil {
			p.Add("userData", "InvalidUserData.Malformed: "+err.Error())
		}
	}
}

// UserData reads the user data of a launch template as it is sent to an instance.
func UserData(text string) ([]byte, error) {
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("Invalid BASE64 encoding of user data: %w", err) //nolint:staticcheck // AWS's words
	}
	return data, nil
}

// Unpacked opens user data that is compressed.
func Unpacked(data []byte) ([]byte, error) {
	if !bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		return data, nil
	}
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(r, 1<<20))
}

// bottlerocketData says why Bottlerocket would not boot with a template's user data, "" when it would.
// https://bottlerocket.dev/en/os/latest/concepts/api-driven/ : one unknown key, and the node never joins.
func bottlerocketData(template simcloud.Values) string {
	text := template.String("userData")
	if text == "" {
		return ""
	}
	data, err := UserData(text)
	if err == nil {
		data, err = Unpacked(data)
	}
	if err == nil {
		_, err = bottlerocket.Decode(data)
	}
	if err != nil {
		return strings.TrimSpace(err.Error())
	}
	return ""
}

// ebsTypes are the account's defaults for volumes.
func ebsTypes() []*simcloud.ResourceType {
	on := kind(encryptionByDefault, ebs.EncryptionByDefaultArgs{}, ebs.EncryptionByDefault{})
	on.Defaults = simcloud.Values{"enabled": true}
	on.Create = nothing("ebs-default")
	with := kind(defaultVolumeKey, ebs.DefaultKmsKeyArgs{}, ebs.DefaultKmsKey{})
	with.Replace = []string{"keyArn"}
	with.References = []simcloud.Reference{toKey("keyArn")}
	with.Create = func(c *simcloud.Change) error {
		c.ID = c.New.String("keyArn")
		return nil
	}
	return []*simcloud.ResourceType{on, with}
}
