/**
 * The private keys of this node, one file a generation and driver: `<state-dir>/keys/7.wireguard`, 0600 in a folder 0700, ours. Two of one
 * number are there while a node goes over to a mesh that took the other driver without it.
 *
 * What is wrong with a file stops the agent, because a key that is replaced silently is a peer that is locked out, or a secret
 * that somebody else reads. Whatever is interrupted leaves the old key or the new one, whole.
 *
 * Synchronous: a handful of small writes a rotation, and no two of them may interleave.
 */
import { KeyringError } from './errors.ts';
import { isLeftover, type KeyFiles, nodeFiles, replaceFile } from './files.ts';
import {
  createEntry,
  type Driver,
  formatKeyFile,
  type KeyringEntry,
  MAX_KEY_FILE,
  parseKeyFile,
} from './key-file.ts';
import { checkDirectory, checkFile } from './safety.ts';

export { KeyringError } from './errors.ts';
export type { Driver, KeyringEntry } from './key-file.ts';

export interface KeyringOptions {
  /** Milliseconds since the epoch. Default: `Date.now`. */
  readonly now?: () => number;
  /** Default: the real ones. */
  readonly files?: KeyFiles;
  /** Who must own folder and files. Default: the user of this process, root for an agent. */
  readonly owner?: number;
}

const KEY_NAME = /^([1-9]\d{0,9})\.(wireguard|ipsec)$/;
const CLOCK = 'clock';
/** WireGuard's handshakes carry the time; a minute of doubt after a crash is a minute of waiting at most. */
const CLOCK_STEP = 60_000;

/** Every method throws `KeyringError`. */
export class Keyring {
  readonly #directory: string;
  readonly #now: () => number;
  readonly #files: KeyFiles;
  /** By name of the file. */
  readonly #entries = new Map<string, KeyringEntry>();
  #clock = 0;

  private constructor(directory: string, options: KeyringOptions) {
    this.#directory = directory;
    this.#now = options.now ?? Date.now;
    this.#files = options.files ?? nodeFiles;
  }

  /** Reads and checks every key in `directory`, which is made (0700) when it is missing. */
  static open(directory: string, options: KeyringOptions = {}): Keyring {
    const owner = options.owner ?? process.geteuid?.() ?? 0;
    const ring = new Keyring(directory, options);
    ring.#guard(directory, 'KEY_UNREADABLE', () => {
      checkDirectory(ring.#files, directory, owner);
      for (const name of ring.#files.list(directory)) ring.#load(name, owner);
    });
    return ring;
  }

  /** The key of this generation; a fresh one, on disk already, when there is none. */
  ensure(generation: number, driver: Driver): KeyringEntry {
    return this.get(generation, driver) ?? this.#write(createEntry(generation, driver, this.#now()));
  }

  get(generation: number, driver: Driver): KeyringEntry | undefined {
    return this.#entries.get(nameOf({ generation, driver }));
  }

  /** Oldest generation first. */
  list(): readonly KeyringEntry[] {
    return [...this.#entries.values()].sort((a, b) => a.generation - b.generation);
  }

  /** Not there any more is success. */
  remove(generation: number, driver: Driver): void {
    const entry = this.get(generation, driver);
    if (entry === undefined) return;
    this.#guard(this.#path(entry), 'KEY_NOT_WRITTEN', () => {
      this.#files.remove(this.#path(entry));
      this.#files.syncDirectory(this.#directory);
    });
    this.#entries.delete(nameOf(entry));
  }

  /**
   * A fresh key of WireGuard in place of the old one. For a node whose clock is behind: its peers refuse handshakes that are older than
   * the last one they saw with the old key. Once all of them are renewed, the clock starts from them. @throws `KEY_MISSING`
   */
  renew(generation: number): KeyringEntry {
    if (this.get(generation, 'wireguard') === undefined)
      throw new KeyringError('KEY_MISSING', this.#directory, {
        message: `has no WireGuard key of generation ${generation}`,
      });
    const entry = this.#write(createEntry(generation, 'wireguard', this.#now()));
    const newest = this.#newestKey();
    if (newest <= this.#now() && this.#clock > newest) this.#setClock(newest);
    return entry;
  }

  /** The newest time that this node is known to have lived at, in milliseconds since the epoch; 0 when none is known. */
  newestTimeOnDisk(): number {
    return Math.max(this.#clock, this.#newestKey());
  }

  /** Notes on disk that it is `now`; at most once a minute, and never back. */
  touch(now: number): void {
    if (now >= this.#clock + CLOCK_STEP) this.#setClock(now);
  }

  /** Of WireGuard: nothing that IPsec sends carries the time. */
  #newestKey(): number {
    const dated = this.list().filter(({ driver }) => driver === 'wireguard');
    return Math.max(0, ...dated.map(({ createdAt }) => createdAt));
  }

  #setClock(now: number): void {
    const text = `${new Date(now).toISOString()}\n`;
    this.#guard(`${this.#directory}/${CLOCK}`, 'KEY_NOT_WRITTEN', () =>
      replaceFile(this.#files, { folder: this.#directory, name: CLOCK }, text),
    );
    this.#clock = now;
  }

  #write(entry: KeyringEntry): KeyringEntry {
    const name = nameOf(entry);
    this.#guard(this.#path(entry), 'KEY_NOT_WRITTEN', () =>
      replaceFile(this.#files, { folder: this.#directory, name }, formatKeyFile(entry)),
    );
    this.#entries.set(name, entry);
    return entry;
  }

  #load(name: string, owner: number): void {
    const path = `${this.#directory}/${name}`;
    if (isLeftover(name)) this.#guard(path, 'KEY_NOT_WRITTEN', () => this.#files.remove(path));
    if (name !== CLOCK && !KEY_NAME.test(name)) return;
    const text = this.#guard(path, 'KEY_UNREADABLE', () => this.#read(path, owner));
    if (name === CLOCK) {
      // Only a hint: without it, the keys' own times are the newest that are known.
      const time = Date.parse(text.trim());
      this.#clock = Number.isNaN(time) ? 0 : time;
    } else this.#adopt(path, name, text);
  }

  #read(path: string, owner: number): string {
    const before = this.#files.inspect(path);
    if (before !== undefined) checkFile(path, before, owner);
    const { facts, text } = this.#files.read(path, MAX_KEY_FILE);
    checkFile(path, facts, owner);
    return text;
  }

  #adopt(path: string, name: string, text: string): void {
    const entry = parseKeyFile(text);
    const wrong = typeof entry === 'string' ? entry : undefined;
    if (typeof entry === 'string' || nameOf(entry) !== name)
      throw new KeyringError('KEY_DAMAGED', path, {
        message: `${wrong ?? 'holds the key of another generation'}; ${RESTORE}`,
      });
    this.#entries.set(name, entry);
  }

  #path(entry: KeyringEntry): string {
    return `${this.#directory}/${nameOf(entry)}`;
  }

  #guard<T>(path: string, code: 'KEY_UNREADABLE' | 'KEY_NOT_WRITTEN', act: () => T): T {
    try {
      return act();
    } catch (cause) {
      if (cause instanceof KeyringError) throw cause;
      const verb = code === 'KEY_UNREADABLE' ? 'read' : 'write';
      const message = `could not ${verb} it (${cause instanceof Error ? cause.message : String(cause)}); ${ACCESS}`;
      throw new KeyringError(code, path, { message, cause });
    }
  }
}

const RESTORE =
  'restore it from a backup, or remove it and start again: a fresh key is made and published then';
const ACCESS = 'is the state directory on a writable disk with space left, and the agent root?';

function nameOf({ generation, driver }: Pick<KeyringEntry, 'generation' | 'driver'>): string {
  return `${generation}.${driver}`;
}
