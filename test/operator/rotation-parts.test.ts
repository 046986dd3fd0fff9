/** The small parts that a rotation stands on: silence, the share of a write, the stance on disk, fresh keys for a clock behind. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Keyring } from '../../keys/keyring.ts';
import { ANNOTATIONS } from '../../mesh/annotations.ts';
import { adopt, type Stance } from '../../mesh/stance.ts';
import type { DeviceName, MeshPlan, Observation } from '../../mesh/types.ts';
import { Announcement } from '../../operator/agent/announcement.ts';
import { ClockGuard } from '../../operator/agent/clock-guard.ts';
import { Silences } from '../../operator/agent/silences.ts';
import { CLUSTER_PACE, shareOf, WriteShare } from '../../operator/agent/write-share.ts';
import { loadStance, saveStance, stancePath } from '../../operator/records/stance.ts';
import { key } from '../mesh/fixtures.ts';
import { esp, record, stanceOf } from '../mesh/lifecycle-cluster.ts';

describe('the silence of a generation that is to go', () => {
  const devices = [
    { generation: 6, receiveOnly: true },
    { generation: 7, receiveOnly: false },
  ];
  const plan = { devices } as unknown as MeshPlan;
  const seen = (receivedBytes: number, peer = 'n2'): Observation => ({
    device: 'sheath0',
    generation: 6,
    publicKey: key(peer),
    receivedBytes,
    sentBytes: 0,
  });

  it('begins at the first look, and anew with every packet and every other peer', () => {
    const silences = new Silences();
    const at = (now: number, ...observations: readonly Observation[]) => {
      silences.saw(plan, observations, now);
      return silences.list.get(6);
    };
    assert.deepEqual(at(1000, seen(5)), { since: 1000, until: 1000 });
    assert.deepEqual(at(2000, seen(5)), { since: 1000, until: 2000 });
    assert.deepEqual(at(3000, seen(6)), { since: 3000, until: 3000 });
    assert.deepEqual(at(4000), { since: 3000, until: 4000 }, 'a peer that is gone sends nothing');
    assert.deepEqual(at(5000, seen(1, 'n3')), { since: 5000, until: 5000 });
    assert.deepEqual(at(4500, seen(1, 'n3')), { since: 4500, until: 4500 }, 'the clock was set back');
    assert.equal(silences.list.get(7), undefined);
  });
});

describe('what a node says of itself', () => {
  const make = (shut: boolean) => {
    const announcement = new Announcement();
    announcement.make({
      self: record(1, { held: [7] }),
      stance: stanceOf([7], [7], { mode: 'strict' }),
      report: {
        changes: [],
        errors: [],
        pending: [],
        devices: [{ name: 'sheath1', generation: 7, implementation: 'kernel', mtu: 1420, port: 51831 }],
        door: { shut, dropped: [] },
      },
      facts: { version: '1', cannot: [] },
      publishFacts: true,
    });
    const { [ANNOTATIONS.sending]: sending, [ANNOTATIONS.agent]: agent = '' } = announcement.wanted ?? {};
    return { sending, mode: parseAgentMode(agent) };
  };
  const parseAgentMode = (text: string): unknown => (JSON.parse(text) as { mode?: unknown }).mode;

  it('is each key whose own device answers, whatever ails the other', () => {
    const announcement = new Announcement();
    const devices = [
      { name: 'sheath1', generation: 7, implementation: 'kernel', mtu: 1420, port: 51831 },
      { name: 'sheath0', generation: 8, implementation: 'kernel', mtu: 1400, port: 0 },
    ] as const;
    const numbers = (device?: DeviceName) => {
      const error = { part: 'device', code: 'CHARON_FAILED', message: 'it is ill' } as const;
      const errors = device === undefined ? [] : [{ ...error, device }];
      announcement.make({
        self: record(1, { held: [7, esp(8)] }),
        stance: stanceOf([7, esp(8)]),
        report: { changes: [], errors, pending: [], devices },
        facts: { version: '1', cannot: [] },
        publishFacts: true,
      });
      const text = announcement.wanted?.[ANNOTATIONS.generations] ?? '[]';
      return (JSON.parse(text) as { generation: number }[]).map(({ generation }) => generation);
    };
    assert.deepEqual(numbers('sheath0'), [7]);
    assert.deepEqual(numbers(), [7, 8]);
    assert.deepEqual(numbers('sheath0'), [7, 8], 'what was said is not taken back');
  });

  it('is that it may send in clear, as long as the door is not shut that is to keep it from that', () => {
    assert.deepEqual(make(true), { sending: '7', mode: 'strict' });
    assert.deepEqual(make(false), { sending: '0,7', mode: 'permissive' });
  });
});

describe('the share of a write', () => {
  it('spreads a cluster’s writes to about fifty a second, the same every time', () => {
    for (const nodes of [1000, 5000]) {
      const shares = Array.from({ length: nodes }, (_, i) => shareOf(`n${i}`, 'begin 8', nodes));
      const seconds = Map.groupBy(shares, (ms) => Math.floor(ms / 1000));
      assert.ok(Math.max(...shares) <= (nodes / CLUSTER_PACE) * 1000);
      for (const [second, writes] of seconds)
        assert.ok(writes.length < 2 * CLUSTER_PACE, `second ${second}: ${writes.length}`);
      assert.equal(shareOf('n1', 'begin 8', nodes), shares[1]);
    }
  });

  it('waits once, whatever changes meanwhile; puts back at once what somebody else changed; does not hold up who joins', () => {
    const share = new WriteShare('n1');
    const crowd = { nodes: 1000, keyed: 0 };
    const wait = (text: string, now: number, first = false) =>
      share.wait({ text, step: text, first, crowd, now });
    const whole = wait('a', 0);
    assert.ok(whole > 0 && whole === shareOf('n1', 'a', 1000));
    assert.equal(wait('b', 10), whole - 10);
    share.settled('b');
    assert.equal(wait('b', 20), 0);
    assert.ok(wait('c', 20) > 0);
    assert.equal(
      new WriteShare('n1').wait({
        text: 'a',
        step: 'a',
        first: true,
        crowd: { nodes: 1000, keyed: 501 },
        now: 0,
      }),
      0,
    );
  });
});

describe('the stance on disk', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sheath-stance-'));
  });
  afterEach(() => rm(folder, { recursive: true }));
  const undamaged = () => assert.fail('is not damaged');

  it('is read back as it was', async () => {
    assert.equal(await loadStance(folder, undamaged), undefined);
    const stance: Stance = stanceOf([6, 7], [0, 7], {
      clear: new Set(['a', 'b']),
      mode: 'strict',
      openedBy: 9,
    });
    await saveStance(folder, stance);
    assert.deepEqual(await loadStance(folder, undamaged), stance);
  });

  it('is dropped when it is damaged, and that is said', async () => {
    for (const text of [
      '',
      '{',
      '{"version":2}',
      '{"version":1,"mode":"open"}',
      '{"version":1,"mode":"strict","held":[{}]}',
    ]) {
      await writeFile(stancePath(folder), text);
      const damage: string[] = [];
      assert.equal(await loadStance(folder, (path) => damage.push(path)), undefined);
      assert.deepEqual(damage, [stancePath(folder)], text);
    }
  });
});

describe('the stance that a fresh agent goes on with', () => {
  const keys = (...numbers: readonly number[]) =>
    numbers.map((generation) => ({
      generation,
      driver: 'wireguard' as const,
      publicKey: key(`n1 ${generation}`),
    }));

  it('is the one on disk, as far as there are keys', () => {
    const stance = stanceOf([6, 7], [7]);
    assert.equal(adopt({ stance, own: undefined, keys: keys(6, 7) }), stance);
    assert.deepEqual(adopt({ stance, own: undefined, keys: keys(7) }), stanceOf([7]));
    assert.equal(
      adopt({ stance, own: undefined, keys: [] }),
      stance,
      'fresh keys in place of those that are lost',
    );
  });

  it('else what our own Node says, as far as there are keys', () => {
    const own = record(1, { held: [6, 7], sending: [0, 7], mode: 'strict' });
    assert.deepEqual(
      adopt({ stance: undefined, own, keys: keys(6, 7) }),
      stanceOf([6, 7], [7], { mode: 'strict' }),
    );
    assert.deepEqual(
      adopt({ stance: undefined, own, keys: keys(6) }),
      stanceOf([6], [6], { mode: 'strict' }),
    );
    const other = keys(6).map((one) => ({ ...one, publicKey: key('another') }));
    assert.equal(adopt({ stance: undefined, own, keys: other }), undefined);
    assert.equal(adopt({ stance: undefined, own: undefined, keys: keys(7) }), undefined);
  });
});

describe('a clock that is behind', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sheath-clock-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const guardAt = (start: number, devices: readonly unknown[]) => {
    let now = start;
    const keyring = Keyring.open(folder, { now: () => now });
    const renewed: (readonly number[])[] = [];
    const guard = new ClockGuard({
      clock: { now: () => now, after: () => () => {} },
      keyring,
      keptAt: 0,
      observe: async () => devices,
      onClockBehind: (_, generations) => void renewed.push(generations),
    });
    const check = async (at: number) => {
      now = at;
      await guard.check();
      return renewed.length;
    };
    return { keyring, check, renewed };
  };

  it('at a boot means fresh keys for all that is held, once', async () => {
    const before = guardAt(1_000_000, []);
    const old = [6, 7].map((number) => before.keyring.ensure(number, 'wireguard').publicKey);
    const after = guardAt(999_000, []);
    assert.equal(await after.check(999_000), 1);
    assert.deepEqual(after.renewed, [[6, 7]]);
    assert.ok([6, 7].every((number, at) => after.keyring.get(number, 'wireguard')?.publicKey !== old[at]));
    assert.equal(await after.check(999_100), 1);
  });

  it('is nothing to IPsec: its key stays, beside a fresh one of WireGuard', async () => {
    const before = guardAt(1_000_000, []);
    const ipsec = before.keyring.ensure(6, 'ipsec');
    assert.equal(await guardAt(100_000, []).check(100_000), 0);
    before.keyring.ensure(7, 'wireguard');
    const after = guardAt(900_000, []);
    await after.check(900_000);
    assert.deepEqual(after.renewed, [[7]]);
    assert.equal(after.keyring.get(6, 'ipsec')?.publicKey, ipsec.publicKey);
    assert.equal(await guardAt(900_000, []).check(900_000), 0);
  });

  it('by a little, while devices live, means nothing: it catches up', async () => {
    guardAt(1_000_000, []).keyring.ensure(7, 'wireguard');
    const { check } = guardAt(990_000, [{}]);
    assert.equal(await check(990_000), 0);
    assert.equal(await check(1_100_000), 0);
    assert.equal(await check(1_050_000), 0);
  });

  it('that is set back by more than a minute while the agent runs means fresh keys', async () => {
    const { keyring, check } = guardAt(10_000_000, [{}]);
    keyring.ensure(7, 'wireguard');
    assert.equal(await check(10_000_000), 0);
    assert.equal(await check(6_400_000), 1);
    assert.equal(await check(6_410_000), 1);
  });
});
