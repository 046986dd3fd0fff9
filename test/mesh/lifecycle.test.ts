import assert from 'node:assert/strict';
import { JUMP_BACK_AFTER, LONGEST_DRAIN, lifecycle } from '../../mesh/lifecycle.ts';
import type { LifecycleInput } from '../../mesh/lifecycle-types.ts';
import { input, NOW, record, stanceOf, status, target, told } from './lifecycle-cluster.ts';

const uids = (...numbers: readonly number[]) => new Set(numbers.map((i) => `uid-0000${i}`));
const all = (published: Parameters<typeof record>[1]) => [1, 2, 3, 4].map((i) => record(i, published));
const none = { ...target, encryption: 'none' as const };
const strict = { ...target, mode: 'strict' as const };
const to8 = { ...target, generation: 8 };
const leaping = [record(2, { held: [9999] }), ...[3, 4].map((i) => record(i, { held: [], agent: true }))];
const silent = (seconds: number) => new Map([[7, { since: NOW - seconds * 1000, until: NOW }]]);

type Row = readonly [name: string, parts: Partial<LifecycleInput>, expected: string];

const ROTATION: readonly Row[] = [
  ['at rest', {}, 'hold 7; send 7'],
  ['begin: more is wanted', { target: to8 }, 'hold 7,8; send 7,8'],
  ['begin: two ahead is one step', { target: { ...target, generation: 9 } }, 'hold 7,8; send 7,8'],
  ['not while the device of 6 is leaving', { target: to8, leaving: new Set([6]) }, 'hold 7; send 7'],
  ['never back, whatever the resource says', { target: { ...target, generation: 1 } }, 'hold 7; send 7'],
  [
    'begin: most others are further',
    {
      records: [
        record(1, { held: [7] }),
        record(2, { held: [7, 8] }),
        record(3, { held: [7, 8] }),
        record(4, { held: [7] }),
      ],
    },
    'hold 7,8; send 7,8',
  ],
  [
    'one node’s word moves nobody',
    {
      records: [
        record(1, { held: [7] }),
        record(2, { held: [7, 8] }),
        record(3, { held: [7] }),
        record(4, { held: [7] }),
      ],
    },
    'hold 7; send 7',
  ],
  [
    'switch: not while a route is on 7',
    {
      stance: stanceOf([7, 8]),
      records: all({ held: [7, 8] }),
      statuses: new Map([status(2, 'routed', 7), status(3, 'degraded', 7), status(4, 'routed', 8)]),
    },
    'hold 7,8; send 7,8; n2 NOT_ROUTED,n3 NOT_ROUTED',
  ],
  [
    'switch: not before the route is there, nor before anything is known',
    {
      stance: stanceOf([7, 8]),
      records: all({ held: [7, 8] }),
      statuses: new Map([status(2, 'established', 8), status(3, 'routed', 8)]),
    },
    'hold 7,8; send 7,8; n2 NOT_ROUTED,n4 NOT_ROUTED',
  ],
  [
    'switch: who has only 7 is waited for, unless it has no route at all',
    {
      stance: stanceOf([7, 8]),
      statuses: new Map([status(2, 'routed', 7), status(3, 'configured', 7), status(4, 'configured', 7)]),
    },
    'hold 7,8; send 7,8; n2 OLD_GENERATION',
  ],
  [
    'switch: a node that is passed over is not waited for',
    {
      stance: stanceOf([7, 8]),
      target: { ...to8, passOver: ['n2'] },
      statuses: new Map([status(2, 'routed', 7), status(3, 'configured', 7), status(4, 'configured', 7)]),
    },
    'hold 7,8; send 8',
  ],
  [
    'switch: all routes are on 8',
    {
      stance: stanceOf([7, 8]),
      records: all({ held: [7, 8] }),
      statuses: new Map([2, 3, 4].map((i) => status(i, 'routed', 8))),
    },
    'hold 7,8; send 8',
  ],
  [
    'withdraw: not while one may send on 7',
    {
      stance: stanceOf([7, 8], [8]),
      records: [record(2, { held: [7, 8] }), record(3, { held: [7, 8], sending: [8] })],
      silence: silent(999),
    },
    'hold 7,8; send 8; n2 NOT_SWITCHED',
  ],
  [
    'withdraw: unless it is passed over',
    {
      stance: stanceOf([7, 8], [8]),
      target: { ...to8, passOver: ['n2'] },
      records: [record(2, { held: [7] }), record(3, { held: [7, 8], sending: [8] })],
      silence: silent(999),
    },
    'hold 8; send 8',
  ],
  [
    'withdraw: not before it was silent',
    { stance: stanceOf([7, 8], [8]), records: all({ held: [7, 8], sending: [8] }), silence: silent(100) },
    'hold 7,8; send 8; in 80',
  ],
  [
    'withdraw: not before it was looked at',
    { stance: stanceOf([7, 8], [8]), records: all({ held: [7, 8], sending: [8] }) },
    'hold 7,8; send 8',
  ],
  [
    'withdraw: silence counts up to the last look',
    {
      stance: stanceOf([7, 8], [8]),
      records: all({ held: [8] }),
      silence: new Map([[7, { since: NOW - 200_000, until: NOW - 30_000 }]]),
    },
    'hold 7,8; send 8; in 0',
  ],
  [
    'withdraw: from a node that breaks its word it listens for a while',
    {
      stance: stanceOf([7, 8], [8]),
      records: all({ held: [7, 8], sending: [8] }),
      silence: silent(1),
      possible: new Map([['withdraw 7', NOW - LONGEST_DRAIN * 180_000 + 20_000]]),
    },
    'hold 7,8; send 8; in 20',
  ],
  [
    'withdraw: and not for ever',
    {
      stance: stanceOf([7, 8], [8]),
      records: all({ held: [7, 8], sending: [8] }),
      silence: silent(1),
      possible: new Map([['withdraw 7', NOW - LONGEST_DRAIN * 180_000]]),
    },
    'hold 8; send 8',
  ],
  [
    'withdraw',
    { stance: stanceOf([7, 8], [8]), records: all({ held: [7, 8], sending: [8] }), silence: silent(180) },
    'hold 8; send 8',
  ],
];

const KEYS: readonly Row[] = [
  [
    'the first of all takes what the resource says',
    { stance: undefined, records: all({ held: [] }) },
    'hold 7; send 7',
  ],
  [
    'who comes later takes what most are on',
    {
      stance: undefined,
      records: [record(2, { held: [9] }), record(3, { held: [8, 9] }), record(4, { held: [8] })],
      statuses: new Map(),
    },
    'hold 8; send 0,8; clear 3',
  ],
  [
    'what they send on, not what they still hold',
    { stance: undefined, records: all({ held: [7, 8], sending: [8] }), statuses: new Map() },
    'hold 8; send 0,8; clear 3',
  ],
  [
    'one node’s word leads nobody beyond what is wished, though no other has a key yet',
    { stance: undefined, records: leaping, statuses: new Map() },
    'hold 7; send 0,7; clear 3',
  ],
  [
    'nor does who has a key alone jump after it',
    { stance: stanceOf([7], [0, 7], { clear: uids(2, 3, 4) }), records: leaping, statuses: new Map() },
    'hold 7; send 0,7; clear 3; n2 NOT_ROUTED,n3 NOT_ROUTED,n4 NOT_ROUTED',
  ],
  [
    'nor step after it',
    { records: [record(2, { held: [7, 9999] }), ...leaping.slice(1)], statuses: new Map() },
    'hold 7; send 7',
  ],
  [
    'two of them do, as where the resource was made anew',
    { stance: undefined, records: [record(2, { held: [9] }), record(3, { held: [9] })], statuses: new Map() },
    'hold 9; send 0,9; clear 2',
  ],
  [
    'and one that is the only other one',
    { stance: undefined, records: [record(2, { held: [9] })], statuses: new Map() },
    'hold 9; send 0,9; clear 1',
  ],
  ['waits for the device of before', { stance: undefined, leaving: new Set([7]) }, 'hold nothing; send 0'],
  [
    'in strict mode nothing goes in clear',
    { stance: undefined, target: strict, statuses: new Map() },
    'hold 7; send 7; shut',
  ],
  [
    'the door is shut before there is a key',
    { stance: undefined, target: strict, leaving: new Set([7]) },
    'hold nothing; send nothing; shut',
  ],
  [
    'clear ends peer by peer',
    {
      stance: stanceOf([7], [0, 7], { clear: uids(2, 3) }),
      statuses: new Map([status(2, 'routed', 7), status(3, 'established', 7)]),
    },
    'hold 7; send 0,7; clear 1; n3 NOT_ROUTED',
  ],
  ['clear ends', { stance: stanceOf([7], [0, 7], { clear: uids(2, 3) }) }, 'hold 7; send 7'],
  [
    'who withdrew its record, or is gone, is not waited for',
    {
      stance: stanceOf([7], [0, 7], { clear: uids(2, 3) }),
      records: [record(2, { held: [] })],
      statuses: new Map(),
    },
    'hold 7; send 7',
  ],
  [
    'alone with an old key it jumps',
    { stance: stanceOf([3]), records: all({ held: [7] }), statuses: new Map() },
    'hold 7; send 0,7; clear 3',
  ],
  [
    'one that is passed over is no company',
    {
      stance: stanceOf([3]),
      target: { ...target, passOver: ['n4'] },
      records: [record(2, { held: [7] }), record(4, { held: [3] })],
      statuses: new Map(),
    },
    'hold 7; send 0,7; clear 1',
  ],
  [
    'with company it steps',
    {
      stance: stanceOf([3]),
      records: [record(2, { held: [7] }), record(3, { held: [7] }), record(4, { held: [3] })],
    },
    'hold 3,4; send 3,4',
  ],
  ['back only after a minute', { stance: stanceOf([9]) }, 'hold 9; send 9; in 60'],
  [
    'back only to where several are',
    { stance: stanceOf([9]), records: [record(2, { held: [7] })] },
    'hold 9; send 9',
  ],
  [
    'back',
    { stance: stanceOf([9]), possible: new Map([['jump 7', NOW - JUMP_BACK_AFTER]]) },
    'hold 7; send 7',
  ],
];

const DOORS: readonly Row[] = [
  [
    'shut at once',
    { target: strict, stance: stanceOf([7], [0, 7], { clear: uids(2) }) },
    'hold 7; send 7; shut',
  ],
  ['opened at once', { stance: stanceOf([7], [7], { mode: 'strict' }) }, 'hold 7; send 7'],
  [
    'opened: who has no route is sent to in clear',
    { stance: stanceOf([7], [7], { mode: 'strict' }), statuses: new Map() },
    'hold 7; send 0,7; clear 3; n2 NOT_ROUTED,n3 NOT_ROUTED,n4 NOT_ROUTED',
  ],
  [
    'off: the door first',
    { target: none, stance: stanceOf([7], [7], { mode: 'strict' }) },
    'hold 7; send 0,7',
  ],
  [
    'off: not while another door is shut',
    {
      target: none,
      stance: stanceOf([7], [0, 7]),
      records: [record(2, { held: [7], mode: 'strict' }), record(3, { held: [], mode: 'strict' })],
    },
    'hold 7; send 0,7; n2 DOOR_SHUT,n3 DOOR_SHUT',
  ],
  [
    'off: not while what is known of another is older than the own door that was opened',
    {
      target: { ...none, wish: 9 },
      stance: stanceOf([7], [0, 7], { openedBy: 9 }),
      records: [record(2, { held: [7], mode: 'permissive', follows: 8 }), record(3, { held: [7] })],
    },
    'hold 7; send 0,7; n2 DOOR_SHUT',
  ],
  [
    'off: once all of them say that they follow',
    {
      target: { ...none, wish: 10 },
      stance: stanceOf([7], [0, 7], { openedBy: 9 }),
      records: [record(2, { held: [7], mode: 'permissive', follows: 9 }), record(3, { held: [7] })],
    },
    'hold 7; send 0,7; unroute',
  ],
  [
    'off: a resource that was made anew counts anew',
    {
      target: { ...none, wish: 1 },
      stance: stanceOf([7], [0, 7], { openedBy: 9 }),
      records: [record(2, { held: [7], mode: 'permissive', follows: 1 })],
    },
    'hold 7; send 0,7; unroute',
  ],
  [
    'off: but for one that is passed over',
    {
      target: { ...none, passOver: ['n2'] },
      stance: stanceOf([7], [0, 7]),
      records: [record(2, { held: [7], mode: 'strict' })],
    },
    'hold 7; send 0,7; unroute',
  ],
  ['off: then the routes', { target: none }, 'hold 7; send 7; unroute'],
  [
    'off: then the record',
    { target: none, stance: stanceOf([7], [0, 7]), unrouted: true },
    'hold 7; send 0; unroute',
  ],
  [
    'off: and when nobody can learn the key, the key',
    { target: none, stance: stanceOf([7], [0]), published: false },
    'hold nothing; send 0',
  ],
  ['off: not before', { target: none, stance: stanceOf([7], [0]) }, 'hold 7; send 0; unroute'],
  [
    'off in the middle of a rotation',
    { target: none, stance: stanceOf([7, 8], [0, 7, 8]), unrouted: true },
    'hold 7,8; send 0; unroute',
  ],
  [
    'on again: what was begun is ended first',
    { stance: stanceOf([7], [0]), statuses: new Map() },
    'hold 7; send 0; unroute',
  ],
  ['off and off', { target: none, stance: undefined, published: false }, 'hold nothing; send 0'],
];

describe('lifecycle', () => {
  for (const [title, rows] of [
    ['a rotation', ROTATION],
    ['keys', KEYS],
    ['doors', DOORS],
  ] as const) {
    describe(title, () => {
      for (const [name, parts, expected] of rows)
        it(name, () => assert.equal(told(lifecycle(input(parts))), expected));
    });
  }

  it('gives the same object when nothing is to change', () => {
    const at = input();
    assert.equal(lifecycle(at).stance, at.stance);
  });

  it('names the Node, the generation and the way out', () => {
    const { waiting } = lifecycle(
      input({ stance: stanceOf([7, 8], [8]), records: [record(2, { held: [7] })] }),
    );
    assert.match(
      waiting[0]?.message ?? '',
      /^n2 .* generation 7; .*delete its Node.*spec\.rotation\.passOver/,
    );
  });
});
