/** The controller: a Deployment of two, of which one leads; and what keeps one of them while nodes are drained. */
import type { V1Container, V1Deployment, V1PodDisruptionBudget, V1PodSpec } from '@kubernetes/client-node';
import { CONTROLLER, CONTROLLER_PORT, labelsOf } from './names.ts';
import type { ManifestOptions } from './options.ts';

/** Nobody's on the node: the container writes nothing. */
export const UNPRIVILEGED = 65_532;

export function deployment(options: ManifestOptions): V1Deployment {
  const labels = labelsOf('controller');
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: CONTROLLER, namespace: options.namespace, labels },
    spec: {
      replicas: options.replicas,
      selector: { matchLabels: labels },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 1 } },
      template: { metadata: { labels }, spec: pod(options) },
    },
  };
}

export function disruptionBudget({ namespace }: ManifestOptions): V1PodDisruptionBudget {
  const labels = labelsOf('controller');
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: CONTROLLER, namespace, labels },
    spec: { maxUnavailable: 1, selector: { matchLabels: labels } },
  };
}

function pod(options: ManifestOptions): V1PodSpec {
  const labels = labelsOf('controller');
  return {
    serviceAccountName: CONTROLLER,
    priorityClassName: 'system-cluster-critical',
    nodeSelector: { 'kubernetes.io/os': 'linux' },
    tolerations: [{ key: 'node-role.kubernetes.io/control-plane', operator: 'Exists', effect: 'NoSchedule' }],
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: 'kubernetes.io/hostname',
        whenUnsatisfiable: 'ScheduleAnyway',
        labelSelector: { matchLabels: labels },
      },
    ],
    securityContext: POD_SECURITY,
    containers: [container(options)],
  };
}

export const POD_SECURITY = {
  runAsNonRoot: true,
  runAsUser: UNPRIVILEGED,
  runAsGroup: UNPRIVILEGED,
  seccompProfile: { type: 'RuntimeDefault' },
};

export const CONTAINER_SECURITY = {
  privileged: false,
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
};

function container({ image, logLevel }: ManifestOptions): V1Container {
  return {
    name: 'controller',
    image,
    imagePullPolicy: 'IfNotPresent',
    args: ['controller'],
    env: [
      { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      { name: 'POD_NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } },
      { name: 'SHEATH_HTTP', value: `[::]:${CONTROLLER_PORT}` },
      { name: 'SHEATH_LOG_LEVEL', value: logLevel },
    ],
    ports: [{ name: 'http', containerPort: CONTROLLER_PORT, protocol: 'TCP' }],
    readinessProbe: { httpGet: { path: '/readyz', port: 'http' }, periodSeconds: 10 },
    livenessProbe: {
      httpGet: { path: '/healthz', port: 'http' },
      initialDelaySeconds: 15,
      periodSeconds: 20,
      timeoutSeconds: 5,
      failureThreshold: 6,
    },
    resources: { requests: { cpu: '10m', memory: '128Mi' }, limits: { memory: '512Mi' } },
    securityContext: CONTAINER_SECURITY,
  };
}
