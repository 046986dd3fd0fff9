import assert from 'node:assert/strict';
import { ALONE, farewell, type Leaving, lastRites, NEWS, PATIENCE } from '../../operator/agent/farewell.ts';
import { createLog } from '../../operator/log.ts';
import type { Dataplane, DesiredState, Report } from '../../tunnels/dataplane.ts';
import { settle, VirtualClock } from '../operator/virtual-clock.ts';

const NOTHING_LEFT: Report = { changes: [], errors: [], devices: [], pending: [] };

/** A kernel whose device needs `silence` calls until it is silent. */
function dataplane(silence: number): { readonly asked: DesiredState[]; readonly dataplane: Dataplane } {
  const asked: DesiredState[] = [];
  return {
    asked,
    dataplane: {
      set: async (desired) => {
        asked.push(desired);
        const waits = asked.length <= silence;
        return waits ? { ...NOTHING_LEFT, pending: [{ device: 'sheath1', retryAfter: 5000 }] } : NOTHING_LEFT;
      },
      preview: async () => [],
      observe: async () => [],
      watch: () => {},
      close: async () => {},
    },
  };
}

describe('what SIGTERM means to an agent', () => {
  let clock: VirtualClock;
  let state: { leaving: boolean; off: boolean; shut: boolean; muted: boolean };
  const leaving = (more: Partial<Leaving> = {}): Leaving => ({
    leaving: () => state.leaving,
    off: () => state.off,
    shut: () => state.shut,
    muted: () => state.muted,
    dataplane: dataplane(0).dataplane,
    clock,
    log: createLog('silent', 'n1'),
    ...more,
  });

  beforeEach(() => {
    clock = new VirtualClock();
    state = { leaving: false, off: false, shut: false, muted: false };
  });

  it('ends it at once, and leaves the kernel alone, when nothing is being deleted', async () => {
    const [signal, kernel] = [new AbortController(), dataplane(0)];
    const end = farewell(signal.signal, leaving(kernel));
    await clock.advance(60_000);
    assert.equal(end.aborted, false);
    signal.abort();
    await settle();
    assert.equal(end.aborted, true);
    assert.equal(await lastRites(leaving(kernel)), false);
    assert.deepEqual(kernel.asked, []);
  });

  it('waits behind a shut door for the news that the resource goes, which may come after the signal', async () => {
    state.shut = true;
    const news = new AbortController();
    const end = farewell(news.signal, leaving());
    news.abort();
    await clock.advance(NEWS - 500);
    state.leaving = true;
    await clock.advance(10_000);
    assert.equal(end.aborted, false);
    state.leaving = false;
    const none = new AbortController();
    const other = farewell(none.signal, leaving());
    none.abort();
    await clock.advance(NEWS - 500);
    assert.equal(other.aborted, false);
    await clock.advance(1_000);
    assert.equal(other.aborted, true);
  });

  it('lets it go on until all is taken back when the resource is being deleted', async () => {
    state.leaving = true;
    const signal = new AbortController();
    const end = farewell(signal.signal, leaving());
    signal.abort();
    await clock.advance(20_000);
    assert.equal(end.aborted, false);
    state.off = true;
    await clock.advance(1_000);
    assert.equal(end.aborted, true);
  });

  it('ends it at once when the resource was taken back by somebody meanwhile', async () => {
    state.leaving = true;
    const signal = new AbortController();
    const end = farewell(signal.signal, leaving());
    signal.abort();
    await clock.advance(5_000);
    state.leaving = false;
    await clock.advance(1_000);
    assert.equal(end.aborted, true);
  });

  it('lets it go on no longer than a pod is given', async () => {
    state.leaving = true;
    const signal = new AbortController();
    const end = farewell(signal.signal, leaving());
    signal.abort();
    await clock.advance(PATIENCE - 1_000);
    assert.equal(end.aborted, false);
    await clock.advance(2_000);
    assert.equal(end.aborted, true);
  });

  it('does not wait for the others when nobody hears it, but for their doors', async () => {
    state.leaving = true;
    state.muted = true;
    const signal = new AbortController();
    const end = farewell(signal.signal, leaving());
    signal.abort();
    await clock.advance(ALONE - 1_000);
    assert.equal(end.aborted, false);
    await clock.advance(2_000);
    assert.equal(end.aborted, true);
  });

  it('ends at once one that was stopped before it began', async () => {
    const end = farewell(AbortSignal.abort(), leaving());
    await settle();
    assert.equal(end.aborted, true);
  });

  it('then takes back what is left, with the door open in the first write', async () => {
    state.leaving = true;
    const kernel = dataplane(1);
    const done = lastRites(leaving(kernel));
    await clock.advance(6_000);
    assert.equal(await done, true);
    assert.equal(kernel.asked.length, 2);
    for (const { plan, routes } of kernel.asked) {
      assert.deepEqual(
        [plan.mode, plan.encryption, plan.devices, plan.peers],
        ['permissive', 'none', [], []],
      );
      assert.deepEqual(routes, { routes: [], rules: [] });
    }
  });

  it('leaves a device that does not fall silent, and never the door', async () => {
    state.leaving = true;
    const kernel = dataplane(1000);
    const done = lastRites(leaving(kernel));
    await clock.advance(15_000);
    assert.equal(await done, false);
    assert.equal(kernel.asked.at(-1)?.plan.mode, 'permissive');
  });

  it('survives a kernel that cannot be reached', async () => {
    state.leaving = true;
    const { dataplane: broken } = dataplane(0);
    broken.set = () => Promise.reject(new Error('netlink is gone'));
    assert.equal(await lastRites(leaving({ dataplane: broken })), false);
  });
});
