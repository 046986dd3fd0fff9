/** A real API server that has our manifests, three Nodes as their kubelets left them, and a pod's token for who asks: `const cluster = useCluster()`. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type ApiAnswer,
  type ApiRequest,
  type ApiTarget,
  apiTarget,
  call,
  send,
} from '../../lab/api-client.ts';
import { createNode } from '../../lab/node-objects.ts';
import { manifests } from '../../operator/manifests/all.ts';
import { AGENT, NAMESPACE } from '../../operator/manifests/names.ts';
import { DEFAULT_OPTIONS, type ManifestOptions } from '../../operator/manifests/options.ts';
import { type KubeApiserver, startKubeApiserver } from '../support/kube-apiserver.ts';

export const MERGE = { 'content-type': 'application/merge-patch+json' };
export const APPLY = { 'content-type': 'application/apply-patch+yaml' };
export const MESH_PATH = '/apis/sheath.dev/v1alpha1/encryptionmeshes/default';

/** Bearer token of the kubelet of a Node. */
const kubelet = (node: string) => `kubelet-${node}`;

export class Cluster {
  readonly api: KubeApiserver;
  readonly admin: ApiTarget;
  #pods = 0;

  private constructor(api: KubeApiserver, admin: ApiTarget) {
    this.api = api;
    this.admin = admin;
  }

  static async open(): Promise<Cluster> {
    const users = Object.fromEntries([
      ...['n1', 'n2', 'n9'].map((node) => [
        kubelet(node),
        { user: `system:node:${node}`, groups: ['system:nodes'] },
      ]),
      ['cloud-token', { user: 'cloud-controller', groups: [] }],
    ]);
    const api = await startKubeApiserver({ users });
    const cluster = new Cluster(api, await apiTarget(api.kubeconfigPath));
    for (const i of [1, 2, 3])
      await createNode(cluster.admin, {
        name: `n${i}`,
        podCIDRs: [`10.244.${i}.0/24`, `fd00:10:244:${i}::/64`],
        addresses: [`192.0.2.1${i}`, `2001:db8::1${i}`],
      });
    return cluster;
  }

  /** Applies our objects, as `kubectl apply --server-side` would; again with other options. */
  async install(options: Partial<ManifestOptions> = {}): Promise<void> {
    const all = manifests({ ...DEFAULT_OPTIONS, ...options }) as readonly Manifest[];
    for (const object of all) {
      const path = `${await this.#pathOf(object)}?fieldManager=test&force=true`;
      await call(this.admin, { method: 'PATCH', path, body: object, headers: APPLY });
    }
  }

  async #pathOf({ apiVersion, kind, metadata }: Manifest): Promise<string> {
    const base = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    for (;;) {
      const answer = await send(this.admin, { path: base });
      const { resources = [] } =
        answer.status === 200 ? (JSON.parse(answer.bytes.toString()) as { resources?: ApiResource[] }) : {};
      const found = resources.find((each) => each.kind === kind && !each.name.includes('/'));
      const place = metadata.namespace === undefined ? '' : `/namespaces/${metadata.namespace}`;
      if (found !== undefined) return `${base}${place}/${found.name}/${metadata.name}`;
      await sleep(100);
    }
  }

  /** A token of the kind that a kubelet mounts: bound to a pod of that Node, 1 hour. */
  async tokenOf(serviceAccount: string, node: string | undefined): Promise<string> {
    const pods = `/api/v1/namespaces/${NAMESPACE}/pods`;
    const name = `${serviceAccount}-${++this.#pods}`;
    const pod = (await call(this.admin, {
      method: 'POST',
      path: pods,
      body: {
        metadata: { name, namespace: NAMESPACE },
        spec: {
          serviceAccountName: serviceAccount,
          containers: [{ name: 'main', image: 'none' }],
          ...(node === undefined ? {} : { nodeName: node }),
        },
      },
    })) as { metadata: { uid: string } };
    const boundObjectRef = { kind: 'Pod', apiVersion: 'v1', name, uid: pod.metadata.uid };
    return this.#token(serviceAccount, { expirationSeconds: 3600, boundObjectRef });
  }

  /** One that is bound to nothing, as `kubectl create token` makes it. */
  unboundTokenOf(serviceAccount: string): Promise<string> {
    return this.#token(serviceAccount, { expirationSeconds: 3600 });
  }

  async #token(serviceAccount: string, spec: object): Promise<string> {
    const path = `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/${serviceAccount}/token`;
    const answer = await call(this.admin, { method: 'POST', path, body: { spec } });
    return (answer as { status: { token: string } }).status.token;
  }

  as(token: string): ApiTarget {
    return { ...this.admin, headers: { authorization: `Bearer ${token}` } };
  }

  kubelet(node: string): ApiTarget {
    return this.as(kubelet(node));
  }

  /** Resolves when the policies are in force, about a second after they were written: when what is tried is refused. */
  untilGuarded(trying: (text: string) => Promise<ApiAnswer>): Promise<void> {
    // Each time another value: one that is there already is no change.
    let turn = 0;
    return this.until(async () => [403, 422].includes((await trying(String(++turn))).status));
  }

  async until(holds: () => Promise<boolean>, seconds = 30): Promise<void> {
    const deadline = performance.now() + seconds * 1000;
    while (!(await holds())) {
      if (performance.now() > deadline) throw new Error(`not within ${seconds} s`);
      await sleep(100);
    }
  }
}

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

interface ApiResource {
  readonly name: string;
  readonly kind: string;
}

/** Of a mocha suite: opened before it, closed after it. */
export function useCluster(): { readonly current: Cluster } {
  const held: { current?: Cluster } = {};
  before(async function () {
    this.timeout(150_000);
    held.current = await Cluster.open();
  });
  after(() => held.current?.api.stop());
  return {
    get current() {
      if (held.current === undefined) throw new Error('no cluster before the suite began');
      return held.current;
    },
  };
}

export function annotate(target: ApiTarget, node: string, annotations: object): Promise<ApiAnswer> {
  return patch(target, `/api/v1/nodes/${node}`, { metadata: { annotations } });
}

export function patch(target: ApiTarget, path: string, body: object): Promise<ApiAnswer> {
  return send(target, { method: 'PATCH', path, body, headers: MERGE });
}

/** The API server's own sentence. */
export function messageOf(answer: ApiAnswer): string {
  const { message } = JSON.parse(answer.bytes.toString()) as { message?: string };
  return message ?? '';
}

export type { ApiAnswer, ApiRequest, ApiTarget };
export { AGENT, NAMESPACE };
