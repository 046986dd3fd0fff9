/** Two generations side by side, and settings of the routing that change while both live: started in a namespace of its own. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { RoutingConfig } from '../../../mesh/types.ts';
import type { Report } from '../../../tunnels/dataplane.ts';
import { openNetlink } from '../../../tunnels/netlink/rtnetlink.ts';
import { type MeshShape, routing } from '../states.ts';
import { actualLines, expectedLines } from './expected.ts';
import { useMachine } from './fixture.ts';
import { driver, ip, userspace } from './machine.ts';

const mesh = { self: 1, peers: [2, 3, 4] } as const;
const { desired } = driver;
const texts = (report: Report) => report.changes.map(({ action, what }) => `${action} ${what}`);

/** Each differs from the one before in one thing, the last two in the bits of the mark. */
const SETTINGS: readonly RoutingConfig[] = [
  routing,
  { ...routing, table: 4000, podTable: 4001 },
  { ...routing, rulePriority: 50, podRulePriority: 49 },
  { ...routing, fwmark: { mark: 0x20000, mask: 0x20000 } },
  { ...routing, fwmark: { mark: 0x40000, mask: 0xc0000 } },
];

describe(`generations with ${driver.title}`, () => {
  let log: string[] = [];
  const here = useMachine(() => ({
    netlink: () => {
      const netlink = openNetlink();
      return {
        ...netlink,
        write: (writes) => {
          log.push(...writes.map(({ type }) => type));
          return netlink.write(writes);
        },
      };
    },
  }));

  const reach = async (shape: MeshShape): Promise<Report> => {
    const report = await here.machine.set(desired(shape));
    assert.deepEqual(report.errors, []);
    assert.deepEqual(await actualLines(), expectedLines(desired(shape)));
    assert.deepEqual((await here.machine.set(desired(shape))).changes, []);
    return report;
  };
  const index = (name: string) => /^(\d+):/.exec(ip(`-o link show ${name}`))?.[1];

  it('a rotation leaves the device that carries traffic alone, and the slot is used again', async () => {
    await reach({ ...mesh, generations: [7] });
    const old = index('sheath1');
    const begun = await reach({ ...mesh, generations: [7, 8], routesOn: 7 });
    assert.ok(
      texts(begun).every((text) => !text.includes('sheath1')),
      texts(begun).join('\n'),
    );
    const fresh = index('sheath0');
    const switched = await reach({ ...mesh, generations: [7, 8], routesOn: 8 });
    assert.ok(switched.changes.every(({ part, action }) => part === 'route' && action === 'change'));
    assert.equal(await driver.peers('sheath1'), 3, 'what others still send is heard');
    const withdrawn = await reach({ ...mesh, generations: [8] });
    assert.deepEqual(texts(withdrawn), ['remove sheath1']);
    assert.deepEqual(withdrawn.pending, []);
    await reach({ ...mesh, generations: [8, 9], routesOn: 8 });
    assert.notEqual(index('sheath1'), old);
    assert.equal(index('sheath0'), fresh);
  });

  it('a device deleted by hand comes back beside the other', async () => {
    const shape = { ...mesh, generations: [7, 8], routesOn: 8 };
    await reach(shape);
    const kept = index('sheath0');
    ip('link del sheath1');
    await new Promise((resolve) => setTimeout(resolve, 100));
    await reach(shape);
    assert.equal(index('sheath0'), kept);
  });

  it('tables, priorities and the mark change while traffic flows: the new is there before the old goes', async () => {
    await reach({ ...mesh, generations: [7] });
    for (const settings of [...SETTINGS, routing]) {
      log = [];
      await reach({ ...mesh, generations: [7], routing: settings });
      const order = log.filter((type) => type.endsWith('Rule') || type.endsWith('Route'));
      const ranks = order.map((type) => ORDER.indexOf(type));
      assert.deepEqual(
        ranks,
        [...ranks].sort((a, b) => a - b),
        order.join(' '),
      );
    }
  });

  it('own pods are known by a mark where they have single addresses', async () => {
    await reach({ ...mesh, generations: [7], prefixSource: 'pods' });
    await reach({ ...mesh, generations: [7] });
  });

  it('gets from any state of a rotation, and any setting, to any other', async function () {
    this.timeout(120_000);
    const shapes = fc.record({
      self: fc.constant(1),
      peers: fc.constantFrom([2, 3], [3, 4], []),
      generations: fc.constantFrom([7], [7, 8], [8], [8, 9], [9]),
      newest: fc.boolean(),
      routing: fc.constantFrom(...SETTINGS),
      prefixSource: fc.constantFrom('podCIDRs' as const, 'pods' as const),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(shapes, { minLength: 2, maxLength: 4 }), async (walk) => {
        for (const { newest, ...shape } of walk) {
          await reach({ ...shape, routesOn: shape.generations.at(newest ? -1 : 0) ?? 7 });
        }
      }),
      { numRuns: userspace ? 6 : 2 },
    );
  });
});

const ORDER = ['replaceRoute', 'addRule', 'removeRule', 'removeRoute'];
