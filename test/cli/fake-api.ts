/** Just enough of an API server for the CLI's reading of a cluster: Nodes, pods, and the pod proxy. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AGENT_LABELS } from '../../cli/sources/deployment.ts';
import { MESH } from '../../operator/config/resource.ts';
import type { Spec } from '../../operator/config/schema.ts';
import { NODES_BINDING, NODES_POLICY } from '../../operator/kube/policy.ts';
import { POLICIES } from '../../operator/manifests/names.ts';
import type { AgentStatus } from '../../operator/status.ts';

export interface FakeNode {
  readonly name: string;
  readonly annotations?: Readonly<Record<string, string>>;
  /** What its agent answers through the pod proxy; `silent`: there is a pod, but it answers 503; `raw`: no agent's answer (bytes: by gzip). */
  readonly agent?: AgentStatus | 'silent' | { readonly raw: unknown };
}

export interface FakeApi {
  readonly kubeconfig: string;
  readonly folder: string;
  close(): Promise<void>;
}

/** `guarded`: the admission policy is in force. `spec`: of the EncryptionMesh, when there is one. */
export async function startFakeApi(
  nodes: readonly FakeNode[],
  { guarded = true, spec }: { readonly guarded?: boolean; readonly spec?: Spec } = {},
): Promise<FakeApi> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? '';
    const mesh =
      spec !== undefined && path === MESH ? { status: 200, body: { metadata: {}, spec } } : undefined;
    const { status, body } = mesh ?? (guarded ? policy(path) : undefined) ?? answer(nodes, path);
    const packed = body instanceof Uint8Array;
    response.writeHead(status, {
      'content-type': 'application/json',
      ...(packed ? { 'content-encoding': 'gzip' } : {}),
    });
    response.end(packed ? body : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const folder = await mkdtemp(join(tmpdir(), 'sheath-cli-'));
  const kubeconfig = join(folder, 'kubeconfig');
  await writeFile(kubeconfig, kubeconfigFor(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  return {
    kubeconfig,
    folder,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** JSON is YAML. */
export function kubeconfigFor(server: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    clusters: [{ name: 'test', cluster: { server } }],
    users: [{ name: 'test', user: { token: 'not-a-secret' } }],
  });
}

function answer(nodes: readonly FakeNode[], path: string): { status: number; body: unknown } {
  if (path === '/api/v1/nodes') return { status: 200, body: list(nodes.map(nodeObject)) };
  if (path === '/api/v1/namespaces/sheath-system/pods') {
    return { status: 200, body: list(nodes.filter(({ agent }) => agent !== undefined).map(podObject)) };
  }
  const name = /^\/api\/v1\/namespaces\/sheath-system\/pods\/agent-([^:]+):9559\/proxy\/status$/.exec(
    path,
  )?.[1];
  const agent = nodes.find((node) => node.name === name)?.agent;
  if (agent === undefined) return { status: 404, body: { kind: 'Status', message: `no ${path}` } };
  if (agent === 'silent') return { status: 503, body: { kind: 'Status', message: 'connection refused' } };
  return { status: 200, body: 'raw' in agent ? agent.raw : agent };
}

function policy(path: string): { status: number; body: unknown } | undefined {
  const { nodes } = POLICIES;
  if (path === NODES_POLICY)
    return { status: 200, body: { spec: { failurePolicy: 'Fail', validations: [{ expression: 'false' }] } } };
  if (path === NODES_BINDING)
    return { status: 200, body: { spec: { policyName: nodes, validationActions: ['Deny'] } } };
  return undefined;
}

function list(items: readonly unknown[]): unknown {
  return { kind: 'List', metadata: { resourceVersion: '7' }, items };
}

function nodeObject({ name, annotations }: FakeNode): unknown {
  return {
    metadata: {
      name,
      uid: `uid-${name}`,
      resourceVersion: '7',
      creationTimestamp: '2026-01-01T00:00:00Z',
      annotations,
    },
  };
}

function podObject({ name }: FakeNode): unknown {
  return { metadata: { name: `agent-${name}`, labels: AGENT_LABELS }, spec: { nodeName: name } };
}
