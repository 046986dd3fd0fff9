/** The dataplane of one node, in its namespace: does what it is told on standard input, a line of JSON each: `[id, verb, argument]`. */
import { createInterface } from 'node:readline';
import { createDataplane } from '../../../tunnels/create.ts';
import { desiredOf, type Wanted } from '../../simulation/contract/world.ts';

const [stateDir = '', node = '', size = ''] = process.argv.slice(2);
const dataplane = await createDataplane({ stateDir, userspace: 'never' });

const verbs: Readonly<Record<string, (argument: Wanted) => Promise<unknown>>> = {
  set: (wanted) => dataplane.set(desiredOf(Number(node), Number(size), wanted)),
  observe: () => dataplane.observe(),
};

for await (const line of createInterface({ input: process.stdin })) {
  const [id, verb, argument] = JSON.parse(line) as [number, string, Wanted];
  const answer = await verbs[verb]?.(argument).then(
    (value) => ({ value }),
    (error: unknown) => ({ error: error instanceof Error ? error.stack : String(error) }),
  );
  process.stdout.write(`${JSON.stringify([id, answer])}\n`);
}
