// Package lint judges the deployment files: Kubernetes' manifests by Kubernetes' own types, and compose files by the
// library that reads them in Docker Compose.
package lint

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/json"
	sigsyaml "sigs.k8s.io/yaml"
)

// A manifest is what one file describes.
type manifest struct {
	deployments []appsv1.Deployment
	sets        []appsv1.StatefulSet
	services    []corev1.Service
	accounts    []corev1.ServiceAccount
	budgets     []policyv1.PodDisruptionBudget
}

// read decodes every document strictly: no field that its kind does not have, none twice, none of the wrong type.
func read(t *testing.T, file string) manifest {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var m manifest
	for reader := yaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(content))); ; {
		document := make([]byte, len(content))
		n, err := reader.Read(document)
		if errors.Is(err, io.EOF) {
			return m
		}
		if err != nil {
			t.Fatal(err)
		}
		document = document[:n]
		var kind metav1.TypeMeta
		if err := sigsyaml.Unmarshal(document, &kind); err != nil {
			t.Fatal(err)
		}
		switch kind {
		case metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"}:
			m.deployments = decode(t, document, m.deployments)
		case metav1.TypeMeta{APIVersion: "apps/v1", Kind: "StatefulSet"}:
			m.sets = decode(t, document, m.sets)
		case metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}:
			m.services = decode(t, document, m.services)
		case metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"}:
			m.accounts = decode(t, document, m.accounts)
		case metav1.TypeMeta{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"}:
			m.budgets = decode(t, document, m.budgets)
		default:
			t.Errorf("%s in %s: nobody judges it", kind.Kind, kind.APIVersion)
		}
	}
}

// decode appends one object.
func decode[T any](t *testing.T, document []byte, to []T) []T {
	t.Helper()
	text, err := sigsyaml.YAMLToJSONStrict(document)
	if err != nil {
		t.Fatal(err)
	}
	var object T
	faults, err := json.UnmarshalStrict(text, &object) // as Kubernetes reads, unlike the standard library, which takes any case
	if err := errors.Join(append(faults, err)...); err != nil {
		t.Error(err)
	}
	return append(to, object)
}

func TestKubernetes(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../kubernetes.*.yaml")
	if err != nil || len(files) != 2 {
		t.Fatalf("the manifests are %q, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			m := read(t, file)
			for _, d := range m.deployments {
				m.judge(t, d.Spec.Selector, d.Spec.Template)
				rolling := d.Spec.Strategy.RollingUpdate
				if rolling == nil || *rolling.MaxUnavailable != intstr.FromInt32(0) {
					t.Error("a roll-out takes a replica away before there is a new one")
				}
				if len(m.budgets) != 1 || !selects(t, m.budgets[0].Spec.Selector, d.Spec.Template) {
					t.Error("no PodDisruptionBudget keeps a replica")
				}
			}
			for _, s := range m.sets {
				m.judge(t, s.Spec.Selector, s.Spec.Template)
				if *s.Spec.Replicas != 1 || len(s.Spec.VolumeClaimTemplates) != 1 {
					t.Errorf("%d replicas with %d volumes, want one on one", *s.Spec.Replicas, len(s.Spec.VolumeClaimTemplates))
				}
			}
			if len(m.deployments)+len(m.sets) != 1 {
				t.Error("want one Deployment or StatefulSet")
			}
		})
	}
}

// judge looks whether the objects of a manifest fit together, and whether its pods may do what they need and no more.
func (m manifest) judge(t *testing.T, selector *metav1.LabelSelector, template corev1.PodTemplateSpec) {
	t.Helper()
	pod := template.Spec
	if !selects(t, selector, template) {
		t.Error("it does not select its own pods")
	}
	if len(m.accounts) != 1 || m.accounts[0].Name != pod.ServiceAccountName || is(m.accounts[0].AutomountServiceAccountToken, true) || !is(pod.AutomountServiceAccountToken, false) {
		t.Error("want an account of its own, without a token")
	}
	if seconds := pod.TerminationGracePeriodSeconds; seconds == nil || *seconds < 30 {
		t.Error("it is killed before it has drained, which takes up to 25 s")
	}
	if c := pod.SecurityContext; c == nil || !is(c.RunAsNonRoot, true) || c.RunAsUser == nil || *c.RunAsUser != 65532 ||
		c.SeccompProfile == nil || c.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Error("want the image's user, not root, and the runtime's seccomp profile")
	}
	if len(pod.Containers) != 1 {
		t.Fatalf("%d containers, want one", len(pod.Containers))
	}
	c := pod.Containers[0]
	if s := c.SecurityContext; s == nil || !is(s.ReadOnlyRootFilesystem, true) || !is(s.AllowPrivilegeEscalation, false) ||
		s.Capabilities == nil || len(s.Capabilities.Drop) != 1 || s.Capabilities.Drop[0] != "ALL" || len(s.Capabilities.Add) > 0 {
		t.Error("want a read-only root, no capabilities and no way to more")
	}
	for name, probe := range map[string]*corev1.Probe{"/healthz": c.LivenessProbe, "/readyz": c.ReadinessProbe, "/healthz at the start": c.StartupProbe} {
		path, _, _ := strings.Cut(name, " ")
		if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != path || !opens(c, probe.HTTPGet.Port) {
			t.Errorf("there is no probe of %s", name)
		}
	}
	if len(m.services) != 1 || !labels.SelectorFromSet(m.services[0].Spec.Selector).Matches(labels.Set(template.Labels)) ||
		len(m.services[0].Spec.Ports) != 1 || !opens(c, m.services[0].Spec.Ports[0].TargetPort) {
		t.Error("no Service leads to it")
	}
	if len(c.EnvFrom) != 1 || c.EnvFrom[0].SecretRef == nil {
		t.Error("keys and database have to come from a Secret")
	}
	limit, soft := c.Resources.Limits.Memory(), ""
	for _, e := range c.Env {
		if strings.HasPrefix(e.Name, "CONNECTOR_") {
			t.Errorf("%s does not come from the Secret", e.Name)
		}
		if e.Name == "GOMEMLIMIT" {
			soft = e.Value
		}
	}
	if goal, err := resource.ParseQuantity(strings.TrimSuffix(soft, "B")); err != nil || c.Resources.Requests.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() || goal.Cmp(*limit) >= 0 {
		t.Errorf("GOMEMLIMIT %q with a limit of %v: want requests, and room between the two", soft, limit)
	}
	for _, mount := range c.VolumeMounts {
		if mount.MountPath != "/data" {
			t.Errorf("it needs to write to /data alone, and not to %s", mount.MountPath)
		}
	}
}

// selects reports whether a selector finds the pods of a template.
func selects(t *testing.T, selector *metav1.LabelSelector, template corev1.PodTemplateSpec) bool {
	t.Helper()
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	return !s.Empty() && s.Matches(labels.Set(template.Labels))
}

// opens reports whether the container has a port of that name.
func opens(c corev1.Container, port intstr.IntOrString) bool {
	return len(c.Ports) == 1 && port.Type == intstr.String && c.Ports[0].Name == port.StrVal
}

// is reports whether b is given and has the value.
func is(b *bool, value bool) bool { return b != nil && *b == value }
