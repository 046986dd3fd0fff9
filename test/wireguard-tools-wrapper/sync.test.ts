import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  type Config,
  type Device,
  type Peer,
  type PeerChange,
  type PublicKey,
  syncChange,
} from 'wireguard-tools-wrapper';
import { configPair } from './live/arbitraries.ts';

type Table = Map<PublicKey, PeerChange>;

/** The slow twin of the device: applies one peer change after another; who held each prefix after each step. */
function apply(table: Table, change: PeerChange): void {
  const {
    publicKey,
    remove,
    allowedIps = [],
    removeAllowedIps = [],
    replaceAllowedIps,
    updateOnly,
    ...settings
  } = change;
  if (remove) {
    table.delete(publicKey);
    return;
  }
  const before = table.get(publicKey);
  if (before === undefined && updateOnly) return;
  const held = new Set(replaceAllowedIps ? [] : before?.allowedIps);
  for (const prefix of allowedIps) {
    for (const [key, other] of table) {
      table.set(key, { ...other, allowedIps: (other.allowedIps ?? []).filter((ip) => ip !== prefix) });
    }
    held.add(prefix);
  }
  for (const prefix of removeAllowedIps) held.delete(prefix);
  table.set(publicKey, { ...before, ...settings, publicKey, allowedIps: [...held] });
}

function tableOf(config: Config): Table {
  const table: Table = new Map();
  for (const peer of config.peers) apply(table, peer);
  return table;
}

function deviceOf({ privateKey, listenPort = 1, fwmark }: Config, table: Table): Device {
  const peers = [...table.values()].map(
    ({ publicKey, presharedKey, endpoint, persistentKeepalive = 0, allowedIps = [] }): Peer => ({
      publicKey,
      ...(presharedKey && { presharedKey }),
      ...(endpoint && { endpoint }),
      persistentKeepalive,
      allowedIps,
      receivedBytes: 0,
      sentBytes: 0,
      protocolVersion: 1,
    }),
  );
  return { name: 'wg0', ...(privateKey && { privateKey }), listenPort, fwmark: fwmark ?? 0, peers };
}

/** Settings as a device shows them, in an order of their own. */
function summary(table: Table): unknown {
  return [...table.values()]
    .map(({ publicKey, presharedKey, persistentKeepalive, allowedIps = [] }) => [
      publicKey,
      presharedKey?.reveal(),
      persistentKeepalive || 0,
      [...allowedIps].sort(),
    ])
    .sort();
}

function holders(table: Table): Set<string> {
  return new Set([...table.values()].flatMap(({ allowedIps = [] }) => allowedIps));
}

describe('syncChange', () => {
  it('leads from any configuration to any other, without a gap, and then asks for nothing', () => {
    fc.assert(
      fc.property(configPair, ([first, second]) => {
        const table = tableOf(first);
        const wanted = tableOf(second);
        const change = syncChange(deviceOf(first, table), second);
        const always = [...holders(table)].filter((prefix) => holders(wanted).has(prefix));
        for (const peer of change?.peers ?? []) {
          apply(table, peer);
          for (const prefix of always) assert.ok(holders(table).has(prefix), prefix);
        }
        assert.deepEqual(summary(table), summary(wanted));
        assert.equal(syncChange(deviceOf(second, table), second), undefined);
      }),
    );
  });

  it('never replaces what is there', () => {
    fc.assert(
      fc.property(configPair, ([first, second]) => {
        const change = syncChange(deviceOf(first, tableOf(first)), second);
        assert.ok(!change?.replacePeers);
        for (const peer of change?.peers ?? []) assert.ok(!peer.replaceAllowedIps);
      }),
    );
  });
});
