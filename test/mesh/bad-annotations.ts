import type { NodeRecord, ProblemCode } from '../../mesh/types.ts';
import { key } from './fixtures.ts';

const good = key('good');
const ZERO = 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';
/** u = 1, of order 4. */
const LOW = 'AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';

function generation(fields: object = {}): object {
  return { generation: 7, driver: 'wireguard', publicKey: good, port: 51831, ...fields };
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

const numbers = (record: NodeRecord): unknown => record.generations.map(({ number }) => number);
const G = 'sheath.dev/generations';
const E = 'sheath.dev/endpoints';
const P = 'sheath.dev/prefixes';

function badGeneration(
  name: string,
  value: unknown,
  codes: readonly ProblemCode[],
  expected: unknown = [],
): BadAnnotation {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return { name, annotation: G, value: text, codes, left: numbers, expected };
}

export const badAnnotations: readonly BadAnnotation[] = [
  badGeneration('no JSON', '{', ['RECORD_MALFORMED']),
  badGeneration('no array', '{"generation":7}', ['RECORD_MALFORMED']),
  badGeneration('null', 'null', ['RECORD_MALFORMED']),
  badGeneration('deep nesting', '['.repeat(2000) + ']'.repeat(2000), ['RECORD_MALFORMED']),
  badGeneration('deep nesting inside', `[${'{"a":'.repeat(600)}1${'}'.repeat(600)}]`, ['RECORD_MALFORMED']),
  badGeneration('too large', `[${' '.repeat(5000)}]`, ['RECORD_TOO_LARGE']),
  badGeneration(
    'too many',
    Array.from({ length: 9 }, () => 0),
    ['RECORD_MALFORMED'],
  ),
  badGeneration('an unknown field', [generation({ quantum: { safe: true } })], [], [7]),
  badGeneration(
    'an unknown driver',
    [generation(), generation({ generation: 8, driver: 'macsec' })],
    ['DRIVER_UNKNOWN'],
    [7],
  ),
  badGeneration('no driver', [generation({ driver: 3 })], ['DRIVER_UNKNOWN']),
  badGeneration('ipsec, without port', [{ generation: 8, driver: 'ipsec', publicKey: good }], [], [8]),
  badGeneration(
    'a number twice',
    [generation(), generation({ generation: 6 }), generation()],
    ['RECORD_MALFORMED'],
    [6],
  ),
  badGeneration(
    'a number three times',
    [generation(), generation(), generation()],
    ['RECORD_MALFORMED', 'RECORD_MALFORMED'],
  ),
  badGeneration('number 0', [generation({ generation: 0 })], ['RECORD_MALFORMED']),
  badGeneration('number 2^31', [generation({ generation: 2 ** 31 })], ['RECORD_MALFORMED']),
  badGeneration('number 2^31-1', [generation({ generation: 2 ** 31 - 1 })], [], [2 ** 31 - 1]),
  badGeneration('number 1.5', [generation({ generation: 1.5 })], ['RECORD_MALFORMED']),
  badGeneration('number as text', [generation({ generation: '7' })], ['RECORD_MALFORMED']),
  badGeneration('port 0', [generation({ port: 0 })], ['RECORD_MALFORMED']),
  badGeneration('port 65536', [generation({ port: 65_536 })], ['RECORD_MALFORMED']),
  badGeneration('no port', [generation({ port: undefined })], ['RECORD_MALFORMED']),
  badGeneration('a zero key', [generation({ publicKey: ZERO })], ['KEY_INVALID']),
  badGeneration(
    'a low-order key',
    [generation({ publicKey: LOW }), generation({ generation: 8 })],
    ['KEY_INVALID'],
    [8],
  ),
  badGeneration('a short key', [generation({ publicKey: 'AAAA' })], ['KEY_INVALID']),
  badGeneration('a key that is no text', [generation({ publicKey: { length: 44 } })], ['KEY_INVALID']),
  badGeneration(
    'a key in another spelling',
    [generation({ publicKey: good.replace('=', '') })],
    ['KEY_INVALID'],
  ),
  badGeneration('__proto__ for fields', '[{"__proto__":{"generation":7,"driver":"wireguard"}}]', [
    'RECORD_MALFORMED',
  ]),
  badGeneration('unsorted', [generation({ generation: 8 }), generation()], [], [7, 8]),
  ...(
    [
      ['loopback', '127.0.0.1'],
      ['unspecified', '0.0.0.0'],
      ['IPv6 unspecified', '::'],
      ['multicast', '224.0.0.1'],
      ['link-local', 'fe80::1'],
      ['zone', 'fe80::1%eth0'],
      ['IPv4-mapped', '::ffff:192.0.2.1'],
      ['a prefix', '192.0.2.0/24'],
      ['a name', 'example.org'],
      ['leading zeros', '010.0.0.1'],
    ] as const
  ).map(
    ([name, bad]): BadAnnotation => ({
      name: `endpoint: ${name}`,
      annotation: E,
      value: `${bad},192.0.2.9`,
      codes: ['ENDPOINT_INVALID'],
      left: (record) => record.endpoints,
      expected: ['192.0.2.9'],
    }),
  ),
  {
    name: 'endpoints: too many',
    annotation: E,
    value: Array.from({ length: 17 }, (_, i) => `10.0.0.${i}`).join(),
    codes: ['RECORD_TOO_LARGE'],
    left: (record) => record.endpoints,
    expected: [],
  },
  ...(
    [
      ['everything', '0.0.0.0/0'],
      ['everything in IPv6', '::/0'],
      ['half of everything', '128.0.0.0/1'],
      ['wider than /8', '10.0.0.0/7'],
      ['wider than /16', 'fd00::/15'],
      ['host bits', '10.0.0.1/24'],
      ['loopback', '127.0.0.0/8'],
      ['multicast', 'ff00::/16'],
      ['link-local', '169.254.0.0/16'],
      ['IPv4-mapped', '::ffff:10.0.0.0/120'],
      ['an address', '10.0.0.1'],
    ] as const
  ).map(
    ([name, bad]): BadAnnotation => ({
      name: `prefix: ${name}`,
      annotation: P,
      value: `10.9.0.0/24,${bad}`,
      codes: ['PREFIX_INVALID'],
      left: (record) => record.prefixes,
      expected: ['10.9.0.0/24'],
    }),
  ),
  {
    name: 'prefixes: 10,000',
    annotation: P,
    value: Array.from({ length: 10_000 }, (_, i) => `10.${i >> 8}.${i & 255}.0/24`).join(),
    codes: ['RECORD_TOO_LARGE'],
    left: (record) => record.prefixes,
    expected: [],
  },
  {
    name: 'prefixes: 1025 short ones',
    annotation: P,
    value: Array.from({ length: 1025 }, (_, i) => `10.${i >> 8}.${i & 255}.0/24`).join(),
    codes: ['RECORD_TOO_LARGE'],
    left: (record) => record.prefixes,
    expected: [],
  },
  {
    name: 'prefixes: 1024',
    annotation: P,
    value: Array.from({ length: 1024 }, (_, i) => `10.${i >> 8}.${i & 255}.0/24`).join(),
    codes: [],
    left: (record) => record.prefixes.length,
    expected: 1024,
  },
  {
    name: 'prefixes: none',
    annotation: P,
    value: '',
    codes: [],
    left: (record) => record.prefixes,
    expected: [],
  },
  {
    name: 'sending: no number',
    annotation: 'sheath.dev/sending',
    value: '7,x',
    codes: ['RECORD_MALFORMED'],
    left: (record) => record.sending,
    expected: [],
  },
  {
    name: 'sending: in clear',
    annotation: 'sheath.dev/sending',
    value: '7,0,7',
    codes: [],
    left: (record) => record.sending,
    expected: [0, 7],
  },
  {
    name: 'agent: no version',
    annotation: 'sheath.dev/agent',
    value: '{}',
    codes: ['RECORD_MALFORMED'],
    left: (record) => record.agent,
    expected: undefined,
  },
  {
    name: 'agent: control characters',
    annotation: 'sheath.dev/agent',
    value: '{"version":"1\\u001b[2J","cannot":[3,"x\\n"],"mode":"odd"}',
    codes: [],
    left: (record) => record.agent,
    expected: { version: '1?[2J', cannot: ['x?'] },
  },
];
