/** The DaemonSet: an agent on every Linux node, with the capabilities that it and its charon need. */
import { dirname } from 'node:path';
import type { V1Container, V1DaemonSet, V1EnvVar, V1Volume, V1VolumeMount } from '@kubernetes/client-node';
import { AGENT, AGENT_PORT, labelsOf } from './names.ts';
import type { ManifestOptions } from './options.ts';

/** Seconds. An agent that goes because all goes opens its door and takes its routes back first. */
const GRACE = 60;
/** Where the node's /proc/sys/net is writable; see `mounts`. */
const PROC_SYS = '/host/proc/sys';

export function daemonSet(options: ManifestOptions): V1DaemonSet {
  const labels = labelsOf('agent');
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: AGENT, namespace: options.namespace, labels },
    spec: {
      selector: { matchLabels: labels },
      // The tunnels stay up while an agent restarts, so several may at once.
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '10%' } },
      template: {
        metadata: { labels, annotations: { 'kubectl.kubernetes.io/default-container': 'agent' } },
        spec: {
          serviceAccountName: AGENT,
          hostNetwork: true,
          dnsPolicy: 'ClusterFirstWithHostNet',
          priorityClassName: 'system-node-critical',
          nodeSelector: { 'kubernetes.io/os': 'linux' },
          // On every node, whatever its taints: a node without an agent is a node in clear.
          tolerations: [{ operator: 'Exists' }],
          terminationGracePeriodSeconds: GRACE,
          containers: [container(options)],
          volumes: mounted(options).map(volume),
        },
      },
    },
  };
}

function container(options: ManifestOptions): V1Container {
  const { image, logLevel } = options;
  return {
    name: 'agent',
    image,
    imagePullPolicy: 'IfNotPresent',
    args: ['agent'],
    env: environment(logLevel),
    ports: [{ name: 'http', containerPort: AGENT_PORT, hostPort: AGENT_PORT, protocol: 'TCP' }],
    // A boot without an API server takes its time; nothing is lost meanwhile, and nobody shall kill it.
    startupProbe: { httpGet: { path: '/healthz', port: 'http' }, periodSeconds: 5, failureThreshold: 60 },
    readinessProbe: { httpGet: { path: '/readyz', port: 'http' }, periodSeconds: 10 },
    livenessProbe: {
      httpGet: { path: '/healthz', port: 'http' },
      periodSeconds: 20,
      timeoutSeconds: 5,
      failureThreshold: 6,
    },
    // No limit on CPU: throttled, it would repair routes late. The memory is that of thousands of nodes.
    resources: { requests: { cpu: '10m', memory: '128Mi' }, limits: { memory: '512Mi' } },
    securityContext: {
      privileged: false,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      runAsUser: 0,
      runAsGroup: 0,
      capabilities: { drop: ['ALL'], add: [...CAPABILITIES] },
      seccompProfile: { type: 'RuntimeDefault' },
      // Where SELinux is on, no ordinary container writes the node's folders; elsewhere it means nothing.
      seLinuxOptions: { type: 'spc_t', level: 's0' },
    },
    volumeMounts: mounted(options).map(mount),
  };
}

/** The second is for charon, a child of the agent's, which listens on UDP port 500; it gives it up when it does. */
const CAPABILITIES = ['NET_ADMIN', 'NET_BIND_SERVICE'] as const;

function environment(logLevel: string): V1EnvVar[] {
  const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
  return [
    field('NODE_NAME', 'spec.nodeName'),
    field('HOST_IP', 'status.hostIP'),
    // On the node's address, so that `sheath status --cluster` reaches it; read-only and without secrets.
    { name: 'SHEATH_HTTP', value: `[$(HOST_IP)]:${AGENT_PORT}` },
    { name: 'SHEATH_LOG_LEVEL', value: logLevel },
    { name: 'SHEATH_PROC_SYS', value: PROC_SYS },
  ];
}

interface Mounted {
  readonly name: string;
  readonly mountPath: string;
  /** On the node; absent: in memory, and gone with the pod. */
  readonly hostPath?: { readonly path: string; readonly type: string };
  readonly readOnly?: true;
}

const VOLUMES: readonly Mounted[] = [
  // Private keys and the last known records: both must outlive the pod.
  {
    name: 'state',
    mountPath: '/var/lib/sheath',
    hostPath: { path: '/var/lib/sheath', type: 'DirectoryOrCreate' },
  },
  // charon's settings and sockets among them, in ipsec.
  { name: 'run', mountPath: '/run/sheath', hostPath: { path: '/run/sheath', type: 'DirectoryOrCreate' } },
  // wireguard-go, where the kernel has no WireGuard, is found again by its socket.
  {
    name: 'wireguard-go',
    mountPath: '/var/run/wireguard',
    hostPath: { path: '/run/wireguard', type: 'DirectoryOrCreate' },
  },
  { name: 'tun', mountPath: '/dev/net/tun', hostPath: { path: '/dev/net/tun', type: '' } },
  // A container that is not privileged has /proc/sys read-only. What lies below net is of this network namespace, the node's, and the
  // kernel lets NET_ADMIN write it: so this one folder, mounted beside, is enough for rp_filter, and an init container needs no more.
  {
    name: 'proc-sys-net',
    mountPath: `${PROC_SYS}/net`,
    hostPath: { path: '/proc/sys/net', type: 'Directory' },
  },
  { name: 'tmp', mountPath: '/tmp' },
];

/** The folder and not the socket: a charon that starts again makes a new one. To connect needs no right to write there. */
function mounted({ vici }: ManifestOptions): readonly Mounted[] {
  if (vici === undefined) return VOLUMES;
  const path = dirname(vici);
  return [
    ...VOLUMES,
    { name: 'charon', mountPath: path, hostPath: { path, type: 'Directory' }, readOnly: true },
  ];
}

const mount = ({ name, mountPath, readOnly }: Mounted): V1VolumeMount => ({
  name,
  mountPath,
  ...(readOnly === undefined ? {} : { readOnly }),
});

function volume({ name, hostPath }: Mounted): V1Volume {
  return hostPath === undefined ? { name, emptyDir: { medium: 'Memory' } } : { name, hostPath };
}
