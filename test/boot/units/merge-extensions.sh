#!/bin/sh
# Lays every image of /etc/extensions over /usr, as systemd-sysext does: only those that say for which system they are.
set -eu
lower=
for image in /etc/extensions/*.raw; do
	target=$(readlink -f "$image") || continue
	[ -f "$target" ] || continue # a link to /dev/null turns an extension off
	name=$(basename "$target" .raw)
	plain=$(basename "$image" .raw)
	mkdir -p "/run/extensions.d/$name"
	mount -o loop,ro,nodev,nosuid "$target" "/run/extensions.d/$name"
	release=/run/extensions.d/$name/usr/lib/extension-release.d
	if ! grep -qs '^ID=\(flatcar\|_any\)$' "$release/extension-release.$plain" "$release/extension-release.$name"; then
		echo "$image is not for this system" >&2
		exit 1
	fi
	lower=$lower/run/extensions.d/$name/usr:
done
[ -n "$lower" ] || exit 0
mount -t overlay -o "ro,lowerdir=${lower}/usr" overlay /usr
[ -e /opt/cni/bin ] || { mkdir -p /opt/cni && ln -s /usr/libexec/cni /opt/cni/bin; }
