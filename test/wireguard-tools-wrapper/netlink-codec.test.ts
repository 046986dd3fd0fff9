/** The messages on the wire, byte for byte: each line is one attribute. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  type DeviceChange,
  type Peer,
  type PeerChange,
  PresharedKey,
  PrivateKey,
  publicKeyFromBytes,
} from 'wireguard-tools-wrapper';
import { DeviceDecoder } from '../../tunnels/wireguard-tools-wrapper/src/netlink/decode.ts';
import {
  encodeChange,
  encodeRemovals,
  SET_MESSAGE_BYTES,
} from '../../tunnels/wireguard-tools-wrapper/src/netlink/encode.ts';
import { MessageWriter } from '../../tunnels/wireguard-tools-wrapper/src/netlink/writer.ts';
import { manyPeers, manyPrefixes } from './live/many.ts';

const key = publicKeyFromBytes(new Uint8Array(32).fill(0xaa));
const AA = 'aa'.repeat(32);
const BB = 'bb'.repeat(32);
const HEADERS = 20;

function messages(change: DeviceChange): Buffer[] {
  const writer = new MessageWriter(SET_MESSAGE_BYTES);
  return Array.from(encodeChange(writer, 'wg0', change), (message) => Buffer.from(message));
}

/** Without the netlink header, which the channel completes. */
function hex(message: Buffer | undefined): string {
  return message?.subarray(16).toString('hex') ?? '';
}

const SET_WG0 = ['01010000', '0800020077673000']; // WG_CMD_SET_DEVICE, version 1; IFNAME "wg0"

const ENCODED: readonly { name: string; change: DeviceChange; bytes: readonly string[] }[] = [
  { name: 'nothing', change: {}, bytes: [...SET_WG0, '04000880'] },
  {
    name: 'a device',
    change: {
      listenPort: 51820,
      fwmark: 0x1000,
      replacePeers: true,
      privateKey: PrivateKey.fromBytes(Buffer.from(BB, 'hex')),
    },
    bytes: [
      ...SET_WG0,
      '0800050001000000',
      `24000300${BB}`,
      '060006006cca0000',
      '0800070000100000',
      '04000880',
    ],
  },
  {
    name: 'what is cleared',
    change: { privateKey: null, fwmark: null, peers: [{ publicKey: key, presharedKey: null }] },
    bytes: [
      ...SET_WG0,
      `24000300${'00'.repeat(32)}`,
      '0800070000000000',
      '54000880',
      '50000080',
      `24000100${AA}`,
      `24000200${'00'.repeat(32)}`,
      '04000980',
    ],
  },
  {
    name: 'a peer with all it can have',
    change: {
      peers: [
        {
          publicKey: key,
          presharedKey: PresharedKey.fromBytes(Buffer.from(BB, 'hex')),
          endpoint: { address: '192.0.2.1', port: 51820 },
          persistentKeepalive: 25,
          replaceAllowedIps: true,
          updateOnly: true,
          allowedIps: ['10.1.2.0/24', 'fd00::/8'],
        },
      ],
    },
    bytes: [
      ...SET_WG0,
      'bc000880',
      'b8000080',
      `24000100${AA}`,
      '0800030006000000',
      `24000200${BB}`,
      '140004000200ca6cc00002010000000000000000',
      '0600050019000000',
      '48000980',
      '1c000080',
      '0600010002000000',
      '080002000a010200',
      '0500030018000000',
      '28000080',
      '060001000a000000',
      '14000200fd000000000000000000000000000000',
      '0500030008000000',
    ],
  },
  {
    name: 'an endpoint of IPv6 with a zone, and a peer to remove',
    change: { peers: [{ publicKey: key, remove: true, endpoint: { address: 'fe80::1%7', port: 1 } }] },
    bytes: [
      ...SET_WG0,
      '58000880',
      '54000080',
      `24000100${AA}`,
      '0800030001000000',
      '200004000a00000100000000fe80000000000000000000000000000107000000',
      '04000980',
    ],
  },
];

describe('netlink codec', () => {
  for (const { name, change, bytes } of ENCODED) {
    it(`encodes ${name}`, () => {
      const [message, ...others] = messages(change);
      assert.equal(hex(message), bytes.join(''));
      assert.equal(message?.readUInt32LE(0), message?.length);
      assert.deepEqual(others, []);
    });
  }

  it('encodes a prefix to take away', () => {
    const writer = new MessageWriter(SET_MESSAGE_BYTES);
    const [message] = encodeRemovals(writer, 'wg0', [{ publicKey: key, removeAllowedIps: ['10.1.2.0/24'] }]);
    assert.equal(
      hex(message),
      [
        ...SET_WG0,
        '5c000880',
        '58000080',
        `24000100${AA}`,
        '0800030004000000',
        '28000980',
        '24000080',
        '0600010002000000',
        '080002000a010200',
        '0500030018000000',
        '0800040001000000',
      ].join(''),
    );
  });

  it('fills messages, and no attribute is too long', () => {
    const all = messages({ privateKey: PrivateKey.generate(), replacePeers: true, peers: manyPeers(2000) });
    for (const message of all.slice(0, -1)) assert.ok(message.length > 65_000 && message.length < 66_000);
    assert.ok(all.length > 5);
  });

  it('decodes what it encodes, in as many messages as it takes', () => {
    const peers = manyPeers(1500);
    const long = { ...manyPeers(1501)[1500], publicKey: key, allowedIps: manyPrefixes(9000) };
    const decoder = new DeviceDecoder('wg0');
    for (const message of messages({ peers: [...peers, long] }))
      decoder.push(message, HEADERS, message.length);
    const decoded = decoder.finish().peers;
    assert.equal(decoded.length, 1501);
    for (const [i, peer] of [...peers, long].entries()) assert.deepEqual(plain(decoded[i]), plain(peer));
  });

  it('says flags that replace once, and "update only" where a peer goes on', () => {
    const peer = { publicKey: key, replaceAllowedIps: true, allowedIps: manyPrefixes(5000) };
    const [first, ...rest] = messages({ replacePeers: true, peers: [peer] });
    assert.ok(hex(first).includes(`24000100${AA}0800030002000000`));
    assert.ok(rest.length >= 2);
    for (const message of rest) {
      assert.ok(hex(message).startsWith(SET_WG0.join('')));
      assert.ok(hex(message).includes(`24000100${AA}0800030004000000`));
      assert.ok(!hex(message).slice(0, 80).includes('0800050001000000'));
    }
  });

  it('decodes a peer as the kernel dumps it', () => {
    const dumped = Buffer.from(
      [
        'ac000880',
        'a8000080',
        `24000100${AA}`,
        `24000200${'00'.repeat(32)}`,
        '14000600002c6a670000000040420f0000000000', // handshake at 1735011328.001 s
        '0c0008000100000001000000', // tx 2^32 + 1
        '0c0007000200000000000000', // rx 2
        '0600050019000000',
        '08000a0001000000',
        '20000980',
        '1c000080',
        '0600010002000000',
        '080002000a010200',
        '0500030018000000',
      ].join(''),
      'hex',
    );
    const decoder = new DeviceDecoder('wg0');
    decoder.push(dumped, 0, dumped.length);
    assert.deepEqual(decoder.finish().peers, [
      {
        publicKey: key,
        allowedIps: ['10.1.2.0/24'],
        latestHandshake: 1_735_011_328_001,
        receivedBytes: 2,
        sentBytes: 4_294_967_297,
        persistentKeepalive: 25,
        protocolVersion: 1,
      },
    ]);
  });

  it('never reads past the end, whatever arrives', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(250), (bytes, cut) => {
        const [message] = messages({ peers: manyPeers(2) });
        const wire = Buffer.concat([message?.subarray(HEADERS, HEADERS + cut) ?? Buffer.of(), bytes]);
        try {
          new DeviceDecoder('wg0').push(wire, 0, wire.length);
        } catch (error) {
          assert.ok(error instanceof Error && 'code' in error, String(error));
        }
      }),
    );
  });
});

/** What a change and a dump have in common, secrets revealed. */
function plain(peer: Peer | PeerChange | undefined): unknown {
  assert.ok(peer);
  const { publicKey, presharedKey, endpoint, persistentKeepalive, allowedIps } = peer;
  return { publicKey, presharedKey: presharedKey?.reveal(), endpoint, persistentKeepalive, allowedIps };
}
