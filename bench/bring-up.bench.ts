// kernel bench
/** From records to a kernel that has every peer and route, against the same by hand. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { byHand } from './by-hand.ts';
import { records } from './cluster.ts';
import { addUnderlay, clean, sh } from './machine.ts';
import { established, openDataplane, privateKey, setAll, wanted } from './mesh.ts';
import { median, row } from './rows.ts';

const ROUNDS = 5;

addUnderlay();
for (const count of [100, 1000, 5000]) {
  const { self, others } = records(count);
  const statuses = established(others.map(({ name }) => name));
  const { plan, routes } = wanted(self, others, statuses);
  const firewall = await firewallOfOurs();
  const folder = mkdtempSync(path.join(tmpdir(), 'by-hand-'));
  const reference = byHand({ plan, routes, privateKey, firewall }, folder);
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    // Fresh records: nothing is remembered of the round before.
    const fresh = records(count);
    const began = performance.now();
    const dataplane = await openDataplane();
    await setAll(dataplane, wanted(fresh.self, fresh.others, statuses));
    ours.push(performance.now() - began);
    await dataplane.close();
    // The socket is closed in a later turn of the event loop, which `clean` would hold up.
    await new Promise((resolve) => setTimeout(resolve, 20));
    clean();
    theirs.push(reference.bringUp());
    clean();
  }
  const where = `${count} peers`;
  row({ what: 'records to kernel', where, value: median(ours), unit: 'ms' });
  row({ what: 'wg syncconf, ip -batch, nft -f', where, value: median(theirs), unit: 'ms' });
  row({
    what: 'records to kernel : by hand',
    where,
    value: median(ours) / median(theirs),
    unit: 'x',
    mark: { atMost: 1.5 },
  });
}

/** What our firewall is in a mesh of one peer: it depends on this node alone. */
async function firewallOfOurs(): Promise<string | undefined> {
  const { self, others } = records(1);
  const dataplane = await openDataplane();
  await setAll(dataplane, wanted(self, others, established(others.map(({ name }) => name))));
  await dataplane.close();
  try {
    return sh('nft -s list tables').includes('inet sheath') ? sh('nft -s list table inet sheath') : undefined;
  } finally {
    clean();
  }
}
