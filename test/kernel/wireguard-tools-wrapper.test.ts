import { KernelWireGuard } from 'wireguard-tools-wrapper';
import { run } from '../wireguard-tools-wrapper/live/oracle.ts';
import { liveSuite } from '../wireguard-tools-wrapper/live/suite.ts';

describe('wireguard-tools-wrapper on the kernel', () => {
  liveSuite({
    open: () => new KernelWireGuard(),
    addDevice: async (name) => {
      await run('ip', 'link', 'add', name, 'type', 'wireguard');
    },
    ip: (...args) => run('ip', ...args),
  });
});
