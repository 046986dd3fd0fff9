import assert from 'node:assert/strict';
import fc from 'fast-check';
import { plan } from '../../mesh/plan.ts';
import { planRoutes } from '../../mesh/routes.ts';
import type { MeshConfig, MeshPlan, PeerState, PeerStatus, RouteEntry, RoutePlan } from '../../mesh/types.ts';
import { config, generationsText, noEvidence, prefix, recordOf } from './fixtures.ts';

const two = (i: number): ReturnType<typeof recordOf> =>
  recordOf(i, { 'sheath.dev/generations': generationsText(`n${i}`, 6, 7), 'sheath.dev/sending': '6,7' });

function meshOf(changes: Partial<MeshConfig> = {}): MeshPlan {
  const [self, ...others] = [two(1), two(2), two(3)];
  return plan({ self, records: others, config: { ...config, ...changes }, evidence: noEvidence });
}

function statuses(
  ...list: readonly (readonly [node: string, state: PeerState, generation: number])[]
): ReadonlyMap<string, PeerStatus> {
  return new Map(
    list.map(([node, state, generation]) => [
      node,
      { node, state, generation, since: 0, receivedBytes: 0, sentBytes: 0 },
    ]),
  );
}

function routeText({ table, prefix: to, action }: RouteEntry): string {
  if (action.type === 'throw') return `${table} throw ${to}`;
  return `${table} ${to} dev ${action.device}${action.source === undefined ? '' : ` src ${action.source}`}`;
}

function text({ routes, rules }: RoutePlan): readonly string[] {
  return [
    ...routes.map(routeText),
    ...rules.map((rule) =>
      rule.kind === 'from'
        ? `${rule.priority} v${rule.family} from ${rule.from} lookup ${rule.table}`
        : `${rule.priority} v${rule.family} ${rule.kind === 'marked' ? '' : 'not '}fwmark ${rule.mark}/${rule.mask} lookup ${rule.table}`,
    ),
  ];
}

const THROWS = ['51830 throw 10.100.1.0/24', '51830 throw fd00:10:244:1::/64'];
const RULES = ['95 v4 not fwmark 4096/4096 lookup 51830', '95 v6 not fwmark 4096/4096 lookup 51830'];

describe('planRoutes', () => {
  it('knows own pods by a mark where they have single addresses, and moves to it with the same routes', () => {
    const routed = statuses(['n2', 'routed', 7], ['n3', 'routed', 7]);
    const before = planRoutes(meshOf(), routed);
    const after = planRoutes(meshOf({ prefixSource: 'pods' }), routed);
    assert.deepEqual(after.routes, before.routes);
    assert.deepEqual(text({ routes: [], rules: after.rules }), [
      '94 v4 fwmark 8192/8192 lookup 51831',
      '94 v6 fwmark 8192/8192 lookup 51831',
      ...RULES,
    ]);
    const whole = planRoutes(meshOf({ prefixSource: 'pods', scope: 'nodes' }), routed);
    assert.deepEqual(text({ routes: [], rules: whole.rules }), RULES);
  });

  it('scope pods', () => {
    assert.deepEqual(text(planRoutes(meshOf(), statuses(['n2', 'routed', 7], ['n3', 'established', 6]))), [
      ...THROWS,
      '51830 10.100.2.0/24 dev sheath1 src 192.0.2.1',
      '51830 fd00:10:244:2::/64 dev sheath1 src 2001:db8::2',
      '51830 10.100.3.0/24 dev sheath0 src 192.0.2.1',
      '51830 fd00:10:244:3::/64 dev sheath0 src 2001:db8::2',
      '51831 192.0.2.2/32 dev sheath1',
      '51831 2001:db8::3/128 dev sheath1',
      '51831 192.0.2.3/32 dev sheath0',
      '51831 2001:db8::4/128 dev sheath0',
      '94 v4 from 10.100.1.0/24 lookup 51831',
      '94 v6 from fd00:10:244:1::/64 lookup 51831',
      ...RULES,
    ]);
  });

  it('scope nodes', () => {
    assert.deepEqual(text(planRoutes(meshOf({ scope: 'nodes' }), statuses(['n2', 'degraded', 7]))), [
      ...THROWS,
      '51830 10.100.2.0/24 dev sheath1 src 192.0.2.1',
      '51830 fd00:10:244:2::/64 dev sheath1 src 2001:db8::2',
      '51830 192.0.2.2/32 dev sheath1 src 192.0.2.1',
      '51830 2001:db8::3/128 dev sheath1 src 2001:db8::2',
      ...RULES,
    ]);
  });

  it('exempt: thrown, and no route inside it', () => {
    const exempt = [
      prefix('192.0.2.2/32'),
      prefix('10.100.2.16/28'),
      prefix('10.100.3.0/24'),
      prefix('2001:db8::/64'),
    ];
    const lines = text(
      planRoutes(meshOf({ scope: 'nodes', exempt }), statuses(['n2', 'routed', 7], ['n3', 'routed', 7])),
    );
    assert.deepEqual(
      lines.filter((line) => line.includes('throw')),
      [...THROWS, ...exempt.map((item) => `51830 throw ${item}`)],
    );
    assert.deepEqual(
      lines.filter((line) => line.includes('dev')),
      [
        '51830 10.100.2.0/24 dev sheath1 src 192.0.2.1',
        '51830 fd00:10:244:2::/64 dev sheath1 src 2001:db8::2',
        '51830 fd00:10:244:3::/64 dev sheath1 src 2001:db8::2',
        '51830 192.0.2.3/32 dev sheath1 src 192.0.2.1',
      ],
    );
  });

  const states: readonly (readonly [PeerState, boolean])[] = [
    ['unknown', false],
    ['configured', false],
    ['established', true],
    ['routed', true],
    ['degraded', true],
    ['refused', false],
  ];
  for (const [state, has] of states)
    it(`${state} has ${has ? 'a' : 'no'} route`, () => {
      const { routes, rules } = planRoutes(meshOf(), statuses(['n2', state, 7]));
      assert.equal(
        routes.some(({ action }) => action.type === 'device'),
        has,
      );
      assert.equal(rules.length > 0, has);
    });

  it('has nothing, no throw either, without a peer that is routed', () => {
    assert.deepEqual(planRoutes(meshOf(), new Map()), { routes: [], rules: [] });
    assert.deepEqual(planRoutes(meshOf({ encryption: 'none' }), statuses(['n2', 'routed', 7])), {
      routes: [],
      rules: [],
    });
  });

  it('has no route on a generation that left the plan', () => {
    assert.deepEqual(planRoutes(meshOf(), statuses(['n2', 'routed', 5])).routes, []);
  });

  it('gives the same objects while nothing changed', () => {
    const mesh = meshOf();
    const first = planRoutes(mesh, statuses(['n2', 'routed', 7], ['n3', 'routed', 7]));
    const second = planRoutes(mesh, statuses(['n2', 'routed', 7], ['n3', 'routed', 6]));
    const pair = (routes: RoutePlan, to: string): RouteEntry | undefined =>
      routes.routes.find((route) => route.prefix === to);
    assert.equal(pair(first, '10.100.2.0/24'), pair(second, '10.100.2.0/24'));
    assert.notDeepEqual(pair(first, '10.100.3.0/24'), pair(second, '10.100.3.0/24'));
  });

  it('gives the very same plan while nothing changed at all', () => {
    const mesh = meshOf();
    const first = planRoutes(mesh, statuses(['n2', 'routed', 7]));
    assert.equal(planRoutes({ ...mesh }, statuses(['n2', 'degraded', 7])), first);
    const { routing } = mesh;
    for (const change of [
      { ownPrefixes: [] },
      { ownAddresses: [] },
      { scope: 'nodes' },
      { exempt: [prefix('10.9.0.0/16')] },
      { routing: { ...routing, rulePriority: 1 } },
    ] as const)
      assert.notDeepEqual(planRoutes({ ...mesh, ...change }, statuses(['n2', 'routed', 7])), first);
  });

  it('is the same whatever was planned before', () => {
    const mesh = meshOf();
    const state = fc.constantFrom<PeerState>('configured', 'established', 'routed', 'degraded');
    const step = fc.record({ n2: state, n3: state, on: fc.constantFrom(6, 7), without: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 8 }), (steps) => {
        for (const { n2, n3, on, without } of steps) {
          const peers = without ? mesh.peers.slice(1) : mesh.peers;
          const seen = statuses(['n2', n2, on], ['n3', n3, 7]);
          const kept = planRoutes({ ...mesh, peers }, seen);
          assert.deepEqual(kept, planRoutes({ ...mesh, peers, devices: [...mesh.devices] }, seen));
        }
      }),
    );
  });
});
