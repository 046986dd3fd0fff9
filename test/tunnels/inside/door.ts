/** The door of strict mode, with packets that have no tunnel: started in a namespace of its own. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MeshPlan } from '../../../mesh/types.ts';
import type { Report } from '../../../tunnels/dataplane.ts';
import { address, prefix } from '../states.ts';
import { ip, type Machine, open } from './machine.ts';
import { Neighbours, type Place, type Probe } from './neighbours.ts';
import { deviceless, strict, wanted } from './strict.ts';

type Stops = 'never' | 'scope nodes' | 'always';
type Line = readonly [stopped: Stops, at: Place, from: string, to: string, direction?: 'in' | 'out'];

/** Whom a packet is from and to, and whether the door stops it. */
const LINES: readonly Line[] = [
  // Remote pods, with anybody.
  ['always', 'pod', '10.244.1.2', '10.244.2.2', 'out'],
  ['always', 'pod', 'fd00:10:244:1::2', 'fd00:10:244:2::2', 'out'],
  ['always', 'node', '192.0.2.1', '10.244.2.2', 'out'],
  ['always', 'node', '2001:db8::1', 'fd00:10:244:2::2', 'out'],
  ['always', 'wire', '10.244.2.2', '10.244.1.2', 'in'],
  ['always', 'wire', 'fd00:10:244:2::2', 'fd00:10:244:1::2', 'in'],
  ['always', 'wire', '10.244.2.2', '192.0.2.1', 'in'],
  ['always', 'wire', 'fd00:10:244:2::2', '2001:db8::1', 'in'],
  // A pod of ours with another node.
  ['always', 'pod', '10.244.1.2', '192.0.2.2', 'out'],
  ['always', 'pod', 'fd00:10:244:1::2', '2001:db8::2', 'out'],
  ['always', 'wire', '192.0.2.2', '10.244.1.2', 'in'],
  ['always', 'wire', '2001:db8::2', 'fd00:10:244:1::2', 'in'],
  // A pod of ours that pretends to be a remote one, wherever it sends; or to be exempt.
  ['always', 'pod', '10.244.2.77', '198.51.100.9', 'in'],
  ['always', 'pod', 'fd00:10:244:2::77', '2001:db8:ffff::9', 'in'],
  ['always', 'pod', '192.0.2.98', '10.244.2.2', 'out'],
  // An address of our pods' range, by the link to the other nodes: it may be a pod that moved away.
  ['always', 'pod', '10.244.1.2', '10.244.1.77', 'out'],
  ['always', 'node', '2001:db8::1', 'fd00:10:244:1::77', 'out'],
  ['always', 'wire', '10.244.1.78', '192.0.2.1', 'in'],
  ['always', 'wire', 'fd00:10:244:1::78', 'fd00:10:244:1::2', 'in'],
  // Host with host.
  ['scope nodes', 'node', '192.0.2.1', '192.0.2.2', 'out'],
  ['scope nodes', 'node', '2001:db8::1', '2001:db8::2', 'out'],
  ['scope nodes', 'wire', '192.0.2.2', '192.0.2.1', 'in'],
  ['scope nodes', 'wire', '2001:db8::2', '2001:db8::1', 'in'],
  // Own pod and own node; whoever is neither node nor pod; what is exempt.
  ['never', 'pod', '10.244.1.2', '192.0.2.1'],
  ['never', 'pod', 'fd00:10:244:1::2', '2001:db8::1'],
  ['never', 'node', '192.0.2.1', '10.244.1.2'],
  ['never', 'node', '2001:db8::1', 'fd00:10:244:1::2'],
  ['never', 'node', '192.0.2.1', '192.0.2.1'],
  ['never', 'pod', '10.244.1.2', '198.51.100.9'],
  ['never', 'pod', 'fd00:10:244:1::2', '2001:db8:ffff::9'],
  ['never', 'wire', '198.51.100.9', '10.244.1.2'],
  ['never', 'wire', '2001:db8:ffff::9', 'fd00:10:244:1::2'],
  ['never', 'pod', '10.244.1.2', '192.0.2.99'],
  ['never', 'pod', 'fd00:10:244:1::2', '2001:db8::99'],
  ['never', 'node', '192.0.2.1', '192.0.2.99'],
  ['never', 'wire', '192.0.2.99', '10.244.1.2'],
  ['never', 'wire', '2001:db8::99', 'fd00:10:244:1::2'],
];

const textOf = ([, at, from, to]: Line) => `${at}: ${from} to ${to}`;
const probes: readonly Probe[] = LINES.map(([, at, from, to], i) => ({ at, from, to, port: 7000 + i }));

describe('the door', () => {
  let neighbours: Neighbours;
  let machine: Machine;

  before(async () => {
    neighbours = await Neighbours.create();
    machine = await open();
  });
  after(async () => {
    await machine.set(wanted(deviceless));
    await machine.close();
    neighbours.close();
  });
  afterEach(() => machine.set(wanted(deviceless)));

  const passed = async (): Promise<string[]> => {
    const seen = await neighbours.send(probes);
    return LINES.filter((_, i) => seen.has(7000 + i)).map(textOf);
  };
  const expected = (scope: 'pods' | 'nodes') =>
    LINES.filter(([stops]) => stops === 'never' || (stops === 'scope nodes' && scope === 'pods')).map(textOf);

  it('is open in permissive mode: what these tests cannot see to pass, they could not see stopped', async () => {
    assert.deepEqual(await passed(), LINES.map(textOf));
  });

  for (const scope of ['pods', 'nodes'] as const) {
    it(`stops what it should in both families and directions, counted, and nothing else: scope ${scope}`, async () => {
      const before = counts(await machine.set(wanted(strict({ scope }))));
      assert.deepEqual(await passed(), expected(scope));
      const { door } = await machine.set(wanted(strict({ scope })));
      assert.equal(door?.shut, true);
      for (const { direction, family, packets } of door?.dropped ?? []) {
        const stopped = LINES.filter(
          ([stops, , from, , where]) =>
            (stops === 'always' || stops === `scope ${scope}`) &&
            where === direction &&
            from.includes(':') === (family === 6),
        );
        const name = `${direction} ${family}`;
        assert.equal(packets - (before.get(name) ?? 0), stopped.length, name);
      }
    });
  }

  it('knows a cluster of one family, and leaves the other alone', async () => {
    for (const family of [4, 6] as const) {
      const of = <T extends string>(texts: readonly T[]) =>
        texts.filter((text) => text.includes(':') === (family === 6));
      const plan = strict();
      const { errors } = await machine.set(
        wanted({
          ...plan,
          clusterPrefixes: of(plan.clusterPrefixes),
          nodePrefixes: of(plan.nodePrefixes),
          ownPrefixes: of(plan.ownPrefixes),
          ownAddresses: of(plan.ownAddresses),
        }),
      );
      assert.deepEqual(errors, []);
      const wants = LINES.filter(([stops, , from]) => stops !== 'always' || of([from]).length === 0);
      assert.deepEqual(await passed(), wants.map(textOf));
    }
  });

  it('tells nodes from pods where they share a network', async () => {
    const shared = { clusterPrefixes: [prefix('10.244.0.0/16'), prefix('192.0.0.0/16')] };
    await machine.set(wanted(strict(shared)));
    const seen = await neighbours.send([
      { at: 'node', from: '192.0.2.1', to: '192.0.2.2', port: 7001 },
      { at: 'pod', from: '10.244.1.2', to: '192.0.2.2', port: 7002 },
    ]);
    assert.deepEqual([...seen], [7001]);
  });

  it('knows no connection of before', async () => {
    const nat = 'add table ip masq; add chain ip masq post { type nat hook postrouting priority 100; }';
    const masquerade = 'add rule ip masq post ip saddr 10.244.1.0/24 masquerade';
    neighbours.run('node', 'nft', `${nat}; ${masquerade}`);
    const there = { from: '10.244.1.2', sourcePort: 7900, to: '192.0.2.2', port: 7901 };
    const back = { at: 'wire', from: '192.0.2.2', sourcePort: 7901, to: '192.0.2.1', port: 7900 } as const;
    try {
      assert.deepEqual([...(await neighbours.send([{ at: 'pod', ...there }, back]))].sort(), [7900, 7901]);
      await machine.set(wanted(strict()));
      assert.deepEqual([...(await neighbours.send([{ at: 'pod', ...there }, back]))], []);
    } finally {
      neighbours.run('node', 'nft', 'delete table ip masq');
    }
  });

  it('lets DHCP and neighbour discovery pass, but no pod that pretends', async () => {
    await machine.set(wanted(strict({ scope: 'nodes' })));
    ip('neigh flush dev under0');
    ip('-6 neigh flush dev under0');
    neighbours.run('wire', 'ip', '-6', 'neigh', 'flush', 'dev', 'under1');
    await neighbours.send([{ at: 'node', from: '2001:db8::1', to: '2001:db8::99', port: 7001 }]);
    await sleep(200);
    assert.match(ip('-6 neigh show dev under0'), /2001:db8::99 lladdr/);
    const dhcp = { sourcePort: 68, to: '192.0.2.2', port: 67 };
    const witness = 'add rule inet witness seen udp dport 67 udp sport 68 add @seen { udp dport }';
    neighbours.run('wire', 'nft', witness);
    assert.deepEqual([...(await neighbours.send([{ at: 'node', from: '192.0.2.1', ...dhcp }]))], [67]);
    assert.deepEqual([...(await neighbours.send([{ at: 'pod', from: '10.244.1.2', ...dhcp }]))], []);
  });

  it("lets a router's errors about what pods send to the outside pass", async () => {
    await machine.set(wanted(strict()));
    const router = [
      'echo 1 >/proc/sys/net/ipv4/ip_forward',
      // What it told of other probes counts against it.
      'echo 0 >/proc/sys/net/ipv4/icmp_ratelimit',
      'ip route add unreachable 203.0.113.0/24',
    ];
    neighbours.run('wire', 'sh', '-ec', router.join('\n'));
    const witness = 'add rule inet witness seen icmp type destination-unreachable counter';
    neighbours.run('pod', 'nft', witness);
    await neighbours.send([{ at: 'pod', from: '10.244.1.2', to: '203.0.113.1', port: 7001 }]);
    assert.match(
      neighbours.run('pod', 'nft', 'list table inet witness'),
      /unreachable counter packets [1-9]/,
    );
  });

  it('without the ranges that it is shut for it is refused, and one that was shut stays', async () => {
    const { errors, door } = await machine.set(wanted(strict({ clusterPrefixes: [] })));
    assert.deepEqual(
      errors.map(({ code }) => code),
      ['CLUSTER_PREFIXES_MISSING'],
    );
    assert.equal(door?.shut, false);
    await machine.set(wanted(strict()));
    await machine.set(wanted(strict({ clusterPrefixes: [] })));
    assert.deepEqual(await passed(), expected('pods'));
    const codes = async (more: Partial<MeshPlan>) =>
      (await machine.set(wanted(strict(more)))).errors.map(({ code }) => code);
    assert.deepEqual(await codes({ clusterPrefixes: [prefix('10.244.0.0/16')] }), [
      'CLUSTER_PREFIXES_NARROW',
    ]);
    assert.deepEqual(await codes({ scope: 'nodes', nodePrefixes: [] }), ['NODE_PREFIXES_MISSING']);
  });

  it('outlives the agent, which finds it and writes nothing', async () => {
    await machine.set(wanted(strict()));
    await machine.close();
    assert.deepEqual(await passed(), expected('pods'));
    machine = await open();
    const report = await machine.set(wanted(strict()));
    assert.deepEqual(report.changes, []);
    assert.equal(machine.writes(), 0);
    assert.equal(report.door?.shut, true);
  });

  it('what somebody changed while no agent ran is put back', async () => {
    await machine.set(wanted(strict()));
    await machine.close();
    neighbours.run('node', 'nft', 'add element inet sheath exempt4 { 10.0.0.0/8 }');
    machine = await open();
    const { changes } = await machine.set(wanted(strict()));
    assert.deepEqual(
      changes.map(({ action, what, repaired }) => ({ action, what, repaired })),
      [
        {
          action: 'change',
          what: 'table inet sheath: inet sheath-guard held, and dropped 0 packets meanwhile',
          repaired: true,
        },
      ],
    );
    assert.deepEqual(await passed(), expected('pods'));
  });

  it('keeps its counters when its sets change, and while it is open', async () => {
    await machine.set(wanted(strict()));
    await passed();
    const before = counts(await machine.set(wanted(strict())));
    assert.ok([...before.values()].every((packets) => packets > 0));
    const more = { ownAddresses: [...deviceless.ownAddresses, address('192.0.2.9')] };
    assert.deepEqual(counts(await machine.set(wanted(strict(more)))), before);
    assert.deepEqual(counts(await machine.set(wanted(deviceless))), before);
    assert.deepEqual(counts(await machine.set(wanted(strict()))), before);
  });
});

const counts = ({ door }: Report): ReadonlyMap<string, number> =>
  new Map((door?.dropped ?? []).map(({ direction, family, packets }) => [`${direction} ${family}`, packets]));
