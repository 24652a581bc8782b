package provider

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"

	"github.com/redoubt-dev/redoubt/components/local/machine"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

// ControlPlane is the machine that runs etcd and the Kubernetes control plane.
type ControlPlane struct{}

// ControlPlaneInputs are the inputs of a ControlPlane.
type ControlPlaneInputs struct {
	Machine    Machine          `pulumi:"machine"`
	Encryption EncryptionAtRest `pulumi:"encryption"`
	// Kubeconfig is the administrator's kubeconfig on the host.
	Kubeconfig HostFile `pulumi:"kubeconfig"`
	// CertificateAuthorityPath is the file of the machine that holds the
	// cluster authority's certificate: it tells one cluster's data from another's.
	CertificateAuthorityPath string `pulumi:"certificateAuthorityPath"`
	// EtcdEndpoint is the host:port of etcd in the machine's network.
	EtcdEndpoint string `pulumi:"etcdEndpoint,optional"`
}

// HostFile is a file on the host, outside the machine, mode 0600.
type HostFile struct {
	Path     string `pulumi:"path"`
	Contents string `pulumi:"contents"`
}

// ControlPlaneState is the recorded state of a ControlPlane.
type ControlPlaneState struct {
	ControlPlaneInputs
	Drift []string `pulumi:"drift,optional"`
}

// Annotate sets the type token.
func (*ControlPlane) Annotate(a infer.Annotator) { a.SetToken(Module, "ControlPlane") }

// Create starts the control plane and returns when it answers the administrator.
func (*ControlPlane) Create(ctx context.Context, req infer.CreateRequest[ControlPlaneInputs]) (infer.CreateResponse[ControlPlaneState], error) {
	in := req.Inputs
	out := infer.CreateResponse[ControlPlaneState]{ID: in.Machine.Environment + "/" + in.Machine.Name, Output: ControlPlaneState{ControlPlaneInputs: in}}
	if req.DryRun {
		return out, nil
	}
	if err := in.refuseForeignData(); err != nil {
		return out, err
	}
	_, statErr := os.Stat(in.Machine.Directory)
	err := in.converge(ctx, nil)
	if err != nil && os.IsNotExist(statErr) {
		// Nothing half-made stays: the logs do, for the reader of the error.
		err = errors.Join(err, discard(ctx, in.Machine), os.RemoveAll(in.Kubeconfig.Path))
	}
	return out, err
}

// Diff compares the declaration with the record and with the host.
func (*ControlPlane) Diff(_ context.Context, req infer.DiffRequest[ControlPlaneInputs, ControlPlaneState]) (infer.DiffResponse, error) {
	drift := append(req.State.drift(), req.State.Drift...)
	return diff(req.State.ControlPlaneInputs, req.Inputs, drift), nil
}

// Update converges the machine; when the encryption key changed it rewrites
// what the old key encrypted before it drops that key.
func (*ControlPlane) Update(ctx context.Context, req infer.UpdateRequest[ControlPlaneInputs, ControlPlaneState]) (infer.UpdateResponse[ControlPlaneState], error) {
	out := infer.UpdateResponse[ControlPlaneState]{Output: ControlPlaneState{ControlPlaneInputs: req.Inputs}}
	if req.DryRun {
		return out, nil
	}
	return out, req.Inputs.converge(ctx, req.State.Machine.Files)
}

// Read records how the host differs from the declaration.
func (*ControlPlane) Read(_ context.Context, req infer.ReadRequest[ControlPlaneInputs, ControlPlaneState]) (infer.ReadResponse[ControlPlaneInputs, ControlPlaneState], error) {
	req.State.Drift = req.State.drift()
	return infer.ReadResponse[ControlPlaneInputs, ControlPlaneState]{ID: req.ID, Inputs: req.Inputs, State: req.State}, nil
}

// Delete stops the control plane and deletes its data.
func (*ControlPlane) Delete(ctx context.Context, req infer.DeleteRequest[ControlPlaneState]) (infer.DeleteResponse, error) {
	m := req.State.Machine
	outside := req.State.outside()
	if err := m.remove(ctx); err != nil {
		return infer.DeleteResponse{}, err
	}
	for _, path := range outside {
		if err := os.RemoveAll(path); err != nil {
			return infer.DeleteResponse{}, err
		}
	}
	// The state directory itself, when nothing else is in it.
	_ = os.Remove(filepath.Dir(req.State.Kubeconfig.Path))
	return infer.DeleteResponse{}, nil
}

// outside is what of the control plane lies on the host outside its directory.
func (in ControlPlaneInputs) outside() []string {
	paths := []string{in.Kubeconfig.Path}
	if in.Machine.Isolated {
		// The administrator's certificate. A plain machine has it below its own
		// directory, and this path would be the host's own.
		paths = append(paths, in.Machine.hostPath(hostconfig.Paths{}.Admin()))
	}
	return paths
}

// converge brings the control plane to its declaration. It can be repeated
// after any interruption: what is still to be done is read from the machine.
func (in ControlPlaneInputs) converge(ctx context.Context, previous []File) error {
	m := in.Machine
	if err := m.writeFiles(previous); err != nil {
		return err
	}
	if err := writeFile(in.Kubeconfig.Path, in.Kubeconfig.Contents, 0o600, os.Getuid()); err != nil {
		return err
	}
	rotation, err := in.rotation()
	if err != nil {
		return err
	}
	if err := in.apply(ctx, rotation.reading); err != nil {
		return err
	}
	if !rotation.needed {
		return nil
	}
	p.GetLogger(ctx).Info(fmt.Sprintf("encryption key %q now writes; rewriting what %s encrypted", in.Encryption.writer(), rotation.retiring))
	if err := in.rewrite(ctx); err != nil {
		return err
	}
	if err := in.apply(ctx, rotation.final); err != nil {
		return err
	}
	p.GetLogger(ctx).Info(fmt.Sprintf("everything is encrypted with %q; %s dropped", in.Encryption.writer(), rotation.retiring))
	return nil
}

// apply writes the encryption configuration, makes the machine run with it and
// waits until the administrator is let in.
func (in ControlPlaneInputs) apply(ctx context.Context, encryption File) error {
	with := in.Machine
	with.Files = append(append([]File{}, in.Machine.Files...), encryption)
	if err := with.writeFiles(nil); err != nil {
		return err
	}
	if err := in.Machine.converge(ctx, encryption); err != nil {
		return err
	}
	if err := machine.Wait(ctx, in.Machine.Directory); err != nil {
		return err
	}
	return waitForAccess(ctx, in.Kubeconfig.Path)
}

// drift says how the host differs from the declaration.
func (in ControlPlaneInputs) drift() []string {
	files := in.Machine.Files
	if rotation, err := in.rotation(); err == nil {
		files = append(append([]File{}, files...), rotation.final)
	}
	drift := in.Machine.drift(files)
	if contents, err := os.ReadFile(in.Kubeconfig.Path); err != nil || string(contents) != in.Kubeconfig.Contents {
		drift = append(drift, fmt.Sprintf("kubeconfig %s is missing or has other contents", in.Kubeconfig.Path))
	}
	return drift
}

// refuseForeignData protects the data of a cluster that this state does not
// know: starting on it with new keys would make it unreadable.
func (in ControlPlaneInputs) refuseForeignData() error {
	found, err := os.ReadFile(in.Machine.hostPath(in.CertificateAuthorityPath))
	if err != nil {
		return nil // nothing there yet
	}
	for _, f := range in.Machine.Files {
		if f.Path == in.CertificateAuthorityPath && !bytes.Equal(found, []byte(f.Contents)) {
			return fmt.Errorf("%s holds a cluster with another certificate authority, which this Pulumi state does not know: "+
				"restore the state that made it, or move the directory away to begin anew", in.Machine.Directory)
		}
	}
	return nil
}

// discard removes a machine that could not be brought up. Its logs stay.
func discard(ctx context.Context, m Machine) error {
	if err := machine.Stop(context.WithoutCancel(ctx), m.Directory); err != nil {
		return err
	}
	err := os.RemoveAll(m.Directory)
	m.removeEmptyParents()
	return err
}
