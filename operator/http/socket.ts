/** `agent.sock`: one agent a run directory, known by who answers on the socket. */
import { chmod, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { OperatorError } from '../errors.ts';
import { makeFolder } from '../files.ts';
import { type Listening, listen, type ServerOptions } from './server.ts';

export function socketPath(runDir: string): string {
  return join(runDir, 'agent.sock');
}

/** @throws OperatorError `ALREADY_RUNNING`, `RUN_DIR_UNWRITABLE` */
export async function listenOnSocket(runDir: string, options: ServerOptions): Promise<Listening> {
  const path = socketPath(runDir);
  if (await answers(path)) {
    throw new OperatorError(
      'ALREADY_RUNNING',
      `another agent answers on ${path}: stop it first, or give this one another --run-dir`,
    );
  }
  try {
    await makeFolder(runDir, 0o755);
    await rm(path, { force: true });
    const listening = await withUmask(0o177, () => listen(options, { path }));
    await chmod(path, 0o600);
    return listening;
  } catch (cause) {
    throw new OperatorError(
      'RUN_DIR_UNWRITABLE',
      `cannot listen on ${path}: ${cause instanceof Error ? cause.message : String(cause)}; run as root, or name another --run-dir`,
      { cause },
    );
  }
}

/** @throws OperatorError `HTTP_LISTEN` */
export async function listenOnAddress<Source>(
  text: string,
  options: ServerOptions<Source>,
): Promise<Listening> {
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65535) {
    throw new OperatorError(
      'HTTP_LISTEN',
      `--http ${text}: expected ADDRESS:PORT, like 127.0.0.1:9559 or [::1]:9559, or none`,
      { exitCode: 2 },
    );
  }
  const host = match[1] ?? match[2] ?? '';
  try {
    return await listen(options, { host: host === '' ? '::' : host, port });
  } catch (cause) {
    throw new OperatorError(
      'HTTP_LISTEN',
      `--http ${text}: cannot listen: ${cause instanceof Error ? cause.message : String(cause)}; name another, or none`,
      { cause },
    );
  }
}

/** The socket is nobody else's from its first moment on. */
async function withUmask<T>(mask: number, run: () => Promise<T>): Promise<T> {
  const before = process.umask(mask);
  try {
    return await run();
  } finally {
    process.umask(before);
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.setTimeout(2_000, () => socket.destroy());
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
  });
}
