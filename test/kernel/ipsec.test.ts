// kernel suite: kernels newest, memory 2G, timeout 900
/** The IPsec driver on a real kernel's ESP: three nodes, a charon each. The tests go on from each other, in this order. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { DEFAULT_IPSEC } from '../../tunnels/ipsec/settings.ts';
import { eventually, type Machine, Machines } from './ipsec/machines.ts';
import type { IpsecShape } from './ipsec/shape.ts';
import { exchange } from './ipsec/traffic.ts';

const ALL = [1, 2, 3];
const shapeOf = ({ number }: Machine, more: Partial<IpsecShape> = {}): IpsecShape => ({
  self: number,
  peers: ALL.filter((n) => n !== number),
  generations: [7],
  ...more,
});

describe('IPsec, three nodes', function () {
  this.timeout(120_000);
  let machines: Machines;
  const [n1, n2, n3] = [0, 1, 2].map((at) => () => machines.at(at)) as [
    () => Machine,
    () => Machine,
    () => Machine,
  ];
  const each = <T>(task: (machine: Machine) => Promise<T>): Promise<T[]> =>
    Promise.all(machines.all.map(task));
  const setAll = async (more: Partial<IpsecShape> = {}) => {
    for (const { errors } of await each((machine) => machine.set(shapeOf(machine, more))))
      assert.deepEqual(errors, []);
  };
  const established = (generation: number, machine: Machine, peers = 2) =>
    eventually(async () => {
      const seen = (await machine.observe()).filter((one) => one.generation === generation);
      const now = seen.filter(({ lastHandshake }) => lastHandshake !== undefined);
      assert.equal(now.length, peers, `${machine.name} has SAs with ${now.length} peers of ${peers}`);
      return seen;
    });
  /** Between all pods, both families, at 250 packets a second, while something happens. @returns how many were lost */
  async function traffic(
    seconds: number,
    happens: () => Promise<unknown> = async () => undefined,
  ): Promise<number> {
    const count = seconds * 250;
    const flows = [
      exchange(1, '10.244.2.2', { count }),
      exchange(2, '10.244.3.2', { count }),
      exchange(3, 'fd00:10:244:1::2', { count }),
    ];
    await sleep(500);
    await happens();
    const done = await Promise.all(flows);
    for (const { sent } of done) assert.equal(sent, count);
    return done.reduce((lost, { sent, received }) => lost + sent - received, 0);
  }
  const refusals = () => machines.all.map((machine) => machine.refusals());
  const NONE = [{}, {}, {}];

  before(() => {
    machines = new Machines(3, DEFAULT_IPSEC);
  });
  after(() => machines?.close());

  it('makes devices, policies and SAs, and a second time nothing', async () => {
    await setAll({ routed: [] });
    for (const machine of machines.all) {
      for (const { endpoint } of await established(7, machine))
        assert.match(endpoint?.address ?? '', /^192\.0\.2\.\d$/);
      const { changes, errors } = await machine.set(shapeOf(machine, { routed: [] }));
      assert.deepEqual([changes, errors], [[], []]);
      assert.deepEqual(await machine.preview(shapeOf(machine, { routed: [] })), []);
    }
  });

  it('one end initiates: the one whose name is lower', () => {
    assert.doesNotMatch(n3().log(), /initiating IKE_SA/);
    assert.match(n1().log(), /initiating IKE_SA sheath-7-a-n2/);
    assert.match(n1().log(), /initiating IKE_SA sheath-7-a-n3/);
  });

  it('carries both families, in ESP with extended sequence numbers, and marked', async () => {
    await setAll();
    assert.equal(await traffic(2), 0);
    assert.deepEqual(refusals(), NONE);
    for (const { receivedBytes, sentBytes } of await n1().observe())
      assert.ok(receivedBytes > 1000 && sentBytes > 1000);
    const states = n1().on('ip xfrm state');
    assert.equal(states.match(/aead rfc4106\(gcm\(aes\)\)/g)?.length, 4);
    assert.equal(states.match(/flag .*esn/g)?.length, 4);
    assert.equal(states.match(/output-mark 0x1000\/0x1000/g)?.length, 2);
  });

  it('the largest packet that fits the device fits the wire', () => {
    assert.match(n1().on('ip link show sheath1'), /mtu 1418/);
    n1().on('ping -c 2 -i 0.1 -W 1 -M do -s 1390 -I 10.244.1.1 10.244.2.1');
    n1().on('ping -c 2 -i 0.1 -W 1 -M do -s 1370 -I fd00:10:244:1::1 fd00:10:244:2::1');
    const [names = '', counts = ''] = n1().on('grep ^Ip: /proc/net/snmp').split('\n');
    assert.equal(counts.split(' ')[names.split(' ').indexOf('FragCreates')], '0');
    assert.throws(() => n1().on('ping -c 2 -i 0.1 -W 1 -M do -s 1391 -I 10.244.1.1 10.244.2.1'));
  });

  it('prefixes come and go, without a word to the peer and without a lost packet', async () => {
    const before = n1().log().length;
    const more = { 2: ['10.245.2.0/24'], 3: ['fd00:10:245:3::/64'] };
    const lost = await traffic(4, async () => {
      await setAll({ more });
      n2().on('ip addr add 10.245.2.1/32 dev lo');
      n1().on('ip route add 10.245.2.0/24 dev sheath1');
      n1().on('ping -c 3 -i 0.1 -W 1 -I 10.244.1.1 10.245.2.1');
      await setAll();
    });
    assert.equal(lost, 0);
    assert.deepEqual(refusals(), NONE);
    // A prefix that is not the peer's: what is sent to it finds no policy, and goes nowhere.
    assert.throws(() => n1().on('ping -c 2 -i 0.1 -W 1 -I 10.244.1.1 10.245.2.1'));
    assert.doesNotMatch(n1().log().slice(before), /CREATE_CHILD_SA|initiating/);
  });

  it('what a peer may send is held to its prefixes', async () => {
    // An honest node gives what is not its own another source.
    n1().on('nft flush ruleset; ip addr add 10.244.3.77/32 dev lo; ip addr add 203.0.113.7/32 dev lo');
    for (const source of ['10.244.3.77', '203.0.113.7'])
      assert.throws(() => n1().on(`ping -c 2 -i 0.1 -W 1 -I ${source} 10.244.2.1`), source);
    // From a prefix of another peer, and from nobody's.
    assert.deepEqual(n2().refusals(), { XfrmInTmplMismatch: 2, XfrmInNoPols: 2 });
    n1().on('ip addr del 10.244.3.77/32 dev lo; ip addr del 203.0.113.7/32 dev lo');
  });

  it('an agent that is killed finds all as it was, and writes nothing', async () => {
    const lost = await traffic(4, async () => {
      await n2().kill();
      n2().start();
      const seen = await n2().observe();
      assert.equal(seen.filter(({ lastHandshake }) => lastHandshake !== undefined).length, 2);
      const { changes, errors } = await n2().set(shapeOf(n2()));
      assert.deepEqual([changes, errors], [[], []]);
    });
    assert.equal(lost, 0);
  });

  it('what another hand removed is back: policies, states, connections', async () => {
    const pid = n1().charonPid();
    n1().on('ip xfrm policy flush');
    const { changes } = await eventually(async () => {
      await n1().observe();
      const report = await n1().set(shapeOf(n1()));
      assert.ok(report.changes.some(({ repaired }) => repaired));
      return report;
    });
    assert.ok(changes.every(({ repaired }) => repaired));
    assert.equal(await traffic(1), 0);
    n1().on('ip link del sheath1');
    await n1().set(shapeOf(n1()));
    await eventually(async () => assert.equal(await traffic(1), 0));
    n1().on('ip xfrm state flush');
    await established(7, n1());
    await eventually(async () => assert.equal(await traffic(1), 0));
    assert.equal(n1().charonPid(), pid);
  });

  it('a charon that is killed is started again, while the kernel carries on', async () => {
    const before = n2().charonPid();
    const lost = await traffic(20, async () => {
      process.kill(before, 'SIGKILL');
      await sleep(2000);
      await n2().observe();
      const { errors } = await n2().set(shapeOf(n2()));
      assert.deepEqual(errors, []);
      assert.notEqual(n2().charonPid(), before);
    });
    assert.equal(lost, 0, JSON.stringify(refusals()));
    assert.deepEqual(n2().refusals().XfrmAcquireError, undefined);
    for (const machine of machines.all) await established(7, machine);
  });

  it('a node that claims another key than its own is refused, and nobody else is touched', async () => {
    const shape = shapeOf(n3(), { stolen: { 2: 99 }, routed: [1] });
    const lost = await traffic(8, async () => {
      const { errors } = await n3().set({ ...shape, routed: [1, 2] });
      assert.deepEqual(errors, []);
      await sleep(5000);
    });
    // Only what went between those two: the second flow.
    assert.ok(lost > 0);
    const seen = await n3().observe();
    assert.equal(seen.filter(({ lastHandshake }) => lastHandshake !== undefined).length, 1);
    assert.match(n3().log() + n2().log(), /AUTH_FAILED|no matching peer config found/);
    await n3().set(shapeOf(n3()));
    for (const machine of machines.all) await established(7, machine);
    await eventually(async () => assert.equal(await traffic(1), 0));
  });

  /** The steps of a rotation: beside each other, routes over, the old one gone. */
  async function rotate(from: number, to: number, wireguard: readonly number[]): Promise<number> {
    const set = (more: Partial<IpsecShape>) => setAll({ wireguard, keepalive: 1, ...more });
    return traffic(15, async () => {
      await set({ generations: [from, to], routesOn: from });
      for (const machine of machines.all) await established(to, machine);
      for (const machine of machines.all)
        await machine.set(
          shapeOf(machine, { wireguard, keepalive: 1, generations: [from, to], routesOn: to }),
        );
      await sleep(1000);
      await set({ generations: [to] });
    });
  }

  it('the next generation, without a lost packet', async () => {
    assert.equal(await rotate(7, 8, []), 0, JSON.stringify(refusals()));
    assert.doesNotMatch(n1().on('ip xfrm state; ip xfrm policy'), /0x73680007/);
  });

  it('to WireGuard and back, without a lost packet', async () => {
    assert.equal(await rotate(8, 9, [9]), 0, JSON.stringify(refusals()));
    assert.doesNotMatch(n1().on('ip xfrm state; ip xfrm policy'), /if_id/);
    assert.equal(n1().charonPid(), 0, 'a charon that nobody needs is ended');
    assert.equal(await rotate(9, 10, [9]), 0, JSON.stringify(refusals()));
    assert.ok(n1().charonPid() > 0);
  });

  it('is gone without a trace', async () => {
    await eventually(async () => {
      for (const machine of machines.all) {
        const { pending } = await machine.set({ self: machine.number, peers: [], generations: [] });
        assert.deepEqual(pending, []);
      }
    });
    for (const machine of machines.all) {
      assert.equal(machine.on('ip xfrm state; ip xfrm policy | grep if_id || true').trim(), '');
      assert.equal(machine.charonPid(), 0);
      assert.doesNotMatch(machine.on('ip link'), /sheath/);
    }
  });
});
