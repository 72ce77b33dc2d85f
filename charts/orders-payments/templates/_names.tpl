{{/* The chart's name, or what replaces it. */}}
{{- define "orders-payments.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/*
What every name begins with. At most 40 characters: a StatefulSet's name, its
suffix and a revision hash must fit a label's 63.
*/}}
{{- define "orders-payments.fullname" -}}
{{- $name := include "orders-payments.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels that never change: Deployments and Services select by them. Takes root and component. */}}
{{- define "orders-payments.selectorLabels" -}}
app.kubernetes.io/name: {{ include "orders-payments.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{/* Labels of every object. Takes root and component; the component may be empty. */}}
{{- define "orders-payments.labels" -}}
{{ include "orders-payments.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: {{ include "orders-payments.name" .root }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* An image of this project. Takes root and image; what image leaves open is global. */}}
{{- define "orders-payments.image" -}}
{{- $tag := .image.tag | default .root.Values.image.tag | default .root.Chart.AppVersion -}}
{{- $registry := .image.registry | default .root.Values.image.registry -}}
{{- $name := printf "%s:%s" .image.repository $tag -}}
{{- if $registry }}{{ printf "%s/%s" $registry $name }}{{ else }}{{ $name }}{{ end -}}
{{- end -}}

{{/* An image of others, which has its own tag and registry. */}}
{{- define "orders-payments.foreignImage" -}}
{{- $name := printf "%s:%s" .repository .tag -}}
{{- if .registry }}{{ printf "%s/%s" .registry $name }}{{ else }}{{ $name }}{{ end -}}
{{- end -}}
