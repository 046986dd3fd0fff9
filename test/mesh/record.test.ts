import assert from 'node:assert/strict';
import fc from 'fast-check';
import { formatAnnotations, type NodeMetadata, parseRecord } from '../../mesh/record.ts';
import type { NodeRecord, ProblemCode } from '../../mesh/types.ts';
import { key, metadataOf, recordOf } from './fixtures.ts';

const good = key('good');
const ZERO = 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';
/** u = 1, of order 4. */
const LOW = 'AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';

function generation(fields: object = {}): object {
  return { generation: 7, driver: 'wireguard', publicKey: good, port: 51831, ...fields };
}

interface Case {
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

function generationCase(
  name: string,
  value: unknown,
  codes: readonly ProblemCode[],
  expected: unknown = [],
): Case {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return { name, annotation: G, value: text, codes, left: numbers, expected };
}

const cases: readonly Case[] = [
  generationCase('no JSON', '{', ['RECORD_MALFORMED']),
  generationCase('no array', '{"generation":7}', ['RECORD_MALFORMED']),
  generationCase('null', 'null', ['RECORD_MALFORMED']),
  generationCase('deep nesting', '['.repeat(2000) + ']'.repeat(2000), ['RECORD_MALFORMED']),
  generationCase('deep nesting inside', `[${'{"a":'.repeat(600)}1${'}'.repeat(600)}]`, ['RECORD_MALFORMED']),
  generationCase('too large', `[${' '.repeat(5000)}]`, ['RECORD_TOO_LARGE']),
  generationCase(
    'too many',
    Array.from({ length: 9 }, () => 0),
    ['RECORD_MALFORMED'],
  ),
  generationCase('an unknown field', [generation({ quantum: { safe: true } })], [], [7]),
  generationCase(
    'an unknown driver',
    [generation(), generation({ generation: 8, driver: 'macsec' })],
    ['DRIVER_UNKNOWN'],
    [7],
  ),
  generationCase('no driver', [generation({ driver: 3 })], ['DRIVER_UNKNOWN']),
  generationCase('ipsec, without port', [{ generation: 8, driver: 'ipsec', publicKey: good }], [], [8]),
  generationCase(
    'a number twice',
    [generation(), generation({ generation: 6 }), generation()],
    ['RECORD_MALFORMED'],
    [6],
  ),
  generationCase(
    'a number three times',
    [generation(), generation(), generation()],
    ['RECORD_MALFORMED', 'RECORD_MALFORMED'],
  ),
  generationCase('number 0', [generation({ generation: 0 })], ['RECORD_MALFORMED']),
  generationCase('number 2^31', [generation({ generation: 2 ** 31 })], ['RECORD_MALFORMED']),
  generationCase('number 2^31-1', [generation({ generation: 2 ** 31 - 1 })], [], [2 ** 31 - 1]),
  generationCase('number 1.5', [generation({ generation: 1.5 })], ['RECORD_MALFORMED']),
  generationCase('number as text', [generation({ generation: '7' })], ['RECORD_MALFORMED']),
  generationCase('port 0', [generation({ port: 0 })], ['RECORD_MALFORMED']),
  generationCase('port 65536', [generation({ port: 65_536 })], ['RECORD_MALFORMED']),
  generationCase('no port', [generation({ port: undefined })], ['RECORD_MALFORMED']),
  generationCase('a zero key', [generation({ publicKey: ZERO })], ['KEY_INVALID']),
  generationCase(
    'a low-order key',
    [generation({ publicKey: LOW }), generation({ generation: 8 })],
    ['KEY_INVALID'],
    [8],
  ),
  generationCase('a short key', [generation({ publicKey: 'AAAA' })], ['KEY_INVALID']),
  generationCase('a key that is no text', [generation({ publicKey: { length: 44 } })], ['KEY_INVALID']),
  generationCase(
    'a key in another spelling',
    [generation({ publicKey: good.replace('=', '') })],
    ['KEY_INVALID'],
  ),
  generationCase('__proto__ for fields', '[{"__proto__":{"generation":7,"driver":"wireguard"}}]', [
    'RECORD_MALFORMED',
  ]),
  generationCase('unsorted', [generation({ generation: 8 }), generation()], [], [7, 8]),
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
    ([name, bad]): Case => ({
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
    ([name, bad]): Case => ({
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

describe('parseRecord', () => {
  for (const { name, annotation, value, codes, left, expected } of cases)
    it(name, () => {
      const record = recordOf(3, { [annotation]: value });
      assert.deepEqual(
        record.problems.map(({ code }) => code),
        codes,
      );
      assert.deepEqual(left(record), expected);
      for (const { message } of record.problems) {
        assert.ok(message.startsWith(`${annotation}: `), message);
        assert.ok(message.length < 400, message);
        assert.match(message, /^[\x20-\x7e…]*$/);
      }
      const sound = recordOf(3);
      for (const part of ['generations', 'endpoints', 'prefixes', 'sending'] as const)
        if (annotation !== `sheath.dev/${part}`) assert.deepEqual(record[part], sound[part], part);
    });

  it('escapes and shortens what it quotes', () => {
    const [problem] = recordOf(3, { [E]: `\u001b[31m"\u202e${'x'.repeat(500)}` }).problems;
    assert.equal(problem?.code, 'ENDPOINT_INVALID');
    assert.ok(problem?.message.includes('"\\u001b[31m\\"\\u202exxx'), problem?.message);
    assert.ok((problem?.message.length ?? 0) < 300);
  });

  it('names the first bad prefixes and counts the others', () => {
    const { problems } = recordOf(3, { [P]: Array.from({ length: 1000 }, () => 'bad').join() });
    assert.equal(problems.length, 9);
    assert.match(problems.at(-1)?.message ?? '', /and 992 more/);
  });

  it('takes annotations that are absent, and values that are no text', () => {
    const bare = parseRecord({ name: 'a', uid: 'u', creationTimestamp: '' });
    assert.deepEqual(bare.problems, []);
    const annotations = { [G]: 7, [E]: null, [P]: ['10.0.0.0/24'] } as unknown as Record<string, string>;
    const odd = parseRecord({ name: 'a', uid: 'u', creationTimestamp: '', annotations });
    assert.deepEqual(
      odd.problems.map(({ code }) => code),
      ['RECORD_MALFORMED', 'RECORD_MALFORMED', 'RECORD_MALFORMED'],
    );
    const inherited = Object.create({ [E]: '192.0.2.1' }) as Record<string, string>;
    assert.deepEqual(
      parseRecord({ name: 'a', uid: 'u', creationTimestamp: '', annotations: inherited }).endpoints,
      [],
    );
  });

  it('never throws, whatever the text', () => {
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.json(), fc.string());
    const annotations = fc.dictionary(
      fc.constantFrom(G, E, P, 'sheath.dev/sending', 'sheath.dev/agent'),
      text,
    );
    fc.assert(
      fc.property(annotations, (values) => {
        const record = parseRecord({ ...metadataOf(1), annotations: values });
        for (const { number } of record.generations) assert.ok(number >= 1);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('formatAnnotations', () => {
  it('is what parseRecord reads back, and the same text for the same claims', () => {
    const claims = fc.record({
      generations: fc.uniqueArray(fc.integer({ min: 1, max: 2 ** 31 - 1 }), { maxLength: 4 }).map((list) =>
        list.map((number) => ({
          number,
          driver: 'wireguard' as const,
          publicKey: key(String(number)),
          port: 51830 + (number % 2),
        })),
      ),
      endpoints: fc.shuffledSubarray([...recordOf(1).endpoints, ...recordOf(2).endpoints]),
      prefixes: fc.shuffledSubarray([...recordOf(1).prefixes, ...recordOf(2).prefixes]),
      sending: fc.uniqueArray(fc.nat(9)),
      agent: fc.constantFrom(
        { version: '1.0.0', observedGeneration: 3, mode: 'strict' as const, cannot: ['b', 'a'] },
        { version: '2', cannot: [] },
      ),
    });
    fc.assert(
      fc.property(claims, (own) => {
        const annotations = formatAnnotations(own);
        const metadata: NodeMetadata = { name: 'a', uid: 'u', creationTimestamp: '', annotations };
        const record = parseRecord(metadata);
        assert.deepEqual(record.problems, []);
        assert.deepEqual(formatAnnotations(record), annotations);
        assert.deepEqual(
          record.generations,
          own.generations.toSorted((a, b) => a.number - b.number),
        );
        assert.deepEqual(new Set(record.prefixes), new Set(own.prefixes));
        assert.deepEqual(new Set(record.endpoints), new Set(own.endpoints));
      }),
    );
  });

  it('writes what the design says', () => {
    assert.deepEqual(
      formatAnnotations({
        ...recordOf(3),
        agent: { version: '0.3.0', observedGeneration: 12, mode: 'strict', cannot: [] },
      }),
      {
        [G]: `[{"generation":7,"driver":"wireguard","publicKey":"${key('n3 7')}","port":51831}]`,
        [E]: '192.0.2.3,2001:db8::4',
        [P]: '10.100.3.0/24,fd00:10:244:3::/64',
        'sheath.dev/sending': '7',
        'sheath.dev/agent': '{"version":"0.3.0","observedGeneration":12,"mode":"strict","cannot":[]}',
      },
    );
  });
});
