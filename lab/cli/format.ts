/** What `sheath lab` prints for a reader, within 80 columns. */
import type { Paint, Tone } from '../../cli/context.ts';
import { type Column, renderTable } from '../../cli/format/table.ts';
import type { CaptureReport } from '../capture/start.ts';
import type { LabNodeStatus, LabStatus } from '../nodes/status.ts';
import type { FlowReport, TrafficReport } from '../traffic/report.ts';

export interface Look {
  readonly paint: Paint;
  readonly wide: boolean;
}

const AGENT_TONE: Readonly<Record<LabNodeStatus['agent'], Tone>> = {
  running: 'good',
  silent: 'warn',
  stopped: 'bad',
};

const NODE_COLUMNS: readonly Column<LabNodeStatus>[] = [
  { header: 'NODE', value: ({ node }) => node },
  { header: 'ADDRESS', value: ({ addresses }) => addresses[0] ?? '' },
  { header: 'AGENT', value: ({ agent }) => agent, tone: ({ agent }) => AGENT_TONE[agent] },
  { header: 'STATE', value: ({ state }) => state ?? '-' },
  { header: 'ROUTED', value: ({ routed, peers }) => (peers === undefined ? '-' : `${routed}/${peers}`) },
  { header: 'DEVICE', value: ({ devices }) => shortDevices(devices) || '-' },
  { header: 'PODS', value: ({ pods }) => pods.map(({ name }) => name).join(' ') },
  { header: 'ALL ADDRESSES', value: ({ addresses }) => addresses.join(' '), wide: true },
  { header: 'POD PREFIXES', value: ({ podCIDRs }) => podCIDRs.join(' '), wide: true },
];

/** `sheath0,sheath1 kernel`: a node has two while it rotates. */
function shortDevices(devices: readonly string[]): string {
  const by = Map.groupBy(devices, (device) => device.split(' ')[1]);
  return [...by]
    .map(([implementation, all]) => {
      const names = all.map((device) => device.split(' ')[0]).sort();
      return `${names.join(',')} ${implementation}`;
    })
    .join(', ');
}

export function formatLabStatus(status: LabStatus, look: Look): string {
  const problems = status.nodes.flatMap(({ node, problems: all }) =>
    all.map((problem) => `${node}: ${problem}\n`),
  );
  return [
    `lab ${status.name}: encryption ${status.encryption}, API ${status.api}\n`,
    renderTable(status.nodes, { columns: NODE_COLUMNS, ...look }),
    ...problems,
    `kubeconfig: ${status.kubeconfig}\n`,
  ].join('');
}

const FLOW_COLUMNS: readonly Column<FlowReport>[] = [
  { header: 'FROM', value: ({ from }) => from },
  { header: 'TO', value: ({ to }) => to },
  { header: 'FAMILY', value: ({ family }) => `IPv${family}` },
  { header: 'SENT', value: ({ sent }) => String(sent), align: 'right' },
  {
    header: 'LOST',
    value: ({ lost }) => String(lost),
    align: 'right',
    tone: ({ lost }) => (lost ? 'bad' : 'good'),
  },
  { header: 'TWICE', value: ({ duplicates }) => String(duplicates), align: 'right' },
  { header: 'LONGEST SILENCE', value: ({ longestSilenceMs }) => `${longestSilenceMs} ms`, align: 'right' },
];

/** With more flows than this, those that lost nothing are only counted. */
const MOST_ROWS = 24;

export function formatTraffic(report: TrafficReport, look: Look): string {
  const shown =
    report.flows.length > MOST_ROWS && !look.wide
      ? report.flows.filter(({ lost }) => lost > 0)
      : report.flows;
  const { sent, lost, duplicates, longestSilenceMs, durationMs, rate } = report;
  const verdict = look.paint(lost === 0 ? 'good' : 'bad', `${lost} lost`);
  const lines = [
    ...(shown.length > 0 ? [renderTable(shown, { columns: FLOW_COLUMNS, ...look })] : []),
    `${report.flows.length} flows, ${rate}/s each, ${(durationMs / 1000).toFixed(1)} s: ${sent} sent, ${verdict},\n`,
    `${duplicates} twice, longest silence ${longestSilenceMs} ms\n`,
    'not counted: the packets before these, which opened the way of each flow\n',
    ...report.tcp.map(
      (tcp) =>
        `TCP ${tcp.from} to ${tcp.to}, IPv${tcp.family}: ${tcp.receivedBytes} bytes, ${tcp.resets} resets, longest silence ${tcp.longestSilenceMs} ms\n`,
    ),
  ];
  return lines.join('');
}

export function formatCapture(report: CaptureReport, look: Look): string {
  const tone: Tone = report.clear > 0 ? 'warn' : 'good';
  const clear = look.paint(tone, `${report.clear} in clear`);
  const [first] = report.clearBetween;
  const who = first ? `, first of all ${first.from} to ${first.to}` : '';
  const dropped = report.dropped
    ? `\n${report.dropped} more frames were not captured: nothing is proven\n`
    : '';
  const encrypted = [`${report.wireguard} WireGuard`, ...(report.ipsec > 0 ? [`${report.ipsec} IPsec`] : [])];
  return `on the wire: ${encrypted.join(', ')}, ${clear}${who}, ${report.other} other\n${dropped}`;
}
