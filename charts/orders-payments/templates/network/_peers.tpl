{{/* Pods of a component of this release, as a NetworkPolicy peer. Takes root and component. */}}
{{- define "orders-payments.peer" -}}
podSelector:
  matchLabels:
    {{- include "orders-payments.selectorLabels" . | nindent 4 }}
{{- end -}}

{{/* A namespace, as a peer. */}}
{{- define "orders-payments.namespacePeer" -}}
namespaceSelector:
  matchLabels:
    kubernetes.io/metadata.name: {{ . }}
{{- end -}}

{{/* Head of a component's policy. Takes root and component. */}}
{{- define "orders-payments.policyHead" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "orders-payments.fullname" .root }}-{{ .component }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "orders-payments.labels" . | nindent 4 }}
{{- end -}}

{{- define "orders-payments.dnsEgress" -}}
- to:
    {{- toYaml .Values.networkPolicy.dns | nindent 4 }}
  ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
{{- end -}}

{{/* Where a service's database is. Takes root and service. */}}
{{- define "orders-payments.databaseEgress" -}}
{{- $values := .root.Values -}}
{{- if eq $values.postgresql.mode "bundled" }}
- to:
    - {{- include "orders-payments.peer" (dict "root" .root "component" "postgresql") | nindent 6 }}
  ports: [{port: 5432}]
{{- else if eq $values.postgresql.mode "cloudnative-pg" }}
- to:
    - podSelector:
        matchLabels:
          cnpg.io/cluster: {{ include "orders-payments.fullname" .root }}-{{ .service }}-db
  ports: [{port: 5432}]
{{- else }}
- ports: [{port: {{ $values.postgresql.external.port }}}]
  {{- with $values.networkPolicy.postgresqlTo }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "orders-payments.kafkaEgress" -}}
{{- if eq .Values.kafka.mode "bundled" }}
- to:
    - {{- include "orders-payments.peer" (dict "root" . "component" "kafka") | nindent 6 }}
  ports: [{port: 9092}]
{{- else if eq .Values.kafka.mode "strimzi" }}
- to:
    - podSelector:
        matchLabels:
          strimzi.io/cluster: {{ include "orders-payments.fullname" . }}
          strimzi.io/kind: Kafka
  ports: [{port: 9093}]
{{- else }}
- ports:
    {{- range .Values.kafka.external.ports }}
    - {port: {{ . }}}
    {{- end }}
  {{- with .Values.networkPolicy.kafkaTo }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end -}}
