/** The agent's metrics. Those of peers are made at scrape and begin empty each time, so that a peer that is gone vanishes. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { PeerState } from '../../mesh/types.ts';
import type { AgentStatus } from '../status.ts';
import { createIpsecMetrics, fillIpsec } from './ipsec-metrics.ts';

const STATES: readonly PeerState[] = [
  'unknown',
  'configured',
  'established',
  'routed',
  'degraded',
  'refused',
];

export interface Metrics {
  /** One turn of the loop, in seconds. */
  turn(seconds: number): void;
  error(part: string, code: string): void;
  scrape(): Promise<{ readonly type: string; readonly body: string }>;
}

export function createMetrics(status: () => AgentStatus): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const duration = new Histogram({
    name: 'sheath_reconcile_duration_seconds',
    help: 'Time of one turn that makes the kernel equal to the plan',
    buckets: [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  });
  const errors = new Counter({
    name: 'sheath_reconcile_errors_total',
    help: 'Errors by the part that failed and their code',
    labelNames: ['part', 'code'],
    registers,
  });
  const gauges = createGauges(registers);
  const ipsec = createIpsecMetrics(registers);
  return {
    turn: (seconds) => duration.observe(seconds),
    error: (part, code) => errors.inc({ part, code }),
    async scrape() {
      for (const gauge of [...Object.values(gauges), ...Object.values(ipsec)]) gauge.reset();
      const now = status();
      fill(gauges, now);
      fillIpsec(ipsec, now);
      return { type: registry.contentType, body: await registry.metrics() };
    },
  };
}

type Gauges = ReturnType<typeof createGauges>;

function createGauges(registers: Registry[]) {
  const gauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[] = []) =>
    new Gauge<Label>({ name, help, labelNames: [...labelNames], registers });
  const counter = (name: string, help: string) =>
    new Counter<'peer'>({ name, help, labelNames: ['peer'], registers });
  return {
    info: gauge('sheath_peer_info', 'A peer and the way to it', ['peer', 'generation', 'driver', 'endpoint']),
    state: gauge('sheath_peer_state', '1 for the state that a peer is in', ['peer', 'state']),
    handshake: gauge(
      'sheath_peer_last_handshake_timestamp_seconds',
      'When the last handshake with a peer was',
      ['peer'],
    ),
    received: counter(
      'sheath_peer_receive_bytes_total',
      'Bytes received from a peer, since its device was made',
    ),
    sent: counter('sheath_peer_transmit_bytes_total', 'Bytes sent to a peer, since its device was made'),
    peers: gauge('sheath_mesh_peers', 'How many peers are in each state', ['state']),
    generation: gauge('sheath_generation', 'The newest generation of keys that this node holds'),
    keyAge: gauge('sheath_key_age_seconds', 'Age of the key of that generation'),
    dropped: new Counter({
      name: 'sheath_plaintext_dropped_packets_total',
      help: 'Packets without a tunnel that strict mode dropped',
      labelNames: ['direction', 'family'],
      registers,
    }),
    build: gauge('sheath_build_info', '1, with the version of the program', ['version']),
  };
}

function fill(gauges: Gauges, status: AgentStatus): void {
  gauges.build.set({ version: status.version }, 1);
  const newest = status.generations.at(-1);
  if (newest !== undefined) gauges.generation.set(newest.number);
  if (newest?.createdAt !== undefined) gauges.keyAge.set((status.now - newest.createdAt) / 1000);
  for (const state of STATES) gauges.peers.set({ state }, 0);
  for (const peer of status.peers) {
    const labels = { peer: peer.node };
    gauges.peers.inc({ state: peer.state });
    gauges.state.set({ ...labels, state: peer.state }, 1);
    gauges.info.set(
      {
        ...labels,
        generation: peer.generation ?? '',
        driver: peer.driver ?? '',
        endpoint: peer.endpoint ?? '',
      },
      1,
    );
    if (peer.lastHandshake !== undefined) gauges.handshake.set(labels, peer.lastHandshake / 1000);
    gauges.received.inc(labels, peer.receivedBytes);
    gauges.sent.inc(labels, peer.sentBytes);
  }
  for (const { direction, family, packets } of status.door?.dropped ?? []) {
    gauges.dropped.inc({ direction, family: `ipv${family}` }, packets);
  }
}
