/**
 * `npm run demo`: three nodes, encryption on, a node killed and back, encryption off. Ends with 0 only if every claim that it
 * prints was measured and holds. `-- --encryption ipsec` tells it with IPsec.
 */

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Inodes, leftovers, namespacesOf } from './demo-leftovers.ts';
import { Narrator } from './demo-print.ts';
import { Demo } from './demo-story.ts';
import { labDown } from './nodes/lab.ts';

const NAME = 'demo';
const PROGRAM = fileURLToPath(new URL('../dist/sheath.mjs', import.meta.url));

const stop = new AbortController();
// More than one Ctrl-C must not cut the cleaning short.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort());

const narrator = new Narrator(process.stdout, () => performance.now());
const demo = new Demo({
  name: NAME,
  driver: driverAsked(),
  program: [process.execPath, PROGRAM],
  narrator,
  signal: stop.signal,
});
let namespaces: Inodes = new Set();
try {
  await labDown(NAME);
  await demo.tell();
} catch (error) {
  narrator.failed(stop.signal.aborted ? 'interrupted' : messageOf(error));
} finally {
  namespaces = await namespacesOf(NAME);
  await demo.close();
  await labDown(NAME).catch((error: unknown) => narrator.failed(messageOf(error)));
}

narrator.step('Cleaned up');
const left = await leftovers(NAME, namespaces);
narrator.show(left);
narrator.claim(`${left.length} namespaces, processes and folders of the demo are left`, left.length === 0);
process.exitCode = narrator.end() ? 0 : 1;

function driverAsked(): 'wireguard' | 'ipsec' {
  try {
    const { values } = parseArgs({ options: { encryption: { type: 'string', default: 'wireguard' } } });
    if (values.encryption === 'wireguard' || values.encryption === 'ipsec') return values.encryption;
    throw new Error(`--encryption ${values.encryption}: expected wireguard or ipsec`);
  } catch (error) {
    process.stderr.write(`demo: ${messageOf(error)}\n`);
    process.exit(2);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
