import assert from 'node:assert/strict';
import { createMetrics } from '../../operator/http/metrics.ts';
import type { DoorReport, Dropped } from '../../tunnels/dataplane.ts';
import { status } from '../cli/fixtures.ts';

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
