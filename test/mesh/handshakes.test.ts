import assert from 'node:assert/strict';
import { type Attempt, type Initiations, initiations } from '../../mesh/handshakes.ts';
import { plan } from '../../mesh/plan.ts';
import type { MeshPlan, PeerState, PeerStatus } from '../../mesh/types.ts';
import { config, generationsText, key, noEvidence, recordOf } from './fixtures.ts';

const G = 'sheath.dev/generations';
const START = Date.UTC(2026, 10, 22);

/** Node 2 of four: it begins with n3 and n4, and waits for n1. */
function meshOf(...numbers: readonly number[]): MeshPlan {
  const [n1, n2, n3, n4] = [1, 2, 3, 4].map((i) =>
    recordOf(i, { [G]: generationsText(`n${i}`, ...numbers), 'sheath.dev/sending': numbers.join() }),
  );
  assert.ok(n1 && n2 && n3 && n4);
  return plan({ self: n2, records: [n1, n3, n4], config, evidence: noEvidence });
}

function status(
  node: string,
  state: PeerState,
  generation: number,
  lastHandshake?: number,
): readonly [string, PeerStatus] {
  const base = {
    node,
    state,
    generation,
    driver: 'wireguard' as const,
    publicKey: key(`${node} ${generation}`),
    since: 0,
    receivedBytes: 0,
    sentBytes: 0,
  };
  return [node, lastHandshake === undefined ? base : { ...base, lastHandshake, established: [generation] }];
}

/** Calls it as an agent does, whenever it says so, and tells at which second it was told to do what. */
function run(
  mesh: MeshPlan,
  statuses: ReadonlyMap<string, PeerStatus>,
  seconds: number,
): Readonly<Record<string, unknown>> {
  const begun = new Map<string, number>();
  const restarts = new Map<string, number[]>();
  let attempts: ReadonlyMap<string, Attempt> = new Map();
  for (let now = START; now <= START + seconds * 1000; ) {
    const step = initiations({ plan: mesh, statuses, attempts, now });
    attempts = step.attempts;
    const at = (now - START) / 1000;
    for (const node of step.keepalive) if (!begun.has(node)) begun.set(node, at);
    for (const node of step.restart) restarts.set(node, [...(restarts.get(node) ?? []), at]);
    assert.ok(step.nextAt === undefined || step.nextAt > now, 'always later');
    now = step.nextAt ?? Number.POSITIVE_INFINITY;
  }
  return { begun: Object.fromEntries(begun), restarts: Object.fromEntries(restarts) };
}

describe('initiations', () => {
  it('the lower name begins at once, the other 3 s later; each tries three times more, then leaves it to the keepalive', () => {
    const statuses = new Map([
      status('n1', 'configured', 7),
      status('n3', 'configured', 7),
      status('n4', 'routed', 7, START),
    ]);
    assert.deepEqual(run(meshOf(7), statuses, 250), {
      begun: { n3: 0, n1: 3 },
      restarts: { n1: [4, 6, 10], n3: [1, 3, 7] },
    });
  });

  it('a call between two steps changes nothing', () => {
    const input = { plan: meshOf(7), statuses: new Map([status('n3', 'configured', 7)]) };
    let last: Initiations = initiations({ ...input, attempts: new Map(), now: START });
    const restarts: number[] = [];
    for (let at = 0; at <= 8000; at += 250) {
      last = initiations({ ...input, attempts: last.attempts, now: START + at });
      if (last.restart.includes('n3')) restarts.push(at);
    }
    assert.deepEqual(restarts, [1000, 3000, 7000]);
  });

  it('a new generation is begun beside the old one, which keeps its route', () => {
    const routed = new Map([status('n3', 'routed', 6, START)]);
    const first = initiations({ plan: meshOf(6, 7), statuses: routed, attempts: new Map(), now: START });
    assert.ok(first.keepalive.has('n3'));
    const { generation, publicKey } = first.attempts.get('n3')?.link ?? {};
    assert.deepEqual([generation, publicKey], [7, key('n3 7')]);
    const moved = new Map([status('n3', 'routed', 7, START)]);
    const second = initiations({
      plan: meshOf(6, 7),
      statuses: moved,
      attempts: first.attempts,
      now: START + 5000,
    });
    assert.ok(
      !second.keepalive.has('n3') &&
        !second.attempts.has('n3') &&
        second.restart.every((node) => node !== 'n3'),
    );
  });

  it('another key begins anew', () => {
    const statuses = new Map([status('n3', 'configured', 7)]);
    const first = initiations({ plan: meshOf(7), statuses, attempts: new Map(), now: START });
    const later = initiations({ plan: meshOf(8), statuses, attempts: first.attempts, now: START + 60_000 });
    assert.deepEqual([later.restart, later.attempts.get('n3')?.since], [[], START + 60_000]);
  });

  it('a silent peer is asked, never made anew; one whose device was made anew is', () => {
    const silent = new Map([
      status('n3', 'degraded', 7, START),
      status('n1', 'routed', 7, START),
      status('n4', 'routed', 7, START),
    ]);
    const step = initiations({ plan: meshOf(7), statuses: silent, attempts: new Map(), now: START });
    assert.deepEqual([[...step.keepalive], step.restart, step.nextAt], [['n3'], [], undefined]);
    const anew = new Map([status('n3', 'degraded', 7)]);
    assert.deepEqual(run(meshOf(7), anew, 2).restarts, { n3: [1], n4: [1] });
  });
});
