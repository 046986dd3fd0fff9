/** The few file operations that a keyring needs, passed in so that a test can stop the world between any two of them. */
import fs from 'node:fs';

/** As in `node:fs`, synchronous; every one may throw. */
export interface KeyFiles {
  /** Makes the folder, 0700, and its parents. */
  makeDirectory(path: string): void;
  list(path: string): readonly string[];
  /** Of the thing itself, not of what a symbolic link points to. */
  inspect(path: string): FileFacts | undefined;
  /** Never through a symbolic link, at most `limit` bytes. */
  read(path: string, limit: number): { readonly facts: FileFacts; readonly text: string };
  /** A new file, 0600; there must be none. */
  create(path: string): number;
  write(descriptor: number, text: string): void;
  sync(descriptor: number): void;
  close(descriptor: number): void;
  rename(from: string, to: string): void;
  /** Not there is success. */
  remove(path: string): void;
  syncDirectory(path: string): void;
}

export interface FileFacts {
  readonly type: 'file' | 'directory' | 'link' | 'other';
  readonly owner: number;
  /** Permission bits. */
  readonly mode: number;
  readonly size: number;
}

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = fs.constants;

export const nodeFiles: KeyFiles = {
  makeDirectory: (path) => void fs.mkdirSync(path, { recursive: true, mode: 0o700 }),
  list: (path) => fs.readdirSync(path),
  inspect: (path) => {
    const stats = fs.lstatSync(path, { throwIfNoEntry: false });
    return stats === undefined ? undefined : factsOf(stats);
  },
  // Not blocking, or a FIFO in the folder would hold the agent for ever.
  read: (path, limit) =>
    withOpen(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, (descriptor) => {
      const facts = factsOf(fs.fstatSync(descriptor));
      const buffer = Buffer.alloc(limit);
      const length = facts.type === 'file' ? fs.readSync(descriptor, buffer, 0, limit, 0) : 0;
      const text = buffer.toString('latin1', 0, length);
      buffer.fill(0);
      return { facts, text };
    }),
  create: (path) => fs.openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600),
  write: (descriptor, text) => {
    for (let at = 0; at < text.length; ) at += fs.writeSync(descriptor, text.slice(at), null, 'latin1');
  },
  sync: (descriptor) => fs.fsyncSync(descriptor),
  close: (descriptor) => fs.closeSync(descriptor),
  rename: (from, to) => fs.renameSync(from, to),
  remove: (path) => fs.rmSync(path, { force: true }),
  syncDirectory: (path) => withOpen(path, O_RDONLY | O_DIRECTORY, (descriptor) => fs.fsyncSync(descriptor)),
};

function withOpen<T>(path: string, flags: number, use: (descriptor: number) => T): T {
  const descriptor = fs.openSync(path, flags);
  try {
    return use(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}

function factsOf(stats: fs.Stats): FileFacts {
  const type = stats.isFile()
    ? 'file'
    : stats.isDirectory()
      ? 'directory'
      : stats.isSymbolicLink()
        ? 'link'
        : 'other';
  return { type, owner: stats.uid, mode: stats.mode & 0o7777, size: stats.size };
}

/**
 * Replaces `path` whole or not at all, whatever happens when: the new text is on the disk under another name before it takes
 * this one, and the folder is on the disk before we return.
 */
export function replaceFile(
  files: KeyFiles,
  path: { readonly folder: string; readonly name: string },
  text: string,
): void {
  const target = `${path.folder}/${path.name}`;
  const fresh = `${path.folder}/.${path.name}.new`;
  files.remove(fresh);
  const descriptor = files.create(fresh);
  try {
    files.write(descriptor, text);
    files.sync(descriptor);
  } finally {
    files.close(descriptor);
  }
  files.rename(fresh, target);
  files.syncDirectory(path.folder);
}

/** What `replaceFile` leaves when it is stopped before the rename: never a key that anybody has seen. */
export function isLeftover(name: string): boolean {
  return /^\.[\w.]+\.new$/.test(name);
}
