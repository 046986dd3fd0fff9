/** What the controller writes: the resource, each time naming the version that the write rests on, and only while it leads. */
import { isDeepStrictEqual } from 'node:util';
import { GROUP, MESH, type MeshStatus, RESOURCE_NAME, VERSION } from '../config/resource.ts';
import type { KubeClient } from '../kube/client.ts';
import { KubeError } from '../kube/errors.ts';
import { keepMesh, type SeenMesh } from './mesh.ts';

export type Written = 'status' | 'finalizers' | 'generation';

export interface MeshWriterOptions {
  readonly client: KubeClient;
  /** Asked before every write. */
  readonly leading: () => boolean;
  readonly onWrite: (what: Written) => void;
  readonly signal: AbortSignal;
}

const FIELD_MANAGER = 'sheath-controller';

/** Another one leads now, or we are to end. */
export class NotLeading extends Error {
  override readonly message = 'no longer the leader';
}

export class MeshWriter {
  readonly #options: MeshWriterOptions;
  #written: SeenMesh | undefined;
  /** What we sent as the status, and what the API server made of it: it drops what its schema does not know. */
  #sent: { readonly status: MeshStatus; readonly kept: MeshStatus | undefined } | undefined;

  constructor(options: MeshWriterOptions) {
    this.#options = options;
  }

  /** What the last write was answered; the watch may not show it yet. */
  get written(): SeenMesh | undefined {
    return this.#written;
  }

  /** Nothing is written where nothing is new. @throws KubeError `CONFLICT` when `mesh` is out of date; NotLeading */
  async status(mesh: SeenMesh, status: MeshStatus): Promise<SeenMesh> {
    const told = isDeepStrictEqual(this.#sent, { status, kept: mesh.status });
    if (told || isDeepStrictEqual(mesh.status, status)) return mesh;
    const { resourceVersion, uid } = mesh.metadata;
    this.#requireLead();
    const object = {
      apiVersion: `${GROUP}/${VERSION}`,
      kind: 'EncryptionMesh',
      metadata: { name: RESOURCE_NAME, uid, resourceVersion },
      status,
    };
    const answer = await this.#options.client.apply(`${MESH}/status`, object, {
      fieldManager: FIELD_MANAGER,
      force: true,
      signal: this.#options.signal,
    });
    const written = this.#wrote('status', answer);
    this.#sent = { status, kept: written.status };
    return written;
  }

  /** @throws KubeError `CONFLICT` when `mesh` is out of date; NotLeading */
  finalizers(mesh: SeenMesh, finalizers: readonly string[]): Promise<SeenMesh> {
    return this.#merge('finalizers', mesh, { metadata: { finalizers } });
  }

  /** @throws KubeError `CONFLICT` when `mesh` is out of date; NotLeading */
  generation(mesh: SeenMesh, generation: number): Promise<SeenMesh> {
    return this.#merge('generation', mesh, { spec: { generation } });
  }

  async #merge(
    what: Written,
    mesh: SeenMesh,
    patch: { readonly metadata?: object; readonly spec?: object },
  ): Promise<SeenMesh> {
    const { client, signal } = this.#options;
    const { resourceVersion } = mesh.metadata;
    this.#requireLead();
    const body = { ...patch, metadata: { ...patch.metadata, resourceVersion } };
    return this.#wrote(what, await client.merge(MESH, body, { signal }));
  }

  #wrote(what: Written, answer: unknown): SeenMesh {
    const written = keepMesh(answer);
    if (written === undefined) throw new KubeError('MALFORMED', `${MESH}: the answer is not the resource`);
    this.#options.onWrite(what);
    this.#written = written;
    return written;
  }

  #requireLead(): void {
    if (!this.#options.leading() || this.#options.signal.aborted) throw new NotLeading();
  }
}
