import assert from 'node:assert/strict';
import { lookIn, Progress, turnIn } from '../../operator/agent/pace.ts';
import { Publisher } from '../../operator/agent/publisher.ts';
import { remaining } from '../../operator/clock.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import type { NodeMetadata } from '../../operator/kube/node.ts';
import { VirtualClock } from './virtual-clock.ts';

const own: NodeMetadata = {
  name: 'n1',
  uid: 'u1',
  resourceVersion: '5',
  creationTimestamp: '2026-01-01T00:00:00Z',
  annotations: {},
};

function applies(times: number[], now: () => number): KubeClient {
  const unasked = () => assert.fail('nobody asked for this');
  const apply = async (_path: string, object: object) => {
    times.push(now());
    return { metadata: { ...own, ...(object as { metadata: object }).metadata, resourceVersion: '6' } };
  };
  return {
    apply,
    get: unasked,
    list: unasked,
    watch: unasked,
    merge: unasked,
    create: unasked,
    delete: unasked,
    close() {},
  };
}

describe('a clock that is set', () => {
  it('leaves what is left of a span, and nothing when it was set back behind its beginning', () => {
    assert.equal(remaining(1000, 500, 1200), 300);
    assert.equal(remaining(1000, 500, 1600), 0);
    assert.equal(remaining(1000, 500, 0), 0);
    assert.equal(remaining(Number.NEGATIVE_INFINITY, 500, 0), 0);
  });

  it('back by an hour does not have us look for handshakes ten times a second until the hour is over', () => {
    const progress = new Progress();
    progress.made(3_600_000);
    const waits = [0, 5_000, 100_000].map((now) => lookIn(progress.since(now), 1));
    assert.deepEqual(waits, [100, 1_000, 10_000]);
  });

  it('back by an hour does not keep our annotations from being put right', async () => {
    const written: number[] = [];
    const clock = new VirtualClock();
    let behind = 0;
    const now = () => clock.now() - behind;
    const publisher = new Publisher({
      client: applies(written, now),
      node: 'n1',
      clock: { now, after: (ms, callback) => clock.after(ms, callback) },
      onPublished: () => {},
    });
    await publisher.publish({ 'sheath.dev/endpoints': '192.0.2.1' }, { state: 'present', metadata: own });
    behind = 3_600_000;
    const overwritten = {
      ...own,
      resourceVersion: '7',
      annotations: { 'sheath.dev/endpoints': '198.51.100.1' },
    };
    const wait = await publisher.publish(
      { 'sheath.dev/endpoints': '192.0.2.1' },
      { state: 'present', metadata: overwritten },
    );
    assert.equal(wait, undefined);
    assert.equal(written.length, 2);
  });
});

describe('turns that records ask for', () => {
  it('come at once when one record changes, and take a fifth of the time when hundreds do', () => {
    assert.equal(turnIn(10_000, 80), 0);
    assert.equal(turnIn(0, 20), 80);
    assert.equal(turnIn(50, 20), 30);
    assert.equal(turnIn(0, 5_000), 1_000, 'never later than a second');
    assert.equal(turnIn(Number.POSITIVE_INFINITY, 0), 0, 'the first one');
  });
});
