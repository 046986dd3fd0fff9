import assert from 'node:assert/strict';
import { plan } from '../../mesh/plan.ts';
import { peerStatuses, type StatusInput } from '../../mesh/status.ts';
import type { MeshPlan, Observation, PeerStatus } from '../../mesh/types.ts';
import { address, config, generationsText, key, noEvidence, recordOf } from './fixtures.ts';

const G = 'sheath.dev/generations';
const START = Date.UTC(2026, 10, 22);
const self = recordOf(1, { [G]: generationsText('n1', 6, 7), 'sheath.dev/sending': '6,7' });

function meshOf(...numbers: readonly number[]): MeshPlan {
  const records = [recordOf(2, { [G]: generationsText('n2', ...numbers) })];
  return plan({ self, records, config, evidence: noEvidence });
}

function seen(generation: number, fields: Partial<Observation> = {}): Observation {
  const device = generation % 2 === 0 ? 'sheath0' : 'sheath1';
  return {
    device,
    generation,
    publicKey: key(`n2 ${generation}`),
    receivedBytes: 0,
    sentBytes: 0,
    ...fields,
  };
}

/** An agent's memory: each step says what it saw, `seconds` after the start. */
class Watcher {
  previous: ReadonlyMap<string, PeerStatus> = new Map();
  plan = meshOf(7);
  routed: ReadonlyMap<string, number> = new Map();

  see(seconds: number, observations: readonly Observation[], changes: Partial<StatusInput> = {}): PeerStatus {
    const { previous, plan: mesh, routed } = this;
    const now = START + seconds * 1000;
    this.previous = peerStatuses({
      plan: mesh,
      previous,
      observations,
      routed,
      deviceMtu: new Map(),
      now,
      ...changes,
    });
    const status = this.previous.get('n2');
    assert.ok(status !== undefined);
    return status;
  }
}

const handshake = (seconds: number): { lastHandshake: number } => ({ lastHandshake: START + seconds * 1000 });
const counters = (receivedBytes: number, sentBytes: number): object => ({
  ...handshake(0),
  receivedBytes,
  sentBytes,
});

describe('peerStatuses', () => {
  it('configured -> established -> routed', () => {
    const watcher = new Watcher();
    const configured = watcher.see(0, [seen(7)]);
    assert.equal(configured.state, 'configured');
    assert.equal(configured.reason?.code, 'NO_HANDSHAKE');
    assert.match(configured.reason?.message ?? '', /192\.0\.2\.2:51831/);
    assert.equal(watcher.see(1, [seen(7)]).since, START);
    const established = watcher.see(2, [seen(7, handshake(2))]);
    assert.deepEqual(
      [established.state, established.since, established.reason?.code],
      ['established', START + 2000, 'NO_ROUTE_YET'],
    );
    watcher.routed = new Map([['n2', 7]]);
    const observed = { address: address('2001:db8::3'), port: 4000 };
    const routed = watcher.see(
      3,
      [seen(7, { ...handshake(2), endpoint: observed, receivedBytes: 5, sentBytes: 6 })],
      { deviceMtu: new Map([['sheath1', 1420]]) },
    );
    assert.deepEqual(routed, {
      node: 'n2',
      state: 'routed',
      since: START + 3000,
      generation: 7,
      driver: 'wireguard',
      endpoint: '[2001:db8::3]:4000',
      publicKey: key('n2 7'),
      lastHandshake: START + 2000,
      receivedBytes: 5,
      sentBytes: 6,
      established: [7],
      observedAt: START + 3000,
      mtu: 1420,
    });
  });

  describe('answers at', () => {
    const at = (text: string, seconds?: number): Partial<Observation> => ({
      endpoint: { address: address(text), port: 51831 },
      ...(seconds === undefined ? {} : handshake(seconds)),
    });

    it('the address that its handshake came from', () => {
      const watcher = new Watcher();
      assert.equal(watcher.see(1, [seen(7, at('192.0.2.2'))]).answersAt, undefined);
      assert.equal(watcher.see(3, [seen(7, at('192.0.2.2', 2))]).answersAt, '192.0.2.2');
      assert.equal(watcher.see(900, [seen(7, at('192.0.2.2', 2))]).answersAt, '192.0.2.2', 'idle');
    });

    it('no address that was written for it since', () => {
      const watcher = new Watcher();
      watcher.see(1, [seen(7, at('192.0.2.2'))]);
      watcher.see(3, [seen(7, at('192.0.2.2', 2))]);
      assert.equal(watcher.see(5, [seen(7, at('192.0.2.9', 2))]).answersAt, undefined);
      assert.equal(watcher.see(9, [seen(7, at('192.0.2.9', 2))]).answersAt, undefined);
      assert.equal(watcher.see(130, [seen(7, at('192.0.2.9', 122))]).answersAt, '192.0.2.9');
    });

    it('what a former agent found', () => {
      assert.equal(new Watcher().see(999, [seen(7, at('192.0.2.2', 2))]).answersAt, '192.0.2.2');
    });
  });

  it('takes over what works after a restart', () => {
    const watcher = new Watcher();
    watcher.routed = new Map([['n2', 7]]);
    assert.equal(watcher.see(9999, [seen(7, handshake(0))]).state, 'routed');
    assert.equal(new Watcher().see(9999, [seen(7, handshake(0))]).state, 'established');
  });

  it('idle is not down, however old the handshake', () => {
    const watcher = new Watcher();
    watcher.routed = new Map([['n2', 7]]);
    for (let at = 0; at < 100_000; at += 1000)
      assert.equal(watcher.see(at, [seen(7, counters(100, 100))]).state, 'routed');
  });

  it('sending and never receiving is down, and one answer ends it', () => {
    const watcher = new Watcher();
    watcher.routed = new Map([['n2', 7]]);
    watcher.see(0, [seen(7, counters(100, 100))]);
    for (let at = 1; at <= 20; at += 1)
      assert.equal(watcher.see(at, [seen(7, counters(100, 100 + at * 1000))]).state, 'routed', `${at}`);
    const down = watcher.see(21, [seen(7, counters(100, 30_000))]);
    assert.deepEqual([down.state, down.since, down.reason?.code], ['degraded', START + 21_000, 'NO_ANSWER']);
    assert.match(down.reason?.message ?? '', /n2 has not answered for 20 s/);
    assert.equal(
      watcher.see(60, [seen(7, counters(100, 30_000))]).state,
      'degraded',
      'silence proves nothing',
    );
    assert.equal(watcher.see(61, [seen(7, counters(192, 30_000))]).state, 'routed');
  });

  it('empty packets want no answer', () => {
    const watcher = new Watcher();
    watcher.routed = new Map([['n2', 7]]);
    for (let at = 0; at <= 600; at += 10)
      assert.equal(watcher.see(at, [seen(7, counters(100, 100 + at * 3.2))]).state, 'routed');
  });

  it('nor do two of them at once, but one small packet does', () => {
    const watcher = new Watcher();
    watcher.see(0, [seen(7, counters(100, 100))]);
    assert.equal(watcher.see(1, [seen(7, counters(100, 164))]).unansweredSince, undefined);
    assert.equal(watcher.see(2, [seen(7, counters(100, 244))]).unansweredSince, START + 2000);
  });

  it('counters that went back are no silence', () => {
    const watcher = new Watcher();
    watcher.routed = new Map([['n2', 7]]);
    watcher.see(0, [seen(7, counters(5000, 5000))]);
    assert.equal(watcher.see(1, [seen(7, counters(10, 6000))]).unansweredSince, undefined);
    watcher.see(2, [seen(7, counters(10, 6500))]);
    assert.equal(watcher.see(30, [seen(7, counters(10, 300))]).state, 'routed');
  });

  it('with a persistent keepalive an old handshake is down', () => {
    const mesh = plan({
      self,
      records: [recordOf(2)],
      config: { ...config, wireguard: { ...config.wireguard, keepalive: 25 } },
      evidence: noEvidence,
    });
    const watcher = new Watcher();
    watcher.plan = mesh;
    watcher.routed = new Map([['n2', 7]]);
    assert.equal(watcher.see(270, [seen(7, handshake(0))]).state, 'routed');
    assert.equal(watcher.see(271, [seen(7, handshake(0))]).state, 'degraded');
  });

  it('keeps its route when the device is made anew', () => {
    const watcher = new Watcher();
    watcher.routed = new Map([['n2', 7]]);
    watcher.see(0, [seen(7, handshake(0))]);
    assert.equal(watcher.see(1, []).state, 'degraded');
    assert.equal(watcher.see(2, [seen(7)]).state, 'degraded');
    assert.equal(watcher.see(3, [seen(7, handshake(3))]).state, 'routed');
    const restarted = new Watcher();
    restarted.routed = new Map([['n2', 7]]);
    assert.equal(restarted.see(0, [seen(7)]).state, 'degraded');
  });

  it('begins anew with another key', () => {
    const watcher = new Watcher();
    watcher.see(0, [seen(7, handshake(0))]);
    const records = [recordOf(2, { [G]: generationsText('fresh', 7) })];
    watcher.plan = plan({ self, records, config, evidence: noEvidence });
    assert.equal(watcher.see(1, [seen(7, handshake(0))]).state, 'configured');
  });

  it('says what its route is on until it is moved, and on what it is established meanwhile', () => {
    const watcher = new Watcher();
    watcher.plan = meshOf(6, 7);
    watcher.routed = new Map([['n2', 6]]);
    const at = (status: PeerStatus): unknown => [status.state, status.generation, status.established];
    assert.deepEqual(at(watcher.see(0, [seen(6, handshake(0)), seen(7)])), ['routed', 6, [6]]);
    assert.deepEqual(at(watcher.see(1, [seen(6), seen(7)])), ['degraded', 6, undefined]);
    const both = [seen(6, handshake(0)), seen(7, handshake(2))];
    assert.deepEqual(at(watcher.see(2, both)), ['routed', 6, [6, 7]]);
    watcher.routed = new Map([['n2', 7]]);
    assert.deepEqual(at(watcher.see(3, both)), ['routed', 7, [6, 7]]);
    const anew = at(watcher.see(4, [seen(6, handshake(0)), seen(7)]));
    assert.deepEqual(anew, ['established', 6, [6]], 'its device was made anew: the route goes back');
  });

  it('does not go back to what it sends nothing on any more, whatever becomes of the new', () => {
    const watcher = new Watcher();
    const sending = { ...self, sending: [7] };
    const mesh = (...numbers: readonly number[]): MeshPlan =>
      plan({
        self: sending,
        records: [recordOf(2, { [G]: generationsText('n2', ...numbers) })],
        config,
        evidence: noEvidence,
      });
    watcher.plan = mesh(6, 7);
    watcher.routed = new Map([['n2', 7]]);
    const at = (status: PeerStatus): unknown => [status.state, status.generation, status.established];
    watcher.see(0, [seen(6, handshake(0)), seen(7, handshake(0))]);
    assert.deepEqual(at(watcher.see(1, [seen(6, handshake(0)), seen(7)])), ['degraded', 7, undefined]);
    watcher.plan = mesh(6);
    const old = watcher.see(2, [seen(6, handshake(0))]);
    assert.deepEqual(
      [...(at(old) as []), old.reason?.code],
      ['configured', 6, undefined, 'NO_COMMON_GENERATION'],
    );
  });

  it('a peer that takes another key in place keeps its route for ten seconds', () => {
    const watcher = new Watcher();
    watcher.routed = new Map([['n2', 7]]);
    watcher.see(0, [seen(7, handshake(0))]);
    const records = [recordOf(2, { [G]: generationsText('fresh', 7) })];
    watcher.plan = plan({ self, records, config, evidence: noEvidence });
    assert.equal(watcher.see(1, [seen(7, handshake(0))]).state, 'degraded');
    assert.equal(watcher.see(10, []).state, 'degraded');
    assert.equal(watcher.see(11, []).state, 'configured');
    assert.equal(watcher.see(12, []).state, 'configured', 'and not again');
  });

  it('a key that two publish is proved only from where the record says', () => {
    const records = [recordOf(2), recordOf(3, { [G]: generationsText('n2', 7) })];
    const mesh = plan({ self, records, config, evidence: noEvidence });
    const watcher = new Watcher();
    watcher.plan = mesh;
    const from = (text: string): Observation =>
      seen(7, { ...handshake(0), endpoint: { address: address(text), port: 1 } });
    const status = watcher.see(0, [from('192.0.2.3')]);
    assert.deepEqual([status.state, status.reason?.code], ['configured', 'NO_HANDSHAKE']);
    assert.match(status.reason?.message ?? '', /another node answers/);
    assert.equal(watcher.previous.get('n3')?.state, 'refused');
    assert.equal(watcher.previous.get('n3')?.reason?.code, 'KEY_CLAIMED');
    assert.equal(watcher.see(1, [from('2001:db8::3')]).state, 'established');
  });

  it('names those that have nothing yet, sorted, and forgets those that left', () => {
    const records = [
      recordOf(4, { [G]: generationsText('n4', 9) }),
      recordOf(3, { 'sheath.dev/endpoints': '192.0.2.1' }),
      recordOf(2),
    ];
    const mesh = plan({ self, records, config, evidence: noEvidence });
    const base = {
      previous: new Map(),
      observations: [],
      routed: new Map<string, number>(),
      deviceMtu: new Map(),
      now: START,
    };
    const statuses = peerStatuses({ ...base, plan: mesh });
    assert.deepEqual(
      [...statuses].map(([node, { state, reason }]) => [node, state, reason?.code]),
      [
        ['n2', 'configured', 'NO_HANDSHAKE'],
        ['n3', 'refused', 'ENDPOINT_OWN'],
        ['n4', 'unknown', 'NO_COMMON_GENERATION'],
      ],
    );
    assert.deepEqual([...peerStatuses({ ...base, plan: meshOf(7), previous: statuses }).keys()], ['n2']);
  });
});
