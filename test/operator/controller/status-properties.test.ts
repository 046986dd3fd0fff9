import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { MeshStatus } from '../../../operator/config/resource.ts';
import type { Spec } from '../../../operator/config/schema.ts';
import { statusSchema } from '../../../operator/config/status-schema.ts';
import { wantedFinalizers } from '../../../operator/controller/finalizer.ts';
import { happenings } from '../../../operator/controller/happenings.ts';
import { schedule } from '../../../operator/controller/schedule.ts';
import { meshStatus } from '../../../operator/controller/status.ts';
import { mesh, node } from './cluster.ts';

const NOW = Date.parse('2026-06-01T12:00:00Z');
const generation = fc.integer({ min: 1, max: 4 });
const some = fc.uniqueArray(generation, { maxLength: 2 }).map((numbers) => numbers.sort());
const anyNodes = fc.uniqueArray(fc.nat({ max: 40 }), { maxLength: 12 }).chain((names) =>
  fc.tuple(
    ...names
      .sort((a, b) => (`n${a}` < `n${b}` ? -1 : 1))
      .map((name) =>
        fc
          .record({
            held: some,
            sending: fc.uniqueArray(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }),
            agent: fc.constantFrom(null, {}, { mode: 'strict' }, { cannot: ['wireguard: no module'] }),
            labels: fc.constantFrom({}, { wave: '1' }, { 'kubernetes.io/os': 'windows' }),
          })
          .map((options) => node(`n${name}`, { ...options, sending: options.sending.sort() })),
      ),
  ),
);
const anySpec: fc.Arbitrary<Spec> = fc.record(
  {
    encryption: fc.constantFrom('none' as const, 'wireguard' as const),
    mode: fc.constantFrom('strict' as const, 'permissive' as const),
    generation,
    nodeSelector: fc.constantFrom({}, { matchLabels: { wave: '1' } }),
    rotation: fc.constantFrom({}, { interval: '1h' }, { passOver: ['n1', 'n2'] }),
  },
  { requiredKeys: ['encryption'] },
);
const anyMetadata = fc.constantFrom({}, { deletionTimestamp: '2026-06-01T11:00:00Z' });

describe('the status, of any nodes and any wish', () => {
  it('fits its schema, counts right, and does not change by itself', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(anyNodes, anySpec, anyMetadata), { minLength: 1, maxLength: 4 }),
        (story) => {
          let previous: MeshStatus | undefined;
          for (const [index, [nodes, spec, metadata]] of story.entries()) {
            const seen = mesh(spec, metadata);
            const now = NOW + index * 60_000;
            const status = meshStatus({ mesh: seen, nodes, previous, now });
            assert.deepEqual(statusSchema.parse(status), status);
            const { total = 0, encrypted = 0, summary, waiting = [] } = status.nodes ?? {};
            assert.equal(summary, `${encrypted}/${total}`);
            assert.ok(waiting.length <= 20);
            assert.deepEqual(
              [...waiting].sort((a, b) => (a.node < b.node ? -1 : 1)),
              waiting,
            );
            const { rotation } = status;
            if (rotation !== undefined) {
              assert.ok(rotation.from < rotation.to);
              assert.ok(rotation.withdrawn <= rotation.switched && rotation.switched <= rotation.published);
              assert.ok(rotation.published <= rotation.total);
            }
            const again = meshStatus({ mesh: seen, nodes, previous: status, now: now + 1000 });
            assert.deepEqual(again, status);
            assert.deepEqual(happenings({ mesh: seen, nodes, previous: status, status: again, now }), []);
            previous = status;
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('lets no rotation begin beside another, and nothing go that is shut', () => {
    fc.assert(
      fc.property(anyNodes, anySpec, anyMetadata, (nodes, spec, metadata) => {
        const seen = mesh(spec, { ...metadata, finalizers: ['sheath.dev/disable-first'] });
        const status = { ...meshStatus({ mesh: seen, nodes, previous: undefined, now: NOW }) };
        const next = schedule({ mesh: seen, nodes, status, now: NOW + 24 * 3_600_000 });
        const passOver = spec.rotation?.passOver ?? [];
        const others = nodes.filter(({ name }) => !passOver.includes(name));
        if (next.kind === 'raise') {
          assert.equal(status.rotation, undefined);
          assert.equal(next.generation, (spec.generation ?? 1) + 1);
        }
        if (wantedFinalizers(seen, nodes)?.length === 0)
          for (const { record } of others)
            assert.ok(record.generations.length === 0 && record.agent?.mode !== 'strict');
      }),
      { numRuns: 500 },
    );
  });
});
