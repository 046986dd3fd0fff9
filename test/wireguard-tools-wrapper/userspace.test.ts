import { UserspaceWireGuard } from 'wireguard-tools-wrapper';
import { run } from './live/oracle.ts';
import { liveSuite } from './live/suite.ts';

/** A namespace without a way out: random endpoints get no packets. The UAPI sockets are in the common folder. */
const namespace = `wgt${process.pid}`;

describe('wireguard-tools-wrapper on wireguard-go', () => {
  before(() => run('ip', 'netns', 'add', namespace));
  after(() => run('ip', 'netns', 'del', namespace));

  describe('beside wg', () => {
    liveSuite({
      open: () => new UserspaceWireGuard(),
      addDevice: async (name) => {
        await run('ip', 'netns', 'exec', namespace, 'wireguard-go', name);
      },
      ip: (...args) => run('ip', '-n', namespace, ...args),
    });
  });
});
