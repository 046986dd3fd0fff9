/** The session of an IPsec peer, in words: the IKE SA and its child. Pure. */
import type { PeerStatus, SecurityAssociation } from '../../mesh/types.ts';
import type { IpsecReport } from '../../tunnels/dataplane.ts';
import type { Column } from './table.ts';
import { formatAge, formatUntil } from './values.ts';
import type { View } from './view.ts';

type Row = Pick<PeerStatus, 'security'>;

/** When the session is replaced by the next: of each peer, also in the narrow table. */
export function rekeyColumn(now: number): Column<Row> {
  return { header: 'REKEY', value: ({ security }) => formatUntil(security?.rekeyAt, now), align: 'right' };
}

/** For `-o wide`. */
export function sessionColumns(now: number): readonly Column<Row>[] {
  const column = (header: string, value: (security: SecurityAssociation) => string): Column<Row> => ({
    header,
    value: ({ security }) => (security === undefined ? '-' : value(security)),
    wide: true,
  });
  return [
    column('IKE AGE', ({ ikeEstablishedAt }) => formatAge(ikeEstablishedAt, now)),
    column('CHILD AGE', ({ childInstalledAt }) => formatAge(childInstalledAt, now)),
    column('SPI IN', ({ spiIn }) => formatSpi(spiIn)),
    column('SPI OUT', ({ spiOut }) => formatSpi(spiOut)),
    column('IKE', ({ ikeProposal }) => ikeProposal),
    column('ESP', ({ espProposal, nat }) => `${espProposal}${nat ? ' in UDP' : ''}`),
  ];
}

/** A line each, for everything about one peer; with `wide` its SPIs. */
export function sessionFields(
  security: SecurityAssociation | undefined,
  { now, wide }: Pick<View, 'now' | 'wide'>,
): readonly (readonly [string, string])[] {
  if (security === undefined) return [];
  const { ikeEstablishedAt, childInstalledAt, rekeyAt, ikeProposal, espProposal, nat } = security;
  const { spiIn, spiOut } = security;
  return [
    ['IKE SA', `${formatAge(ikeEstablishedAt, now)} old, ${ikeProposal}`],
    ['Child SA', `${formatAge(childInstalledAt, now)} old, ${espProposal}${nat ? ', in UDP for a NAT' : ''}`],
    ['Rekey', rekeyAt <= now ? 'due now' : `in ${formatUntil(rekeyAt, now)} at the latest`],
    ['SPIs', `${shown(spiIn, wide)} in, ${shown(spiOut, wide)} out${wide ? '' : ' (-o wide shows them)'}`],
  ];
}

/** What was refused since the agent started; with `wide` also what the kernel dropped. A sentence each. */
export function refusedSessions(
  { refused = [], dropped = [] }: Partial<IpsecReport> = {},
  { wide }: { readonly wide: boolean },
): readonly string[] {
  const sessions = refused.filter(({ times }) => times > 0).map(({ code, times }) => `${times} ${code}`);
  const packets = wide ? dropped.map(({ reason, packets: many }) => `${many} ${reason}`) : [];
  return [
    ...(sessions.length === 0
      ? []
      : [`IPsec sessions that did not come about since the agent started: ${sessions.join(', ')}`]),
    ...(packets.length === 0
      ? []
      : [`packets that the kernel's IPsec dropped (/proc/net/xfrm_stat): ${packets.join(', ')}`]),
  ];
}

/** As `ip xfrm state` has it. */
export function formatSpi(spi: number): string {
  return `0x${spi.toString(16).padStart(8, '0')}`;
}

function shown(spi: number, wide: boolean): string {
  return wide ? formatSpi(spi) : '0x********';
}
