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
    children: sectionsOf(sectionAt(section, 'child-sas')).map(([, child]) => childOf(child)),
  };
}

function childOf(section: Section): ChildSa {
  const spiIn = numberAt(section, 'spi-in', 16);
  const spiOut = numberAt(section, 'spi-out', 16);
  const installed = numberAt(section, 'install-time');
  return {
    name: textAt(section, 'name') ?? '',
    id: textAt(section, 'uniqueid') ?? '',
    state: textAt(section, 'state') ?? '',
    reqid: numberAt(section, 'reqid') ?? 0,
    ...(spiIn === undefined ? {} : { spiIn }),
    ...(spiOut === undefined ? {} : { spiOut }),
    ...(installed === undefined ? {} : { installed }),
  };
}
