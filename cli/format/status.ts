/** `sheath status` of one node, in words. Pure. */
import { wayOf } from '../../mesh/rotation-progress.ts';
import type { PeerStatus, Refusal } from '../../mesh/types.ts';
import type { AgentStatus } from '../../operator/status.ts';
import type { Tone } from '../context.ts';
import { isClaim, refusalText } from './refusals.ts';
import { refusedSessions } from './sessions.ts';
import { printable } from './table.ts';
import { wrap } from './text.ts';
import { count, formatAge, formatSpan } from './values.ts';
import type { View } from './view.ts';

/** Whether there is nothing to do: all that is known is encrypted, and nothing is wrong. */
export function isWell(status: AgentStatus): boolean {
  return (
    (status.state === 'encrypted' || status.state === 'alone') &&
    status.problems.length === 0 &&
    !status.refused.some(isClaim)
  );
}

/** One line with the answer, then one entry for each thing that is wrong: who, since when, why, what to do. */
export function formatStatus(status: AgentStatus, view: View): string {
  const lines = [
    verdict(status, view),
    ...nodeEntries(status, view).map((entry) => formatEntry(entry, view)),
  ];
  return `${lines.join('\n')}\n`;
}

/** Everything that there is to tell beside the verdict; with `wide` of every peer. */
export function nodeEntries(status: AgentStatus, view: View): readonly Entry[] {
  const told = wrongs(status, view.now);
  return [...(view.wide ? told : shortened(told)), ...notes(status, view)];
}

/** More than this many of one kind say no more than their number does. */
const OF_A_KIND = 10;

/** The first of each kind, in their order, and how many more there are. */
function shortened(entries: readonly Entry[]): readonly Entry[] {
  return [...Map.groupBy(entries, ({ kind }) => kind).values()].flatMap((all) => {
    const left = all.length - OF_A_KIND;
    const [first] = all;
    if (left <= 0 || first === undefined) return all;
    const more: Entry = { ...first, who: `and ${left} more`, text: `sheath peers (${first.kind})` };
    return [...all.slice(0, OF_A_KIND), more];
  });
}

export function verdict(status: AgentStatus, view: View): string {
  const node = printable(status.node);
  const since = `for ${formatAge(status.since, view.now)}`;
  const routed = status.peers.filter((peer) => peer.state === 'routed').length;
  const all = status.peers.length;
  switch (status.state) {
    case 'encrypted':
      return `${view.paint('good', 'Encrypted')}: ${node} to ${allOf(all)}, ${manner(status)}, ${since}`;
    case 'alone':
      return `${view.paint('good', 'Encrypted')}: ${node} has no peers yet, ${manner(status)}, ${since}`;
    case 'partial':
      return `${view.paint('bad', 'NOT all encrypted')}: ${node} to ${routed} of ${count(all, 'peer')}, ${manner(status)}, ${since}`;
    case 'plaintext':
      return `${view.paint('bad', 'NOT encrypted')}: ${node}, ${plaintextReason(status)}, ${since}`;
    case 'starting':
      return `${view.paint('warn', 'Starting')}: ${node} does not know its peers yet, ${since}`;
    case 'withdrawing':
      return `${view.paint('warn', 'Switching off')}: ${node} waits for silence on its last device, ${since}`;
  }
}

function allOf(peers: number): string {
  if (peers === 1) return 'its one peer';
  return `all ${peers} peers`;
}

/** `wireguard generation 1 and 2, permissive`, `wireguard generation 1 and ipsec generation 2, strict`. */
function manner({ generations, encryption, mode }: AgentStatus): string {
  const sending = generations.filter((generation) => generation.sending);
  const [first = { driver: encryption }] = sending;
  const numbers = sending.map(({ number }) => number);
  const moves = sending.some(({ driver }) => driver !== first.driver);
  const by = moves
    ? sending.map(({ driver, number }) => `${driver} generation ${number}`).join(' and ')
    : `${first.driver}${numbers.length === 0 ? '' : ` generation ${numbers.join(' and ')}`}`;
  return `${by}, ${mode}`;
}

function plaintextReason(status: AgentStatus): string {
  if (status.encryption !== 'none')
    return `${status.encryption} is on but none of ${count(status.peers.length, 'peer')} is routed`;
  if (status.notSelected !== undefined)
    return `${status.notSelected}; give it the label, or widen the selector`;
  const origin = status.config.encryption;
  const from =
    origin === undefined || origin.source === 'default' ? 'by default' : `by ${origin.name ?? origin.source}`;
  return `encryption is none (${from}); switch it on with sheath enable`;
}

export interface Entry {
  readonly told: 'wrong' | 'note';
  /** The code, or the state where there is none. */
  readonly kind: string;
  readonly tone: Tone;
  /** The refused claim that it tells of. */
  readonly refusal?: Refusal;
  readonly who: string;
  readonly text: string;
}

function wrongs(status: AgentStatus, now: number): readonly Entry[] {
  const about = new Set(status.problems.map((problem) => `${problem.node}/${problem.code}`));
  return [
    ...status.problems.map((problem) => ({
      told: 'wrong' as const,
      kind: problem.code,
      tone: 'bad' as const,
      who: problem.node ?? status.node,
      text: `${problem.message} (${problem.code}, for ${formatAge(problem.since, now)})`,
    })),
    ...status.refused
      .filter((refusal) => isClaim(refusal) && !about.has(`${refusal.node}/${refusal.code}`))
      .map((refusal) => ({
        told: 'wrong' as const,
        kind: refusal.code,
        refusal,
        tone: 'bad' as const,
        who: refusal.node,
        text: refusalText(refusal),
      })),
    ...(status.encryption === 'none'
      ? []
      : status.peers.filter((peer) => isUntold(peer, status)).map((peer) => peerEntry(peer, now))),
  ];
}

/** A peer that is not routed, and of which nothing above tells already. */
function isUntold(peer: PeerStatus, status: AgentStatus): boolean {
  if (peer.state === 'routed') return false;
  const told = [...status.problems, ...status.refused.filter(isClaim)];
  return !told.some(
    ({ node, code }) => node === peer.node && (peer.state === 'refused' || code === peer.reason?.code),
  );
}

function peerEntry(peer: PeerStatus, now: number): Entry {
  const state = `${peer.state} for ${formatAge(peer.since, now)}`;
  const why = peer.reason ? `${peer.reason.message} (${peer.reason.code})` : WAITING[peer.state];
  return {
    told: 'wrong',
    kind: peer.reason?.code ?? peer.state,
    tone: peer.state === 'degraded' ? 'bad' : 'warn',
    who: peer.node,
    text: `${state}: ${why}`,
  };
}

/** What the agent waits for where it gives no reason. */
const WAITING = {
  unknown: "its agent has published nothing yet; see that it runs, with 'sheath status' there",
  configured: 'waiting for its handshake; see that its UDP port is reachable and its agent runs',
  established: 'its routes are about to be set',
  routed: '',
  degraded: 'it does not answer; see that the node is up and its UDP port reachable',
  refused: 'its claims are not honoured',
} as const satisfies Record<PeerStatus['state'], string>;

const IN_USER_SPACE = {
  wireguard:
    'wireguard-go does the encryption in user space (slower): this kernel has no WireGuard, or it was asked for',
  ipsec:
    'charon does the encryption in user space (much slower): this kernel has no ESP, or it was asked for',
} as const;

/** What the reader should know, though nothing is wrong. */
function notes(status: AgentStatus, { wide }: View): readonly Entry[] {
  const notes: string[] = [];
  for (const { generation, implementation } of status.devices) {
    const driver = status.generations.find(({ number }) => number === generation)?.driver ?? 'wireguard';
    if (implementation === 'userspace' && !notes.includes(IN_USER_SPACE[driver]))
      notes.push(IN_USER_SPACE[driver]);
  }
  const { records } = status;
  if (records.source !== 'api') {
    notes.push(
      `the other nodes are known from ${records.source === 'disk' ? 'disk' : 'nowhere yet'}, not from the API server`,
    );
  } else if (!records.connected && records.age !== undefined) {
    notes.push(
      `what is known of the other nodes is ${formatSpan(records.age)} old: the API server does not answer`,
    );
  }
  notes.push(...rotationNotes(status), ...refusedSessions(status.ipsec, { wide }), ...configNotes(status));
  if (status.admissionPolicy?.state === 'absent') notes.push(status.admissionPolicy.reason);
  if (status.publish.state === 'failed') {
    notes.push(`own keys are not published: ${status.publish.reason?.message ?? 'no reason given'}`);
  }
  return notes.map((text) => ({ told: 'note', kind: 'note', tone: 'dim', who: 'note', text }));
}

function rotationNotes({ rotation, waiting = [], generations }: AgentStatus): readonly string[] {
  const waits = waiting.map(({ message }) => `waits: ${message}`);
  if (rotation === undefined) return waits;
  const { from, to, phase } = rotation;
  const driverOf = (number: number) => generations.find((each) => each.number === number)?.driver;
  const [fromDriver, toDriver] = [driverOf(from), driverOf(to)];
  const drivers = fromDriver === undefined || toDriver === undefined ? {} : { fromDriver, toDriver };
  const way = from === 0 ? `from clear to generation ${to}` : wayOf({ from, to, ...drivers });
  const doing =
    phase === 'switching'
      ? 'peer by peer, as each answers on it'
      : 'the old one is withdrawn when it is silent';
  return [`goes ${way}: ${doing}`, ...waits];
}

function configNotes({ encryption, config, resource }: AgentStatus): readonly string[] {
  const notes: string[] = [];
  const ranges = config.clusterPrefixes?.value;
  if (encryption !== 'none' && Array.isArray(ranges) && ranges.length === 0) {
    notes.push(
      'clusterPrefixes is empty: a Node may claim any address for its pods; name the ranges that all pods come from',
    );
  }
  const unknown = resource?.unknownFields ?? [];
  if (unknown.length > 0) {
    notes.push(
      `this version does not know, and does not follow, these fields of the resource: ${unknown.join(', ')}`,
    );
  }
  return notes;
}

function formatEntry(entry: Entry, view: View): string {
  const who = printable(entry.who);
  const text = wrap(`${who}: ${printable(entry.text)}`, { width: view.width, first: 2, rest: 6 });
  return `  ${view.paint(entry.tone, text.slice(0, who.length))}${text.slice(who.length)}`;
}
