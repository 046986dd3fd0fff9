/** Packets between pods, counted. */
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Exchange {
  readonly sent: number;
  readonly received: number;
}

/** Packets both ways between two pods: so many, `rate` a second; the last is waited for, as an interrupted ping would not. */
export function exchange(
  from: number,
  to: string,
  options: { count: number; rate?: number },
): Promise<Exchange> {
  const every = (1 / (options.rate ?? 250)).toFixed(4);
  const args = ['-q', '-i', every, '-W', '2', '-c', String(options.count), to];
  const child = spawn('ip', ['netns', 'exec', `pod${from}`, 'ping', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (piece) => {
    output += String(piece);
  });
  return new Promise((resolve) => {
    child.once('close', () => {
      const [, sent = '', received = ''] = /(\d+) packets transmitted, (\d+) received/.exec(output) ?? [];
      resolve({ sent: Number(sent), received: Number(received) });
    });
  });
}

/** From the pod of a node, by its number, to an address. */
export type Flow = readonly [from: number, to: string];

export const podOf = (n: number): string => `10.244.${n}.2`;
export const podOf6 = (n: number): string => `fd00:10:244:${n}::2`;

/** Each flow at 250 packets a second, while something happens. @returns how many each lost */
export async function during(
  flows: readonly Flow[],
  seconds: number,
  happens: () => Promise<unknown> = async () => undefined,
): Promise<number[]> {
  const count = seconds * 250;
  const under = flows.map(([from, to]) => exchange(from, to, { count }));
  await sleep(500);
  await happens();
  return (await Promise.all(under)).map(({ received }) => count - received);
}
