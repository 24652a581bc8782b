package boot

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// disk is a file that a machine sees as a block device. The kernel frees the
// device when the last who has it open closes it: this process and the machine.
type disk struct{ file *os.File }

// attach makes a file a block device.
func attach(name string) (*disk, error) {
	backing, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer backing.Close()
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer control.Close()
	for range 20 {
		number, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, fmt.Errorf("no free loop device: %w", err)
		}
		device, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", number), os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		configuration := unix.LoopConfig{Fd: uint32(backing.Fd()), Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_AUTOCLEAR}}
		err = unix.IoctlLoopConfigure(int(device.Fd()), &configuration)
		if err == nil {
			return &disk{device}, nil
		}
		device.Close()
		if !errors.Is(err, unix.EBUSY) { // somebody else took it in between
			return nil, fmt.Errorf("%s: %w", device.Name(), err)
		}
	}
	return nil, errors.New("every loop device is taken by others")
}

func (d *disk) path() string { return d.file.Name() }

func (d *disk) close() error {
	if d == nil {
		return nil
	}
	return d.file.Close()
}
