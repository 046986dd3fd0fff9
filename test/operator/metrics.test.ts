import assert from 'node:assert/strict';
import { createMetrics } from '../../operator/http/metrics.ts';
import type { DoorReport, Dropped } from '../../tunnels/dataplane.ts';
import { ipsecPeer, peer, status } from '../cli/fixtures.ts';

describe('metrics of the door', () => {
  const scrape = async (door?: DoorReport): Promise<string> =>
    (await createMetrics(() => status({ door })).scrape()).body;

  it('counts what was dropped by direction and family', async () => {
    const dropped: Dropped[] = [
      { direction: 'in', family: 4, packets: 0 },
      { direction: 'in', family: 6, packets: 3 },
      { direction: 'out', family: 4, packets: 70_000_000_000 },
      { direction: 'out', family: 6, packets: 1 },
    ];
    const lines = (await scrape({ shut: true, dropped }))
      .split('\n')
      .filter((line) => line.includes('sheath_plaintext_dropped_packets_total'));
    assert.deepEqual(lines, [
      '# HELP sheath_plaintext_dropped_packets_total Packets without a tunnel that strict mode dropped',
      '# TYPE sheath_plaintext_dropped_packets_total counter',
      'sheath_plaintext_dropped_packets_total{direction="in",family="ipv4"} 0',
      'sheath_plaintext_dropped_packets_total{direction="in",family="ipv6"} 3',
      'sheath_plaintext_dropped_packets_total{direction="out",family="ipv4"} 70000000000',
      'sheath_plaintext_dropped_packets_total{direction="out",family="ipv6"} 1',
    ]);
  });

  it('has none where no door was ever shut', async () => {
    assert.doesNotMatch(await scrape(), /dropped_packets_total\{/);
  });
});

describe('metrics of IPsec', () => {
  const scrape = async (fields: Parameters<typeof status>[0]): Promise<readonly string[]> => {
    const { body } = await createMetrics(() => status(fields)).scrape();
    return body.split('\n').filter((line) => line.startsWith('sheath_ipsec_'));
  };

  it('tell of the session of each peer that has one', async () => {
    const fields = {
      peers: [ipsecPeer('n2'), peer('n3')],
      ipsec: {
        dropped: [{ reason: 'XfrmInTmplMismatch', packets: 7 }],
        refused: [{ code: 'IKE_PEER_UNPROVEN', times: 2 }],
      },
    };
    assert.deepEqual(await scrape(fields), [
      'sheath_ipsec_session_info{peer="n2",ike="AES_GCM_16-256/PRF_HMAC_SHA2_384/CURVE_25519",esp="AES_GCM_16-256/ESN",nat="false"} 1',
      'sheath_ipsec_ike_established_timestamp_seconds{peer="n2"} 1795362360',
      'sheath_ipsec_child_installed_timestamp_seconds{peer="n2"} 1795362360',
      'sheath_ipsec_rekey_due_timestamp_seconds{peer="n2"} 1795365660',
      'sheath_ipsec_dropped_packets_total{reason="XfrmInTmplMismatch"} 7',
      'sheath_ipsec_refused_sessions_total{code="IKE_PEER_UNPROVEN"} 2',
    ]);
  });

  it('are none without it', async () => {
    assert.deepEqual(await scrape({}), []);
  });
});
