package admission

import admissionv1 "k8s.io/api/admissionregistration/v1"

// reference is an image's name with its registry: what leaves it out is of
// docker.io, as container runtimes read it.
func reference(image string) string {
	return `(` + image + `.matches('^[^/]*[.:][^/]*/') || ` + image + `.startsWith('localhost/') ? ` + image +
		` : 'docker.io/' + (` + image + `.contains('/') ? '' : 'library/') + ` + image + `)`
}

func imagePolicies() []Policy {
	image := `c.?image.orValue('')`
	narrowed := `namespaceObject != null && namespaceObject.metadata.?annotations[?'` + AnnotationRegistries + `'].orValue('') != ''`
	foreign := func(image string) string {
		// The list of one gives the reference a name: made anew for each registry, it
		// would cost more than the API server allows.
		return `![` + reference(image) + `].exists(i, variables.allowed.exists(r, i.startsWith(r)) && (!(` + narrowed + `) || variables.narrowed.exists(r, i.startsWith(r))))`
	}
	volume := `c.image.?reference.orValue('')`
	pinned := `@sha256:[a-f0-9]{64}$`
	return []Policy{
		onPods(Policy{
			ID: "image-registries", Title: "images come from registries that the platform trusts", Controls: []string{"M26", "CIS-5.5.1"},
			Variables: []admissionv1.Variable{
				variable("allowed", `params.data.registries.split('\n')`),
				variable("narrowed", `namespaceObject.metadata.annotations['`+AnnotationRegistries+`'].split(',').map(r, r.trim()).filter(r, r != '').map(r, r + '/')`),
			},
			found: all(containers(foreign(image), "image", image),
				each(volumes, `has(c.image) && `+foreign(volume), `variables.path + 'volumes[' + c.name + '].image.reference is "' + `+volume+` + '"'`)),
			Remedy: "push the image to an allowed registry, or have the platform add the registry to policies.registries",
		}),
		onPods(Policy{
			ID: "image-digests", Title: "images are named by their digest", Controls: []string{"M26"}, Relaxed: Warn,
			found: all(containers(`!`+image+`.matches('`+pinned+`')`, "image", image),
				each(volumes, `has(c.image) && !`+volume+`.matches('`+pinned+`')`, `variables.path + 'volumes[' + c.name + '].image.reference is "' + `+volume+` + '"'`)),
			Remedy: "write name@sha256:DIGEST; the tag may stay before the @",
		}),
		onPods(Policy{
			ID: "image-tags", Title: "no image is latest, said or unsaid", Controls: []string{"M26"},
			found:  containers(`!`+image+`.contains('@') && (`+image+`.endsWith(':latest') || !`+image+`.matches(':[^/:]+$'))`, "image", image),
			Remedy: "name a version, or better a digest",
		}),
	}
}
