// Package images makes container images out of single static binaries and serves
// them, so that a machine without a route out can pull: pods whose policy is to
// always pull included (CIS Kubernetes 1.2.11, AlwaysPullImages).
//
// An image directory holds one OCI layout (image-spec, image-layout.md) for each
// image name, below its registry's name: redoubt.local/pause/{oci-layout,index.json,blobs}.
// Tags are the annotation org.opencontainers.image.ref.name in index.json.
//
// The registry (distribution-spec) only reads. It writes nothing, follows no path out of its
// directory, and listens on loopback only, since it speaks plain HTTP.
package images
