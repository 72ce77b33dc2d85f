{{/*
Where a service's database URL is and which authorities to trust, as
  url: {kind: secret, name, key}
  ca:  {kind: secret|configMap, name, key}   (absent: those of the image)
Takes root and service.
*/}}
{{- define "orders-payments.database" -}}
{{- $values := .root.Values.postgresql -}}
{{- $name := printf "%s-%s-db" (include "orders-payments.fullname" .root) .service -}}
{{- if eq $values.mode "bundled" }}
url: {kind: secret, name: {{ index $values.bundled.existingSecrets .service | default $name }}, key: url}
{{- else if eq $values.mode "external" }}
url: {kind: secret, name: {{ index $values.external.existingSecrets .service }}, key: {{ $values.external.urlKey }}}
{{- with include "orders-payments.authorities" $values.external.ca }}
ca: {{ . }}
{{- end }}
{{- else }}
url: {kind: secret, name: {{ $name }}-app, key: uri}
ca: {kind: secret, name: {{ $name }}-ca, key: ca.crt}
{{- end }}
{{- end -}}

{{/* A reference to authorities given by existingSecret or existingConfigMap; empty if by neither. */}}
{{- define "orders-payments.authorities" -}}
{{- if .existingSecret -}}
{kind: secret, name: {{ .existingSecret }}, key: {{ .key }}}
{{- else if .existingConfigMap -}}
{kind: configMap, name: {{ .existingConfigMap }}, key: {{ .key }}}
{{- end -}}
{{- end -}}

{{/* The volume with a service's database URL and authorities. Takes root and service. */}}
{{- define "orders-payments.databaseVolume" -}}
{{- $database := include "orders-payments.database" . | fromYaml -}}
name: database
projected:
  defaultMode: 0444
  sources:
    - secret:
        name: {{ $database.url.name }}
        items: [{key: {{ $database.url.key }}, path: url}]
    {{- with $database.ca }}
    - {{ .kind }}:
        name: {{ .name }}
        items: [{key: {{ .key }}, path: ca.crt}]
    {{- end }}
{{- end -}}

{{/* The host and port of a service's bundled database. */}}
{{- define "orders-payments.bundledPostgresqlAddress" -}}
{{ include "orders-payments.fullname" . }}-postgresql:5432
{{- end -}}
