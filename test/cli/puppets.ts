/** Nodes whose agents are played by the test: they follow the resource when they are told to. The API server is the embedded one. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiServer } from '../../lab/api/server.ts';
import { type ApiTarget, call } from '../../lab/api-client.ts';
import { kubeconfigFor } from './fake-api.ts';

export interface Puppet {
  readonly generations: readonly number[];
  /** Those of them that are not WireGuard's. */
  readonly ipsec?: readonly number[];
  readonly sending: readonly number[];
  readonly mode?: 'permissive' | 'strict';
  readonly cannot?: readonly string[];
}

export class Puppets {
  readonly #server: ApiServer;
  readonly #target: ApiTarget;
  readonly #folder: string;
  readonly kubeconfig: string;

  private constructor(server: ApiServer, target: ApiTarget, folder: string) {
    this.#server = server;
    this.#target = target;
    this.#folder = folder;
    this.kubeconfig = join(folder, 'kubeconfig');
  }

  static async start(options: { readonly encryptionMeshes?: boolean } = {}): Promise<Puppets> {
    const server = new ApiServer(options);
    const url = new URL(await server.listen());
    const folder = await mkdtemp(join(tmpdir(), 'sheath-puppets-'));
    const puppets = new Puppets(server, { url, tls: {}, headers: {} }, folder);
    await writeFile(puppets.kubeconfig, kubeconfigFor(url.origin));
    return puppets;
  }

  closeServer(): Promise<void> {
    return this.#server.close();
  }

  async close(): Promise<void> {
    await this.closeServer();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async addNode(name: string, labels: Readonly<Record<string, string>> = {}): Promise<void> {
    const number = Number(name.replace(/\D/g, ''));
    await call(this.#target, {
      method: 'POST',
      path: '/api/v1/nodes',
      body: {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name, labels: { 'kubernetes.io/os': 'linux', ...labels } },
        spec: { podCIDRs: [`10.244.${number}.0/24`] },
      },
    });
  }

  /** What the agent there says; undefined: no agent. */
  async says(name: string, puppet: Puppet): Promise<void> {
    const { generations, sending, mode = 'permissive', cannot = [], ipsec = [] } = puppet;
    const annotations = {
      'sheath.dev/agent': JSON.stringify({ version: '0.1.0', mode, cannot }),
      'sheath.dev/generations':
        generations.length === 0
          ? null
          : JSON.stringify(
              generations.map((generation) => ({
                generation,
                ...(ipsec.includes(generation)
                  ? { driver: 'ipsec', publicKey: ed25519Key() }
                  : {
                      driver: 'wireguard',
                      publicKey: Buffer.alloc(32, generation).toString('base64'),
                      port: 51830 + (generation % 2),
                    }),
              })),
            ),
      'sheath.dev/sending': sending.length === 0 ? null : sending.join(','),
    };
    await call(this.#target, {
      method: 'PATCH',
      path: `/api/v1/nodes/${name}`,
      headers: { 'content-type': 'application/merge-patch+json' },
      body: { metadata: { annotations } },
    });
  }

  async spec(): Promise<Record<string, unknown>> {
    const mesh = await call(this.#target, { method: 'GET', path: MESH });
    return (mesh as { spec: Record<string, unknown> }).spec;
  }

  async setSpec(spec: object): Promise<void> {
    await call(this.#target, {
      method: 'POST',
      path: MESH.replace('/default', ''),
      body: {
        apiVersion: 'sheath.dev/v1alpha1',
        kind: 'EncryptionMesh',
        metadata: { name: 'default' },
        spec,
      },
    });
  }

  async deleteNode(name: string): Promise<void> {
    await call(this.#target, { method: 'DELETE', path: `/api/v1/nodes/${name}` });
  }

  /** Calls back with the spec whenever it is another one, until the test ends it. */
  async follow(act: (spec: Record<string, unknown>) => Promise<void>, until: AbortSignal): Promise<void> {
    let last = '';
    while (!until.aborted) {
      const spec = await this.spec().catch(() => ({}));
      const text = JSON.stringify(spec);
      if (text !== last) await act(spec);
      last = text;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** A point of the curve: not any 32 bytes are a key. */
export function ed25519Key(): string {
  const { x = '' } = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
  return Buffer.from(x, 'base64url').toString('base64');
}

const MESH = '/apis/sheath.dev/v1alpha1/encryptionmeshes/default';
