/** What came of steady traffic: plain values, printed by `-o json` as they are. */

/** One direction between two places, in one family; without the packets that opened its way before. */
export interface FlowReport {
  readonly from: string;
  readonly to: string;
  readonly family: 4 | 6;
  readonly sent: number;
  readonly received: number;
  readonly lost: number;
  /** Number of the first that was lost, from 0: divided by the rate, the second in which it was sent. */
  readonly firstLost?: number;
  readonly duplicates: number;
  /** Longest time between two packets that arrived, in milliseconds; from the first sent to the last. */
  readonly longestSilenceMs: number;
  /** Packets the sending kernel refused at once, by error code; they are among the lost. */
  readonly refused: Readonly<Record<string, number>>;
}

export interface TcpReport {
  readonly from: string;
  readonly to: string;
  readonly family: 4 | 6;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** Connections that broke; each is begun anew. */
  readonly resets: number;
  /** Longest time without a byte that arrived, in milliseconds. */
  readonly longestSilenceMs: number;
}

export interface TrafficReport {
  /** Packets a second that each flow was to send. */
  readonly rate: number;
  readonly durationMs: number;
  readonly sent: number;
  readonly received: number;
  readonly lost: number;
  readonly duplicates: number;
  readonly longestSilenceMs: number;
  /** Longest time this process itself was held up, in milliseconds: what it lost meanwhile the network did not. */
  readonly stalledMs: number;
  readonly flows: readonly FlowReport[];
  readonly tcp: readonly TcpReport[];
}

export function total(
  flows: readonly FlowReport[],
  rest: Pick<TrafficReport, 'rate' | 'durationMs' | 'stalledMs' | 'tcp'>,
): TrafficReport {
  const sum = (field: 'sent' | 'received' | 'lost' | 'duplicates'): number =>
    flows.reduce((count, flow) => count + flow[field], 0);
  return {
    rate: rest.rate,
    durationMs: rest.durationMs,
    sent: sum('sent'),
    received: sum('received'),
    lost: sum('lost'),
    duplicates: sum('duplicates'),
    longestSilenceMs: Math.max(0, ...flows.map((flow) => flow.longestSilenceMs)),
    stalledMs: rest.stalledMs,
    flows,
    tcp: rest.tcp,
  };
}
