{{/*
The sidecar in static mode, the same as the operator's injector makes it:
scripts/check-charts.sh compares the two.
*/}}
{{- define "orders-payments.sidecarContainer" -}}
{{- $values := .root.Values.sidecar -}}
name: outbox-sidecar
image: {{ include "orders-payments.image" (dict "root" .root "image" $values.image) }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
# An init container that keeps running: it is there before the service and until after it.
restartPolicy: Always
args: [run, --config, /etc/outbox-sidecar/config.yaml]
env:
  - {name: LOG_FORMAT, value: json}
  - {name: RUST_LOG, value: {{ $values.log | default "info" | quote }}}
ports:
  - {name: outbox-admin, containerPort: 9100, protocol: TCP}
startupProbe:
  httpGet: {path: /readyz, port: outbox-admin}
  periodSeconds: 1
  failureThreshold: 60
readinessProbe:
  httpGet: {path: /readyz, port: outbox-admin}
  periodSeconds: 10
  failureThreshold: 3
livenessProbe:
  httpGet: {path: /healthz, port: outbox-admin}
  periodSeconds: 10
  failureThreshold: 3
resources:
  {{- $default := dict "requests" (dict "cpu" "20m" "memory" "32Mi") "limits" (dict "memory" "128Mi") }}
  {{- mergeOverwrite $default (deepCopy $values.resources) | toYaml | nindent 2 }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  readOnlyRootFilesystem: true
  allowPrivilegeEscalation: false
  capabilities:
    drop: [ALL]
  seccompProfile:
    type: RuntimeDefault
volumeMounts:
  - {name: outbox-sidecar, mountPath: /etc/outbox-sidecar, readOnly: true}
{{- end -}}

{{/*
The sidecar's configuration and the secrets it names. A directory, so that the
sidecar sees changes and reloads them.
*/}}
{{- define "orders-payments.sidecarVolume" -}}
name: outbox-sidecar
projected:
  defaultMode: 0444
  sources:
    - configMap:
        name: {{ include "orders-payments.fullname" .root }}-{{ .service }}-outbox-sidecar
        items: [{key: config.yaml, path: config.yaml}]
    {{- include "orders-payments.sidecarSources" . | trim | nindent 4 }}
{{- end -}}

{{/* One projection for each object the configuration names, with all of its entries. */}}
{{- define "orders-payments.sidecarSources" -}}
{{- $database := dict -}}
{{- $token := dict -}}
{{- if ne .service "gateway" -}}
{{- $database = include "orders-payments.database" . | fromYaml -}}
{{- $token = include "orders-payments.adminToken" .root | fromYaml -}}
{{- end -}}
{{- $kafka := include "orders-payments.kafka" . | fromYaml -}}
{{- $tls := default dict $kafka.tls -}}
{{- $sasl := default dict $kafka.sasl -}}
{{- $references := list $database.url $database.ca $tls.ca $tls.certificate $tls.key $sasl.username $sasl.password $token -}}
{{- $objects := dict -}}
{{- range compact $references -}}
{{- $object := printf "%s/%s" .kind .name -}}
{{- $_ := set $objects $object (append (default list (get $objects $object)) .) -}}
{{- end -}}
{{- range $object := keys $objects | sortAlpha }}
{{- $entries := get $objects $object }}
{{- with first $entries }}
- {{ .kind }}:
    name: {{ .name }}
    items:
{{- end }}
{{- range uniq $entries }}
      - {key: {{ .key }}, path: {{ include "orders-payments.mountedPath" . }}}
{{- end }}
{{- end }}
{{- end -}}

{{/* What tells the operator to inject a sidecar into the pods, and how. */}}
{{- define "orders-payments.sidecarAnnotations" -}}
{{- if eq .root.Values.sidecar.mode "inject" }}
outbox-sidecar.dev/relay: {{ include "orders-payments.fullname" .root }}-{{ .service }}
{{- with .root.Values.sidecar.log }}
outbox-sidecar.dev/log: {{ . | quote }}
{{- end }}
{{- range $kind, $amounts := .root.Values.sidecar.resources }}
{{- range $resource, $amount := $amounts }}
outbox-sidecar.dev/{{ $resource }}-{{ trimSuffix "s" $kind }}: {{ $amount | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The label by which pods with a sidecar are found. The injector sets it itself. */}}
{{- define "orders-payments.sidecarLabels" -}}
{{- if eq .root.Values.sidecar.mode "static" }}
outbox-sidecar.dev/relay: {{ include "orders-payments.fullname" .root }}-{{ .service }}
{{- end }}
{{- end -}}
