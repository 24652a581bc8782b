// Package fakecloud plays AWS or GCP towards the machines of a self-managed
// cluster: what a host asks a cloud for while it boots, joins and runs, and
// nothing that only a provisioning tool asks for (test/simcloud plays that).
//
//	AWS  instance metadata (IMDSv2 only), S3, KMS, EC2 DescribeInstances,
//	     Auto Scaling DescribeAutoScalingInstances, CompleteLifecycleAction and
//	     SetInstanceHealth
//	GCP  metadata server with access tokens, Cloud Storage, Compute Engine
//	     instances.list, get and delete and managed instances, Cloud KMS
//
// Every server speaks the real protocol under the real host names and refuses what
// the real one refuses: a wrong or old signature, an unknown access key, a token of
// another instance, a missing header, a forwarded metadata request, an action that
// the role's policies or the bucket's or the key's do not allow, a key that is
// disabled, a ciphertext with another context, an object whose retention is not
// over. Policies are the documents that the provisioning tool wrote: an element
// that this package does not know is an error, never a permission.
//
// How to use it where machines are network namespaces:
//
//	cloud, err := fakecloud.New(fakecloud.Options{Provider: fakecloud.AWS, Region: "eu-central-1", Account: "123456789012"})
//	cloud.AddRole(fakecloud.Role{Name: "prod-control-plane", Policies: []string{policy}})
//	cloud.AddBucket(fakecloud.Bucket{Name: "prod-store", Versioned: true})
//	cloud.AddInstance(fakecloud.Instance{ID: "i-0123456789abcdef0", Role: "prod-control-plane", Addresses: []string{"10.0.0.10"}})
//	cloud.ServeMetadata(listenerOn169dot254)  // port 80; who asks is told by the source address
//	cloud.ServeAPI(listenerOnCloudAddress)    // port 443; TLS with the package's own authority
//	os.WriteFile(root+"/etc/hosts", cloud.HostsFile(cloudAddress), 0o644)
//	os.WriteFile(root+"/etc/ssl/certs/cloud.pem", cloud.CA(), 0o644) // and SSL_CERT_FILE
//
// A listener may have been opened in another network namespace. Where all
// machines share one address, ServeMetadataOf plays the metadata server of one.
package fakecloud
