package flatcar

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// tpm starts a TPM in software behind a terminal, which is to programs what the
// kernel's character device is, and gives the terminal's path.
func tpm(t *testing.T) string {
	t.Helper()
	swtpm := tool(t, "swtpm", "swtpm")
	leader := must[*os.File](t)(os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0))
	if err := unix.IoctlSetPointerInt(int(leader.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number := must[int](t)(unix.IoctlGetInt(int(leader.Fd()), unix.TIOCGPTN))
	path := fmt.Sprintf("/dev/pts/%d", number)
	// Held open, so that the TPM does not see its line hang up between programs.
	line := must[*os.File](t)(os.OpenFile(path, os.O_RDWR|syscall.O_NOCTTY, 0))
	raw := must[*unix.Termios](t)(unix.IoctlGetTermios(int(line.Fd()), unix.TCGETS))
	raw.Iflag, raw.Oflag, raw.Lflag = 0, 0, 0
	raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(int(line.Fd()), unix.TCSETS, raw); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "log")
	command := exec.Command(swtpm, "chardev", "--tpm2", "--tpmstate", "dir="+t.TempDir(), "--fd", "3",
		"--flags", "not-need-init,startup-clear", "--log", "file="+log+",level=1")
	command.ExtraFiles = []*os.File{leader}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		command.Process.Kill()
		command.Wait()
		leader.Close()
		line.Close()
	})
	time.Sleep(200 * time.Millisecond) // it sets its state up before it reads
	return path
}

// bench is a machine whose data disk Ignition has encrypted, with a TPM.
type bench struct {
	a    applied
	line string
}

// run runs a shell command on the machine: its own /etc, the disk under the name
// that udev gives it, and the TPM where programs look for one.
func (b bench) run(t *testing.T, script string) (string, error) {
	t.Helper()
	const machine = `set -eu
root=$1 disk=$2 line=$3
uuid=$(cryptsetup luksUUID "$disk")
mount -t tmpfs none "$root/dev"
mkdir -p "$root/dev/pts" "$root/dev/disk/by-uuid"
for each in null zero random urandom; do touch "$root/dev/$each"; mount --bind "/dev/$each" "$root/dev/$each"; done
mount --bind /dev/pts "$root/dev/pts"
ln -s "$line" "$root/dev/tpmrm0"
ln -s "$disk" "$root/dev/disk/by-uuid/$uuid"
mount --rbind "$root/dev" /dev
mount -t tmpfs none /sys/class && mkdir -p /sys/class/tpmrm/tpmrm0
mount -t tmpfs none /run
mount --bind "$root/opt" /opt
mount --bind "$root/etc" /etc
export TPM2TOOLS_TCTI=device:/dev/tpmrm0
# What the kernel does when a program closes tpmrm0.
for each in -t -l -s; do tpm2_flushcontext $each; done
`
	if err := os.MkdirAll(b.a.root+"/dev", 0o755); err != nil {
		t.Fatal(err)
	}
	command := exec.Command("unshare", "--mount", "--net", "sh", "-c", machine+script, "sh", b.a.root, b.a.work+"/disk", b.line)
	output, err := command.CombinedOutput()
	return string(output), err
}

func newBench(t *testing.T) (bench, Spec) {
	t.Helper()
	root(t)
	for _, each := range [][2]string{{"unshare", "util-linux"}, {"cryptsetup", "cryptsetup-bin"}, {"systemd-cryptenroll", "systemd"}, {"tpm2_pcrextend", "tpm2-tools"}} {
		tool(t, each[0], each[1])
	}
	s := spec(hostconfig.RoleWorker, hostconfig.PlatformMetal)
	by := judges(t)[0]
	s.ButaneVersion = by.versions[0]
	b := bench{a: must[applied](t)(apply(t, by, s, image)), line: tpm(t)}
	// The register has a value, as after any boot of a machine with Secure Boot.
	if output, err := b.run(t, "tpm2_pcrextend 7:sha256="+strings.Repeat("ab", 32)); err != nil {
		t.Fatalf("the TPM does not work: %v: %s", err, output)
	}
	return b, s
}

// bound fails unless the TPM, and nothing else, opens the volume.
func (b bench) bound(t *testing.T, step string) {
	t.Helper()
	if output, err := b.run(t, "cryptsetup open --test-passphrase --token-only /dev/disk/by-uuid/*"); err != nil {
		t.Errorf("%s: the TPM does not open the volume: %v: %s", step, err, output)
	}
	if output, err := b.run(t, "cryptsetup open --test-passphrase --disable-external-tokens --key-file "+b.a.work+"/disk.key /dev/disk/by-uuid/*"); err == nil {
		t.Errorf("%s: the key of the first boot still opens the volume: %s", step, output)
	}
	if _, err := os.Stat(b.a.root + keyPath); err == nil {
		t.Errorf("%s: the key still lies on the disk", step)
	}
	if got := read(t, b.a.root+"/etc/crypttab"); !strings.HasPrefix(got, volumeName+" UUID=") || !strings.HasSuffix(got, " none luks,tpm2-device=auto\n") || strings.Count(got, "\n") != 1 {
		t.Errorf("%s: the next boot would not ask the TPM: %s", step, got)
	}
	if info := must[os.FileInfo](t)(os.Stat(b.a.root + "/etc/crypttab")); info.Mode() != 0o600 {
		t.Errorf("%s: crypttab has mode %v", step, info.Mode())
	}
}

// TestEnrolBindsToTheTPM runs the rendered script with the real programs on what
// the real Ignition wrote.
func TestEnrolBindsToTheTPM(t *testing.T) {
	b, _ := newBench(t)
	if output, err := b.run(t, "exec "+enrolPath); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	b.bound(t, "enrolled")
	// Another state of the machine, for example with Secure Boot off.
	if output, err := b.run(t, "tpm2_pcrextend 7:sha256="+strings.Repeat("cd", 32)+" && cryptsetup open --test-passphrase --token-only /dev/disk/by-uuid/*"); err == nil {
		t.Errorf("a machine in another state opens the volume: %s", output)
	}
}

// TestEnrolSurvivesInterruption stops the script after each line that changes
// something, as a power cut would, and lets the next boot run all of it.
func TestEnrolSurvivesInterruption(t *testing.T) {
	b, s := newBench(t)
	key := read(t, b.a.root+keyPath)
	disk, crypttab := read(t, b.a.work+"/disk"), read(t, b.a.root+"/etc/crypttab")
	lines := strings.Split(contents(t, s, enrolPath), "\n")
	changes := regexp.MustCompile(`^\s*(systemd-cryptenroll|sed|chmod|mv|rm) `)
	for i := 1; i < len(lines); i++ {
		if !changes.MatchString(lines[i-1]) {
			continue
		}
		write(t, b.a.work+"/disk", disk, 0o600)
		write(t, b.a.root+"/etc/crypttab", crypttab, 0o600)
		write(t, b.a.root+keyPath, key, 0o600)
		cut := strings.Join(lines[:i], "\n") + "\nexit 9\n"
		if strings.Count(cut, "; then") > strings.Count(cut, "\nfi\n") {
			cut += "fi\n"
		}
		if output, err := b.run(t, cut); err == nil || exitCode(err) != 9 {
			t.Fatalf("line %d: %v: %s", i, err, output)
		}
		// The unit's condition.
		if output, err := b.run(t, "[ ! -e "+keyPath+" ] || "+enrolPath); err != nil {
			t.Errorf("after line %d: %v: %s", i, err, output)
		}
		b.bound(t, fmt.Sprintf("after line %d", i))
	}
}

func exitCode(err error) int {
	if exit, ok := err.(*exec.ExitError); ok {
		return exit.ExitCode()
	}
	return -1
}
