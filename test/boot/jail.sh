# Turns the namespaces that it was started in into a machine, and becomes its first process: jail.sh STATE NAME
# STATE holds usr/ (see usr.go) and machines/NAME/ with root/ and, if the machine has a data disk, disk.
set -eu
state=$1 name=$2
machine=$state/machines/$name
root=$machine/root
mount --make-rprivate /
mount --bind "$root" "$root"
cd "$root"
mount -t overlay -o "ro,lowerdir=$state/usr:/usr" overlay usr
mount -t proc -o nosuid,nodev,noexec proc proc
mount -t sysfs -o nosuid,nodev,noexec,ro sysfs sys
mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
while read -r kind options path; do
	mkdir -p "sys/fs/cgroup$path"
	if [ "$kind" = cgroup2 ]; then mount -t cgroup2 cgroup2 "sys/fs/cgroup$path"; else mount -t cgroup -o "$options" cgroup "sys/fs/cgroup$path"; fi
done <"$machine/hierarchies"
# The kernel's settings belong to the host, but for those of the machine's own network.
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t proc -o nosuid,nodev,noexec proc mnt
mount --bind mnt/sys/net proc/sys/net
umount -l mnt
mount -t tmpfs -o mode=755,nosuid tmpfs dev
for node in null zero full random urandom tty kmsg fuse loop-control; do
	[ -e "/dev/$node" ] || continue
	: >"dev/$node"
	mount --bind "/dev/$node" "dev/$node"
done
number=0
while [ $number -lt 128 ]; do
	mknod "dev/loop$number" b 7 $number
	number=$((number + 1))
done
mkdir dev/pts dev/shm dev/mqueue
mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts dev/pts
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs dev/shm
mount -t mqueue mqueue dev/mqueue
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs run
mkdir -p run/systemd/resolve
cp "$machine/resolv.conf" run/systemd/resolve/resolv.conf
cp "$machine/resolv.conf" run/systemd/resolve/stub-resolv.conf
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs tmp
while read -r alias loop; do
	mkdir -p "dev/$(dirname "$alias")"
	ln -s "$loop" "dev/$alias"
done <"$machine/devices"
hostname "$(cat "$machine/hostname")"
pivot_root . mnt
umount -l /mnt
mount --make-rshared /
exec env -i container=rehearsal PATH=/usr/sbin:/usr/bin LANG=C.UTF-8 /usr/lib/systemd/systemd --log-target=journal --show-status=0 </dev/null
