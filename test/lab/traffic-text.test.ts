import assert from 'node:assert/strict';
import { plain } from '../../cli/context.ts';
import { formatTraffic } from '../../lab/cli/format.ts';
import { total } from '../../lab/traffic/report.ts';
import { sheath } from '../cli/run.ts';

describe('lab traffic says what it does not count', () => {
  it('in its report', () => {
    const report = total([], { rate: 20, durationMs: 1000, stalledMs: 0, tcp: [] });
    const text = formatTraffic(report, { paint: plain, wide: false });
    assert.match(
      text,
      /0 lost,\n.*\nnot counted: the packets before these, which opened the way of each flow\n$/,
    );
    assert.ok(text.split('\n').every((line) => line.length <= 80));
  });

  it('in its help', async () => {
    const { out } = await sheath(['lab', 'traffic', '--help']);
    assert.match(out, /up to 20 packets, until one arrives: "0 lost"\nsays nothing of the first packet/);
  });
});
