/** What holds whatever order the nodes take their steps in, with records that are true at once: the rest is `test/simulation`. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { IN_CLEAR } from '../../mesh/stance.ts';
import { type Cluster, clusterOf, target } from './lifecycle-cluster.ts';

type Event =
  | { readonly kind: 'step'; readonly node: number }
  | { readonly kind: 'rotate' | 'strict' | 'permissive' | 'off' | 'on' };

const events = (...kinds: readonly Exclude<Event['kind'], 'step'>[]): fc.Arbitrary<Event[]> => {
  const step = fc.record({ kind: fc.constant('step' as const), node: fc.nat(4) });
  const wish = fc.record({ kind: fc.constantFrom(...kinds) });
  return fc.array(fc.oneof({ weight: 9, arbitrary: step }, { weight: 1, arbitrary: wish }), {
    maxLength: 120,
  });
};

function wish(cluster: Cluster, event: Event): void {
  for (const member of cluster.members) {
    const { target: before } = member;
    if (event.kind === 'rotate') member.target = { ...before, generation: before.generation + 1 };
    if (event.kind === 'strict' || event.kind === 'permissive')
      member.target = { ...before, mode: event.kind };
    if (event.kind === 'off') member.target = { ...before, encryption: 'none', mode: 'permissive' };
    if (event.kind === 'on') member.target = { ...before, encryption: 'wireguard' };
  }
}

function settle(cluster: Cluster): void {
  for (let round = 0; round < 60; round += 1) {
    const moved = cluster.members.map((_, i) => cluster.step(i));
    if (!moved.includes(true)) return;
  }
  assert.fail('no end of it');
}

/** Nobody sends on what another, who is in the mesh, holds no more; nobody holds more than two, or two on one device. */
function safe({ members }: Cluster): void {
  for (const { published, stance } of members) {
    const held = stance?.held.map(({ number }) => number) ?? [];
    assert.ok(
      held.length <= 2 && new Set(held.map((number) => number % 2)).size === held.length,
      held.join(),
    );
    for (const number of published.sending)
      assert.ok(number === IN_CLEAR || published.generations.some((one) => one.number === number));
    for (const other of members) {
      const oldest = other.published.generations[0]?.number ?? 0;
      const promised = published.sending.filter((number) => number !== IN_CLEAR);
      assert.ok(
        promised.length === 0 || oldest <= Math.max(...promised),
        `${published.name} sends on ${promised.join()}, ${other.published.name} holds ${oldest}`,
      );
      for (const number of promised) assert.ok(oldest <= number, `${other.published.name} let ${number} go`);
    }
  }
}

describe('lifecycle, whatever the order', () => {
  it('rotations: one after the other, no promise comes back, three writes each, one generation in the end', () =>
    fc.assert(
      fc.property(events('rotate'), (schedule) => {
        const cluster = clusterOf(5, target);
        settle(cluster);
        const writes = new Map<string, number>();
        const dropped = new Map<string, Set<number>>();
        const step = (i: number) => {
          const before = cluster.members[i]?.published;
          cluster.step(i);
          const after = cluster.members[i]?.published;
          if (!before || !after) return;
          if (JSON.stringify(before) !== JSON.stringify(after))
            writes.set(after.name, (writes.get(after.name) ?? 0) + 1);
          const gone = dropped.get(after.name) ?? new Set();
          dropped.set(after.name, gone);
          for (const number of before.sending) if (!after.sending.includes(number)) gone.add(number);
          assert.ok(!after.sending.some((number) => gone.has(number)), 'a promise came back');
          safe(cluster);
        };
        for (const event of schedule) event.kind === 'step' ? step(event.node) : wish(cluster, event);
        for (let round = 0; round < 100; round += 1) for (let i = 0; i < 5; i += 1) step(i);
        const wanted = cluster.members[0]?.target.generation ?? 0;
        for (const { stance } of cluster.members) assert.deepEqual(stance?.sending, [wanted]);
        for (const count of writes.values()) assert.equal(count, 3 * (wanted - target.generation));
      }),
    ));

  it('on, off, strict, permissive: ends as wished, and no door is shut when another sends in clear after a switch off', () =>
    fc.assert(
      fc.property(events('rotate', 'strict', 'permissive', 'off', 'on'), (schedule) => {
        const cluster = clusterOf(4, target);
        for (const event of schedule) {
          if (event.kind !== 'step') {
            // As people do it who wait for the nodes to follow.
            settle(cluster);
            wish(cluster, event);
          } else cluster.step(event.node % 4);
        }
        settle(cluster);
        const [{ target: wanted } = { target }] = cluster.members;
        for (const { stance } of cluster.members) {
          assert.equal(stance?.mode, wanted.encryption === 'none' ? 'permissive' : wanted.mode);
          assert.equal(stance?.held.length, wanted.encryption === 'none' ? 0 : 1);
          if (wanted.encryption !== 'none') assert.deepEqual(stance?.sending, [stance?.held[0]?.number]);
        }
        assert.equal(new Set(cluster.members.map(({ stance }) => stance?.held[0]?.number)).size, 1);
      }),
    ));

  it('a node that is back after however long ends with the others', () =>
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 5 }), fc.nat(6), fc.boolean(), (size, missed, passedOver) => {
        const cluster = clusterOf(size, target);
        settle(cluster);
        const [away] = cluster.members;
        assert.ok(away);
        away.alive = false;
        // Its Node is deleted, or named by a person; else the others would wait for it.
        const before = away.published;
        if (!passedOver) away.published = { ...before, generations: [], sending: [] };
        for (const member of cluster.members)
          member.target = { ...target, generation: 7 + missed, passOver: passedOver ? ['n1'] : [] };
        settle(cluster);
        away.alive = true;
        for (const member of cluster.members) member.target = { ...member.target, passOver: [] };
        settle(cluster);
        cluster.now += 120_000;
        settle(cluster);
        for (const { stance, published } of cluster.members)
          assert.deepEqual(stance?.sending, [7 + missed], `${published.name} of ${size}`);
      }),
    ));
});
