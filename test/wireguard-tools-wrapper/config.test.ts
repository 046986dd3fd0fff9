import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { type Config, ConfigError, PrivateKey, parseConfig } from 'wireguard-tools-wrapper';
import { config, configText } from './live/arbitraries.ts';

const KEY = 'hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=';

/** Secrets compared by what they reveal. */
function revealed({ peers, privateKey, ...rest }: Config): unknown {
  return {
    ...rest,
    privateKey: privateKey?.reveal(),
    peers: peers.map(({ presharedKey, ...peer }) => ({ ...peer, presharedKey: presharedKey?.reveal() })),
  };
}

describe('configuration text', () => {
  it('says what was written', () => {
    fc.assert(
      fc.property(config, (wanted) => {
        const { fwmark, ...rest } = wanted;
        const expected = fwmark ? wanted : rest;
        assert.deepEqual(revealed(parseConfig(configText(wanted))), revealed(expected));
      }),
    );
  });

  for (const [name, text, expected] of [
    ['nothing', '', { peers: [] }],
    [
      'comments and blanks',
      '# a\n\n  [ Interface ] # b\n\tlistenport =  5 1 # c\r\n',
      { listenPort: 51, peers: [] },
    ],
    ['marks', '[interface]\nFwMark=0xFF', { fwmark: 255, peers: [] }],
    ['a mark that is off', '[Interface]\nFwMark = OFF', { fwmark: 0, peers: [] }],
    [
      'the key of zeros as none',
      `[Interface]\nPrivateKey=${'A'.repeat(43)}=`,
      { privateKey: null, peers: [] },
    ],
    [
      'lists in several lines',
      `[PEER]\nPublicKey=${KEY}\nAllowedIPs=10.1.2.3/8, fd00::/64\nAllowedIPs=\nAllowedIPs=192.0.2.1\nPersistentKeepalive=off`,
      {
        peers: [
          {
            publicKey: KEY,
            replaceAllowedIps: true,
            persistentKeepalive: 0,
            allowedIps: ['10.0.0.0/8', 'fd00::/64', '192.0.2.1/32'],
          },
        ],
      },
    ],
    [
      'lists that add and take away',
      `[Peer]\nPublicKey=${KEY}\nAllowedIPs=+10.0.0.0/8,-192.0.2.1`,
      {
        peers: [
          {
            publicKey: KEY,
            replaceAllowedIps: false,
            allowedIps: ['10.0.0.0/8'],
            removeAllowedIps: ['192.0.2.1/32'],
          },
        ],
      },
    ],
  ] as const) {
    it(`may hold ${name}`, () => assert.deepEqual(parseConfig(text), expected));
  }

  for (const [line, text, says] of [
    [1, 'ListenPort = 1', /\[Interface\] or \[Peer\]/],
    [2, '[Interface]\nListenPort = 65536', /ListenPort: expected/],
    [2, '[Interface]\nListenPort =', /ListenPort: expected/],
    [3, '[Interface]\n\nFwMark = 0x1ffffffff', /FwMark: expected/],
    [2, `[Interface]\nPublicKey = ${KEY}`, /no setting of \[Interface\]/],
    [2, '[Interface]\nconstructor = 1', /no setting/],
    [2, `[Interface]\n${KEY}`, /no setting/],
    [1, '[Peer]\nPersistentKeepalive = 1', /no PublicKey/],
    [2, '[Peer]\nEndpoint = example.org:51820', /names are not looked up/],
    [2, `[Peer]\nAllowedIPs = 10.0.0.0/33`, /AllowedIPs: expected/],
    [2, `[Peer]\nAllowedIPs = 10.0.0.0/8,,`, /AllowedIPs: expected/],
    [3, `[Peer]\nPublicKey = ${KEY}\nPersistentKeepalive = 65536`, /PersistentKeepalive: expected/],
    [4, `[Peer]\nPublicKey = ${KEY}\n[Peer]\nPublicKey = short`, /PublicKey: expected 44/],
  ] as const) {
    it(`names line ${line} of ${JSON.stringify(text.slice(0, 40))}`, () => {
      assert.throws(
        () => parseConfig(text),
        (error) => error instanceof ConfigError && error.line === line && says.test(error.message),
      );
    });
  }

  it('is never repeated by an error', () => {
    const secret = PrivateKey.generate().reveal();
    for (const text of [
      secret,
      `[Interface]\n${secret}`,
      ...['PrivateKey', 'ListenPort', 'FwMark', 'Nonsense'].map(
        (name) => `[Interface]\n${name} = x${secret}`,
      ),
      ...['PublicKey', 'PresharedKey', 'Endpoint', 'AllowedIPs', 'PersistentKeepalive'].map(
        (name) => `[Peer]\n${name} = x${secret}`,
      ),
    ]) {
      assert.throws(
        () => parseConfig(text),
        (error) =>
          error instanceof ConfigError && !inspect(error, { depth: 9 }).includes(secret.slice(0, 12)),
      );
    }
  });
});
