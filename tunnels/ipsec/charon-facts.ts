/** What a charon can do, said by itself: the host's, ours that runs, or one that is started for the question and ended again. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Charon } from './charon.ts';
import { ViciClient } from './vici/client.ts';

/** Milliseconds for an answer. */
const TIMEOUT = 3_000;

export interface CharonFacts {
  /** `5.9.8`. */
  readonly version: string;
  /** By its own names: `AES_GCM_16`, `CURVE_25519`. */
  readonly algorithms: ReadonlySet<string>;
}

/** @throws ViciError when nobody answers on this socket */
export async function askCharon(socket: string): Promise<CharonFacts> {
  const client = new ViciClient({ socket, timeout: TIMEOUT });
  try {
    const { version } = await client.request('version');
    const kinds = Object.values(await client.request('get-algorithms'));
    const algorithms = new Set(kinds.flatMap((kind) => (typeof kind === 'object' ? Object.keys(kind) : [])));
    return { version: typeof version === 'string' ? version : '', algorithms };
  } finally {
    client.close();
  }
}

/** One with a folder and ports of its own, for a moment: it takes no port of ours, and no connection. @throws IpsecError, ViciError */
export async function tryCharon(program: string): Promise<CharonFacts> {
  const folder = await mkdtemp(join(tmpdir(), 'sheath-charon-'));
  const charon = new Charon({ folder, program });
  try {
    const acquireExpires = await readFile('/proc/sys/net/core/xfrm_acq_expires', 'utf8').catch(() => '');
    await charon.ensure({
      fwmark: 0,
      // Any that are free.
      ports: { ike: 0, natt: 0 },
      // It would set this anew.
      ...(acquireExpires === '' ? {} : { acquireExpires: Number(acquireExpires) }),
    });
    return await askCharon(charon.socket);
  } finally {
    await charon.kill();
    await rm(folder, { recursive: true, force: true });
  }
}
