/** A disk that outlives agents and boots: keys as files, the rest as values. */
import type { FileFacts, KeyFiles } from '../../keys/files.ts';
import type { Stance } from '../../mesh/stance.ts';
import type { Evidence } from '../../mesh/types.ts';
import type { LiveConfig } from '../../operator/agent/live.ts';
import type { NodeMetadata } from '../../operator/kube/node.ts';
import type { OwnNode } from '../../operator/records/disk.ts';
import { parseStance } from '../../operator/records/stance.ts';

export interface Knowledge {
  readonly own: OwnNode;
  readonly evidence: Evidence;
  readonly at: number;
  readonly nodes: readonly NodeMetadata[];
}

export class Disk {
  readonly #files = new Map<string, string>();
  readonly #open: string[] = [];
  /** As it is written: text. */
  stanceText: string | undefined;
  knowledge: Knowledge | undefined;
  config: LiveConfig | undefined;

  get stance(): Stance | undefined {
    return this.stanceText === undefined ? undefined : parseStance(JSON.parse(this.stanceText));
  }

  readonly keys: KeyFiles = {
    makeDirectory: () => {},
    list: (folder) =>
      [...this.#files.keys()]
        .filter((path) => path.startsWith(`${folder}/`))
        .map((path) => path.slice(folder.length + 1)),
    inspect: (path) => this.#inspect(path),
    read: (path) => ({ facts: FILE, text: this.#files.get(path) ?? '' }),
    create: (path) => {
      this.#files.set(path, '');
      return this.#open.push(path) - 1;
    },
    write: (descriptor, text) => {
      const path = this.#open[descriptor] ?? '';
      this.#files.set(path, (this.#files.get(path) ?? '') + text);
    },
    sync: () => {},
    close: () => {},
    rename: (from, to) => {
      this.#files.set(to, this.#files.get(from) ?? '');
      this.#files.delete(from);
    },
    remove: (path) => void this.#files.delete(path),
    syncDirectory: () => {},
  };

  #inspect(path: string): FileFacts | undefined {
    if (this.#files.has(path)) return FILE;
    return path === FOLDER ? { type: 'directory', owner: 0, mode: 0o700, size: 0 } : undefined;
  }
}

export const FOLDER = '/keys';
const FILE: FileFacts = { type: 'file', owner: 0, mode: 0o600, size: 0 };
