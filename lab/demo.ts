/** `npm run demo`: three nodes, encryption on, a node killed and back, encryption off. Ends with 0 only if every claim was borne out. */
import { fileURLToPath } from 'node:url';
import { Narrator } from './demo-print.ts';
import { Demo } from './demo-story.ts';
import { labDown } from './nodes/lab.ts';

const NAME = 'demo';
const PROGRAM = fileURLToPath(new URL('../dist/sheath.mjs', import.meta.url));

const stop = new AbortController();
// More than one Ctrl-C must not cut the cleaning short.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort());

const narrator = new Narrator(process.stdout, () => performance.now());
const demo = new Demo({ name: NAME, program: [process.execPath, PROGRAM], narrator, signal: stop.signal });
try {
  await demo.tell();
} catch (error) {
  narrator.claim(stop.signal.aborted ? 'it was not interrupted' : `no error: ${messageOf(error)}`, false);
} finally {
  await demo.close();
  await labDown(NAME);
}
await demo.sum();
const failed = narrator.claims.filter(({ holds }) => !holds);
process.exitCode = failed.length === 0 ? 0 : 1;

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
