/** WireGuard in a process of its own, wireguard-go for one, over its UAPI socket. */
import { readdir } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { getSystemErrorName } from 'node:util';
import { parsePrefix } from './address.ts';
import { checkChange, losers, removalsLast, throwAway } from './change.ts';
import { WireGuardError } from './errors.ts';
import { systemError } from './system-error.ts';
import type { Device, DeviceChange, PeerChange, WireGuard } from './types.ts';
import { decodeDevice, decodeErrno } from './uapi/decode.ts';
import { encodeChange, encodeRemovals, GET } from './uapi/encode.ts';

export const SOCKET_DIRECTORY = '/var/run/wireguard';

export interface UserspaceOptions {
  /** Where the sockets `NAME.sock` are. */
  readonly socketDirectory?: string;
  /** Milliseconds a daemon may take for an answer. */
  readonly timeout?: number;
}

/** Requests to one device run one after another, each on a connection of its own. */
export class UserspaceWireGuard implements WireGuard {
  readonly #directory: string;
  readonly #timeout: number;
  readonly #sockets = new Set<Socket>();
  readonly #queues = new Map<string, Promise<unknown>>();
  /** By device: whether its daemon knows `allowed_ip=-PREFIX`. */
  readonly #knowsRemoval = new Map<string, boolean>();
  #closed = false;

  constructor({ socketDirectory = SOCKET_DIRECTORY, timeout = 10_000 }: UserspaceOptions = {}) {
    this.#directory = socketDirectory;
    this.#timeout = timeout;
  }

  /** Those whose daemon answers; a socket left behind is none. */
  async interfaces(): Promise<string[]> {
    const files = await readdir(this.#directory).catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return [];
      throw systemError(errnoOf(error), { device: this.#directory, verb: 'listing', cause: error });
    });
    const names = files
      .filter((file) => file.endsWith('.sock'))
      .map((file) => file.slice(0, -'.sock'.length));
    const alive = await Promise.all(names.map((name) => this.#isAlive(name)));
    return names.filter((_, i) => alive[i]).sort();
  }

  async show(device: string): Promise<Device> {
    return decodeDevice(device, await this.#inTurn(device, () => this.#ask(device, GET, 'reading')));
  }

  async set(device: string, change: DeviceChange): Promise<void> {
    checkChange(change);
    const peers = change.peers ?? [];
    const request = encodeChange({ ...change, peers: removalsLast(peers) });
    const losing = losers(peers);
    for (const { removeAllowedIps = [] } of losing) removeAllowedIps.forEach(parsePrefix);
    await this.#inTurn(device, async () => {
      await this.#ask(device, request, 'setting');
      await this.#takeAway(device, losing);
    });
  }

  close(): void {
    this.#closed = true;
    const error = new WireGuardError('CLOSED', 'the UAPI socket was closed');
    for (const socket of this.#sockets) socket.destroy(error);
  }

  async #takeAway(device: string, peers: readonly PeerChange[]): Promise<void> {
    if (peers.length === 0) return;
    const known = this.#knowsRemoval.get(device);
    if (known !== false) {
      try {
        await this.#ask(device, encodeRemovals(peers), 'setting');
        this.#knowsRemoval.set(device, true);
        return;
      } catch (error) {
        if (known === true || !(error instanceof WireGuardError && error.code === 'INVALID')) throw error;
        this.#knowsRemoval.set(device, false);
      }
    }
    const change = throwAway(decodeDevice(device, await this.#ask(device, GET, 'reading')), peers);
    if (change !== undefined) await this.#ask(device, encodeChange(change), 'setting');
  }

  #inTurn<T>(device: string, use: () => Promise<T>): Promise<T> {
    const before = this.#queues.get(device) ?? Promise.resolve();
    const result = before.then(use, use);
    const settled = result.catch(() => undefined);
    this.#queues.set(device, settled);
    void settled.then(() => {
      if (this.#queues.get(device) === settled) this.#queues.delete(device);
    });
    return result;
  }

  async #ask(device: string, request: string, verb: string): Promise<string> {
    let answer: string;
    try {
      answer = await this.#exchange(this.#path(device), request);
    } catch (error) {
      if (error instanceof WireGuardError) throw error;
      throw systemError(errnoOf(error), { device, verb, cause: error });
    }
    const errno = decodeErrno(answer);
    if (errno !== 0) throw systemError(errnoName(errno), { device, verb, cause: undefined });
    return answer;
  }

  /** One request, and the answer up to its empty line. An empty request only knocks. */
  #exchange(path: string, request: string): Promise<string> {
    if (this.#closed) throw new WireGuardError('CLOSED', 'this WireGuard is closed');
    return new Promise((resolve, reject) => {
      const parts: string[] = [];
      const socket = connect(path);
      this.#sockets.add(socket);
      socket.setEncoding('utf8').setTimeout(this.#timeout);
      socket.on('connect', () => (request === '' ? finish('') : socket.write(request)));
      socket.on('data', (part: string) => {
        parts.push(part);
        if (endsAnswer(parts)) finish(parts.join(''));
      });
      socket.on('end', () =>
        socket.destroy(new WireGuardError('BAD_ANSWER', `${path} closed before its answer`)),
      );
      socket.on('timeout', () => socket.destroy(new WireGuardError('TIMEOUT', `${path} did not answer`)));
      socket.on('error', reject);
      socket.on('close', () => this.#sockets.delete(socket));
      function finish(answer: string): void {
        resolve(answer);
        socket.destroy();
      }
    });
  }

  async #isAlive(device: string): Promise<boolean> {
    try {
      await this.#exchange(this.#path(device), '');
      return true;
    } catch {
      return false;
    }
  }

  #path(device: string): string {
    if (!/^[^/]{1,15}$/.test(device) || device === '.' || device === '..') {
      throw new WireGuardError('INVALID', `${JSON.stringify(device)} is no name of a device: 1 to 15 bytes`);
    }
    return join(this.#directory, `${device}.sock`);
  }
}

/** An empty line, wherever the pieces were cut. */
function endsAnswer(parts: readonly string[]): boolean {
  const last = parts[parts.length - 1] ?? '';
  return (last.length > 1 ? last : (parts[parts.length - 2] ?? '') + last).endsWith('\n\n');
}

/** `ENOENT`, of an error of Node's. */
function errnoOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown';
}

function errnoName(errno: number): string {
  try {
    return getSystemErrorName(-errno);
  } catch {
    return `errno ${errno}`;
  }
}
