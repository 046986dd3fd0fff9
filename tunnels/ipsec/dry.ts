/** For `preview`: what reads goes through, what writes goes nowhere. */
import type { Daemon, Vici } from './daemon.ts';
import type { Xfrm } from './xfrm/types.ts';
import { openXfrm } from './xfrm/xfrm.ts';

const READS: ReadonlySet<string> = new Set(['version', 'get-keys', 'get-conns']);

/** A charon that is not there is not started: then nothing is loaded. */
export function dryDaemon(daemon: Daemon): Daemon {
  const client: Vici = {
    request: async (command, message, options) =>
      READS.has(command) ? daemon.client.request(command, message, options).catch(() => ({})) : {},
    // All that streams here are lists.
    stream: async (command, event, options) =>
      (await daemon.alive()) ? daemon.client.stream(command, event, options) : {},
    subscribe: async () => undefined,
  };
  return {
    client,
    get epoch() {
      return daemon.epoch;
    },
    ready: async () => undefined,
    alive: () => daemon.alive(),
    stop: async () => undefined,
    close: () => daemon.close(),
  };
}

export function dryXfrm(): Xfrm {
  const xfrm = openXfrm();
  return {
    policies: (isOurs) => xfrm.policies(isOurs),
    policyCount: () => xfrm.policyCount(),
    states: (isOurs) => xfrm.states(isOurs),
    write: async (writes) => writes.map(() => undefined),
    close: () => xfrm.close(),
  };
}
