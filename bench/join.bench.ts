// kernel bench
/** One node joins a mesh that stands: what is written, and the CPU time from its record to the kernel. */
import { parseRecord } from '../mesh/record.ts';
import type { PeerStatus } from '../mesh/types.ts';
import type { Dataplane } from '../tunnels/dataplane.ts';
import { metadataOf, records, SELF } from './cluster.ts';
import { addUnderlay, clean, ownCpu } from './machine.ts';
import { desired, established, openDataplane, setAll, wanted } from './mesh.ts';
import { median, row } from './rows.ts';

const JOINS = 11;

interface Join {
  readonly cpu: number;
  readonly milliseconds: number;
  readonly changes: readonly string[];
}

addUnderlay();
const cpu = new Map<number, number>();
for (const count of [500, 5000]) {
  const joins = await measure(count);
  const where = `${count} nodes`;
  const typical = median(joins.map((join) => join.cpu));
  cpu.set(count, typical);
  row({ what: 'one joins: CPU', where, value: typical * 1000, unit: 'CPU ms' });
  row({
    what: 'one joins: record to kernel',
    where,
    value: median(joins.map((join) => join.milliseconds)),
    unit: 'ms',
  });
  const writes = joins.at(-1)?.changes ?? [];
  // Its peer, and a route for each of its two prefixes and two addresses.
  row({ what: 'one joins: kernel writes', where, value: writes.length, unit: 'writes', mark: { atMost: 5 } });
}
const ratio = (cpu.get(5000) ?? Number.NaN) / (cpu.get(500) ?? Number.NaN);
row({ what: 'one joins: CPU at 5000 : at 500', where: '', value: ratio, unit: 'x', mark: { atMost: 2 } });

async function measure(count: number): Promise<Join[]> {
  const { self, others } = records(count);
  const statuses = new Map(established(others.map(({ name }) => name)));
  const dataplane = await openDataplane();
  const settle = () => setAll(dataplane, wanted(self, others, statuses));
  await settle();
  await settle();
  const joins: Join[] = [];
  for (let join = 0; join < JOINS; join += 1) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    const record = parseRecord(metadataOf(SELF + 1 + others.length));
    const began = { cpu: ownCpu(), time: performance.now() };
    others.push(record);
    const known: [string, PeerStatus][] = [...established([record.name])];
    for (const [node, status] of known) statuses.set(node, status);
    const changes = await write(dataplane, wanted(self, others, statuses));
    joins.push({ cpu: ownCpu() - began.cpu, milliseconds: performance.now() - began.time, changes });
  }
  await dataplane.close();
  clean();
  return joins;
}

async function write(dataplane: Dataplane, mesh: ReturnType<typeof wanted>): Promise<readonly string[]> {
  const { changes, errors } = await dataplane.set(desired(mesh));
  if (errors.length > 0) throw new Error(errors[0]?.message);
  return changes.map(({ what }) => what);
}
