/** The door's rules against what strict mode is meant to be, said plainly, for any plan and any packet. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { contains, rangeOf } from '../../mesh/prefix.ts';
import type { MeshPlan, Prefix } from '../../mesh/types.ts';
import { GUARD, TABLE, tablesOf } from '../../tunnels/firewall/ruleset.ts';
import { requestId } from '../../tunnels/ipsec/connection.ts';
import { judge, type Packet } from './nft-reader.ts';
import { address, mesh, prefix, publicKey } from './states.ts';

/** Few, and close to each other: ranges nest, are equal, or are apart. */
const RANGES = [
  ...['10.0.0.0/8', '10.244.0.0/16', '10.244.1.0/24', '10.244.1.7/32', '10.244.2.0/24', '10.244.128.0/17'],
  ...['192.0.2.0/24', '192.0.2.64/26', '192.0.2.1/32', '10.244.200.0/24'],
  ...[
    'fd00::/16',
    'fd00:10:244::/48',
    'fd00:10:244:1::/64',
    'fd00:10:244:2::/64',
    '2001:db8::/64',
    '2001:db8::1/128',
  ],
].map(prefix);
const PLACES = {
  4: [
    '10.244.1.7',
    '10.244.1.9',
    '10.244.2.2',
    '10.244.200.3',
    '10.9.9.9',
    '192.0.2.1',
    '192.0.2.70',
    '192.0.2.200',
    '198.51.100.9',
  ],
  6: ['fd00:10:244:1::7', 'fd00:10:244:2::2', 'fd00:99::1', '2001:db8::1', '2001:db8::2', '2001:db8:ffff::9'],
} as const;

interface Given {
  readonly direction: 'in' | 'out';
  readonly family: 4 | 6;
  readonly device: string;
  readonly from: string;
  readonly to: string;
  readonly protocol: 'udp' | 'icmp' | 'tcp' | 'esp';
  readonly sourcePort: number;
  readonly port: number;
  readonly type: string;
  readonly hopLimit: number;
  readonly mark: number;
  /** Of the state that it is to be encrypted by. */
  readonly reqid: number | undefined;
}

const ranges = (minLength: number, maxLength: number) =>
  fc.uniqueArray(fc.constantFrom(...RANGES), { minLength, maxLength });
const plans = fc
  .record({
    scope: fc.constantFrom('pods' as const, 'nodes' as const),
    clusterPrefixes: ranges(1, 3),
    nodePrefixes: ranges(0, 3),
    ownPrefixes: ranges(0, 2),
    exempt: ranges(0, 2),
    ownAddresses: fc.subarray(['192.0.2.1', '2001:db8::1', '10.244.200.3'].map(address)),
    generations: fc.constantFrom([], [7], [7, 8]),
    ipsec: fc.boolean(),
  })
  .map(({ generations, ipsec, ...plan }): MeshPlan => {
    const usual = mesh({ self: 1, peers: [], generations });
    const devices = usual.devices.map((device, at) =>
      ipsec && at === 0 ? { ...device, driver: 'ipsec' as const, port: 0 } : device,
    );
    return { ...usual, ...plan, devices, mode: 'strict' };
  });

const packets = fc.constantFrom(4 as const, 6 as const).chain((family) =>
  fc.record({
    direction: fc.constantFrom('in' as const, 'out' as const),
    family: fc.constant(family),
    device: fc.constantFrom('eth0', 'eth0', 'pod0', 'sheath0', 'sheath1', 'lo'),
    from: fc.constantFrom(...PLACES[family]),
    to: fc.constantFrom(...PLACES[family]),
    protocol: fc.constantFrom(
      'udp' as const,
      'udp' as const,
      'icmp' as const,
      'esp' as const,
      'tcp' as const,
    ),
    sourcePort: fc.constantFrom(51830, 51831, 500, 4500, 67, 68, 546, 547, 1000),
    port: fc.constantFrom(51830, 51831, 500, 4500, 67, 68, 546, 547, 1000),
    type: fc.constantFrom('nd-neighbor-solicit', 'destination-unreachable', 'packet-too-big', 'echo-request'),
    hopLimit: fc.constantFrom(64, 255),
    mark: fc.constantFrom(0, 0x1000, 0x3000),
    reqid: fc.constantFrom(undefined, undefined, 1, 0x4000, requestId(7, 'n2', publicKey(207))),
  }),
);

/** The plain words of docs/strict.md. */
function stops(plan: MeshPlan, outside: readonly string[], given: Given): boolean {
  const { direction, family, device } = given;
  if (['lo', 'sheath0', 'sheath1'].includes(device)) return false;
  const hasIpsec = plan.devices.some(({ driver }) => driver === 'ipsec');
  if (direction === 'out' && hasIpsec && (given.reqid ?? 0) >= 0x4000_0000) return false;
  const [near, far] = direction === 'out' ? [given.from, given.to] : [given.to, given.from];
  const ours = [...plan.ownPrefixes, ...plan.devices.flatMap(({ addresses }) => addresses)];
  const self = plan.ownAddresses.map(whole);
  const nodes = plan.nodePrefixes.filter((one) => one.includes(':') === (family === 6));
  const isNode = (one: string) => nodes.length > 0 && holds([...nodes, ...self], one);
  const apart = nodes.filter((one) =>
    plan.clusterPrefixes.some((cluster) => cluster !== one && within(cluster, one)),
  );
  const isPod = (one: string) => holds(plan.clusterPrefixes, one) && !holds([...apart, ...self], one);

  const udp = given.protocol === 'udp';
  const ports = plan.devices.map(({ port }) => port).filter((port) => port > 0);
  const ike = hasIpsec ? [500, 4500] : [];
  const esp = ike.length > 0 && given.protocol === 'esp';
  const isOurs = (port: number) => esp || (udp && [...ports, ...ike].includes(port));
  const fromOurPort = isOurs(given.sourcePort);
  if (direction === 'in' && fromOurPort && holds(self, far)) return true;
  if (direction === 'in' && isOurs(given.port) && holds(self, near)) return false;
  if (direction === 'out' && fromOurPort && holds(self, near)) return false;
  if (direction === 'out' && fromOurPort && isNode(near) && (given.mark & 0x1000) !== 0) return false;

  if (holds(plan.exempt, far)) return false;
  if (holds(plan.exempt, near) && holds([...ours, ...self], near)) return false;
  if (holds(ours, far) && !outside.includes(device)) return false;
  if (family === 6 && given.protocol === 'icmp' && given.type.startsWith('nd-') && given.hopLimit === 255)
    return false;
  const [client, server] = family === 4 ? [68, 67] : [546, 547];
  const [asks, told] = direction === 'out' ? [client, server] : [server, client];
  if (udp && given.sourcePort === asks && given.port === told && !holds(ours, near)) return false;

  if (isPod(far)) return true;
  if (!isNode(far) || holds(self, far)) return false;
  const errors = ['destination-unreachable', ...(family === 6 ? ['packet-too-big'] : [])];
  if (direction === 'in' && given.protocol === 'icmp' && errors.includes(given.type)) return false;
  if (holds(ours, near)) return true;
  return plan.scope === 'nodes' && (direction === 'out' || isNode(near));
}

const whole = (one: string) => `${one}/${one.includes(':') ? 128 : 32}` as Prefix;
const within = (outer: Prefix, inner: Prefix) => contains(rangeOf(outer), rangeOf(inner));
const holds = (all: readonly Prefix[], one: string) => all.some((range) => within(range, whole(one)));

function asPacket(given: Given): Packet {
  const [protocol, limit] = given.family === 4 ? ['ip', 'ttl'] : ['ip6', 'hoplimit'];
  return {
    'meta nfproto': given.family === 4 ? 'ipv4' : 'ipv6',
    [`meta ${given.direction === 'out' ? 'oifname' : 'iifname'}`]: given.device,
    'meta mark': given.mark,
    'meta l4proto': given.protocol,
    'ipsec reqid': given.direction === 'out' ? given.reqid : undefined,
    [`${protocol} saddr`]: given.from,
    [`${protocol} daddr`]: given.to,
    [`${protocol} ${limit}`]: given.hopLimit,
    ...(given.protocol === 'udp' ? { 'udp sport': given.sourcePort, 'udp dport': given.port } : {}),
    ...(given.protocol === 'icmp' ? { [given.family === 4 ? 'icmp type' : 'icmpv6 type']: given.type } : {}),
  };
}

describe("the door's rules", () => {
  it('stop and count what they should, for any plan and packet, and so does the guard', () => {
    fc.assert(
      fc.property(
        plans,
        fc.constantFrom([], ['eth0']),
        fc.array(packets, { minLength: 60, maxLength: 60 }),
        (plan, outside, all) => {
          const tables = tablesOf(plan, outside);
          for (const name of [TABLE, GUARD]) {
            const table = tables.find((one) => one.name === name);
            assert.ok(table);
            for (const given of all) {
              const expected = stops(plan, outside, given);
              const { verdict, counted } = judge(table, `door-${given.direction}`, asPacket(given));
              assert.equal(verdict, expected ? 'drop' : 'accept', JSON.stringify(given));
              const counter = `dropped-${given.direction}-${given.family}`;
              assert.deepEqual(counted, expected ? [counter] : []);
            }
          }
        },
      ),
      { numRuns: 400 },
    );
  });
});
