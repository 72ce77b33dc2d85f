{{/*
What a service's sidecar is told: the spec of its Relay, and in static mode the
same as the file it reads. Takes root, service and references: "objects" writes
{secret: {name, key}}, "files" the paths where those are mounted.
*/}}
{{- define "orders-payments.relay" -}}
{{- $database := dict -}}
{{- if ne .service "gateway" -}}
{{- $database = include "orders-payments.database" . | fromYaml -}}
{{- end -}}
{{- $kafka := include "orders-payments.kafka" . | fromYaml -}}
{{- $topics := include "orders-payments.serviceTopics" . | fromYaml -}}
{{- $ports := include "orders-payments.ports" .service | fromYaml -}}
{{- $values := index .root.Values .service -}}
{{- $replication := include "orders-payments.replicationFactor" .root -}}
{{- $references := .references -}}
{{- if $database }}
database:
  url: {{ include "orders-payments.reference" (dict "to" $database.url "as" $references) }}
  {{- with $database.ca }}
  ca: {{ include "orders-payments.reference" (dict "to" . "as" $references) }}
  {{- end }}
{{- end }}
kafka:
  bootstrapServers:
    {{- toYaml $kafka.bootstrapServers | nindent 4 }}
  clientId: {{ include "orders-payments.fullname" .root }}-{{ .service }}
  {{- if hasKey $kafka "tls" }}
  {{- $tls := dict }}
  {{- range $field, $reference := $kafka.tls }}
  {{- $_ := set $tls $field (include "orders-payments.reference" (dict "to" $reference "as" $references) | fromYaml) }}
  {{- end }}
  tls: {{- if $tls }}{{ toYaml $tls | nindent 4 }}{{ else }} {}{{ end }}
  {{- end }}
  {{- with $kafka.sasl }}
  sasl:
    mechanism: {{ .mechanism }}
    username: {{ include "orders-payments.reference" (dict "to" .username "as" $references) }}
    password: {{ include "orders-payments.reference" (dict "to" .password "as" $references) }}
  {{- end }}
  {{- with .root.Values.kafka.properties }}
  properties:
    {{- toYaml . | nindent 4 }}
  {{- end }}
admin:
  # Within the pod; kubelet and Prometheus come from outside of it.
  listen: {{ eq $references "objects" | ternary "127.0.0.1:9100" "0.0.0.0:9100" }}
  {{- if ne .service "gateway" }}
  token: {{ include "orders-payments.reference" (dict "to" (include "orders-payments.adminToken" .root | fromYaml) "as" $references) }}
  {{- end }}
topics:
  create: {{ and .root.Values.kafka.topics.create (ne .root.Values.kafka.mode "strimzi") }}
  partitions: {{ .root.Values.kafka.topics.partitions }}
  {{- with $replication }}
  replicationFactor: {{ . }}
  {{- end }}
{{- if $topics.listens }}
inboxes:
  - name: {{ $topics.inbox }}
    table: none
    topics: {{ toJson $topics.listens }}
    deliver: {url: "http://127.0.0.1:{{ $ports.inbox }}/inbox"}
{{- else }}
outboxes:
  {{- $outbox := dict "name" .service "table" "outbox" "topic" $topics.writes }}
  {{- $events := dict "name" $topics.events.name "table" "events" "topic" $topics.events.topic "retention" "1h" }}
  {{- list (mergeOverwrite $outbox (deepCopy $values.relay.outbox)) $events | toYaml | nindent 2 }}
inboxes:
  {{- $deliver := dict "url" (printf "http://127.0.0.1:%v/inbox" $ports.inbox) }}
  {{- $inbox := dict "name" $topics.inbox "table" "inbox" "topics" (list $topics.reads) "consumerGroup" $topics.group "deliver" $deliver }}
  {{- list (mergeOverwrite $inbox (deepCopy $values.relay.inbox)) | toYaml | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Where the token is that opens dead letters to the gateway. */}}
{{- define "orders-payments.adminToken" -}}
{{- with .Values.sidecar.adminToken -}}
{kind: secret, name: {{ .existingSecret | default (printf "%s-admin-token" (include "orders-payments.fullname" $)) }}, key: {{ .key }}}
{{- end -}}
{{- end -}}

{{/* A reference to an entry of an object, or to the file it is mounted as. Takes to and as. */}}
{{- define "orders-payments.reference" -}}
{{- if eq .as "files" -}}
{file: /etc/outbox-sidecar/{{ include "orders-payments.mountedPath" .to }}}
{{- else -}}
{{ printf "{%s: {name: %s, key: %s}}" .to.kind .to.name .to.key }}
{{- end -}}
{{- end -}}

{{/* Where an entry of an object is mounted, below /etc/outbox-sidecar. */}}
{{- define "orders-payments.mountedPath" -}}
{{ lower .kind }}/{{ .name }}/{{ .key }}
{{- end -}}
