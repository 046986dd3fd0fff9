/** Every way in which one annotation alone is bad, or merely odd, while whoever publishes it is good but for that. */
import type { NodeRecord, ProblemCode } from '../../mesh/types.ts';
import { signingKey } from './fixtures.ts';

/** What a Node says of itself while it is good. */
export interface Publisher {
  readonly generation: number;
  readonly driver: 'wireguard' | 'ipsec';
  readonly publicKey: string;
  /** Of no account with `ipsec`. */
  readonly port: number;
  readonly prefix: string;
  readonly address: string;
}

export interface BadAnnotation {
  readonly name: string;
  readonly annotation: string;
  readonly value: string;
  readonly codes: readonly ProblemCode[];
  /** What is left of it. */
  readonly left: (record: NodeRecord) => unknown;
  readonly expected: unknown;
}

const ZERO = `${'A'.repeat(43)}=`;
/** u = 1, of order 4, to WireGuard; y = 1, the neutral element, to IPsec. */
const LOW = `AQ${'A'.repeat(41)}=`;

export function badAnnotations(own: Publisher): readonly BadAnnotation[] {
  return [
    ...unreadableGenerations(own),
    ...wrongDrivers(own),
    ...wrongNumbers(own),
    ...wrongKeys(own),
    ...badEndpoints(own),
    ...badPrefixes(own),
    ...otherLists(own),
    ...otherAnnotations(own),
  ];
}

type Row = readonly [
  name: string,
  value: unknown,
  codes: readonly ProblemCode[],
  left?: readonly number[] | undefined,
];

/** Text stands as it is, anything else as JSON. */
function rows(all: readonly Row[]): readonly BadAnnotation[] {
  return all.map(([name, value, codes, expected = []]) => ({
    name,
    annotation: 'sheath.dev/generations',
    value: typeof value === 'string' ? value : JSON.stringify(value),
    codes,
    left: (record) => record.generations.map(({ number }) => number),
    expected,
  }));
}

/** An entry of `sheath.dev/generations`. */
export function maker({ generation, driver, publicKey, port }: Publisher): (fields?: object) => object {
  const whole = { generation, driver, publicKey, ...(driver === 'wireguard' ? { port } : {}) };
  return (fields = {}) => ({ ...whole, ...fields });
}

const MALFORMED: readonly ProblemCode[] = ['RECORD_MALFORMED'];

function unreadableGenerations(own: Publisher): readonly BadAnnotation[] {
  const one = maker(own);
  const nested = `[${'{"a":'.repeat(600)}1${'}'.repeat(600)}]`;
  return rows([
    ['no JSON', '{', MALFORMED],
    ['no array', `{"generation":${own.generation}}`, MALFORMED],
    ['null', 'null', MALFORMED],
    ['deep nesting', '['.repeat(2000) + ']'.repeat(2000), MALFORMED],
    ['deep nesting inside', nested, MALFORMED],
    ['a JSON bomb', '['.repeat(20_000) + ']'.repeat(20_000), ['RECORD_TOO_LARGE']],
    ['too large', `[${' '.repeat(5000)}]`, ['RECORD_TOO_LARGE']],
    ['too many', Array.from({ length: 9 }, () => 0), MALFORMED],
    ['an unknown field', [one({ quantum: { safe: true } })], [], [own.generation]],
    [
      '__proto__ for fields',
      `[{"__proto__":{"generation":${own.generation},"driver":"wireguard"}}]`,
      MALFORMED,
    ],
  ]);
}

function wrongDrivers(own: Publisher): readonly BadAnnotation[] {
  const one = maker(own);
  const { generation } = own;
  const publicKey = signingKey(own.publicKey);
  const next = generation + 1;
  return rows([
    [
      'an unknown driver',
      [one(), one({ generation: next, driver: 'macsec' })],
      ['DRIVER_UNKNOWN'],
      [generation],
    ],
    ['no driver', [one({ driver: 3 })], ['DRIVER_UNKNOWN']],
    ['ipsec, without port', [{ generation: next, driver: 'ipsec', publicKey }], [], [next]],
  ]);
}

function wrongNumbers(own: Publisher): readonly BadAnnotation[] {
  const one = maker(own);
  const next = own.generation + 1;
  return rows([
    ['a number twice', [one(), one({ generation: next }), one()], MALFORMED, [next]],
    ['a number three times', [one(), one(), one()], ['RECORD_MALFORMED', 'RECORD_MALFORMED']],
    ['number 0', [one({ generation: 0 })], MALFORMED],
    ['number 2^31', [one({ generation: 2 ** 31 })], MALFORMED],
    ['number 2^31-1', [one({ generation: 2 ** 31 - 1 })], [], [2 ** 31 - 1]],
    ['number 1.5', [one({ generation: 1.5 })], MALFORMED],
    ['number as text', [one({ generation: String(own.generation) })], MALFORMED],
    ['unsorted', [one({ generation: next }), one()], [], [own.generation, next]],
    ...(own.driver === 'wireguard' ? wrongPorts(own) : []),
  ]);
}

function wrongPorts(own: Publisher): readonly Row[] {
  const one = maker(own);
  return [
    ['port 0', [one({ port: 0 })], MALFORMED],
    ['port 65536', [one({ port: 65_536 })], MALFORMED],
    ['no port', [one({ port: undefined })], MALFORMED],
  ];
}

function wrongKeys(own: Publisher): readonly BadAnnotation[] {
  const one = maker(own);
  const next = own.generation + 1;
  const codes: readonly ProblemCode[] = ['KEY_INVALID'];
  return rows([
    ['a zero key', [one({ publicKey: ZERO })], codes],
    ['a low-order key', [one({ publicKey: LOW }), one({ generation: next })], codes, [next]],
    ['a short key', [one({ publicKey: 'AAAA' })], codes],
    ['a key that is no text', [one({ publicKey: { length: 44 } })], codes],
    ['a key in another spelling', [one({ publicKey: own.publicKey.replace('=', '') })], codes],
  ]);
}

function badEndpoints({ address }: Publisher): readonly BadAnnotation[] {
  const bad = {
    loopback: '127.0.0.1',
    unspecified: '0.0.0.0',
    'IPv6 unspecified': '::',
    multicast: '224.0.0.1',
    'link-local': 'fe80::1',
    zone: 'fe80::1%eth0',
    'IPv4-mapped': '::ffff:192.0.2.1',
    'a prefix': '192.0.2.0/24',
    'a name': 'example.org',
    'leading zeros': '010.0.0.1',
  };
  return Object.entries(bad).map(([name, text]) => ({
    name: `endpoint: ${name}`,
    annotation: 'sheath.dev/endpoints',
    value: `${text},${address}`,
    codes: ['ENDPOINT_INVALID'],
    left: (record) => record.endpoints,
    expected: [address],
  }));
}

function badPrefixes({ prefix }: Publisher): readonly BadAnnotation[] {
  const bad = {
    everything: '0.0.0.0/0',
    'everything in IPv6': '::/0',
    'half of everything': '128.0.0.0/1',
    'wider than /8': '10.0.0.0/7',
    'wider than /16': 'fd00::/15',
    'host bits': '10.0.0.1/24',
    loopback: '127.0.0.0/8',
    multicast: 'ff00::/16',
    'link-local': '169.254.0.0/16',
    'IPv4-mapped': '::ffff:10.0.0.0/120',
    'an address': '10.0.0.1',
  };
  return Object.entries(bad).map(([name, text]) => ({
    name: `prefix: ${name}`,
    annotation: 'sheath.dev/prefixes',
    value: `${prefix},${text}`,
    codes: ['PREFIX_INVALID'],
    left: (record) => record.prefixes,
    expected: [prefix],
  }));
}

function manyPrefixes(count: number): string {
  return Array.from({ length: count }, (_, i) => `10.${i >> 8}.${i & 255}.0/24`).join();
}

function otherLists({ prefix }: Publisher): readonly BadAnnotation[] {
  const endpoints = { annotation: 'sheath.dev/endpoints', left: (record: NodeRecord) => record.endpoints };
  const prefixes = { annotation: 'sheath.dev/prefixes', left: (record: NodeRecord) => record.prefixes };
  const codes: readonly ProblemCode[] = ['RECORD_TOO_LARGE'];
  const addresses = Array.from({ length: 17 }, (_, i) => `10.0.0.${i}`).join();
  return [
    { ...endpoints, name: 'endpoints: too many', value: addresses, codes, expected: [] },
    { ...prefixes, name: 'prefixes: 10,000', value: manyPrefixes(10_000), codes, expected: [] },
    { ...prefixes, name: 'prefixes: 1025 short ones', value: manyPrefixes(1025), codes, expected: [] },
    {
      ...prefixes,
      name: 'prefixes: 1024',
      value: manyPrefixes(1024),
      codes: [],
      left: (record) => record.prefixes.length,
      expected: 1024,
    },
    { ...prefixes, name: 'prefixes: twice', value: `${prefix},${prefix}`, codes: [], expected: [prefix] },
    { ...prefixes, name: 'prefixes: none', value: '', codes: [], expected: [] },
  ];
}

function otherAnnotations({ generation }: Publisher): readonly BadAnnotation[] {
  const sending = { annotation: 'sheath.dev/sending', left: (record: NodeRecord) => record.sending };
  const agent = { annotation: 'sheath.dev/agent', left: (record: NodeRecord) => record.agent };
  const odd = '{"version":"1\\u001b[2J","cannot":[3,"x\\n"],"mode":"odd"}';
  return [
    { ...sending, name: 'sending: no number', value: `${generation},x`, codes: MALFORMED, expected: [] },
    {
      ...sending,
      name: 'sending: in clear',
      value: `${generation},0,${generation}`,
      codes: [],
      expected: [0, generation],
    },
    { ...agent, name: 'agent: no version', value: '{}', codes: MALFORMED, expected: undefined },
    {
      ...agent,
      name: 'agent: control characters',
      value: odd,
      codes: [],
      expected: { version: '1?[2J', cannot: ['x?'] },
    },
  ];
}
