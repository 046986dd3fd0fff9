import assert from 'node:assert/strict';
import { FINALIZER, type MeshStatus } from '../../../operator/config/resource.ts';
import type { Spec } from '../../../operator/config/schema.ts';
import { wantedFinalizers } from '../../../operator/controller/finalizer.ts';
import type { ClusterNode } from '../../../operator/controller/node.ts';
import { schedule } from '../../../operator/controller/schedule.ts';
import { type MeshOptions, mesh, node } from './cluster.ts';

const LAST = '2026-06-01T12:00:00Z';
const HOUR = 3_600_000;
const DAILY: Spec = { encryption: 'wireguard', generation: 7, rotation: { interval: '24h' } };
const SETTLED = [node('n1', { held: [7] }), node('n2', { held: [7] }), node('new')];

describe('rotations by schedule', () => {
  const at = (
    hours: number,
    { nodes = SETTLED, spec = DAILY, status = {}, metadata = {} }: Partial<Case> = {},
  ) =>
    schedule({
      mesh: mesh(spec, metadata),
      nodes,
      status: { lastRotationTime: LAST, ...status },
      now: Date.parse(LAST) + hours * HOUR,
    });
  interface Case {
    readonly nodes: readonly ClusterNode[];
    readonly spec: Spec;
    readonly status: MeshStatus;
    readonly metadata: MeshOptions;
  }
  const raise = { kind: 'raise', generation: 8 } as const;
  const none = { kind: 'none' } as const;

  it('raises the generation by one when its time has come', () => {
    assert.deepEqual(at(23.9), { kind: 'wait', until: Date.parse(LAST) + 24 * HOUR });
    assert.deepEqual(at(24), raise);
    assert.deepEqual(at(1000), raise);
    const { generation: _, ...unsaid } = DAILY;
    assert.deepEqual(at(24, { spec: unsaid, nodes: [node('n1', { held: [1] })] }), {
      kind: 'raise',
      generation: 2,
    });
  });

  it('does so only by a schedule, and while encryption is on', () => {
    assert.deepEqual(at(24, { spec: { ...DAILY, rotation: {} } }), none);
    assert.deepEqual(at(24, { spec: { ...DAILY, encryption: 'none' } }), none);
    assert.deepEqual(at(24, { metadata: { deletionTimestamp: LAST } }), none);
    assert.deepEqual(at(24, { spec: { ...DAILY, mode: 'lenient' } as unknown as Spec }), none);
  });

  it('waits for a rotation under way, and for every node with keys', () => {
    const rotation = {
      from: 6,
      to: 7,
      startedAt: LAST,
      published: 1,
      switched: 1,
      withdrawn: 0,
      total: 2,
      waiting: [],
    };
    assert.deepEqual(at(24, { status: { rotation } }), none);
    const behind = [node('n1', { held: [7] }), node('n2', { held: [6, 7], sending: [7] })];
    assert.deepEqual(at(24, { nodes: behind }), none);
    const passOver = { ...DAILY, rotation: { ...DAILY.rotation, passOver: ['n2'] } };
    assert.deepEqual(at(24, { nodes: behind, spec: passOver }), raise);
    assert.deepEqual(at(24, { nodes: [node('new')] }), none);
    assert.deepEqual(at(24, { nodes: [node('n1', { held: [9] })] }), none);
  });
});

describe('the finalizer', () => {
  const wanted = (spec: Spec, nodes: readonly ClusterNode[], metadata: MeshOptions = {}) =>
    wantedFinalizers(mesh(spec, metadata), nodes);
  const off: Spec = { encryption: 'none' };
  const has = { finalizers: ['other', FINALIZER] };
  const going = { ...has, deletionTimestamp: LAST };
  const shut = node('n1', { agent: { mode: 'strict' } });

  it('is put while encryption is wished, or any node is still encrypted or shut', () => {
    assert.deepEqual(wanted(DAILY, []), [FINALIZER]);
    assert.deepEqual(wanted(off, [node('n1', { held: [7] })], { finalizers: ['other'] }), [
      'other',
      FINALIZER,
    ]);
    assert.deepEqual(wanted(off, [shut]), [FINALIZER]);
    assert.equal(wanted(off, [node('n1')]), undefined);
    assert.equal(wanted(DAILY, [], has), undefined);
  });

  it('is taken when all are off, and not before', () => {
    assert.deepEqual(wanted(off, [node('n1')], has), ['other']);
    assert.equal(wanted(DAILY, [node('n1', { held: [7] })], going), undefined);
    assert.equal(wanted(DAILY, [shut, node('n2')], going), undefined);
    assert.deepEqual(wanted(DAILY, [node('n1'), node('n2')], going), ['other']);
  });

  it('does not wait for those passed over, and adds nothing to what is being deleted', () => {
    const spec = { ...DAILY, rotation: { passOver: ['n1'] } };
    assert.deepEqual(wanted(spec, [shut], going), ['other']);
    assert.equal(wanted(DAILY, [shut], { deletionTimestamp: LAST }), undefined);
    assert.equal(wanted({ encryption: 'rot13' } as unknown as Spec, [], going), undefined);
  });
});
