/** A dataplane in a namespace, which does what it is told on standard input, a line of JSON each: `[id, verb, argument]`. */
import { createInterface } from 'node:readline';
import { createDataplane } from '../../../tunnels/create.ts';
import type { DesiredState, IkeRefusal } from '../../../tunnels/dataplane.ts';
import type { IpsecSettings } from '../../../tunnels/ipsec/settings.ts';
import { type IpsecShape, ipsecDesired } from './shape.ts';

const [folder = '', settings = '', vici] = process.argv.slice(2);
const said: [IkeRefusal, number][] = [];
const dataplane = await createDataplane({
  stateDir: `${folder}/state`,
  userspace: 'never',
  quiet: 0,
  ipsec: {
    ...(vici === undefined ? { folder: `${folder}/ipsec` } : { vici }),
    log: { path: `${folder}/charon.log`, level: 1 },
    settings: () => JSON.parse(settings) as IpsecSettings,
    onRefusal: (refusal, times) => void said.push([refusal, times]),
  },
});

/** As a plan shares what did not change: the same objects for the same shape. */
const known = new Map<string, DesiredState>();
function desiredOf(shape: IpsecShape): DesiredState {
  const text = JSON.stringify(shape);
  const state = known.get(text) ?? ipsecDesired(shape);
  known.set(text, state);
  return state;
}

const verbs: Record<string, (argument: IpsecShape) => Promise<unknown>> = {
  set: (shape) => dataplane.set(desiredOf(shape)),
  preview: (shape) => dataplane.preview(desiredOf(shape)),
  observe: () => dataplane.observe(),
  said: async () => said,
  close: () => dataplane.close(),
};

for await (const line of createInterface({ input: process.stdin })) {
  const [id, verb, argument] = JSON.parse(line) as [number, string, IpsecShape];
  const answer = await verbs[verb]?.(argument).then(
    (value) => ({ value: value ?? null }),
    (error: unknown) => ({ error: error instanceof Error ? error.stack : String(error) }),
  );
  process.stdout.write(`${JSON.stringify([id, answer])}\n`);
}
