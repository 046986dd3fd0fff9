/** What is seen of the links of one device: by what its states carried, and what is known of their sessions. */
import type { PublicKey } from '../../keys/generation.ts';
import type { DeviceName, Observation } from '../../mesh/types.ts';
import { keyOf } from './connection.ts';
import type { Vici } from './daemon.ts';
import { listSas } from './security.ts';
import type { Sessions } from './sessions.ts';
import { type Carried, together } from './traffic.ts';

/** Of IKE, when nothing is in UDP. */
const IKE_PORT = 500;

export interface ObservedLink {
  readonly publicKey: PublicKey;
  readonly reqids: readonly number[];
  /** Request id of what is sent by; undefined: nothing is. */
  readonly sentBy: number | undefined;
  /** Seconds until we replace a session; undefined: not known. */
  readonly lifetime: number | undefined;
}

export interface Whose {
  readonly links: readonly ObservedLink[];
  /** Our own outer addresses. */
  readonly locals: ReadonlySet<string>;
}

export interface ObservationContext {
  readonly device: DeviceName;
  readonly generation: number;
  /** By request id. */
  readonly traffic: ReadonlyMap<number, Carried>;
  readonly sessions: Sessions;
}

export function observationOf(link: ObservedLink, context: ObservationContext): Observation {
  const { device, generation, traffic, sessions } = context;
  const all = together(link.reqids.map((reqid) => traffic.get(reqid)));
  const { received, sent, inbound, outbound } = all;
  const established = inbound !== undefined && outbound !== undefined;
  const sending = link.sentBy === undefined ? undefined : traffic.get(link.sentBy)?.outbound;
  const security = sending === undefined ? undefined : sessions.of(sending, link.lifetime);
  return {
    device,
    generation,
    publicKey: link.publicKey,
    ...(inbound === undefined
      ? {}
      : { endpoint: { address: inbound.source, port: inbound.port ?? IKE_PORT } }),
    ...(established ? { lastHandshake: inbound.installedAt } : {}),
    receivedBytes: received,
    sentBytes: sent,
    ...(security === undefined ? {} : { security }),
  };
}

export interface Found {
  readonly client: Vici;
  readonly sessions: Sessions;
  /** Request ids by which anybody is sent to. */
  readonly sentBy: ReadonlySet<number>;
}

/**
 * For when nothing was wanted yet: whose the SAs are that a former agent left. One that came while there was none, and that nothing is
 * sent by, is not established yet.
 */
export async function findLinks({ client, sessions, sentBy }: Found): Promise<Whose> {
  const reqidsOf = new Map<PublicKey, Set<number>>();
  const locals = new Set<string>();
  const sas = await listSas(client);
  sessions.learn(sas);
  for (const { localHost, remoteId, children } of sas) {
    const key = keyOf(remoteId);
    locals.add(localHost);
    if (key === undefined) continue;
    const reqids = reqidsOf.get(key) ?? new Set();
    for (const { reqid } of children) reqids.add(reqid);
    reqidsOf.set(key, reqids);
  }
  const links = Array.from(reqidsOf, ([publicKey, all]) => {
    const way = [...all].find((reqid) => sentBy.has(reqid));
    return { publicKey, reqids: way === undefined ? [] : [...all], sentBy: way, lifetime: undefined };
  });
  return { links, locals };
}
