package hostconfig

// Registries says from where a node's images come (M26).
type Registries struct {
	// Endpoint is the URL of a mirror that serves every registry that Allowed does
	// not list, for example "http://127.0.0.1:5000"; plain http only on loopback.
	Endpoint string `json:"endpoint,omitempty"`
	// Allowed are registries that are served by mirrors of their own.
	Allowed []Registry `json:"allowed,omitempty"`
	// TrustedCertificates are authorities in PEM that may sign the certificate of
	// every registry and mirror, besides those of the operating system.
	TrustedCertificates string `json:"trustedCertificates,omitempty"`
	// CredentialProviders give the kubelet short-lived registry credentials.
	CredentialProviders []CredentialProvider `json:"credentialProviders,omitempty"`
}

// Registry is a registry that images may name.
type Registry struct {
	// Name is the part of an image's name before the first slash, for example
	// "docker.io".
	Name string `json:"name"`
	// Mirrors are asked in this order, before the registry itself.
	Mirrors []Mirror `json:"mirrors,omitempty"`
}

// Mirror serves a registry's images.
type Mirror struct {
	// URL is https://host[:port][/path]; plain http only on loopback.
	URL string `json:"url"`
}

// CredentialProvider is a program of the image that gets registry credentials.
type CredentialProvider struct {
	// Name is the program's, for example "ecr-credential-provider". Required.
	Name string `json:"name"`
	// MatchImages are the registries that it is asked for; at least one.
	MatchImages []string `json:"matchImages"`
	// CacheDuration is how long the kubelet keeps credentials that tell nothing
	// of their own life; twelve hours at most, as long as those of ECR live.
	CacheDuration Duration `json:"cacheDuration"`
	// Environment holds variables of the program.
	Environment map[string]string `json:"environment,omitempty"`
}
