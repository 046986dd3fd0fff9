/** Controllers against an API server, embedded or real, with nodes that only have annotations. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiServer } from '../../../lab/api/server.ts';
import { type ApiTarget, call, send } from '../../../lab/api-client.ts';
import { encryptionMeshCRD } from '../../../operator/config/crd.ts';
import { type EncryptionMesh, MESH, MESHES } from '../../../operator/config/resource.ts';
import type { Spec } from '../../../operator/config/schema.ts';
import { runController } from '../../../operator/controller/run.ts';
import type { LeaseTimes } from '../../../operator/kube/lease.ts';
import { startKubeApiserver } from '../../support/kube-apiserver.ts';
import { annotateNode, apiTarget, createNode, deleteNode } from '../../support/nodes.ts';
import { annotations, type NodeOptions } from './cluster.ts';

export interface Api {
  readonly kubeconfig: string;
  readonly target: ApiTarget;
  /** The embedded one, which misbehaves on request. */
  readonly embedded?: ApiServer;
  stop(): Promise<void>;
}

export const APIS: Readonly<Record<string, () => Promise<Api>>> = {
  'the embedded API server': async () => {
    const embedded = new ApiServer();
    const server = await embedded.listen();
    const folder = await mkdtemp(join(tmpdir(), 'sheath-controller-'));
    const kubeconfig = join(folder, 'kubeconfig');
    const cluster = { name: 'lab', cluster: { server } };
    const context = { name: 'lab', context: { cluster: 'lab', user: 'lab' } };
    const users = [{ name: 'lab', user: {} }];
    await writeFile(
      kubeconfig,
      JSON.stringify({ 'current-context': 'lab', contexts: [context], clusters: [cluster], users }),
    );
    const stop = async () => {
      await embedded.close();
      await rm(folder, { recursive: true });
    };
    return prepared({ kubeconfig, target: await apiTarget(kubeconfig), embedded, stop });
  },
  'the real kube-apiserver': async () => {
    const { kubeconfigPath: kubeconfig, stop } = await startKubeApiserver();
    const target = await apiTarget(kubeconfig);
    const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
    await call(target, { method: 'POST', path, body: encryptionMeshCRD() });
    while ((await send(target, { path: MESHES })).status !== 200) await sleep(50);
    return prepared({ kubeconfig, target, stop });
  },
};

async function prepared(api: Api): Promise<Api> {
  const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'sheath-system' } };
  await call(api.target, { method: 'POST', path: '/api/v1/namespaces', body });
  return api;
}

/** Ten times as fast as by default. */
export const HASTY: LeaseTimes = { duration: 2_000, deadline: 1_200, retry: 250 };

export interface Running {
  /** Gives the Lease back. */
  stop(): Promise<void>;
}

export class ControllerLab {
  readonly api: Api;
  readonly #running = new Set<Running>();
  readonly #nodes = new Set<string>();

  constructor(api: Api) {
    this.api = api;
  }

  start(identity = 'test'): Running {
    const ending = new AbortController();
    const options = {
      identity,
      namespace: 'sheath-system',
      kubeconfig: this.api.kubeconfig,
      logLevel: 'silent',
      version: '9.9.9',
      environment: {},
      leaseTimes: HASTY,
    };
    const done = runController(options, ending.signal);
    done.catch(() => undefined);
    const running = {
      stop: () => {
        this.#running.delete(running);
        ending.abort();
        return done;
      },
    };
    this.#running.add(running);
    return running;
  }

  async node(name: string, options: NodeOptions = {}): Promise<void> {
    const { target } = this.api;
    const wanted = annotations(options);
    if (this.#nodes.has(name)) {
      const cleared = ['generations', 'sending', 'agent'].map((key) => [`sheath.dev/${key}`, null]);
      await annotateNode(target, name, { ...Object.fromEntries(cleared), ...wanted });
      return;
    }
    this.#nodes.add(name);
    await createNode(target, {
      name,
      podCIDRs: [],
      addresses: [],
      annotations: wanted,
      ...(options.labels === undefined ? {} : { labels: options.labels }),
    });
  }

  async deleteNode(name: string): Promise<void> {
    this.#nodes.delete(name);
    await deleteNode(this.api.target, name);
  }

  async create(spec: Spec): Promise<void> {
    const body = {
      apiVersion: 'sheath.dev/v1alpha1',
      kind: 'EncryptionMesh',
      metadata: { name: 'default' },
      spec,
    };
    await call(this.api.target, { method: 'POST', path: MESHES, body });
  }

  async patch(body: object, subresource = ''): Promise<EncryptionMesh> {
    const headers = { 'content-type': 'application/merge-patch+json' };
    const path = `${MESH}${subresource}`;
    return (await call(this.api.target, { method: 'PATCH', path, body, headers })) as EncryptionMesh;
  }

  delete(): Promise<unknown> {
    return call(this.api.target, { method: 'DELETE', path: MESH });
  }

  /** Undefined when there is none. */
  async mesh(): Promise<EncryptionMesh | undefined> {
    const answer = await send(this.api.target, { path: MESH });
    return answer.status === 404 ? undefined : (JSON.parse(answer.bytes.toString()) as EncryptionMesh);
  }

  async becomes(what: string, good: (mesh: EncryptionMesh) => boolean): Promise<EncryptionMesh> {
    const mesh = await eventually(
      what,
      () => this.mesh(),
      (seen) => seen !== undefined && good(seen),
    );
    assert.ok(mesh);
    return mesh;
  }

  gone(): Promise<unknown> {
    return eventually(
      'the resource is gone',
      () => this.mesh(),
      (seen) => seen === undefined,
    );
  }

  /** `NAME REASON`, of all Events. */
  async events(): Promise<readonly string[]> {
    const { items } = (await call(this.api.target, { path: '/api/v1/namespaces/default/events' })) as {
      items: { involvedObject: { name: string }; reason: string }[];
    };
    return items.map(({ involvedObject, reason }) => `${involvedObject.name} ${reason}`);
  }

  says(...expected: readonly string[]): Promise<unknown> {
    const all = (found: readonly string[]) => expected.every((each) => found.includes(each));
    return eventually(`Events ${expected.join(', ')}`, () => this.events(), all);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#running].map((each) => each.stop()));
    if ((await this.mesh()) !== undefined) {
      await this.patch({ metadata: { finalizers: null } });
      await this.delete().catch(() => undefined);
    }
    await Promise.all([...this.#nodes].map((name) => deleteNode(this.api.target, name)));
  }
}

export async function eventually<T>(
  what: string,
  look: () => Promise<T>,
  good: (value: T) => boolean,
): Promise<T> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const value = await look();
    if (good(value)) return value;
    if (performance.now() > deadline) return assert.fail(`${what}: ${JSON.stringify(value)}`);
    await sleep(30);
  }
}
