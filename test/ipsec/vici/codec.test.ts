import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ViciError } from '../../../tunnels/ipsec/vici/errors.ts';
import { FrameReader, frame, MAX_SEGMENT } from '../../../tunnels/ipsec/vici/frame.ts';
import { decodeMessage, encodeMessage, type Message } from '../../../tunnels/ipsec/vici/message.ts';
import { decodePacket, encodePacket } from '../../../tunnels/ipsec/vici/packet.ts';

const name = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.constantFrom('__proto__', 'constructor', 'toString', '0', ''),
);
const text = fc.string({ maxLength: 50, unit: 'grapheme' });
const { message } = fc.letrec<{ message: Message }>((tie) => ({
  message: fc.dictionary(name, fc.oneof({ maxDepth: 5 }, text, fc.array(text), tie('message'))),
}));

/** Elements as charon would send them, whole and broken: nearer to the edges than random bytes. */
const element = fc.oneof(
  fc.constantFrom([2], [6]),
  fc.constantFrom([1, 1, 97], [4, 1, 98], [3, 1, 99, 0, 1, 100], [5, 0, 1, 101], [3, 1, 99, 255, 255], [9]),
);
const hostile = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc.array(element, { maxLength: 12 }).map((elements) => Uint8Array.from(elements.flat())),
);

const isMalformed = (error: unknown) => error instanceof ViciError && error.code === 'VICI_MALFORMED';

describe('VICI codec', () => {
  it("encodes the example of the protocol's own description", () => {
    const example = {
      key1: 'value1',
      section1: { 'sub-section': { key2: 'value2' }, list1: ['item1', 'item2'] },
    };
    const bytes = Buffer.concat([
      Buffer.from('\x03\x04key1\x00\x06value1'),
      Buffer.from('\x01\x08section1'),
      Buffer.from('\x01\x0bsub-section\x03\x04key2\x00\x06value2\x02'),
      Buffer.from('\x04\x05list1\x05\x00\x05item1\x05\x00\x05item2\x06'),
      Buffer.from('\x02'),
    ]);
    assert.deepEqual(encodeMessage(example), bytes);
    assert.equal(JSON.stringify(decodeMessage(bytes)), JSON.stringify(example));
  });

  it('what was encoded is decoded to the same', () => {
    fc.assert(
      fc.property(message, (sent) => {
        const received = decodeMessage(encodeMessage(sent));
        assert.deepEqual(plain(received), plain(sent));
        assert.deepEqual(encodeMessage(received), encodeMessage(sent));
      }),
    );
  });

  it('hostile bytes are a message or an error with a code, and nothing else', () => {
    fc.assert(
      fc.property(hostile, (bytes) => {
        try {
          const once = decodeMessage(Buffer.from(bytes));
          assert.deepEqual(plain(decodeMessage(encodeMessage(once))), plain(once));
        } catch (error) {
          assert.ok(isMalformed(error), String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('of a whole message no part is one, but where a top element ends', () => {
    const bytes = encodeMessage({ a: 'x', s: { l: ['i', 'j'], t: { k: 'v' } } });
    const whole = [0, encodeMessage({ a: 'x' }).length, bytes.length];
    for (let length = 0; length <= bytes.length; length++) {
      const part = bytes.subarray(0, length);
      if (whole.includes(length)) decodeMessage(part);
      else assert.throws(() => decodeMessage(part), isMalformed, `${length} bytes`);
    }
  });

  it('depth costs no stack', () => {
    const deep = Buffer.concat(Array.from({ length: 100_000 }, () => Buffer.from([1, 1, 97])));
    assert.throws(() => decodeMessage(deep), isMalformed);
  });

  it('says what is too long, and never the value', () => {
    const secret = 'S'.repeat(65536);
    assert.throws(() => encodeMessage({ data: secret }), {
      code: 'VICI_TOO_LARGE',
      message: 'the value of "data" has 65536 bytes; VICI takes 65535',
    });
    assert.throws(() => encodeMessage({ ['n'.repeat(256)]: '' }), { code: 'VICI_TOO_LARGE' });
    assert.doesNotThrow(() => encodeMessage({ ['n'.repeat(255)]: 'v'.repeat(65535) }));
  });

  it('leaves out what is undefined', () => {
    assert.deepEqual(encodeMessage({ a: undefined, b: '1' }), encodeMessage({ b: '1' }));
  });
});

describe('VICI packets', () => {
  it('requests as bytes', () => {
    const bytes = encodePacket({ type: 'request', name: 'version', message: { k: 'v' } });
    assert.deepEqual(bytes, Buffer.from('\x00\x07version\x03\x01k\x00\x01v'));
    assert.deepEqual(encodePacket({ type: 'register', name: 'log' }), Buffer.from('\x03\x03log'));
    assert.deepEqual(encodePacket({ type: 'unregister', name: 'log' }), Buffer.from('\x04\x03log'));
  });

  it('answers and events from bytes', () => {
    const of = (bytes: string) => JSON.parse(JSON.stringify(decodePacket(Buffer.from(bytes))));
    assert.deepEqual(of('\x01\x03\x01k\x00\x01v'), { type: 'response', message: { k: 'v' } });
    assert.deepEqual(of('\x02'), { type: 'commandUnknown' });
    assert.deepEqual(of('\x05'), { type: 'confirm' });
    assert.deepEqual(of('\x06'), { type: 'eventUnknown' });
    assert.deepEqual(of('\x07\x03log\x03\x03msg\x00\x02hi'), {
      type: 'event',
      name: 'log',
      message: { msg: 'hi' },
    });
  });

  it('of hostile bytes are a packet or an error with a code', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9 }), hostile, (type, rest) => {
        try {
          decodePacket(Buffer.from([type, ...rest]));
        } catch (error) {
          assert.ok(isMalformed(error), String(error));
        }
      }),
    );
    for (const none of [[], [0], [3, 1, 97], [7], [7, 5, 97], [200]])
      assert.throws(() => decodePacket(Buffer.from(none)), isMalformed);
  });
});

describe('VICI segments', () => {
  it('come out whole, however the stream is cut', () => {
    const segments = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 });
    fc.assert(
      fc.property(segments, fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }), (sent, cuts) => {
        const stream = Buffer.concat(sent.map(frame));
        const reader = new FrameReader();
        const received: Buffer[] = [];
        for (let at = 0, i = 0; at < stream.length; i++) {
          const to = at + (cuts[i % cuts.length] ?? 1);
          received.push(...reader.push(Buffer.from(stream.subarray(at, to))));
          at = to;
        }
        assert.deepEqual(
          received.map((one) => one.toString('hex')),
          sent.map((one) => Buffer.from(one).toString('hex')),
        );
      }),
    );
  });

  it('longer than 512 KiB are refused, before they are waited for', () => {
    assert.equal(frame(Buffer.alloc(MAX_SEGMENT)).length, MAX_SEGMENT + 4);
    assert.throws(() => frame(Buffer.alloc(MAX_SEGMENT + 1)), { code: 'VICI_TOO_LARGE' });
    assert.throws(() => new FrameReader().push(Buffer.from([0, 8, 0, 1])), { code: 'VICI_TOO_LARGE' });
  });
});

/** Without prototypes, and in one order: numbers as names come first in an object, wherever they were written. */
function plain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.entries(value)
    .map(([key, inner]) => [key, plain(inner)])
    .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
}
