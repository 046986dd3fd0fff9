/** Dumps read one after another: what did not change is the same object again, and what is read is the same as without a memory. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Device, type PeerChange, PresharedKey } from 'wireguard-tools-wrapper';
import { DeviceDecoder, type DumpMemory } from '../../tunnels/wireguard-tools-wrapper/src/netlink/decode.ts';
import { encodeChange, SET_MESSAGE_BYTES } from '../../tunnels/wireguard-tools-wrapper/src/netlink/encode.ts';
import { MessageWriter } from '../../tunnels/wireguard-tools-wrapper/src/netlink/writer.ts';
import { manyPeers, manyPrefixes } from './live/many.ts';

const HEADERS = 20;
/** Peers, and prefixes of one peer, that fit into a message here: as few, so that a few peers are many messages. */
const MOST_PEERS = 5;
const MOST_PREFIXES = 40;

/** As the kernel does it: a peer whose list does not fit goes on in the next message. */
function inMessages(peers: readonly PeerChange[]): readonly (readonly PeerChange[])[] {
  const all: PeerChange[][] = [[]];
  for (const { allowedIps = [], ...peer } of peers) {
    if (all.at(-1)?.length === MOST_PEERS) all.push([]);
    all.at(-1)?.push({ ...peer, allowedIps: allowedIps.slice(0, MOST_PREFIXES) });
    for (let at = MOST_PREFIXES; at < allowedIps.length; at += MOST_PREFIXES)
      all.push([{ publicKey: peer.publicKey, allowedIps: allowedIps.slice(at, at + MOST_PREFIXES) }]);
  }
  return all;
}

function dump(all: readonly PeerChange[], memory?: DumpMemory): Device {
  const decoder = new DeviceDecoder('wg0', memory);
  const writer = new MessageWriter(SET_MESSAGE_BYTES);
  for (const peers of inMessages(all))
    for (const message of encodeChange(writer, 'wg0', { peers })) {
      decoder.push(message, HEADERS, message.length);
      message.fill(0xff, HEADERS); // the next one is read into the same memory
    }
  return decoder.finish();
}

/** Secrets revealed. */
function plain({ peers }: Device): unknown {
  return peers.map((peer) => ({ ...peer, presharedKey: peer.presharedKey?.reveal() }));
}

describe('dumps read one after another', () => {
  it('a peer that did not change is the same object, and so is what did not change of another', () => {
    const peers = manyPeers(40);
    const memory: DumpMemory = [];
    const before = dump(peers, memory).peers;
    const counted = peers.map((peer, i) => (i === 7 ? { ...peer, persistentKeepalive: 99 } : peer));
    const after = dump(counted, memory).peers;
    assert.deepEqual(
      after.flatMap((peer, i) => (peer === before[i] ? [] : [i])),
      [7],
    );
    assert.equal(after[7]?.persistentKeepalive, 99);
    assert.equal(after[7]?.allowedIps, before[7]?.allowedIps);
    assert.equal(after[7]?.endpoint, before[7]?.endpoint);
    assert.deepEqual(plain(dump(peers, memory)), plain(dump(peers)), 'back to what it was');
  });

  it('reads the same as without a memory, whatever changed, came and went between two dumps', () => {
    const all = manyPeers(30);
    const changed: readonly ((peer: PeerChange) => PeerChange)[] = [
      (peer) => peer,
      (peer) => ({ ...peer, persistentKeepalive: 99 }),
      (peer) => ({ ...peer, endpoint: { address: '2001:db8:ffff::1', port: 9 } }),
      (peer) => ({ ...peer, presharedKey: PresharedKey.fromBytes(new Uint8Array(32).fill(7)) }),
      (peer) => ({ ...peer, allowedIps: [...(peer.allowedIps ?? []), '192.0.2.0/24'] }),
      (peer) => ({ ...peer, allowedIps: manyPrefixes(90) }),
    ];
    const peer = fc.record({ at: fc.nat(all.length - 1), how: fc.nat(changed.length - 1) });
    const peers = fc
      .uniqueArray(peer, { selector: ({ at }) => at, maxLength: all.length })
      .map((few) => few.flatMap(({ at, how }) => (all[at] && changed[how] ? [changed[how](all[at])] : [])));
    fc.assert(
      fc.property(fc.array(peers, { minLength: 2, maxLength: 5 }), (dumps) => {
        const memory: DumpMemory = [];
        for (const one of dumps) assert.deepEqual(plain(dump(one, memory)), plain(dump(one)));
      }),
    );
  });
});
