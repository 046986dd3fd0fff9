/** Metrics of the sessions of IPsec peers, and of what charon and the kernel refused; none without IPsec. */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { AgentStatus } from '../status.ts';

export function createIpsecMetrics(registers: Registry[]) {
  const gauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
    new Gauge<Label>({ name, help, labelNames: [...labelNames], registers });
  const counter = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
    new Counter<Label>({ name, help, labelNames: [...labelNames], registers });
  return {
    session: gauge('sheath_ipsec_session_info', 'The session with a peer, and what it agreed on', [
      'peer',
      'ike',
      'esp',
      'nat',
    ]),
    ike: gauge('sheath_ipsec_ike_established_timestamp_seconds', 'When the IKE SA with a peer was made', [
      'peer',
    ]),
    child: gauge('sheath_ipsec_child_installed_timestamp_seconds', 'When the child SA with a peer was made', [
      'peer',
    ]),
    rekey: gauge(
      'sheath_ipsec_rekey_due_timestamp_seconds',
      'When the session with a peer is replaced by the next, at the latest',
      ['peer'],
    ),
    dropped: counter(
      'sheath_ipsec_dropped_packets_total',
      "Packets that the kernel's IPsec dropped, whoever's, by its own name for the reason (/proc/net/xfrm_stat)",
      ['reason'],
    ),
    refused: counter(
      'sheath_ipsec_refused_sessions_total',
      'Sessions that did not come about, by code, since the agent started',
      ['code'],
    ),
  };
}

export function fillIpsec(
  metrics: ReturnType<typeof createIpsecMetrics>,
  { peers, ipsec }: Pick<AgentStatus, 'peers' | 'ipsec'>,
): void {
  for (const { node: peer, security } of peers) {
    if (security === undefined) continue;
    const { ikeEstablishedAt, childInstalledAt, rekeyAt, ikeProposal, espProposal, nat } = security;
    metrics.session.set({ peer, ike: ikeProposal, esp: espProposal, nat: String(nat) }, 1);
    metrics.ike.set({ peer }, ikeEstablishedAt / 1000);
    metrics.child.set({ peer }, childInstalledAt / 1000);
    metrics.rekey.set({ peer }, rekeyAt / 1000);
  }
  for (const { reason, packets } of ipsec?.dropped ?? []) metrics.dropped.inc({ reason }, packets);
  for (const { code, times } of ipsec?.refused ?? []) metrics.refused.inc({ code }, times);
}
