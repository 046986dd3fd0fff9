import assert from 'node:assert/strict';
import fc from 'fast-check';
import { formatAnnotations, type NodeMetadata, parseRecord } from '../../mesh/record.ts';
import { badAnnotations } from './bad-annotations.ts';
import { key, metadataOf, recordOf } from './fixtures.ts';

const G = 'sheath.dev/generations';
const E = 'sheath.dev/endpoints';
const P = 'sheath.dev/prefixes';

const publisher = {
  generation: 7,
  driver: 'wireguard',
  publicKey: key('good'),
  port: 51831,
  prefix: '10.9.0.0/24',
  address: '192.0.2.9',
} as const;

describe('parseRecord', () => {
  const all = (['wireguard', 'ipsec'] as const).flatMap((driver) =>
    badAnnotations({ ...publisher, driver }).map((bad) => ({ ...bad, driver })),
  );
  for (const { driver, name, annotation, value, codes, left, expected } of all)
    it(`${driver}: ${name}`, () => {
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
        { version: '2', takesPart: false as const, cannot: [] },
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
