package hostconfig_test

import (
	"fmt"
	"strings"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// exampleKey is 32 bytes in base64, and no secret.
func exampleKey(name, letter string) hostconfig.EncryptionKey {
	return hostconfig.EncryptionKey{Name: name, Secret: strings.Repeat(letter, 42) + "A="}
}

func exampleControlPlane() hostconfig.ControlPlane {
	return hostconfig.ControlPlane{
		ClusterName: "example", Name: "control-plane", AdvertiseAddress: "10.80.0.10",
		ServiceCIDR: "10.82.0.0/20", PodCIDR: "10.81.0.0/16",
	}
}

// printFile prints the lines of one rendered file that hold one of the words.
func printFile(c hostconfig.ControlPlane, path string, words ...string) {
	files, err := c.Files()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, file := range files {
		if file.Path != path {
			continue
		}
		for line := range strings.Lines(file.Contents) {
			for _, word := range words {
				if strings.Contains(line, word) {
					fmt.Print(line)
					break
				}
			}
		}
	}
}

func ExampleEncryption_Configuration() {
	document, err := hostconfig.Encryption{Keys: []hostconfig.EncryptionKey{exampleKey("key-1", "B")}}.Configuration()
	if err != nil {
		fmt.Println(err)
	}
	fmt.Print(document)
	// Output:
	// apiVersion: apiserver.config.k8s.io/v1
	// kind: EncryptionConfiguration
	// resources:
	// - providers:
	//   - secretbox:
	//       keys:
	//       - name: key-1
	//         secret: BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA=
	//   resources:
	//   - secrets
}

func ExampleEncryptionRotation() {
	rotation := hostconfig.EncryptionRotation{
		From:    hostconfig.Encryption{Keys: []hostconfig.EncryptionKey{exampleKey("key-1", "B")}},
		To:      hostconfig.Encryption{Keys: []hostconfig.EncryptionKey{exampleKey("key-2", "C")}},
		Servers: []string{"control-plane"},
	}
	if _, err := rotation.Advance(hostconfig.EncryptionPromote); err != nil {
		fmt.Println(err)
	}
	rotation, err := rotation.Advance(hostconfig.EncryptionAdd)
	if err != nil {
		fmt.Println(err)
	}
	document, err := rotation.Configuration()
	if err != nil {
		fmt.Println(err)
	}
	for line := range strings.Lines(document) {
		if strings.Contains(line, "name:") {
			fmt.Print(line)
		}
	}
	// Output:
	// rotation.state: "promote" does not follow before; advance to add: a state that is skipped leaves objects that some API server cannot read
	//       - name: key-1
	//       - name: key-2
}

func ExampleAudit() {
	c := exampleControlPlane()
	c.Audit.Profile = hostconfig.AuditVerbose
	printFile(c, c.Paths.AuditPolicy(), "kind:", "- level: None", "nonResourceURLs", "livez")
	// Output:
	// kind: Policy
	// - level: None
	//   nonResourceURLs:
	//   - /livez*
}

func ExampleOIDCIssuer() {
	c := exampleControlPlane()
	c.OIDC = []hostconfig.OIDCIssuer{{
		URL: "https://login.example.org", Audiences: []string{"kubernetes"},
		UsernameExpression: `"oidc:" + claims.sub`,
		ClaimRules:         []hostconfig.OIDCRule{{Expression: `"mfa" in claims.amr`}},
	}}
	printFile(c, c.Paths.Authentication(), "expression: '", `expression: user.username.starts`)
	// Output:
	//       expression: '"oidc:" + claims.sub'
	//   - expression: '"mfa" in claims.amr'
	//   - expression: user.username.startsWith("oidc:")
	//   - expression: '!user.username.startsWith(''system:'')'
	//   - expression: '!user.username.startsWith(''redoubt:'')'
	//   - expression: '!user.username.startsWith(''kubeadm:'')'
}

func ExampleAdmissionPlugin() {
	c := exampleControlPlane()
	c.AdmissionPlugins = []hostconfig.AdmissionPlugin{{
		Name: "PodNodeSelector", Configuration: "podNodeSelectorPluginConfig: {tenant: pool=tenant}",
	}}
	printFile(c, c.Paths.Admission(), "name:", "enforce:", "tenant:")
	// Output:
	//   name: EventRateLimit
	//       enforce: restricted
	//   name: PodSecurity
	//       tenant: pool=tenant
	//   name: PodNodeSelector
}

func ExampleEventRateLimit() {
	c := exampleControlPlane()
	c.EventRateLimit.Namespace.QPS = 20
	printFile(c, c.Paths.EventRateLimit(), "qps", "type")
	// Output:
	//   qps: 500
	//   type: Server
	//   qps: 20
	//   type: Namespace
	//   qps: 50
	//   type: User
}
