{{/* What the operator does in the namespaces it looks after. It writes to no workload and reads no Secret there. */}}
{{- define "outbox-operator.rules" -}}
- apiGroups: [outbox-sidecar.dev]
  resources: [relays]
  verbs: [get, list, watch]
- apiGroups: [outbox-sidecar.dev]
  resources: [relays/status]
  verbs: [patch]
# Its ConfigMaps and PodMonitors have the Relay as their owner.
- apiGroups: [outbox-sidecar.dev]
  resources: [relays/finalizers]
  verbs: [update]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch, create, patch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [list, create, patch]
{{- if eq .Values.podMonitors "auto" }}
- apiGroups: [monitoring.coreos.com]
  resources: [podmonitors]
  verbs: [get, create, patch]
{{- end }}
{{- end -}}

{{/* A binding's other end. */}}
{{- define "outbox-operator.subjects" -}}
- kind: ServiceAccount
  name: {{ include "outbox-operator.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}
