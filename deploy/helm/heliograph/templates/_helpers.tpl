{{- define "heliograph.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "heliograph.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "heliograph.labels" -}}
{{ include "heliograph.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end }}

{{- define "heliograph.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* What every pod of ours is held to: no root, no writing, no rights beyond those of a user. */}}
{{- define "heliograph.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "heliograph.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "heliograph.container" -}}
image: {{ include "heliograph.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- include "heliograph.containerSecurity" . | nindent 2 }}
envFrom:
  - secretRef:
      name: {{ .Values.existingSecret | quote }}
{{- end }}

{{/* Probes of a process that listens on the port named http. */}}
{{- define "heliograph.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 10
  timeoutSeconds: 3
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
lifecycle:
  preStop:
    exec:
      command: [sleep, {{ .Values.preStopSeconds | quote }}]
{{- end }}

{{/* Deployment of one role: `serve` or `worker`. Called with the root, the role's name, its command and its values. */}}
{{- define "heliograph.deployment" -}}
{{- $root := .root -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "heliograph.name" $root }}-{{ .role }}
  labels:
    {{- include "heliograph.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .role }}
spec:
  {{- if not .scaled }}
  replicas: {{ .values.replicas }}
  {{- end }}
  strategy:
    type: RollingUpdate
    rollingUpdate: {maxUnavailable: 0, maxSurge: 1}
  selector:
    matchLabels:
      {{- include "heliograph.selector" $root | nindent 6 }}
      app.kubernetes.io/component: {{ .role }}
  template:
    metadata:
      labels:
        {{- include "heliograph.labels" $root | nindent 8 }}
        app.kubernetes.io/component: {{ .role }}
      annotations:
        checksum/config: {{ $root.Values.config | sha256sum }}
    spec:
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: {{ $root.Values.terminationGracePeriodSeconds }}
      securityContext:
        {{- include "heliograph.podSecurity" $root | nindent 8 }}
      {{- with $root.Values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- include "heliograph.selector" $root | nindent 14 }}
              app.kubernetes.io/component: {{ .role }}
      containers:
        - name: {{ .role }}
          {{- include "heliograph.container" $root | nindent 10 }}
          args: [{{ .command }}]
          env:
            - name: HELIOGRAPH_CONFIG
              value: /etc/heliograph/heliograph.toml
            - name: {{ .hostVariable }}
              value: "0.0.0.0"
            - name: {{ .portVariable }}
              value: "8080"
          ports:
            - name: http
              containerPort: 8080
          resources:
            {{- toYaml .values.resources | nindent 12 }}
          {{- include "heliograph.probes" $root | nindent 10 }}
          volumeMounts:
            - {name: config, mountPath: /etc/heliograph, readOnly: true}
            - {name: scratch, mountPath: /tmp}
            - {name: scratch, mountPath: /var/lib/heliograph}
      volumes:
        - name: config
          configMap:
            name: {{ include "heliograph.name" $root }}
        - name: scratch
          emptyDir: {sizeLimit: 64Mi}
{{- end }}

{{/* One pod of a role stays up whatever is drained. */}}
{{- define "heliograph.budget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "heliograph.name" .root }}-{{ .role }}
  labels:
    {{- include "heliograph.labels" .root | nindent 4 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      {{- include "heliograph.selector" .root | nindent 6 }}
      app.kubernetes.io/component: {{ .role }}
{{- end }}
