{{/* The chart's name, or what replaces it. */}}
{{- define "outbox-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* What every name begins with. */}}
{{- define "outbox-operator.fullname" -}}
{{- $name := include "outbox-operator.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels that never change: the Deployment and the Service select by them. */}}
{{- define "outbox-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "outbox-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{/* Labels of every object but pods. */}}
{{- define "outbox-operator.labels" -}}
{{ include "outbox-operator.selectorLabels" . }}
{{ include "outbox-operator.descriptiveLabels" . }}
{{- end -}}

{{/* What the labels of an object say beside what it is selected by. */}}
{{- define "outbox-operator.descriptiveLabels" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: outbox-sidecar
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "outbox-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "outbox-operator.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.create is false: set serviceAccount.name to the account to use" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* An image. Takes root and image. */}}
{{- define "outbox-operator.image" -}}
{{- $name := printf "%s:%s" .image.repository (.image.tag | default .root.Chart.AppVersion) -}}
{{- if .image.registry }}{{ printf "%s/%s" .image.registry $name }}{{ else }}{{ $name }}{{ end -}}
{{- end -}}

{{/* The Secret with the serving certificate. */}}
{{- define "outbox-operator.certificateSecret" -}}
{{ include "outbox-operator.fullname" . }}-certificate
{{- end -}}
