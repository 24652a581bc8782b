package aws

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ebs"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"

	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/aws/iampolicy"
)

var (
	imageID    = regexp.MustCompile(`^ami-[0-9a-f]{8}([0-9a-f]{9})?$`)
	deviceName = regexp.MustCompile(`^(/dev/sd[f-p][1-6]?|/dev/xvd[f-p]|xvd[b-e][a-z]?)$`)
)

// machineTypes are machines and their volumes: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html
func machineTypes() []*simcloud.ResourceType {
	t := kind(instance, ec2.InstanceArgs{}, ec2.Instance{})
	t.References = []simcloud.Reference{toSubnet("subnetId"), toGroup("vpcSecurityGroupIds[]"), toProfile("iamInstanceProfile"), toKey("rootBlockDevice.kmsKeyId"),
		holding(to("networkInterfaces[].networkInterfaceId", "InvalidNetworkInterfaceID.NotFound", "The networkInterface ID '%s' does not exist", networkInterface))}
	t.Replace = []string{"ami", "availabilityZone", "networkInterfaces", "subnetId", "keyName", "privateIp", "rootBlockDevice.encrypted", "rootBlockDevice.kmsKeyId",
		"associatePublicIpAddress", "tenancy", "hibernation"}
	t.ReplaceIf = func(_, news simcloud.Values) []string {
		if news.Bool("userDataReplaceOnChange") {
			return []string{"userData", "userDataBase64"}
		}
		return nil
	}
	t.Check = checkInstance
	t.Create = createInstance
	t.Update = func(c *simcloud.Change) error { return judgeMachine(c) }

	v := kind(volume, ebs.VolumeArgs{}, ebs.Volume{})
	v.Replace = []string{"availabilityZone", "encrypted", "kmsKeyId", "snapshotId", "multiAttachEnabled", "outpostArn"}
	v.Defaults = simcloud.Values{"type": "gp2", "encrypted": false}
	v.References = []simcloud.Reference{toKey("kmsKeyId")}
	v.InUse = func(o, by *simcloud.Object) *simcloud.Error {
		return errorf("VolumeInUse", "Volume %s is currently attached to %s", o.ID, by.State.String("instanceId"))
	}
	v.DeletePatience = seconds(600)
	v.Check = func(p *simcloud.Plan) {
		oneOf(p, "type", "standard", "io1", "io2", "gp2", "gp3", "sc1", "st1")
		between(p, "size", 1, 65536)
		if p.Values.Has("kmsKeyId") && p.Values.Get("encrypted") == false {
			p.Add("kmsKeyId", "InvalidParameterDependency: The parameter KmsKeyId requires the parameter Encrypted to be set.")
		}
		if !p.Values.Has("size") && !p.Values.Has("snapshotId") {
			p.Add("size", `one of size, snapshotId must be specified`)
		}
	}
	v.Create = func(c *simcloud.Change) error {
		if zone := c.New.String("availabilityZone"); !slices.Contains(zones(c.Scope), zone) {
			return errorf("InvalidZone.NotFound", "The zone '%s' does not exist.", zone)
		}
		if err := judgeVolumeKey(c, c.New.String("kmsKeyId")); err != nil {
			return err
		}
		c.ID = id(c, "vol")
		c.Out["arn"] = arn("ec2", c.Scope, "volume/"+c.ID)
		return nil
	}
	v.Update = func(c *simcloud.Change) error {
		if c.New.Int("size") < c.Old.Int("size") {
			return errorf("InvalidParameterValue", "New size cannot be smaller than existing size")
		}
		return nil
	}

	a := kind(volumeAttachment, ec2.VolumeAttachmentArgs{}, ec2.VolumeAttachment{})
	a.Replace = []string{"deviceName", "instanceId", "volumeId"}
	a.References = []simcloud.Reference{holding(to("volumeId", "InvalidVolume.NotFound", "The volume '%s' does not exist.", volume)), toInstance("instanceId")}
	a.Create = attach
	return []*simcloud.ResourceType{t, v, a}
}

func toInstance(path string) simcloud.Reference {
	return to(path, "InvalidInstanceID.NotFound", "The instance ID '%s' does not exist", instance)
}

// toProfile is an instance profile by its name, which EC2 does not see at once.
func toProfile(path string) simcloud.Reference {
	r := to(path, "InvalidParameterValue", "Value (%s) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name", instanceProfile)
	r.Patience = seconds(120)
	return r
}

// checkInstance judges at plan time. An interface of one's own leaves nothing to say about its network.
func checkInstance(p *simcloud.Plan) {
	v := p.Values
	if ami := v.String("ami"); ami != "" && !imageID.MatchString(ami) {
		p.Add("ami", fmt.Sprintf("InvalidAMIID.Malformed: Invalid id: %q", ami))
	}
	if v.Has("networkInterfaces") {
		for _, path := range []string{"subnetId", "vpcSecurityGroupIds", "securityGroups", "privateIp", "associatePublicIpAddress", "secondaryPrivateIps"} {
			if v.Has(path) {
				p.Add(path, `conflicts with networkInterfaces`)
			}
		}
	}
	oneOf(p, "metadataOptions.httpTokens", "optional", "required")
	oneOf(p, "metadataOptions.httpEndpoint", "enabled", "disabled")
	between(p, "metadataOptions.httpPutResponseHopLimit", 1, 64)
	oneOf(p, "rootBlockDevice.volumeType", "standard", "io1", "io2", "gp2", "gp3", "sc1", "st1")
	oneOf(p, "instanceInitiatedShutdownBehavior", "stop", "terminate")
	if v.Has("userData") && v.Has("userDataBase64") {
		p.Add("userData", `conflicts with userDataBase64`)
	}
	if v.Has("rootBlockDevice.kmsKeyId") && v.Get("rootBlockDevice.encrypted") == false {
		p.Add("rootBlockDevice.kmsKeyId", "InvalidParameterDependency: The parameter KmsKeyId requires the parameter Encrypted to be set.")
	}
	if text := v.String("userData"); len(text) > MaxUserData {
		p.Add("userData", fmt.Sprintf("expected length of userData to be in the range (0 - %d), got %d characters", MaxUserData, len(text)))
	}
}

func createInstance(c *simcloud.Change) error {
	if err := judgeMachine(c); err != nil {
		return err
	}
	interfaces := c.New.List("networkInterfaces")
	if len(interfaces) == 0 {
		return errorf("UnsupportedOperation", "the simulation starts machines on interfaces that exist")
	}
	for _, each := range interfaces {
		if by := attachedTo(c, each.String("networkInterfaceId")); by != nil {
			// The machine before it may still be going.
			return errorf("InvalidNetworkInterface.InUse", "Interface: [%s] in use.", each.String("networkInterfaceId")).Within(seconds(60))
		}
	}
	first := c.Cloud.Get(c.Scope, networkInterface, interfaces[0].String("networkInterfaceId"))
	in := c.Cloud.Get(c.Scope, subnet, first.State.String("subnetId"))
	zone := in.State.String("availabilityZone")
	if wanted := c.New.String("availabilityZone"); wanted != "" && wanted != zone {
		return errorf("InvalidParameterCombination", "The network interface %s is in %s, not in %s", first.ID, zone, wanted)
	}
	if given := c.New.String("keyName"); given != "" {
		return errorf("InvalidKeyPair.NotFound", "The key pair '%s' does not exist", given)
	}
	if err := judgeVolumeKey(c, c.New.String("rootBlockDevice.kmsKeyId")); err != nil {
		return err
	}
	c.ID = id(c, "i")
	c.Out = simcloud.Values{"arn": arn("ec2", c.Scope, "instance/"+c.ID), "instanceState": "running", "availabilityZone": zone, "subnetId": in.ID,
		"primaryNetworkInterfaceId": first.ID, "privateIp": first.State.String("privateIp"), "vpcSecurityGroupIds": first.State.Strings("securityGroups")}
	return nil
}

// judgeMachine judges what a machine is and boots from.
func judgeMachine(c *simcloud.Change) error {
	if !instanceType.MatchString(c.New.String("instanceType")) {
		return errorf("InvalidParameterValue", "Invalid value '%s' for InstanceType.", c.New.String("instanceType"))
	}
	if c.New.String("ami") == "" {
		return errorf("MissingParameter", "The request must contain the parameter ImageId")
	}
	data := c.New.String("userData")
	if encoded := c.New.String("userDataBase64"); encoded != "" {
		decoded, err := UserData(encoded)
		if err != nil {
			return errorf("InvalidUserData.Malformed", "%v", err)
		}
		data = string(decoded)
	}
	return boots(c, []byte(data), c.New.String("iamInstanceProfile"))
}

// attachedTo is the machine that has an interface, nil when none has.
func attachedTo(c *simcloud.Change, eni string) *simcloud.Object {
	for _, o := range c.Cloud.Find(c.Scope, instance, nil) {
		for _, each := range o.State.List("networkInterfaces") {
			if each.String("networkInterfaceId") == eni && (c.Object == nil || o.ID != c.Object.ID) {
				return o
			}
		}
	}
	return nil
}

// judgeVolumeKey judges that who makes a volume may let EC2 use its key.
// https://docs.aws.amazon.com/ebs/latest/userguide/ebs-encryption-requirements.html#ebs-encryption-permissions
func judgeVolumeKey(c *simcloud.Change, given string) error {
	if given == "" {
		return nil
	}
	k := findKey(c.Cloud, c.Scope, given)
	doc, err := iampolicy.Parse(k.State.String("policy"), iampolicy.Key)
	if err != nil {
		return errorf("InvalidParameterValue", "%v", err)
	}
	for _, action := range []string{"kms:CreateGrant", "kms:DescribeKey", "kms:GenerateDataKeyWithoutPlaintext"} {
		if !doc.Allows(iampolicy.Request{Principal: Caller, Action: action, Context: map[string]string{"kms:ViaService": "ec2." + c.Scope + ".amazonaws.com",
			"kms:CallerAccount": Account, "kms:GrantIsForAWSResource": "true"}}) {
			return errorf("Client.InvalidKMSKey.InvalidState", "The KMS key provided is in an incorrect state: %s may not do %s with %s", Caller, action, k.ID)
		}
	}
	return nil
}

func attach(c *simcloud.Change) error {
	v := c.Cloud.Get(c.Scope, volume, c.New.String("volumeId"))
	machine := c.Cloud.Get(c.Scope, instance, c.New.String("instanceId"))
	if a, b := v.State.String("availabilityZone"), machine.State.String("availabilityZone"); a != b {
		return errorf("InvalidVolume.ZoneMismatch", "The volume '%s' is not in the same availability zone as instance '%s'", v.ID, machine.ID)
	}
	name := c.New.String("deviceName")
	if !deviceName.MatchString(name) {
		return errorf("InvalidParameterValue", "Value (%s) for parameter device is invalid. %s is not a valid EBS device name.", name, name)
	}
	for _, other := range c.Cloud.Find(c.Scope, volumeAttachment, nil) {
		switch {
		case other.State.String("volumeId") == v.ID:
			return errorf("VolumeInUse", "%s is already attached to an instance", v.ID).Within(seconds(60))
		case other.State.String("instanceId") == machine.ID && other.State.String("deviceName") == name:
			return errorf("InvalidParameterValue", "Invalid value '%s' for unixDevice. Attachment point %s is already in use", name, name)
		}
	}
	c.ID = "vai-" + digits(c.Cloud, "vai", 9)
	return nil
}
