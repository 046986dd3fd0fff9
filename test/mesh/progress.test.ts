import assert from 'node:assert/strict';
import { notEncrypted, notInMode, notOff, unable } from '../../mesh/progress.ts';
import { rotation } from '../../mesh/rotation-progress.ts';
import type { AgentFacts, NodeRecord } from '../../mesh/types.ts';
import { key } from './fixtures.ts';

const FACTS: AgentFacts = { version: '1', mode: 'permissive', cannot: [] };

function record(name: string, generations: readonly number[], sending: readonly number[]): NodeRecord {
  return {
    name,
    uid: `uid-${name}`,
    createdAt: '2026-01-01T00:00:00Z',
    generations: generations.map((number) => ({
      number,
      driver: 'wireguard',
      publicKey: key(`${name} ${number}`),
      port: 51830 + (number % 2),
    })),
    endpoints: [],
    prefixes: [],
    sending,
    agent: FACTS,
    problems: [],
  };
}

describe('how far a cluster is, told by its records', () => {
  it('counts a node as encrypted when it has keys and sends nothing in clear', () => {
    assert.equal(notEncrypted({ record: record('n1', [1], [1]) }, 'wireguard'), undefined);
    assert.match(notEncrypted({ record: record('n1', [1], [0, 1]) }, 'wireguard')?.reason ?? '', /in clear/);
    assert.match(notEncrypted({ record: record('n1', [], []) }, 'wireguard')?.reason ?? '', /no key yet/);
    assert.notEqual(notEncrypted({ record: record('n1', [1], []) }, 'wireguard'), undefined);
  });

  it('names who never can', () => {
    const silent = { ...record('n1', [], []), agent: undefined };
    assert.deepEqual(unable({ record: record('w', [], []), os: 'windows' }, 'wireguard')?.stuck, true);
    assert.match(
      unable({ record: { ...silent, agent: { ...FACTS, cannot: ['wireguard: no module'] } } }, 'wireguard')
        ?.reason ?? '',
      /cannot do wireguard: no module/,
    );
    assert.equal(
      unable({ record: { ...silent, agent: { ...FACTS, cannot: ['ipsec: no charon'] } } }, 'wireguard'),
      undefined,
    );
  });

  it('knows an open door from a shut one, and who is off', () => {
    const shut = { record: { ...record('n1', [], []), agent: { ...FACTS, mode: 'strict' as const } } };
    assert.equal(notInMode(shut, 'strict'), undefined);
    assert.match(notInMode(shut, 'permissive')?.reason ?? '', /not opened/);
    assert.match(notOff(shut)?.reason ?? '', /still shut/);
    assert.match(notOff({ record: record('n1', [1], [1]) })?.reason ?? '', /holds keys/);
    assert.equal(notOff({ record: record('n1', [], []) }), undefined);
  });

  it('sees no rotation where all have one generation and none newer is wanted', () => {
    const records = [record('n1', [7], [7]), record('n2', [7], [7]), record('n3', [], [])];
    assert.equal(rotation({ records, wanted: 7 }), undefined);
    assert.equal(rotation({ records, wanted: undefined }), undefined);
    assert.equal(rotation({ records, wanted: 3 }), undefined);
    assert.equal(rotation({ records: [], wanted: 3 }), undefined);
  });

  it('counts the steps of a rotation, and names first whom the others wait for', () => {
    const records = [
      record('n1', [8], [8]),
      record('n2', [7, 8], [8]),
      record('n3', [7, 8], [7, 8]),
      record('n4', [7], [7]),
    ];
    const found = rotation({ records, wanted: 8 });
    assert.ok(found);
    const { stragglers, ...counts } = found;
    assert.deepEqual(counts, {
      from: 7,
      to: 8,
      fromDriver: 'wireguard',
      toDriver: 'wireguard',
      total: 4,
      published: 3,
      switched: 2,
      withdrawn: 1,
      partial: false,
    });
    assert.deepEqual(
      stragglers.map(({ node }) => node),
      ['n4', 'n3', 'n2'],
    );
  });

  it('ends without those that are passed over', () => {
    const records = [record('n1', [8], [8]), record('n2', [7], [7])];
    assert.equal(rotation({ records, wanted: 8, passOver: ['n2'] }), undefined);
    assert.equal(rotation({ records, wanted: 8 })?.stragglers[0]?.node, 'n2');
  });

  describe('to another driver', () => {
    const moved = (name: string, sending: readonly number[]): NodeRecord => ({
      ...record(name, [1], sending),
      generations: [
        ...record(name, [1], []).generations,
        { number: 2, driver: 'ipsec', publicKey: key(`${name} 2`) },
      ],
    });
    const unableNode = {
      ...record('n3', [1], [1]),
      agent: { ...FACTS, cannot: ['ipsec: no charon; install strongSwan'] },
    };
    const wish = { wanted: 2, driver: 'ipsec' } as const;

    it('says from which to which, also before anybody has a key', () => {
      const records = [record('n1', [1], [1]), record('n2', [1], [1])];
      const found = rotation({ records, ...wish });
      assert.deepEqual([found?.fromDriver, found?.toDriver, found?.partial], ['wireguard', 'ipsec', false]);
      assert.equal(rotation({ records, wanted: 2 })?.toDriver, undefined);
    });

    it('is partial when all that can have a key; only those that cannot are behind then', () => {
      const found = rotation({ records: [moved('n1', [1, 2]), moved('n2', [1, 2]), unableNode], ...wish });
      assert.equal(found?.partial, true);
      assert.deepEqual(found?.stragglers, [
        {
          node: 'n3',
          stuck: true,
          reason: 'cannot do ipsec: no charon; install strongSwan; it stays on generation 1 (wireguard)',
        },
      ]);
    });

    it('is not partial while one that can has none', () => {
      const records = [moved('n1', [1, 2]), record('n2', [1], [1]), unableNode];
      const found = rotation({ records, ...wish });
      assert.equal(found?.partial, false);
      assert.deepEqual(
        found?.stragglers.map(({ node, stuck }) => [node, stuck]),
        [
          ['n2', false],
          ['n3', true],
          ['n1', false],
        ],
      );
    });

    it('does not keep one waiting that cannot have a driver which is not wanted', () => {
      const records = [record('n1', [2], [2]), unableNode];
      assert.equal(rotation({ records, wanted: 2, driver: 'wireguard' })?.stragglers[0]?.stuck, false);
    });
  });

  it('believes most nodes, not the one with the highest number', () => {
    const records = [record('n1', [7], [7]), record('n2', [7], [7]), record('liar', [99], [99])];
    assert.equal(rotation({ records, wanted: 7 }), undefined);
    assert.equal(rotation({ records: records.slice(1), wanted: 7 }), undefined);
  });
});
