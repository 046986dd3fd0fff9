/** Answers of an agent, as small as can be, for tests of what the CLI makes of them. */

import { plain } from '../../cli/context.ts';
import type { View } from '../../cli/format/view.ts';
import type { PeerStatus } from '../../mesh/types.ts';
import type { AgentStatus } from '../../operator/status.ts';

/** 2026-11-22T16:00:00Z */
export const NOW = 1_795_363_200_000;
export const SECOND = 1000;
export const MINUTE = 60 * SECOND;

/** What an 80-column terminal without colours sees. */
export const view: View = { paint: plain, wide: false, width: 80, now: NOW };

// A public key is branded text: what comes over a socket is JSON, so that is where these come from too.
function fromJson<T>(value: unknown): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

export function peer(node: string, fields: Partial<Record<keyof PeerStatus, unknown>> = {}): PeerStatus {
  return fromJson({
    node,
    state: 'routed',
    since: NOW - 12 * MINUTE,
    generation: 1,
    driver: 'wireguard',
    endpoint: '192.0.2.12:51831',
    publicKey: 'bmV2ZXIgYSByZWFsIGtleSwgbmV2ZXIgYSByZWFsISE=',
    lastHandshake: NOW - 14 * SECOND,
    receivedBytes: 1_288_490,
    sentBytes: 148,
    mtu: 1420,
    ...fields,
  });
}

/** A peer whose session is an hour's. */
export function ipsecPeer(node: string, fields: Partial<Record<keyof PeerStatus, unknown>> = {}): PeerStatus {
  return peer(node, {
    driver: 'ipsec',
    endpoint: '192.0.2.12:500',
    lastHandshake: NOW - 14 * MINUTE,
    security: {
      ikeEstablishedAt: NOW - 14 * MINUTE,
      childInstalledAt: NOW - 14 * MINUTE,
      rekeyAt: NOW + 41 * MINUTE,
      ikeProposal: 'AES_GCM_16-256/PRF_HMAC_SHA2_384/CURVE_25519',
      espProposal: 'AES_GCM_16-256/ESN',
      spiIn: 0xc1a2b3c4,
      spiOut: 0x0bad5eed,
      nat: false,
    },
    ...fields,
  });
}

export function status(fields: Partial<Record<keyof AgentStatus, unknown>> = {}): AgentStatus {
  return fromJson({
    node: 'n1',
    version: '0.1.0',
    startedAt: NOW - 20 * MINUTE,
    now: NOW,
    encryption: 'wireguard',
    mode: 'permissive',
    scope: 'pods',
    state: 'encrypted',
    since: NOW - 12 * MINUTE,
    generations: [
      {
        number: 1,
        driver: 'wireguard',
        publicKey: 'bmV2ZXIgYSByZWFsIGtleSwgbmV2ZXIgYSByZWFsISE=',
        port: 51831,
        sending: true,
      },
    ],
    devices: [{ name: 'sheath1', generation: 1, implementation: 'kernel', mtu: 1420, port: 51831 }],
    peers: [peer('n2'), peer('n3', { endpoint: '192.0.2.13:51831' })],
    refused: [],
    problems: [],
    records: { source: 'api', at: NOW, age: 0, nodes: 3, connected: true },
    publish: { state: 'published', since: NOW - 19 * MINUTE },
    config: {
      encryption: { value: 'wireguard', source: 'flag', name: '--encryption' },
      mode: { value: 'permissive', source: 'default' },
    },
    ...fields,
  });
}
