/** What charon says of its IKE SAs and their children, of what is ours. */
import { NAME_PREFIX } from './connection.ts';
import type { Vici } from './daemon.ts';
import { numberAt, type Section, sectionAt, sectionsOf, textAt } from './vici/message.ts';

export interface IkeSa {
  /** Of the connection. */
  readonly name: string;
  readonly id: string;
  readonly state: string;
  /** Both ends have it in common. */
  readonly initiatorSpi: string;
  readonly initiator: boolean;
  readonly localHost: string;
  readonly remoteId: string;
  /** Seconds since; undefined while it is not established. */
  readonly established?: number;
  /** What was agreed on, as swanctl prints it: `AES_GCM_16-256/PRF_HMAC_SHA2_384/CURVE_25519`. */
  readonly algorithms: string;
  readonly children: readonly ChildSa[];
}

export interface ChildSa {
  /** Of the child in the connection: what was negotiated with. */
  readonly name: string;
  readonly id: string;
  readonly state: string;
  readonly reqid: number;
  readonly spiIn?: number;
  readonly spiOut?: number;
  /** Seconds since. */
  readonly installed?: number;
  /** Seconds until charon rekeys it, when nobody replaces it before. */
  readonly rekeyIn?: number;
  readonly algorithms: string;
  /** ESP is in UDP, for a NAT. */
  readonly encapsulated: boolean;
}

/** @param name of one connection; all of ours without it. */
export async function listSas(client: Vici, name?: string): Promise<IkeSa[]> {
  const found: IkeSa[] = [];
  // Not with `noblock`: that leaves out who is at work just now, which is no reason to take it for gone.
  await client.stream('list-sas', 'list-sa', {
    message: { ike: name },
    onEvent: (event) => {
      for (const [of, section] of sectionsOf(event)) {
        if (of.startsWith(NAME_PREFIX)) found.push(ikeOf(of, section));
      }
    },
  });
  return found;
}

export interface LoadedConnection {
  /** Name of its child. */
  readonly child: string;
  /** Our identity in it. */
  readonly localId: string;
}

/** Loaded connections of ours, by name. */
export async function listConnections(client: Vici): Promise<Map<string, LoadedConnection>> {
  const found = new Map<string, LoadedConnection>();
  await client.stream('list-conns', 'list-conn', {
    onEvent: (event) => {
      for (const [name, section] of sectionsOf(event)) {
        if (!name.startsWith(NAME_PREFIX)) continue;
        const children = sectionsOf(sectionAt(section, 'children')).map(([child]) => child);
        const [local] = sectionsOf(section).filter(([part]) => part.startsWith('local-'));
        const localId = local === undefined ? undefined : textAt(local[1], 'id');
        found.set(name, { child: children.join(' '), localId: localId ?? '' });
      }
    },
  });
  return found;
}

function ikeOf(name: string, section: Section): IkeSa {
  const established = numberAt(section, 'established');
  return {
    name,
    id: textAt(section, 'uniqueid') ?? '',
    state: textAt(section, 'state') ?? '',
    initiatorSpi: textAt(section, 'initiator-spi') ?? '',
    initiator: textAt(section, 'initiator') === 'yes',
    localHost: textAt(section, 'local-host') ?? '',
    remoteId: textAt(section, 'remote-id') ?? '',
    ...(established === undefined ? {} : { established }),
    algorithms: algorithmsOf(section),
    children: sectionsOf(sectionAt(section, 'child-sas')).map(([, child]) => childOf(child)),
  };
}

function childOf(section: Section): ChildSa {
  const spiIn = numberAt(section, 'spi-in', 16);
  const spiOut = numberAt(section, 'spi-out', 16);
  const installed = numberAt(section, 'install-time');
  const rekeyIn = numberAt(section, 'rekey-time');
  return {
    name: textAt(section, 'name') ?? '',
    id: textAt(section, 'uniqueid') ?? '',
    state: textAt(section, 'state') ?? '',
    reqid: numberAt(section, 'reqid') ?? 0,
    ...(spiIn === undefined ? {} : { spiIn }),
    ...(spiOut === undefined ? {} : { spiOut }),
    ...(installed === undefined ? {} : { installed }),
    ...(rekeyIn === undefined ? {} : { rekeyIn }),
    algorithms: algorithmsOf(section),
    encapsulated: textAt(section, 'encap') === 'yes',
  };
}

/** Additional key exchanges (RFC 9370), which charon has since 6. */
const ADDITIONAL = [1, 2, 3, 4, 5, 6, 7] as const;

function algorithmsOf(section: Section): string {
  const sized = (algorithm: string) => {
    const [name, size] = [textAt(section, `${algorithm}-alg`), textAt(section, `${algorithm}-keysize`)];
    return name === undefined || size === undefined ? name : `${name}-${size}`;
  };
  const more = ADDITIONAL.map((n) => {
    const name = textAt(section, `ake${n}`);
    return name === undefined ? undefined : `KE${n}_${name}`;
  });
  const esn = textAt(section, 'esn') === '1' ? 'ESN' : undefined;
  const parts = [sized('encr'), sized('integ'), textAt(section, 'prf-alg'), textAt(section, 'dh-group')];
  return [...parts, ...more, esn].filter((part) => part !== undefined).join('/');
}
