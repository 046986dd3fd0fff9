import assert from 'node:assert/strict';
import fc from 'fast-check';
import { plain } from '../../cli/context.ts';
import { renderTable } from '../../cli/format/table.ts';
import { wrap } from '../../cli/format/text.ts';
import { formatAge, formatBytes, formatSpan } from '../../cli/format/values.ts';

describe('formatSpan', () => {
  const S = 1000;
  const M = 60 * S;
  const H = 60 * M;
  const D = 24 * H;
  const cases: readonly (readonly [number, string])[] = [
    [-5, '0s'],
    [0, '0s'],
    [999, '0s'],
    [14 * S, '14s'],
    [59 * S + 999, '59s'],
    [M, '1m'],
    [3 * M + 12 * S, '3m12s'],
    [47 * M + 12 * S, '47m'],
    [5 * H + 10 * M, '5h10m'],
    [23 * H + 59 * M, '23h'],
    [3 * D + 4 * H, '3d4h'],
    [212 * D + 4 * H, '212d'],
  ];
  for (const [span, want] of cases) {
    it(`writes ${span} ms as ${want}`, () => assert.equal(formatSpan(span), want));
  }

  it('never needs more than six characters in the first 27 years', () => {
    fc.assert(fc.property(fc.nat(9999 * D), (span) => formatSpan(span).length <= 6));
  });

  it('shows no moment as a dash', () => {
    assert.equal(formatAge(undefined, 5), '-');
    assert.equal(formatAge(0, 5), '-');
  });
});

describe('formatBytes', () => {
  const cases: readonly (readonly [number, string])[] = [
    [0, '0'],
    [148, '148'],
    [999, '999'],
    [1000, '0.977Ki'],
    [1236, '1.21Ki'],
    [64 * 1024 ** 2, '64.0Mi'],
    [1023.6 * 1024, '1.00Mi'],
    [5 * 1024 ** 5, '5.00Pi'],
  ];
  for (const [bytes, want] of cases) {
    it(`writes ${bytes} as ${want}`, () => assert.equal(formatBytes(bytes), want));
  }

  it('has three digits and at most seven characters up to an exbibyte', () => {
    fc.assert(fc.property(fc.maxSafeNat(), (bytes) => formatBytes(bytes).length <= 7));
  });
});

describe('wrap', () => {
  const words = fc.array(fc.stringMatching(/^[a-z]{1,12}$/), { minLength: 1, maxLength: 30 });

  it('keeps every word, in order', () => {
    fc.assert(
      fc.property(words, (list) => {
        assert.deepEqual(wrap(list.join(' '), { width: 30, first: 2, rest: 4 }).split(/\s+/), list);
      }),
    );
  });

  it('keeps every line within the width', () => {
    fc.assert(
      fc.property(words, (list) =>
        wrap(list.join(' '), { width: 30, first: 2, rest: 4 })
          .split('\n')
          .every((line, at) => line.length <= (at === 0 ? 28 : 30)),
      ),
    );
  });
});

describe('renderTable', () => {
  const columns = [
    { header: 'NAME', value: (row: { name: string; size: number }) => row.name },
    {
      header: 'SIZE',
      value: (row: { name: string; size: number }) => String(row.size),
      align: 'right' as const,
    },
    { header: 'NOTE', value: () => 'x', wide: true },
  ];
  const rows = [
    { name: 'a', size: 1 },
    { name: 'longer', size: 12345 },
  ];

  it('makes columns as wide as their widest cell', () => {
    assert.equal(
      renderTable(rows, { columns, paint: plain }),
      'NAME     SIZE\na           1\nlonger  12345\n',
    );
  });

  it('holds more rows than a function takes arguments', () => {
    const many = Array.from({ length: 200_000 }, (_, size) => ({ name: 'n', size }));
    assert.equal(renderTable(many, { columns, paint: plain }).split('\n').length, 200_002);
  });

  it('shows wide columns on request only', () => {
    assert.match(renderTable(rows, { columns, paint: plain, wide: true }), /^NAME {5}SIZE {2}NOTE$/m);
  });

  it('lets no control character of a name reach the terminal', () => {
    const table = renderTable([{ name: 'n\u001b[2Jx\r\n', size: 1 }], { columns, paint: plain });
    assert.equal(table, 'NAME      SIZE\nn?[2Jx??     1\n');
  });

  it('pads by what is seen, not by the escape codes of colours', () => {
    const tinted = [
      { header: 'NAME', value: (row: { name: string }) => row.name, tone: () => 'good' as const },
      { header: 'B', value: () => 'b' },
    ];
    const table = renderTable([{ name: 'a' }, { name: 'bcd' }], {
      columns: tinted,
      paint: (tone, text) => (tone === 'good' ? `<${text}>` : text),
    });
    assert.equal(table, 'NAME  B\n<a>     b\n<bcd>   b\n');
  });
});
