package flatcar

import (
	"fmt"
	"strings"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/systemd"
)

// Names of the encrypted volume. Ignition makes a random key, keeps it in
// keyPath and names both in /etc/crypttab.
const (
	volumeName = "redoubt-data"
	keyPath    = "/etc/luks/" + volumeName
	enrolPath  = "/opt/redoubt/bin/enrol-tpm"
)

// enrolUnit binds the volume to the TPM in the first boot.
func (s Spec) enrolUnit() systemd.Service {
	return systemd.Service{
		Name:          unitEnrol,
		Description:   "Bind the data volume to the TPM",
		Documentation: []string{"man:systemd-cryptenroll(1)"},
		After:         []string{"local-fs.target"},
		Before:        []string{unitContainerd, unitKubelet, unitKubeadmInit, unitKubeadmJoin},
		// The key is gone once the TPM holds it.
		Conditions:      []systemd.Condition{{Kind: "PathExists", Value: keyPath}},
		Type:            systemd.TypeOneshot,
		RemainAfterExit: true,
		Start:           []systemd.Command{{enrolPath}},
		Sandbox: systemd.Sandbox{
			// The header of the volume is written through the block device.
			Capabilities: []string{"CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE", "CAP_IPC_LOCK", "CAP_FOWNER"}, HostUser: true,
			// cryptsetup computes in the kernel where its library has no such cipher.
			Network:        []string{"AF_ALG"},
			Devices:        []string{"/dev/tpmrm0 rw", "/dev/mapper/control rw", "block-* rw"},
			Writable:       []string{"/etc", "/run"},
			KernelTunables: true, // libcryptsetup reads and sets memory limits below /proc/self
			SystemCalls:    []string{"@resources"},
		},
		WantedBy: []string{"multi-user.target"},
	}
}

// enrolScript adds the TPM, names it in crypttab, and only then removes the key
// that Ignition made: whatever fails before leaves a volume that still opens,
// and the next boot continues where this one stopped. The key lay on the
// machine's own disk during the first boot; that disk is encrypted by the
// platform, or never leaves the machine unwiped.
func (s Spec) enrolScript() hostconfig.File {
	registers := make([]string, len(s.Node.DataDisk.PCRs))
	for i, register := range s.Node.DataDisk.PCRs {
		registers[i] = fmt.Sprint(register)
	}
	contents := fmt.Sprintf(`#!/bin/sh
# Binds the data volume to the TPM; see man systemd-cryptenroll.
set -eu
uuid=$(sed -n 's/^%[1]s UUID=\([^ ]*\).*/\1/p' /etc/crypttab)
device=/dev/disk/by-uuid/$uuid
# With tokens cryptsetup would ask the TPM first, and not tell whether the key is good.
if cryptsetup open --test-passphrase --disable-external-tokens --key-file %[2]s "$device"; then
	systemd-cryptenroll --unlock-key-file=%[2]s --wipe-slot=tpm2 --tpm2-device=auto --tpm2-pcrs=%[3]s "$device"
	sed 's|^%[1]s .*|%[1]s UUID='"$uuid"' none luks,tpm2-device=auto|' /etc/crypttab >/etc/crypttab.new
	chmod 0600 /etc/crypttab.new
	mv /etc/crypttab.new /etc/crypttab
	# The key's own slot goes last; from here on only this machine's TPM opens it.
	systemd-cryptenroll --unlock-key-file=%[2]s --wipe-slot=0 "$device"
fi
# A key that opens nothing is of no use only where the TPM has taken its place.
grep -q '^%[1]s .*tpm2-device=' /etc/crypttab
cryptsetup luksDump "$device" | grep -q systemd-tpm2
rm -f %[2]s
`, volumeName, keyPath, strings.Join(registers, "+"))
	return hostconfig.File{Path: enrolPath, Mode: 0o700, Owner: "root", Contents: contents}
}
