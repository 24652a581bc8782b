#!/bin/sh
# Writes the variables of afterburn that units use: https://coreos.github.io/afterburn/usage/attributes/
set -eu
mkdir -p /run/metadata
ask() { curl --silent --fail --max-time 5 "$@"; }
if token=$(ask -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token); then
	address=$(ask -H "X-aws-ec2-metadata-token: $token" http://169.254.169.254/latest/meta-data/local-ipv4)
	instance=$(ask -H "X-aws-ec2-metadata-token: $token" http://169.254.169.254/latest/meta-data/instance-id)
	printf 'COREOS_EC2_IPV4_LOCAL=%s\nCOREOS_EC2_INSTANCE_ID=%s\n' "$address" "$instance" >/run/metadata/flatcar
else
	address=$(ask -H 'Metadata-Flavor: Google' http://169.254.169.254/computeMetadata/v1/instance/network-interfaces/0/ip)
	printf 'COREOS_GCE_IP_LOCAL_0=%s\n' "$address" >/run/metadata/flatcar
fi
