/** A real API server as a world of the contract, with a second way to it that can be cut. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeKubeconfig } from '../../lab/kubeconfig.ts';
import { relay } from '../../lab/relay.ts';
import { systemClock } from '../../operator/clock.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import { openCluster } from '../../operator/kube/open.ts';
import { type KubeApiserver, startKubeApiserver } from '../support/kube-apiserver.ts';
import { codeOf, Nodes } from './contract/api.ts';
import type { FarApiWorld } from './contract/pictures.ts';

const ADDRESS = '127.0.0.1';

export class RealApi implements FarApiWorld {
  readonly clock = systemClock;
  readonly client: KubeClient;
  readonly far: KubeClient;
  readonly #server: KubeApiserver;
  readonly #port: number;
  #way = new AbortController();

  private constructor(
    server: KubeApiserver,
    parts: { client: KubeClient; far: KubeClient; port: number; way: AbortController },
  ) {
    this.#server = server;
    this.client = parts.client;
    this.far = parts.far;
    this.#port = parts.port;
    this.#way = parts.way;
  }

  static async start(): Promise<RealApi> {
    const server = await startKubeApiserver();
    const way = new AbortController();
    const port = await relay({ address: ADDRESS, port: 0 }, target(server), way.signal);
    const path = join(server.folder, 'kubeconfig-far');
    await writeKubeconfig(path, {
      server: `https://${ADDRESS}:${port}`,
      certificateAuthority: await readFile(join(server.folder, 'certs', 'apiserver.crt')),
      serverName: 'kubernetes.default.svc',
      token: server.token,
    });
    const open = async (kubeconfig: string): Promise<KubeClient> =>
      (await openCluster({ kubeconfig, environment: {} }, 'sheath-test')).client;
    const [client, far] = [await open(server.kubeconfigPath), await open(path)];
    return new RealApi(server, { client, far, port, way });
  }

  /** What is kept of the past is kept in memory. */
  async forget(): Promise<void> {
    await this.#server.restart();
    // Connections of before are found broken.
    while ((await codeOf(new Nodes(this.client).list())) !== undefined) await sleep(100);
  }

  async cut(isOff: boolean): Promise<void> {
    this.#way.abort();
    if (isOff) return;
    this.#way = new AbortController();
    await relay({ address: ADDRESS, port: this.#port }, target(this.#server), this.#way.signal);
  }

  async stop(): Promise<void> {
    this.client.close();
    this.far.close();
    this.#way.abort();
    await this.#server.stop();
  }
}

function target({ url }: KubeApiserver): { address: string; port: number } {
  const { hostname, port } = new URL(url);
  return { address: hostname, port: Number(port) };
}
