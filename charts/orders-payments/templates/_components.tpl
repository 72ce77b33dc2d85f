{{/* Ports of a component's containers. */}}
{{- define "orders-payments.ports" -}}
{{- if eq . "orders" -}}
{http: 8081, admin: 9081, inbox: 8091}
{{- else if eq . "payments" -}}
{http: 8082, admin: 9082, inbox: 8092}
{{- else if eq . "gateway" -}}
{http: 8080, admin: 9080, inbox: 8090}
{{- else -}}
{http: 8080}
{{- end -}}
{{- end -}}

{{/* The probes of a program with an admin port. */}}
{{- define "orders-payments.adminProbes" -}}
readinessProbe:
  httpGet: {path: /readyz, port: admin}
  periodSeconds: 2
  timeoutSeconds: 2
livenessProbe:
  httpGet: {path: /healthz, port: admin}
  periodSeconds: 10
  timeoutSeconds: 2
  failureThreshold: 6
{{- end -}}

{{/* Endpoints are gone everywhere before the listeners close. */}}
{{- define "orders-payments.preStop" -}}
lifecycle:
  preStop:
    sleep: {seconds: 5}
{{- end -}}

{{/* Whether to leave the number of pods to an autoscaler. Takes root and component. */}}
{{- define "orders-payments.replicas" -}}
{{- $values := index .root.Values .component -}}
{{- if not $values.autoscaling.enabled }}
replicas: {{ $values.replicas }}
{{- end }}
{{- end -}}
