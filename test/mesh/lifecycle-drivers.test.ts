/** From WireGuard to IPsec and back, as steps of one node, and of clusters whose nodes step in any order. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { JUMP_BACK_AFTER, lifecycle } from '../../mesh/lifecycle.ts';
import type { LifecycleInput } from '../../mesh/lifecycle-types.ts';
import type { Driver } from '../../mesh/stance.ts';
import {
  type Cluster,
  clusterOf,
  esp,
  input,
  NOW,
  record,
  stanceOf,
  status,
  target,
  told,
} from './lifecycle-cluster.ts';

const CANNOT = ['ipsec: no charon; install strongSwan'];
const to8 = { ...target, encryption: 'ipsec' as const, generation: 8 };
const unable = { ...to8, cannot: CANNOT };
const four = (...held: readonly Parameters<typeof record>[1]['held'][number][]) =>
  [1, 2, 3, 4].map((i) => record(i, { held }));

type Row = readonly [name: string, parts: Partial<LifecycleInput>, expected: string];

const MOVES: readonly Row[] = [
  ['begin: the next generation has the driver that is wished', { target: to8 }, 'hold 7,8 esp; send 7,8'],
  ['begin: on the way there, the one of before', { target: { ...to8, generation: 9 } }, 'hold 7,8; send 7,8'],
  [
    'begin: or the one that the others took',
    {
      target: { ...to8, generation: 9 },
      records: [record(2, { held: [7, esp(8)] }), record(3, { held: [7] }), record(4, { held: [7] })],
    },
    'hold 7,8 esp; send 7,8',
  ],
  [
    'begin: beyond what is wished, the one that most others have',
    {
      target: { ...target, encryption: 'wireguard' },
      records: [record(2, { held: [7, esp(8)] }), record(3, { held: [7, esp(8)] }), record(4, { held: [7] })],
    },
    'hold 7,8 esp; send 7,8',
  ],
  [
    'a generation that is held never changes its driver',
    { target: { ...to8, generation: 7 } },
    'hold 7; send 7; DRIVER_HELD',
  ],
  [
    'nor one that is beyond what is wished',
    { target: { ...to8, generation: 1 } },
    'hold 7; send 7; DRIVER_HELD',
  ],
  [
    'a node that cannot stays, and says so',
    { target: unable, records: four(7, esp(8)) },
    'hold 7; send 7; DRIVER_UNABLE',
  ],
  [
    'whoever waits for it knows why',
    {
      target: to8,
      stance: stanceOf([7, esp(8)]),
      records: [record(2, { held: [7], cannot: CANNOT }), record(3, { held: [7, esp(8)] })],
      statuses: new Map([status(2, 'routed', 7), status(3, 'routed', 8)]),
    },
    'hold 7,8 esp; send 7,8; n2 UNABLE',
  ],
  [
    'a number alone makes no link: the others’ 8 is not ours',
    {
      target: { ...to8, generation: 9, encryption: 'wireguard' },
      stance: stanceOf([7, 8]),
      records: [2, 3, 4].map((i) => record(i, { held: [7, 8] })).with(1, record(3, { held: [7, esp(8)] })),
      statuses: new Map([status(2, 'routed', 8), status(3, 'routed', 7), status(4, 'routed', 8)]),
    },
    'hold 7,8; send 7,8; n3 OLD_GENERATION',
  ],
  [
    'the fewer begin it again',
    {
      target: { ...to8, generation: 9 },
      stance: stanceOf([7, esp(8)]),
      records: [2, 3, 4].map((i) => record(i, { held: [7, 8] })),
      statuses: new Map([2, 3, 4].map((i) => status(i, 'routed', 7))),
    },
    'hold 7; send 7',
  ],
  [
    'also when nothing is sent on the old one any more, as by one that is new',
    {
      target: { ...to8, generation: 9 },
      stance: stanceOf([7, 8], [0, 8]),
      records: [2, 3, 4].map((i) => record(i, { held: [7, esp(8)] })),
      statuses: new Map(),
    },
    'hold 7; send 7',
  ],
  [
    'of two it is the one without IPsec',
    {
      target: { ...to8, generation: 9 },
      stance: stanceOf([7, 8]),
      records: [record(2, { held: [7, esp(8)] })],
      statuses: new Map([status(2, 'routed', 7)]),
    },
    'hold 7; send 7',
  ],
  [
    'and the other stays',
    {
      target: { ...to8, generation: 9 },
      stance: stanceOf([7, esp(8)]),
      records: [record(2, { held: [7, 8] })],
      statuses: new Map([status(2, 'routed', 7)]),
    },
    'hold 7,8 esp; send 7,8; n2 OLD_GENERATION',
  ],
  [
    'withdraw: what others send on by that number and another driver is not for us',
    {
      target: to8,
      stance: stanceOf([7, esp(8)], [8]),
      records: [record(2, { held: [esp(7), esp(8)] }), record(3, { held: [esp(8)] })],
      silence: new Map([[7, { since: NOW - 180_000, until: NOW }]]),
    },
    'hold 8 esp; send 8',
  ],
];

const KEYS: readonly Row[] = [
  [
    'who has no key takes the driver that is wished for what is wished',
    { stance: undefined, target: { ...to8, generation: 7 }, records: four(), statuses: new Map() },
    'hold 7 esp; send 7',
  ],
  [
    'and for another number the one that most others have',
    { stance: undefined, target: { ...to8, generation: 8 }, records: four(7), statuses: new Map() },
    'hold 7; send 0,7; clear 3',
  ],
  [
    'one that cannot takes the newest that it can and that others hold',
    {
      stance: undefined,
      target: unable,
      records: [2, 3, 4].map((i) => record(i, { held: i === 2 ? [7] : [7, esp(8)], sending: [8] })),
      statuses: new Map(),
    },
    'hold 7; send 0,7; clear 3',
  ],
  [
    'or, where none of them has one, none',
    { stance: undefined, target: unable, records: four(esp(8)), statuses: new Map() },
    'hold nothing; send 0; DRIVER_UNABLE',
  ],
  [
    'alone with an old key it jumps, to their driver',
    { target: to8, stance: stanceOf([3]), records: four(esp(8)), statuses: new Map() },
    'hold 8 esp; send 0,8; clear 3',
  ],
  [
    'one that cannot stays where it was, and begins nothing for itself',
    { target: unable, stance: stanceOf([3]), records: four(esp(8)), statuses: new Map() },
    'hold 3; send 3; DRIVER_UNABLE',
  ],
  [
    'the same number with another driver is where nobody else is: it jumps after a minute',
    { target: { ...to8, generation: 7 }, records: four(esp(7)), statuses: new Map() },
    'hold 7; send 7; in 60',
  ],
  [
    'to what is wished also when one other is there',
    {
      target: { ...to8, generation: 7 },
      records: [record(2, { held: [esp(7)] })],
      statuses: new Map(),
      possible: new Map([['jump 7', NOW - JUMP_BACK_AFTER]]),
    },
    'hold 7 esp; send 0,7; clear 1',
  ],
  [
    'also when others did not hear of it either',
    {
      target: { ...to8, generation: 7 },
      records: [record(2, { held: [esp(7)] }), record(3, { held: [7] })],
    },
    'hold 7; send 7; in 60',
  ],
  [
    'and not away from it',
    {
      target: { ...to8, generation: 7 },
      stance: stanceOf([esp(7)]),
      records: [record(2, { held: [7] })],
      statuses: new Map(),
      possible: new Map([['jump 7', NOW - JUMP_BACK_AFTER]]),
    },
    'hold 7 esp; send 7',
  ],
];

function settle(cluster: Cluster): void {
  for (let round = 0; round < 80; round += 1) {
    const moved = cluster.members.map((_, i) => cluster.step(i));
    if (!moved.includes(true)) return;
  }
  assert.fail('no end of it');
}

const drivers = fc.constantFrom<Driver>('wireguard', 'ipsec');

describe('lifecycle, from driver to driver', () => {
  for (const [title, rows] of [
    ['a rotation', MOVES],
    ['keys', KEYS],
  ] as const) {
    describe(title, () => {
      for (const [name, parts, expected] of rows)
        it(name, () => {
          const said = told(lifecycle(input(parts)));
          // Of what it falls back to it says that too, which the next call repeats.
          assert.equal(said.replace('clear 3; DRIVER_UNABLE', 'clear 3'), expected);
        });
    });
  }

  it('says what to do', () => {
    const [problem] = lifecycle(input({ target: { ...to8, generation: 7 } })).problems;
    assert.match(
      problem?.message ?? '',
      /^ipsec is asked for.*generation 7 \(wireguard\).*spec\.generation to 8/,
    );
    const [other] = lifecycle(input({ target: unable })).problems;
    assert.match(
      other?.message ?? '',
      /generation 8 \(ipsec\).*generation 7 \(wireguard\).*no charon; install/,
    );
  });

  it('WireGuard, IPsec, WireGuard: whatever the order, all end on the last', () =>
    fc.assert(
      fc.property(fc.array(fc.nat(3), { maxLength: 60 }), (order) => {
        const cluster = clusterOf(4, target);
        settle(cluster);
        for (const [generation, encryption] of [
          [8, 'ipsec'],
          [9, 'wireguard'],
        ] as const) {
          for (const member of cluster.members) member.target = { ...target, generation, encryption };
          for (const i of order) cluster.step(i);
          settle(cluster);
          for (const { stance } of cluster.members)
            assert.deepEqual(
              stance?.held.map(({ number, driver }) => [number, driver]),
              [[generation, encryption]],
            );
        }
      }),
    ));

  it('wishes that change before all have heard of them end on one generation with one driver', () =>
    fc.assert(
      fc.property(
        fc.array(fc.tuple(drivers, fc.subarray([0, 1, 2, 3, 4]), fc.array(fc.nat(4), { maxLength: 12 })), {
          minLength: 1,
          maxLength: 5,
        }),
        fc.integer({ min: 2, max: 5 }),
        (changes, size) => {
          const cluster = clusterOf(size, target);
          settle(cluster);
          let wished = { ...target };
          for (const [encryption, hear, order] of changes) {
            // As the API server has it: another driver with a higher generation only.
            wished = { ...wished, encryption, generation: wished.generation + 1 };
            for (const i of hear) {
              const member = cluster.members[i];
              if (member !== undefined) member.target = wished;
            }
            for (const i of order) cluster.step(i % size);
          }
          for (const member of cluster.members) member.target = wished;
          settle(cluster);
          cluster.now += 2 * JUMP_BACK_AFTER;
          settle(cluster);
          for (const { stance } of cluster.members)
            assert.deepEqual(
              stance?.held.map(({ number, driver }) => [number, driver]),
              [[wished.generation, wished.encryption]],
            );
        },
      ),
      { numRuns: 500 },
    ));

  it('off and on again with another driver at the same number', () =>
    fc.assert(
      fc.property(drivers, drivers, fc.array(fc.nat(3), { maxLength: 20 }), (before, after, order) => {
        const cluster = clusterOf(4, { ...target, encryption: before });
        settle(cluster);
        for (const encryption of ['none', after] as const) {
          for (const member of cluster.members) member.target = { ...target, encryption };
          for (const i of order) cluster.step(i);
          settle(cluster);
        }
        cluster.now += 2 * JUMP_BACK_AFTER;
        settle(cluster);
        for (const { stance } of cluster.members)
          assert.deepEqual(
            stance?.held.map(({ number, driver }) => [number, driver]),
            [[7, after]],
          );
      }),
    ));

  it('off and on again with another driver, of which only some hear', () =>
    fc.assert(
      fc.property(
        fc.subarray([0, 1, 2, 3]),
        fc.array(fc.nat(3), { maxLength: 30 }),
        fc.boolean(),
        (hear, order, strict) => {
          const first = { ...target, mode: strict ? ('strict' as const) : target.mode };
          const cluster = clusterOf(4, first);
          settle(cluster);
          for (const [i, member] of cluster.members.entries())
            if (hear.includes(i)) member.target = { ...target, encryption: 'none' };
          for (const i of order) cluster.step(i);
          for (const member of cluster.members) member.target = { ...first, encryption: 'ipsec' };
          settle(cluster);
          cluster.now += 2 * JUMP_BACK_AFTER;
          settle(cluster);
          const ends = new Set(cluster.members.map(({ stance }) => stance?.held[0]?.driver));
          assert.equal(ends.size, 1);
        },
      ),
    ));

  it('with one that cannot, all others hold both, send to it on the old, and it is named', () => {
    const cluster = clusterOf(4, target);
    settle(cluster);
    for (const [i, member] of cluster.members.entries()) member.target = i === 3 ? unable : to8;
    settle(cluster);
    const held = cluster.members.map(({ stance }) => stance?.held.map(({ number }) => number));
    assert.deepEqual(held, [[7, 8], [7, 8], [7, 8], [7]]);
    const said = lifecycle(
      input({
        target: to8,
        stance: stanceOf([7, esp(8)]),
        records: cluster.members.map(({ published }) => published),
        statuses: new Map([status(2, 'routed', 8), status(3, 'routed', 8), status(4, 'routed', 7)]),
      }),
    );
    assert.equal(told(said), 'hold 7,8 esp; send 7,8; n4 UNABLE');
    assert.match(said.waiting[0]?.message ?? '', /^n4 stays on generation 7.*no charon/);
    // It learns to, and all goes on.
    for (const member of cluster.members) member.target = to8;
    settle(cluster);
    for (const { stance } of cluster.members) assert.deepEqual(stance?.sending, [8]);
  });
});
