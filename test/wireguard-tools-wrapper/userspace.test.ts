import { UserspaceWireGuard } from 'wireguard-tools-wrapper';
import { allowedIpSuite } from './live/allowed-ips.ts';
import { run } from './live/oracle.ts';
import { type Implementation, liveSuite } from './live/suite.ts';

/** A namespace without a way out: random endpoints get no packets. The UAPI sockets are in the common folder. */
const namespace = `wgt${process.pid}`;

const userspace: Implementation = {
  open: () => new UserspaceWireGuard(),
  addDevice: async (name) => {
    await run('ip', 'netns', 'exec', namespace, 'wireguard-go', name);
  },
  ip: (...args) => run('ip', '-n', namespace, ...args),
};

describe('wireguard-tools-wrapper on wireguard-go', () => {
  before(() => run('ip', 'netns', 'add', namespace));
  after(() => run('ip', 'netns', 'del', namespace));

  describe('beside wg', () => liveSuite(userspace));
  describe('with prefixes on the move', () => allowedIpSuite(userspace));
});
