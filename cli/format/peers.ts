import type { PeerState, PeerStatus, Refusal } from '../../mesh/types.ts';
import type { AgentStatus } from '../../operator/status.ts';
import type { Tone } from '../context.ts';
import { refusedClaims, refusedOf } from './refusals.ts';
import { rekeyColumn, sessionColumns, sessionFields } from './sessions.ts';
import { type Column, printable, renderTable } from './table.ts';
import { wrap } from './text.ts';
import { formatAge, formatBytes } from './values.ts';
import type { View } from './view.ts';

/** How a peer stands, as one node sees it. */
export interface PeerRow extends PeerStatus {
  /** Whose view it is. */
  readonly seenBy: string;
  /** Claims of the peer that are refused there; absent when none is. */
  readonly refused?: readonly Refusal[];
}

/** The peers of one node, as its agent says. */
export function agentPeers({ node, peers, refused }: AgentStatus): readonly PeerRow[] {
  return peers.map((peer) => ({ seenBy: node, ...peer, ...refusedClaims(peer.node, refused) }));
}

const TONES = {
  unknown: 'warn',
  configured: 'warn',
  established: 'warn',
  routed: 'good',
  degraded: 'bad',
  refused: 'bad',
} as const satisfies Record<PeerState, Tone>;

/** One line a peer; with rows of several nodes the first column says whose view it is. Empty input: one sentence. */
export function formatPeers(rows: readonly PeerRow[], view: View): string {
  if (rows.length === 0) return 'no peers\n';
  const several = new Set(rows.map((row) => row.seenBy)).size > 1;
  const own = peerColumns(view.now, { sessions: rows.some(({ security }) => security !== undefined) });
  const columns = several ? [SEEN_BY, ...own] : own;
  return renderTable(rows, { columns, paint: view.paint, wide: view.wide });
}

const SEEN_BY: Column<PeerRow> = { header: 'NODE', value: (row) => row.seenBy };

function peerColumns(now: number, { sessions }: { readonly sessions: boolean }): readonly Column<PeerRow>[] {
  return [
    { header: 'PEER', value: (row) => row.node },
    { header: 'STATE', value: (row) => row.state, tone: (row) => TONES[row.state] },
    { header: 'SINCE', value: (row) => formatAge(row.since, now), align: 'right' },
    { header: 'ENDPOINT', value: shortEndpoint },
    { header: 'GEN', value: (row) => row.generation?.toString() ?? '-', align: 'right' },
    { header: 'HANDSHAKE', value: (row) => formatAge(row.lastHandshake, now), align: 'right' },
    ...(sessions ? [rekeyColumn(now)] : []),
    { header: 'RECEIVED', value: (row) => formatBytes(row.receivedBytes), align: 'right' },
    { header: 'SENT', value: (row) => formatBytes(row.sentBytes), align: 'right' },
    { header: 'MTU', value: (row) => row.mtu?.toString() ?? '-', align: 'right' },
    { header: 'DRIVER', value: (row) => row.driver ?? '-', wide: true },
    { header: 'PUBLIC KEY', value: (row) => row.publicKey?.toString() ?? '-', wide: true },
    ...(sessions ? sessionColumns(now) : []),
    {
      header: 'REFUSED',
      value: ({ refused = [] }) => refused.map(({ code }) => code).join(',') || '-',
      tone: ({ refused }) => (refused === undefined ? undefined : 'bad'),
      wide: true,
    },
    { header: 'REASON', value: (row) => row.reason?.message ?? '', wide: true },
  ];
}

/** IKE's own port is no news; another is, for it means a NAT. */
function shortEndpoint({ driver, endpoint }: PeerRow): string {
  const plain = driver === 'ipsec' ? /^\[?(.*?)\]?:500$/.exec(endpoint ?? '')?.[1] : undefined;
  return plain ?? endpoint ?? '-';
}

/** Everything about one peer, a line a field, as long as the reason needs. */
export function formatPeer(row: PeerRow, view: View): string {
  const fields: readonly (readonly [string, string | undefined])[] = [
    ['Peer', row.node],
    ['Seen by', row.seenBy],
    ['State', `${row.state} for ${formatAge(row.since, view.now)}`],
    ['Reason', row.reason && `${row.reason.message} (${row.reason.code})`],
    ...(row.refused ?? []).map((refusal) => ['Refused', refusedOf(refusal)] as const),
    ['Endpoint', row.endpoint],
    ['Driver', row.driver],
    ['Generation', row.generation?.toString()],
    ['Public key', row.publicKey?.toString()],
    ['Handshake', row.lastHandshake ? `${formatAge(row.lastHandshake, view.now)} ago` : 'none yet'],
    ['Received', `${formatBytes(row.receivedBytes)} (${row.receivedBytes} bytes)`],
    ['Sent', `${formatBytes(row.sentBytes)} (${row.sentBytes} bytes)`],
    ['MTU', row.mtu?.toString()],
    ...sessionFields(row.security, view),
  ];
  return fields
    .filter(([, value]) => value !== undefined && value !== '')
    .map(([name, value]) => field(name, value ?? '', view))
    .join('');
}

/** Each refused claim of these peers, a paragraph each, for below their table; empty where there is none. */
export function formatRefused(rows: readonly PeerRow[], view: View): string {
  return rows
    .flatMap(({ seenBy, node, refused = [] }) =>
      refused.map((refusal) => {
        const text = `${seenBy} refuses of ${node}: ${refusedOf(refusal)}`;
        return `${wrap(printable(text), { width: view.width, first: 0, rest: 4 })}\n`;
      }),
    )
    .join('');
}

const NAME_WIDTH = 13;

function field(name: string, value: string, view: View): string {
  const text = wrap(printable(value), { width: view.width, first: NAME_WIDTH, rest: NAME_WIDTH });
  return `${view.paint('dim', `${name}:`)}${' '.repeat(NAME_WIDTH - name.length - 1)}${text}\n`;
}
