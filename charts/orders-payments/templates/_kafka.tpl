{{/*
How a service's sidecar reaches Kafka, with references as in "orders-payments.database":
  bootstrapServers: […]
  tls:  {ca, certificate, key}   (absent: no TLS)
  sasl: {mechanism, username, password}
Takes root and service.
*/}}
{{- define "orders-payments.kafka" -}}
{{- $fullname := include "orders-payments.fullname" .root -}}
{{- $values := .root.Values.kafka -}}
{{- if eq $values.mode "bundled" }}
bootstrapServers: ["{{ $fullname }}-kafka:9092"]
{{- else if eq $values.mode "strimzi" }}
bootstrapServers: ["{{ $fullname }}-kafka-bootstrap:9093"]
tls:
  ca: {kind: secret, name: {{ $fullname }}-cluster-ca-cert, key: ca.crt}
sasl:
  mechanism: SCRAM-SHA-512
  # Strimzi's Secret of a user holds the password alone.
  username: {kind: configMap, name: {{ $fullname }}-{{ .service }}-kafka, key: username}
  password: {kind: secret, name: {{ $fullname }}-{{ .service }}, key: password}
{{- else }}
{{- with $values.external }}
bootstrapServers: {{ toJson .bootstrapServers }}
{{- if .tls.enabled }}
tls:
  {{- with include "orders-payments.authorities" .tls.ca }}
  ca: {{ . }}
  {{- end }}
  {{- $certificate := .tls.clientCertificate }}
  {{- with index $certificate.existingSecrets $.service }}
  certificate: {kind: secret, name: {{ . }}, key: {{ $certificate.certificateKey }}}
  key: {kind: secret, name: {{ . }}, key: {{ $certificate.privateKeyKey }}}
  {{- end }}
{{- end }}
{{- if .sasl.enabled }}
sasl:
  mechanism: {{ .sasl.mechanism }}
  username: {kind: secret, name: {{ index .sasl.existingSecrets $.service }}, key: {{ .sasl.usernameKey }}}
  password: {kind: secret, name: {{ index .sasl.existingSecrets $.service }}, key: {{ .sasl.passwordKey }}}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Replicas of a topic; empty leaves it to the broker. */}}
{{- define "orders-payments.replicationFactor" -}}
{{- $kafka := .Values.kafka -}}
{{- if not (kindIs "invalid" $kafka.topics.replicationFactor) -}}
{{- $kafka.topics.replicationFactor -}}
{{- else if eq $kafka.mode "bundled" -}}
1
{{- else if eq $kafka.mode "strimzi" -}}
{{- min 3 $kafka.strimzi.replicas -}}
{{- end -}}
{{- end -}}

{{/*
The topics a service writes and reads, or the gateway listens to; its inbox's name, which metrics bear and
which stays when the topics are called otherwise. Takes root and service.
*/}}
{{- define "orders-payments.serviceTopics" -}}
{{- $topics := .root.Values.kafka.topics -}}
{{- if eq .service "orders" }}
writes: {{ $topics.orderPaymentTasks }}
events: {name: order-events, topic: {{ $topics.orderEvents }}}
reads: {{ $topics.paymentStatusUpdates }}
inbox: payment-status-updates
{{- else if eq .service "gateway" }}
listens: [{{ $topics.orderEvents }}, {{ $topics.accountEvents }}, {{ $topics.paymentStatusUpdates }}]
inbox: live
{{- else }}
writes: {{ $topics.paymentStatusUpdates }}
events: {name: account-events, topic: {{ $topics.accountEvents }}}
reads: {{ $topics.orderPaymentTasks }}
inbox: order-payment-tasks
{{- end }}
{{- with index .root.Values.kafka.consumerGroups .service }}
group: {{ . }}
{{- end }}
{{- end -}}
