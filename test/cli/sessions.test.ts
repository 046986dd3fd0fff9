import assert from 'node:assert/strict';
import { formatPeer, formatPeers } from '../../cli/format/peers.ts';
import { formatStatus } from '../../cli/format/status.ts';
import { formatUntil } from '../../cli/format/values.ts';
import { ipsecPeer, MINUTE, NOW, peer, status, view } from './fixtures.ts';

const n2 = { seenBy: 'n1', ...ipsecPeer('n2') };
const n3 = { seenBy: 'n1', ...peer('n3', { endpoint: '192.0.2.13:51831' }) };
const wide = { ...view, wide: true };

describe('peers by IPsec', () => {
  it('say when the session is replaced, within 80 columns', () => {
    const table = formatPeers([n2, { ...n2, ...ipsecPeer('n3') }], view);
    assert.equal(
      table,
      `\
PEER  STATE   SINCE  ENDPOINT    GEN  HANDSHAKE  REKEY  RECEIVED  SENT   MTU
n2    routed    12m  192.0.2.12    1        14m    41m    1.23Mi   148  1420
n3    routed    12m  192.0.2.12    1        14m    41m    1.23Mi   148  1420
`,
    );
    assert.ok(table.split('\n').every((line) => line.length <= 80));
  });

  it('show the port only where it is not the usual one', () => {
    const shown = (endpoint: string) =>
      /routed +12m +(\S+)/.exec(formatPeers([{ ...n2, endpoint }], view))?.[1];
    assert.equal(shown('192.0.2.12:500'), '192.0.2.12');
    assert.equal(shown('[2001:db8::12]:500'), '2001:db8::12');
    assert.equal(shown('192.0.2.12:4500'), '192.0.2.12:4500');
    assert.equal(shown('[2001:db8::500]:4500'), '[2001:db8::500]:4500');
    assert.match(formatPeer(n2, view), /^Endpoint: {4}192\.0\.2\.12:500$/m);
  });

  it('stand beside those by WireGuard', () => {
    const [, first, second] = formatPeers([n2, n3], view).split('\n');
    assert.match(first ?? '', /14m {4}41m/);
    assert.match(second ?? '', /14s {6}- /);
    assert.doesNotMatch(formatPeers([n3], wide), /REKEY|SPI/);
  });

  it('show SPIs with -o wide only', () => {
    assert.match(
      formatPeers([n2], wide),
      /IKE AGE +CHILD AGE +SPI IN +SPI OUT +IKE +ESP .*\n.* 0xc1a2b3c4 {2}0x0bad5eed {2}AES_GCM_16-256\/PRF/,
    );
    assert.match(formatPeer(n2, view), /^SPIs: {8}0x\*{8} in, 0x\*{8} out \(-o wide shows them\)$/m);
    assert.match(formatPeer(n2, wide), /^SPIs: {8}0xc1a2b3c4 in, 0x0bad5eed out$/m);
    for (const text of [formatPeers([n2], view), formatPeer(n2, view)])
      assert.doesNotMatch(text, /c1a2b3c4|0bad5eed/);
  });

  it('tell of both SAs, one by one', () => {
    const text = formatPeer(n2, view);
    assert.match(text, /^IKE SA: {6}14m old, AES_GCM_16-256\/PRF_HMAC_SHA2_384\/CURVE_25519$/m);
    assert.match(text, /^Child SA: {4}14m old, AES_GCM_16-256\/ESN$/m);
    assert.match(text, /^Rekey: {7}in 41m at the latest$/m);
    const { security } = n2;
    assert.ok(security);
    const nat = { ...n2, ...ipsecPeer('n2'), security: { ...security, nat: true } };
    assert.match(formatPeer(nat, view), /in UDP for a NAT/);
  });
});

describe('the status of a node that moves to another driver', () => {
  const [wireguard] = status().generations;
  const ipsec = { number: 2, driver: 'ipsec', publicKey: wireguard?.publicKey, sending: true };

  it('names both', () => {
    const text = formatStatus(
      status({
        encryption: 'ipsec',
        generations: [wireguard, ipsec],
        rotation: { from: 1, to: 2, phase: 'switching' },
      }),
      { ...view, width: 200 },
    );
    assert.match(text, /wireguard generation 1 and ipsec generation 2, permissive/);
    assert.match(text, /goes from generation 1 \(wireguard\) to 2 \(ipsec\): peer by peer/);
  });

  it('says of each who encrypts in user space', () => {
    const device = { name: 'sheath0', generation: 2, implementation: 'userspace', mtu: 1400, port: 0 };
    const text = formatStatus(status({ generations: [ipsec], devices: [device] }), { ...view, width: 200 });
    assert.match(text, /note: charon does the encryption in user space/);
    assert.doesNotMatch(text, /wireguard-go/);
  });
});

describe('what IPsec refused', () => {
  const ipsec = {
    refused: [
      { code: 'IKE_PEER_UNPROVEN', times: 12 },
      { code: 'IKE_MALFORMED', times: 0 },
    ],
    dropped: [{ reason: 'XfrmInNoStates', packets: 3 }],
  };

  it('is a note of the status, and makes nobody unwell', () => {
    const text = formatStatus(status({ ipsec }), { ...view, width: 200 });
    assert.match(text, /note: IPsec sessions that did not come about .*: 12 IKE_PEER_UNPROVEN$/m);
    assert.doesNotMatch(text, /XfrmIn|MALFORMED/);
    assert.match(formatStatus(status({ ipsec }), { ...wide, width: 200 }), /dropped .*: 3 XfrmInNoStates$/m);
    assert.doesNotMatch(formatStatus(status(), wide), /IPsec/);
  });
});

describe('formatUntil', () => {
  it('writes what is to come, and what is due', () => {
    assert.equal(formatUntil(NOW + 41 * MINUTE, NOW), '41m');
    assert.equal(formatUntil(NOW, NOW), 'due');
    assert.equal(formatUntil(undefined, NOW), '-');
  });
});
