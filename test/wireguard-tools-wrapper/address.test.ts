import assert from 'node:assert/strict';
import { isIPv6 } from 'node:net';
import fc from 'fast-check';
import { canonicalPrefix, formatEndpoint, parseEndpoint, WireGuardError } from 'wireguard-tools-wrapper';
import { formatAddress, parseAddress } from '../../tunnels/wireguard-tools-wrapper/src/address.ts';

const bytes16 = fc.array(fc.constantFrom(0, 0, 0, 1, 0xab, 0xff), { minLength: 16, maxLength: 16 });

describe('addresses', () => {
  for (const [given, expected] of [
    ['10.0.0.1', '10.0.0.1/32'],
    ['10.1.2.3/8', '10.0.0.0/8'],
    ['255.255.255.255/1', '128.0.0.0/1'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['fd00::1', 'fd00::1/128'],
    ['FD00:0:0:0::/64', 'fd00::/64'],
    ['2001:db8:0:0:1:0:0:1/128', '2001:db8::1:0:0:1/128'],
    ['2001:db8:0:1:1:1:1:1/128', '2001:db8:0:1:1:1:1:1/128'],
    ['2001:db8:ffff::/33', '2001:db8:8000::/33'],
    ['::/0', '::/0'],
    ['::1', '::1/128'],
    ['1::', '1::/128'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1/128'],
    ['::ffff:c000:0201', '::ffff:192.0.2.1/128'],
    ['1:2:3:4:5:6:1.2.3.4', '1:2:3:4:5:6:102:304/128'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0/128'],
  ] as const) {
    it(`writes ${given} as ${expected}`, () => assert.equal(canonicalPrefix(given), expected));
  }

  for (const wrong of [
    '',
    '/',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '10.0.0.0/0x8',
    '010.0.0.1',
    '10.1',
    '::/129',
    'fe80::1%eth0/64',
    ':::',
    'example.org',
    ' 10.0.0.0/8',
  ]) {
    it(`refuses ${JSON.stringify(wrong)}`, () => {
      assert.throws(
        () => canonicalPrefix(wrong),
        (error) => error instanceof WireGuardError && error.code === 'INVALID',
      );
    });
  }

  it('of IPv6 survive text', () => {
    fc.assert(
      fc.property(bytes16, (bytes) => {
        const text = formatAddress(Buffer.from(bytes), 0, 16);
        assert.ok(isIPv6(text), text);
        assert.deepEqual([...(parseAddress(text) ?? [])], bytes);
        const { hostname } = new URL(`http://[${text}]/`); // the URL standard compresses as RFC 5952 does
        if (!text.includes('.')) assert.equal(hostname, `[${text}]`);
      }),
    );
  });

  for (const [text, endpoint] of [
    ['192.0.2.1:51820', { address: '192.0.2.1', port: 51820 }],
    ['[2001:db8::1]:1', { address: '2001:db8::1', port: 1 }],
    ['[fe80::1%eth0]:65535', { address: 'fe80::1%eth0', port: 65535 }],
  ] as const) {
    it(`of an endpoint, ${text}`, () => {
      assert.deepEqual(parseEndpoint(text), endpoint);
      assert.equal(formatEndpoint(endpoint), text);
    });
  }

  it('of endpoints are numbers only', () => {
    for (const wrong of [
      'example.org:1',
      '192.0.2.1',
      '192.0.2.1:',
      '192.0.2.1:65536',
      '2001:db8::1:1',
      '[192.0.2.1]:1',
      ':1',
    ]) {
      assert.equal(parseEndpoint(wrong), undefined, wrong);
    }
  });
});
