{{/* What a pod of uid needs to meet the Pod Security level "restricted". */}}
{{- define "orders-payments.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* The container's part of "restricted", and a root filesystem nobody can write to. */}}
{{- define "orders-payments.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/*
Labels of a component's pods. Not the chart's version: a new chart alone is no
reason to replace pods. Takes root, component, and podLabels if there may be some.
*/}}
{{- define "orders-payments.podLabels" -}}
{{ include "orders-payments.selectorLabels" . }}
app.kubernetes.io/part-of: {{ include "orders-payments.name" .root }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- with .podLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Where pods of a component run, and how they end. Takes root and component. */}}
{{- define "orders-payments.podPlacement" -}}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.scheduling }}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- if .topologySpread.enabled }}
topologySpreadConstraints:
  {{- range .topologySpread.topologyKeys }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: {{ $.root.Values.scheduling.topologySpread.whenUnsatisfiable }}
    labelSelector:
      matchLabels:
        {{- include "orders-payments.selectorLabels" $ | nindent 8 }}
    # Pods of an old revision, about to go, do not count.
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* How a Deployment replaces its pods: a new one is ready before an old one goes. */}}
{{- define "orders-payments.rollout" -}}
strategy:
  type: RollingUpdate
  rollingUpdate:
    maxUnavailable: 0
    maxSurge: 1
{{- end -}}
