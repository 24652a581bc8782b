package hostconfig

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubeletv1 "k8s.io/kubelet/config/v1"
)

// CredentialProvider is a program with which the kubelet gets credentials of
// registries. They come from the machine's or the pod's own identity, so that no
// password is stored anywhere (M34).
type CredentialProvider struct {
	// Name is that of the program in [Paths.CredentialProviderBin]. Required.
	Name string `json:"name"`
	// MatchImages are the registries that it is asked for, for example
	// "*.dkr.ecr.*.amazonaws.com": a glob stands for letters of one part of the
	// host's name. Each part but a leading or inner one must be spelled out, so
	// that no credential reaches a host of somebody else.
	MatchImages []string `json:"matchImages"`
	// CacheDuration is how long the kubelet keeps credentials that tell nothing of
	// their own life: from none to 12 hours, which is as long as ECR's live. The
	// default, zero, is a minute.
	CacheDuration metav1.Duration `json:"cacheDuration"`
	// Arguments are the program's.
	Arguments []string `json:"arguments,omitempty"`
	// Environment holds variables of the program. They are no place for secrets.
	Environment map[string]string `json:"environment,omitempty"`
	// ServiceAccountToken hands the program a token of the pod that needs the
	// image, so that it acts for the pod and not for the whole machine.
	ServiceAccountToken *ServiceAccountToken `json:"serviceAccountToken,omitempty"`
}

// ServiceAccountToken is a token of the pod that an image is pulled for. The
// kubelet gives it since v1.34, in which the feature is on by default (KEP-4412).
type ServiceAccountToken struct {
	// Audience is whom the token is for. Required.
	Audience string `json:"audience"`
	// CachePerServiceAccount lets pods of one service account share credentials;
	// otherwise they are kept for one token alone.
	CachePerServiceAccount bool `json:"cachePerServiceAccount,omitempty"`
	// Optional lets the program run for pods without a service account, which are
	// static pods.
	Optional bool `json:"optional,omitempty"`
	// RequiredAnnotations and OptionalAnnotations are keys of the service account's
	// annotations that the program is given.
	RequiredAnnotations []string `json:"requiredAnnotations,omitempty"`
	OptionalAnnotations []string `json:"optionalAnnotations,omitempty"`
}

// Bounds of the time for which credentials are kept (M34).
const (
	defaultCredentialCache = time.Minute
	maximumCredentialCache = 12 * time.Hour
)

// ECRCredentialProvider gets credentials of Amazon ECR for the machine's role.
// They live for 12 hours, and the program says so: the time here holds only for
// an answer that says nothing.
// https://cloud-provider-aws.sigs.k8s.io/credential_provider/
func ECRCredentialProvider() CredentialProvider {
	return CredentialProvider{
		Name: "ecr-credential-provider",
		MatchImages: []string{
			"*.dkr.ecr.*.amazonaws.com", "*.dkr.ecr.*.amazonaws.com.cn", "*.dkr.ecr-fips.*.amazonaws.com",
			"*.dkr-ecr.*.on.aws", "public.ecr.aws",
		},
		CacheDuration: metav1.Duration{Duration: maximumCredentialCache},
	}
}

// GCRCredentialProvider gets credentials of Google's Artifact Registry for the
// machine's service account. Tokens of the metadata service can be near their
// end when they are given, so that they are kept for a minute only.
// https://github.com/kubernetes/cloud-provider-gcp/tree/master/cmd/auth-provider-gcp
func GCRCredentialProvider() CredentialProvider {
	return CredentialProvider{
		Name:          "gcp-credential-provider",
		MatchImages:   []string{"gcr.io", "*.gcr.io", "*.pkg.dev", "container.cloud.google.com"},
		CacheDuration: metav1.Duration{Duration: defaultCredentialCache},
		Arguments:     []string{"get-credentials", "--v=3"},
	}
}

// credentialProviderFile renders the kubelet's CredentialProviderConfig.
func (w Worker) credentialProviderFile() (File, error) {
	configuration := kubeletv1.CredentialProviderConfig{
		TypeMeta: metav1.TypeMeta{APIVersion: kubeletv1.SchemeGroupVersion.String(), Kind: "CredentialProviderConfig"},
	}
	for _, provider := range w.Registries.CredentialProviders {
		configuration.Providers = append(configuration.Providers, provider.render())
	}
	contents, err := renderYAML(configuration)
	if err != nil {
		return File{}, fmt.Errorf("credential providers: %w", err)
	}
	return File{Path: w.Paths.CredentialProviders(), Mode: modePrivate, Owner: ownerRoot, Contents: contents}, nil
}

func (c CredentialProvider) render() kubeletv1.CredentialProvider {
	rendered := kubeletv1.CredentialProvider{
		Name: c.Name, MatchImages: c.MatchImages, Args: c.Arguments,
		APIVersion:           "credentialprovider.kubelet.k8s.io/v1",
		DefaultCacheDuration: &metav1.Duration{Duration: c.CacheDuration.Duration},
	}
	if rendered.DefaultCacheDuration.Duration == 0 {
		rendered.DefaultCacheDuration.Duration = defaultCredentialCache
	}
	for _, name := range slices.Sorted(maps.Keys(c.Environment)) {
		rendered.Env = append(rendered.Env, kubeletv1.ExecEnvVar{Name: name, Value: c.Environment[name]})
	}
	if token := c.ServiceAccountToken; token != nil {
		rendered.TokenAttributes = &kubeletv1.ServiceAccountTokenAttributes{
			ServiceAccountTokenAudience:          token.Audience,
			CacheType:                            kubeletv1.TokenServiceAccountTokenCacheType,
			RequireServiceAccount:                pointer(!token.Optional),
			RequiredServiceAccountAnnotationKeys: token.RequiredAnnotations,
			OptionalServiceAccountAnnotationKeys: token.OptionalAnnotations,
		}
		if token.CachePerServiceAccount {
			rendered.TokenAttributes.CacheType = kubeletv1.ServiceAccountServiceAccountTokenCacheType
		}
	}
	return rendered
}

// credentialProviders reports what the kubelet would refuse, and what would give
// credentials to more hosts than meant.
func (p *problems) credentialProviders(field string, providers []CredentialProvider) {
	seen := map[string]bool{}
	for i, provider := range providers {
		at := fmt.Sprintf("%s[%d]", field, i)
		if !programPattern.MatchString(provider.Name) {
			p.add(at+".name", quote(provider.Name)+" is not the name of a program", "write a name such as ecr-credential-provider")
		} else if seen[provider.Name] {
			p.add(at+".name", quote(provider.Name)+" is listed twice", "list it once, with all its images")
		}
		seen[provider.Name] = true
		if len(provider.MatchImages) == 0 {
			p.add(at+".matchImages", "is empty", "write the registries that it is asked for")
		}
		for j, glob := range provider.MatchImages {
			if problem := imageGlob(glob); problem != "" {
				p.add(fmt.Sprintf("%s.matchImages[%d]", at, j), quote(glob)+" "+problem, "write a registry such as *.dkr.ecr.*.amazonaws.com, with a port or a path where images have one")
			}
		}
		if d := provider.CacheDuration.Duration; d < 0 || d > maximumCredentialCache {
			p.add(at+".cacheDuration", d.String()+" is outside 0 to 12h (M34)", "write a duration such as 12h")
		}
		for _, name := range slices.Sorted(maps.Keys(provider.Environment)) {
			if !environmentPattern.MatchString(name) || strings.ContainsRune(provider.Environment[name], 0) {
				p.add(fmt.Sprintf("%s.environment[%q]", at, name), "is not a variable", "write letters, digits and underscores")
			} else if storedCredential.MatchString(name) {
				p.add(fmt.Sprintf("%s.environment[%q]", at, name), "is a long-lived credential (M34)", "let the program use the machine's or the pod's own identity")
			}
		}
		for j, argument := range provider.Arguments {
			if strings.ContainsRune(argument, 0) {
				p.add(fmt.Sprintf("%s.arguments[%d]", at, j), "contains a NUL", "write it as the program takes it")
			}
		}
		p.serviceAccountToken(at+".serviceAccountToken", provider.ServiceAccountToken)
	}
}
