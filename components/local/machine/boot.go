package machine

import (
	"crypto/rand"
	"fmt"
	"log"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// initRecord is what the guard writes about the machine's first process.
type initRecord struct {
	process
	Boot string `json:"boot"`
	// Shape is that of the Spec with which it booted.
	Shape string `json:"shape"`
}

func (l layout) readInit() initRecord {
	var record initRecord
	if err := readJSON(l.init(), &record); err != nil {
		return initRecord{}
	}
	return record
}

// boot starts the machine's first process and records it. The process goes on
// only after it is recorded, so that a guard that is killed in between leaves
// nothing that the next guard does not know of.
func boot(l layout, spec Spec, output *os.File, logger *log.Logger) (initRecord, error) {
	program, err := os.Executable()
	if err != nil {
		return initRecord{}, err
	}
	permitted, permit, err := os.Pipe()
	if err != nil {
		return initRecord{}, err
	}
	defer permit.Close()
	armed, arm, err := os.Pipe()
	if err != nil {
		permitted.Close()
		return initRecord{}, err
	}
	defer armed.Close()
	record := initRecord{Boot: rand.Text()[:12], Shape: spec.shape()}
	cmd := exec.Command(program, "init", string(l), record.Boot)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	cmd.Stdout, cmd.Stderr = output, output
	cmd.ExtraFiles = []*os.File{permitted, arm}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = startInit(cmd, spec)
	permitted.Close()
	arm.Close()
	if err != nil {
		return initRecord{}, err
	}
	go func() {
		_ = cmd.Wait()
		logger.Printf("process %d: %v", cmd.Process.Pid, cmd.ProcessState)
	}()
	record.process, err = identify(cmd.Process.Pid)
	if err == nil {
		err = writeJSON(l.init(), record)
	}
	if err == nil {
		// A signal before the process understands it would end it. Loading a
		// program takes milliseconds; one that takes this long is not ours.
		_ = armed.SetReadDeadline(time.Now().Add(5 * time.Second))
		_, err = armed.Read(make([]byte, 1))
	}
	if err == nil {
		_, err = permit.Write([]byte{1})
	}
	if err != nil {
		_ = cmd.Process.Kill()
		return initRecord{}, fmt.Errorf("starting the machine: %w", err)
	}
	logger.Printf("machine %s started, process %d, boot %s", spec.Name, record.PID, record.Boot)
	return record, nil
}

// endStrays ends what a killed supervisor of a plain machine left: the recorded
// services with their process groups, and whatever carries the machine's mark.
func endStrays(l layout) {
	records := map[string]process{}
	_ = readJSON(l.run("services.json"), &records)
	var strays []process
	for _, p := range records {
		if p.alive() {
			strays = append(strays, p)
			_ = syscall.Kill(-p.PID, syscall.SIGTERM)
		}
	}
	// Twice, because what is found first may have been starting another.
	for range 2 {
		strays = append(strays, descendants(mark(string(l)))...)
		for _, p := range strays {
			_ = p.signal(syscall.SIGTERM)
		}
		deadline := time.Now().Add(time.Second)
		for _, p := range strays {
			if !p.waitFor(background, time.Until(deadline)) {
				_ = p.end(background, syscall.SIGKILL, 0)
			}
		}
		strays = nil
	}
}
