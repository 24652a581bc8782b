package aws_test

import (
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/autoscaling"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ebs"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/kms"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/test/simcloud/aws"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

// ignition is a configuration that leads to another one, by its hash.
func ignition(source, of string) string {
	sum := sha512.Sum512([]byte(of))
	return fmt.Sprintf(`{"ignition":{"version":"3.4.0","config":{"replace":{"source":%q,"verification":{"hash":"sha512-%s"}}}}}`, source, hex.EncodeToString(sum[:]))
}

const empty = `{"ignition":{"version":"3.4.0"}}`

// What EC2, Auto Scaling, load balancers, Route 53 and S3 refuse is refused, and so is a machine that would not get
// through its first boot; what they take is taken.
func TestMachinesAreRefused(t *testing.T) {
	t.Parallel()
	program := func(ctx *pulumi.Context) error {
		v := newVPC(ctx, "net", "10.0.0.0/16")
		subnet := func(name, cidr, zone string) *ec2.Subnet {
			return must(ec2.NewSubnet(ctx, name, &ec2.SubnetArgs{VpcId: v.ID(), CidrBlock: str(cidr), AvailabilityZone: str(region + zone)}))
		}
		a, b := subnet("a", "10.0.0.0/24", "a"), subnet("b", "10.0.1.0/24", "b")
		reserved := must(ec2.NewSubnetCidrReservation(ctx, "reserved", &ec2.SubnetCidrReservationArgs{SubnetId: a.ID(), CidrBlock: pulumi.String("10.0.0.16/28"), ReservationType: pulumi.String("explicit")}))
		must(ec2.NewSubnetCidrReservation(ctx, "reserved-outside", &ec2.SubnetCidrReservationArgs{SubnetId: a.ID(), CidrBlock: pulumi.String("10.0.1.16/28"), ReservationType: pulumi.String("explicit")}))
		must(ec2.NewSubnetCidrReservation(ctx, "reserved-twice", &ec2.SubnetCidrReservationArgs{SubnetId: a.ID(), CidrBlock: pulumi.String("10.0.0.16/29"), ReservationType: pulumi.String("explicit")}, after(reserved)))
		eni := func(name, address string, options ...pulumi.ResourceOption) *ec2.NetworkInterface {
			args := &ec2.NetworkInterfaceArgs{SubnetId: a.ID()}
			if address != "" {
				args.PrivateIps = pulumi.StringArray{pulumi.String(address)}
			}
			return must(ec2.NewNetworkInterface(ctx, name, args, options...))
		}
		fixed := eni("fixed", "10.0.0.16", after(reserved))
		eni("address-outside", "10.0.1.16")
		eni("address-of-aws", "10.0.0.2")
		eni("address-twice", "10.0.0.16", after(fixed))

		machineRole := func(name, statement string) pulumi.StringOutput {
			r := must(iam.NewRole(ctx, name, &iam.RoleArgs{Name: str(name), AssumeRolePolicy: pulumi.String(trust("ec2.amazonaws.com"))}))
			own := must(iam.NewRolePolicy(ctx, name, &iam.RolePolicyArgs{Role: r.Name, Policy: pulumi.String(statement)}))
			p := must(iam.NewInstanceProfile(ctx, name, &iam.InstanceProfileArgs{Name: str(name), Role: r.Name.ToStringPtrOutput()}, after(own)))
			return p.Name
		}
		may := func(resource string) string {
			return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject"],"Resource":["` + resource + `"]}]}`
		}
		reader, stranger := machineRole("reader", may("arn:aws:s3:::the-store/*")), machineRole("stranger", may("arn:aws:s3:::another/*"))
		store := must(s3.NewBucketV2(ctx, "store", &s3.BucketV2Args{Bucket: str("the-store")}))
		object := must(s3.NewBucketObjectv2(ctx, "config", &s3.BucketObjectv2Args{Bucket: store.ID(), Key: str("config.ign"), Content: str(empty)}))
		must(s3.NewBucketObjectv2(ctx, "object-nowhere", &s3.BucketObjectv2Args{Bucket: pulumi.String("nowhere"), Key: str("x"), Content: str("x")}))
		closed := must(kms.NewKey(ctx, "closed", &kms.KeyArgs{Policy: str(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + aws.Account + `:root"},"Action":["kms:PutKeyPolicy","kms:DescribeKey"],"Resource":"*"}]}`)}))
		must(s3.NewBucketObjectv2(ctx, "object-closed-key", &s3.BucketObjectv2Args{Bucket: store.ID(), Key: str("y"), Content: str("y"), ServerSideEncryption: str("aws:kms"), KmsKeyId: closed.Arn}))

		machine := func(name string, on *ec2.NetworkInterface, profile pulumi.StringOutput, data string, options ...pulumi.ResourceOption) *ec2.Instance {
			return must(ec2.NewInstance(ctx, name, &ec2.InstanceArgs{Ami: str("ami-0123456789abcdef0"), InstanceType: str("m7i.large"), IamInstanceProfile: profile, UserData: str(data),
				NetworkInterfaces: ec2.InstanceNetworkInterfaceArray{&ec2.InstanceNetworkInterfaceArgs{DeviceIndex: pulumi.Int(0), NetworkInterfaceId: on.ID()}}}, append(options, after(object))...))
		}
		good := machine("good", fixed, reader, ignition("s3://the-store/config.ign", empty))
		machine("on-a-taken-interface", fixed, reader, empty, after(good))
		machine("no-ignition", eni("e1", ""), reader, "#!/bin/sh")
		machine("no-object", eni("e2", ""), reader, ignition("s3://the-store/nothing.ign", empty))
		machine("another-hash", eni("e3", ""), reader, ignition("s3://the-store/config.ign", "something else"))
		machine("role-does-not-read", eni("e4", ""), stranger, ignition("s3://the-store/config.ign", empty))

		disk := func(name, zone string) *ebs.Volume {
			return must(ebs.NewVolume(ctx, name, &ebs.VolumeArgs{AvailabilityZone: pulumi.String(region + zone), Size: pulumi.IntPtr(8)}))
		}
		attach := func(name, device string, volume *ebs.Volume, options ...pulumi.ResourceOption) pulumi.Resource {
			return must(ec2.NewVolumeAttachment(ctx, name, &ec2.VolumeAttachmentArgs{DeviceName: pulumi.String(device), InstanceId: good.ID(), VolumeId: volume.ID()}, options...))
		}
		data := disk("data", "a")
		there := attach("there", "/dev/sdf", data)
		attach("zone-mismatch", "/dev/sdg", disk("far", "b"))
		attach("attached-twice", "/dev/sdh", data, after(there))
		attach("device-taken", "/dev/sdf", disk("more", "a"), after(there))
		attach("no-device", "sdf", disk("other", "a"))
		must(ebs.NewVolume(ctx, "volume-closed-key", &ebs.VolumeArgs{AvailabilityZone: pulumi.String(region + "a"), Size: pulumi.IntPtr(8), Encrypted: pulumi.BoolPtr(true), KmsKeyId: closed.Arn}))

		template := func(name, ami, data string) *ec2.LaunchTemplate {
			args := &ec2.LaunchTemplateArgs{InstanceType: str("m7i.large"), UserData: str(base64.StdEncoding.EncodeToString([]byte(data))),
				IamInstanceProfile: &ec2.LaunchTemplateIamInstanceProfileArgs{Name: reader.ToStringPtrOutput()}}
			if ami != "" {
				args.ImageId = str(ami)
			}
			return must(ec2.NewLaunchTemplate(ctx, name, args))
		}
		pool := func(name string, of *ec2.LaunchTemplate, version string) {
			must(autoscaling.NewGroup(ctx, name, &autoscaling.GroupArgs{MinSize: pulumi.Int(1), MaxSize: pulumi.Int(2), VpcZoneIdentifiers: pulumi.StringArray{a.ID(), b.ID()},
				LaunchTemplate: &autoscaling.GroupLaunchTemplateArgs{Id: of.ID().ToStringOutput().ToStringPtrOutput(), Version: str(version)}}, after(object)))
		}
		whole := template("whole", "ami-0123456789abcdef0", ignition("s3://the-store/config.ign", empty))
		pool("pool", whole, "1")
		pool("no-version", whole, "7")
		pool("no-image", template("imageless", "", empty), "1")
		pool("stale-hash", template("stale", "ami-0123456789abcdef0", ignition("s3://the-store/config.ign", "old")), "1")

		balancer := must(lb.NewLoadBalancer(ctx, "api", &lb.LoadBalancerArgs{Name: str("api"), Internal: pulumi.BoolPtr(true), LoadBalancerType: str("network"), Subnets: pulumi.StringArray{a.ID(), b.ID()}}))
		targets := must(lb.NewTargetGroup(ctx, "targets", &lb.TargetGroupArgs{Name: str("api"), Port: pulumi.IntPtr(6443), Protocol: str("TCP"), TargetType: str("ip"), VpcId: v.ID().ToStringOutput().ToStringPtrOutput()}))
		listen := func(name, protocol string, options ...pulumi.ResourceOption) pulumi.Resource {
			return must(lb.NewListener(ctx, name, &lb.ListenerArgs{LoadBalancerArn: balancer.Arn, Port: pulumi.IntPtr(6443), Protocol: str(protocol),
				DefaultActions: lb.ListenerDefaultActionArray{&lb.ListenerDefaultActionArgs{Type: pulumi.String("forward"), TargetGroupArn: targets.Arn}}}, options...))
		}
		listen("listener-twice", "TCP", after(listen("listener", "TCP")))
		listen("listener-http", "HTTP")
		must(lb.NewTargetGroupAttachment(ctx, "target-outside", &lb.TargetGroupAttachmentArgs{TargetGroupArn: targets.Arn, TargetId: pulumi.String("192.168.0.1")}))

		zone := must(route53.NewZone(ctx, "zone", &route53.ZoneArgs{Name: str("prod.internal"), Vpcs: route53.ZoneVpcArray{&route53.ZoneVpcArgs{VpcId: v.ID()}}}))
		must(route53.NewZone(ctx, "zone-twice", &route53.ZoneArgs{Name: str("prod.internal"), Vpcs: route53.ZoneVpcArray{&route53.ZoneVpcArgs{VpcId: v.ID()}}}, after(zone)))
		must(route53.NewRecord(ctx, "alias-nowhere", &route53.RecordArgs{ZoneId: zone.ZoneId, Name: pulumi.String("api.prod.internal"), Type: pulumi.String("A"),
			Aliases: route53.RecordAliasArray{&route53.RecordAliasArgs{Name: pulumi.String("nowhere.example.com"), ZoneId: balancer.ZoneId, EvaluateTargetHealth: pulumi.Bool(false)}}}))
		return nil
	}
	simtest.Refused(t, account(t), settings, program, simtest.Refusals{
		"reserved-outside": "is not within the subnet", "reserved-twice": "overlaps the reservation",
		"address-outside": "does not fall within the subnet's address range", "address-of-aws": "reserved address range", "address-twice": "InvalidIPAddress.InUse",
		"object-nowhere": "NoSuchBucket", "object-closed-key": "kms:GenerateDataKey", "on-a-taken-interface": "InvalidNetworkInterface.InUse",
		"no-ignition": "no configuration that Ignition reads", "no-object": "NoSuchKey", "another-hash": "another hash", "role-does-not-read": "may not do s3:GetObject",
		"zone-mismatch": "InvalidVolume.ZoneMismatch", "attached-twice": "VolumeInUse", "device-taken": "is already in use", "no-device": "not a valid EBS device name",
		"volume-closed-key": "InvalidKMSKey.InvalidState", "no-version": "Could not find the specified version 7", "no-image": "must contain the parameter ImageId", "stale-hash": "another hash",
		"listener-twice": "DuplicateListener", "listener-http": "not supported for a network load balancer", "target-outside": "InvalidTarget",
		"zone-twice": "ConflictingDomainExists", "alias-nowhere": "does not lie within the target zone",
	})
	// What the provider itself sees before it asks.
	simtest.Unplanned(t, account(t), settings, func(ctx *pulumi.Context) error {
		must(ec2.NewInstance(ctx, "long-data", &ec2.InstanceArgs{Ami: str("ami-0123456789abcdef0"), InstanceType: str("m7i.large"), UserData: str(strings.Repeat("x", aws.MaxUserData+1))}))
		must(ec2.NewInstance(ctx, "no-image-id", &ec2.InstanceArgs{Ami: str("flatcar"), InstanceType: str("m7i.large")}))
		must(s3.NewBucketObjectv2(ctx, "no-content", &s3.BucketObjectv2Args{Bucket: pulumi.String("b"), Key: str("k")}))
		must(lb.NewLoadBalancer(ctx, "long-name", &lb.LoadBalancerArgs{Name: str(strings.Repeat("n", 33)), LoadBalancerType: str("network")}))
		must(autoscaling.NewGroup(ctx, "no-template", &autoscaling.GroupArgs{MinSize: pulumi.Int(1), MaxSize: pulumi.Int(0), AvailabilityZones: pulumi.StringArray{pulumi.String("a")}}))
		return nil
	}, simtest.Refusals{"long-data": "expected length of userData", "no-image-id": "InvalidAMIID.Malformed", "no-content": "exactly one of", "long-name": "1 to 32", "no-template": "exactly one of `launchConfiguration"})
}
