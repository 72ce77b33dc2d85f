{{/* Refuses values that contradict each other or lack something, saying what to set. */}}
{{- define "orders-payments.validate" -}}
{{- include "orders-payments.validateDatabase" . -}}
{{- include "orders-payments.validateKafka" . -}}
{{- include "orders-payments.validateAuthentication" . -}}
{{- include "orders-payments.validateExposure" . -}}
{{- include "orders-payments.validateAutoscaling" . -}}
{{- include "orders-payments.validateApis" . -}}
{{- end -}}

{{- define "orders-payments.validateDatabase" -}}
{{- $postgresql := .Values.postgresql -}}
{{- if eq $postgresql.mode "external" -}}
{{- range $service := list "orders" "payments" -}}
{{- if not (index $postgresql.external.existingSecrets $service) -}}
{{- fail (printf "postgresql.mode is external: set postgresql.external.existingSecrets.%s to a Secret whose key %q is the URL of that service's database" $service $postgresql.external.urlKey) -}}
{{- end -}}
{{- end -}}
{{- include "orders-payments.validateAuthorities" (dict "at" "postgresql.external.ca" "ca" $postgresql.external.ca) -}}
{{- else -}}
{{- range $service, $name := $postgresql.external.existingSecrets -}}
{{- if $name -}}
{{- fail (printf "postgresql.external.existingSecrets.%s is set, but postgresql.mode is %s: set postgresql.mode to external, or leave the Secret out" $service $postgresql.mode) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $bundled := $postgresql.bundled.existingSecrets -}}
{{- $named := compact (list $bundled.superuser $bundled.orders $bundled.payments) -}}
{{- if and $named (ne $postgresql.mode "bundled") -}}
{{- fail (printf "postgresql.bundled.existingSecrets is set, but postgresql.mode is %s: set postgresql.mode to bundled, or leave the Secrets out" $postgresql.mode) -}}
{{- end -}}
{{- if and $named (ne (len $named) 3) -}}
{{- fail "postgresql.bundled.existingSecrets: set all of superuser, orders and payments, or none" -}}
{{- end -}}
{{- end -}}

{{- define "orders-payments.validateAuthorities" -}}
{{- if and .ca.existingSecret .ca.existingConfigMap -}}
{{- fail (printf "%s: set existingSecret or existingConfigMap, not both" .at) -}}
{{- end -}}
{{- end -}}

{{- define "orders-payments.validateKafka" -}}
{{- $kafka := .Values.kafka -}}
{{- $external := $kafka.external -}}
{{- if eq $kafka.mode "external" -}}
{{- if not $external.bootstrapServers -}}
{{- fail "kafka.mode is external: set kafka.external.bootstrapServers to host:port of some brokers" -}}
{{- end -}}
{{- if $external.sasl.enabled -}}
{{- range $service := list "orders" "payments" "gateway" -}}
{{- if not (index $external.sasl.existingSecrets $service) -}}
{{- fail (printf "kafka.external.sasl is enabled: set kafka.external.sasl.existingSecrets.%s to a Secret with the keys %q and %q" $service $external.sasl.usernameKey $external.sasl.passwordKey) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $certificates := $external.tls.clientCertificate.existingSecrets -}}
{{- if not (has (len (compact (values $certificates))) (list 0 3)) -}}
{{- fail "kafka.external.tls.clientCertificate.existingSecrets: set all of orders, payments and gateway, or none" -}}
{{- end -}}
{{- if and (not $external.tls.enabled) (or $certificates.orders $external.tls.ca.existingSecret $external.tls.ca.existingConfigMap) -}}
{{- fail "kafka.external.tls has certificates, but is not enabled: set kafka.external.tls.enabled to true" -}}
{{- end -}}
{{- include "orders-payments.validateAuthorities" (dict "at" "kafka.external.tls.ca" "ca" $external.tls.ca) -}}
{{- else if $external.bootstrapServers -}}
{{- fail (printf "kafka.external.bootstrapServers is set, but kafka.mode is %s: set kafka.mode to external, or leave the servers out" $kafka.mode) -}}
{{- end -}}
{{- with $kafka.topics -}}
{{- if ne 4 (len (uniq (list .orderPaymentTasks .paymentStatusUpdates .orderEvents .accountEvents))) -}}
{{- fail "kafka.topics: orderPaymentTasks, paymentStatusUpdates, orderEvents and accountEvents must be four topics" -}}
{{- end -}}
{{- end -}}
{{- $replication := include "orders-payments.replicationFactor" . -}}
{{- if and (eq $kafka.mode "bundled") (ne $replication "1") -}}
{{- fail "kafka.topics.replicationFactor: the bundled Kafka is one broker; set 1, or leave it out" -}}
{{- end -}}
{{- if eq $kafka.mode "strimzi" -}}
{{- if gt (int $replication) (int $kafka.strimzi.replicas) -}}
{{- fail "kafka.topics.replicationFactor is larger than kafka.strimzi.replicas: lower the one or raise the other" -}}
{{- end -}}
{{- if gt (int $kafka.strimzi.minInsyncReplicas) (int $replication) -}}
{{- fail "kafka.strimzi.minInsyncReplicas is larger than the topics' replicas, so nothing could be written: lower it, or raise kafka.strimzi.replicas" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "orders-payments.validateAuthentication" -}}
{{- $gateway := .Values.gateway -}}
{{- with $gateway.auth -}}
{{- if not .mode -}}
{{- fail "gateway.auth.mode is not set: jwt verifies the tokens of an OpenID Connect issuer (set gateway.auth.issuer and gateway.auth.audience too); demo, for trying out only, gives anyone a token of any user" -}}
{{- end -}}
{{- if eq .mode "jwt" -}}
{{- if or (not .issuer) (not .audience) -}}
{{- fail "gateway.auth.mode is jwt: set gateway.auth.issuer and gateway.auth.audience" -}}
{{- end -}}
{{- else -}}
{{- if $.Values.production -}}
{{- fail "gateway.auth.mode is demo, which gives anyone a token of any user, but production is true: set gateway.auth.mode to jwt" -}}
{{- end -}}
{{- if or $gateway.autoscaling.enabled (gt (int $gateway.replicas) 1) -}}
{{- fail "gateway.auth.mode is demo: set gateway.replicas to 1 without autoscaling, as each pod takes only the tokens it gave itself" -}}
{{- end -}}
{{- if .issuer -}}
{{- fail "gateway.auth.issuer is set, but gateway.auth.mode is demo: set gateway.auth.mode to jwt, or leave the issuer out" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "orders-payments.validateExposure" -}}
{{- with .Values.ingress -}}
{{- if and .enabled (not .hosts.ui) (not .hosts.gateway) -}}
{{- fail "ingress is enabled: set ingress.hosts.ui, ingress.hosts.gateway or both" -}}
{{- end -}}
{{- end -}}
{{- with .Values.httpRoute -}}
{{- if and .enabled (not .hosts.ui) (not .hosts.gateway) -}}
{{- fail "httpRoute is enabled: set httpRoute.hosts.ui, httpRoute.hosts.gateway or both" -}}
{{- end -}}
{{- if and .enabled (not .parentRefs) -}}
{{- fail "httpRoute is enabled: set httpRoute.parentRefs to the Gateway to attach to" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "orders-payments.validateAutoscaling" -}}
{{- range $component := list "orders" "payments" "gateway" "ui" -}}
{{- with (index $.Values $component).autoscaling -}}
{{- if and .enabled (gt (int .minReplicas) (int .maxReplicas)) -}}
{{- fail (printf "%s.autoscaling: minReplicas is larger than maxReplicas" $component) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
Whether the cluster has what is rendered. Kinds are known only where there is a
cluster to ask, so `helm template` checks nothing.
*/}}
{{- define "orders-payments.validateApis" -}}
{{- $apis := .Capabilities.APIVersions -}}
{{- if and .Values.checkApis ($apis.Has "apps/v1/Deployment") -}}
{{- $needs := list -}}
{{- if eq .Values.sidecar.mode "inject" -}}
{{- $needs = append $needs (list "outbox-sidecar.dev/v1alpha1/Relay" "sidecar.mode inject" "install charts/outbox-operator first, or set sidecar.mode to static") -}}
{{- end -}}
{{- if eq .Values.postgresql.mode "cloudnative-pg" -}}
{{- $needs = append $needs (list "postgresql.cnpg.io/v1/Cluster" "postgresql.mode cloudnative-pg" "install the CloudNativePG operator first, or choose another postgresql.mode") -}}
{{- end -}}
{{- if eq .Values.kafka.mode "strimzi" -}}
{{- $needs = append $needs (list (printf "kafka.strimzi.io/%s/Kafka" .Values.kafka.strimzi.apiVersion) "kafka.mode strimzi" "install the Strimzi operator first, set kafka.strimzi.apiVersion to what it serves, or choose another kafka.mode") -}}
{{- end -}}
{{- if .Values.httpRoute.enabled -}}
{{- $needs = append $needs (list "gateway.networking.k8s.io/v1/HTTPRoute" "httpRoute.enabled" "install the Gateway API first, or use ingress") -}}
{{- end -}}
{{- if .Values.podMonitor.enabled -}}
{{- $needs = append $needs (list "monitoring.coreos.com/v1/PodMonitor" "podMonitor.enabled" "install the Prometheus operator first, or set it to false") -}}
{{- end -}}
{{- if and .Values.alerts.enabled (eq .Values.alerts.kind "PrometheusRule") -}}
{{- $needs = append $needs (list "monitoring.coreos.com/v1/PrometheusRule" "alerts.kind PrometheusRule" "install the Prometheus operator first, or set alerts.kind to ConfigMap") -}}
{{- end -}}
{{- range $needs -}}
{{- if not ($apis.Has (index . 0)) -}}
{{- fail (printf "%s needs %s, which this cluster does not have: %s (checkApis=false skips this check)" (index . 1) (index . 0) (index . 2)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
