import assert from 'node:assert/strict';
import { pino } from 'pino';
import { Events } from '../../operator/agent/events.ts';
import { Narrator } from '../../operator/agent/narrator.ts';
import { Problems } from '../../operator/agent/problems.ts';
import type { Change, DoorReport } from '../../tunnels/dataplane.ts';
import { status } from '../cli/fixtures.ts';
import { VirtualClock } from './virtual-clock.ts';

/** What is logged of a turn that changed this. */
function told(changes: readonly Change[], door?: DoorReport): readonly string[] {
  const lines: string[] = [];
  const log = pino({ base: null }, { write: (line) => void lines.push(JSON.parse(line).msg) });
  const clock = new VirtualClock();
  const narrator = new Narrator({
    log,
    clock,
    problems: new Problems(clock, log),
    events: new Events(),
    status,
    refused: () => [],
    count: { turn: () => {}, error: () => {} },
  });
  narrator.turned({ changes, errors: [], devices: [], pending: [], ...(door && { door }) }, 0.1);
  return lines;
}

describe('what the log says of a turn', () => {
  const change: Change = { part: 'route', action: 'add', what: '10.244.2.0/24 dev sheath1' };

  it('counts what was changed', () => {
    assert.deepEqual(told([change]), ['changed the kernel: 1 item']);
    assert.deepEqual(told([change, change]), ['changed the kernel: 2 items']);
  });

  it('names what was put back', () => {
    assert.deepEqual(told([{ ...change, repaired: true }]), [
      'put back what somebody else changed: 10.244.2.0/24 dev sheath1',
    ]);
  });

  it('tells for how long somebody opened the door', () => {
    const now = new VirtualClock().now();
    const breach = { since: now - 300, until: now };
    const [line, ...more] = told([], { shut: true, dropped: [], breach });
    assert.match(line ?? '', /^the door of strict mode was open for up to 300 ms from \d{4}-.*Z on/);
    assert.deepEqual(more, []);
    const long = { since: now - 7_200_300, until: now - 7_200_000 };
    assert.deepEqual(told([], { shut: true, dropped: [], breach: long }), []);
  });
});
