import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { inspect } from 'node:util';
import fc from 'fast-check';
import {
  isLowOrder,
  KeyError,
  PresharedKey,
  PrivateKey,
  parsePublicKey,
  pubkey,
  publicKeyBytes,
  publicKeyFromBytes,
} from 'wireguard-tools-wrapper';

const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });

function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'hex'));
}

/** Header of an X25519 private key in PKCS #8 (RFC 8410). */
const PKCS8 = Buffer.from('302e020100300506032b656e04220420', 'hex');

/** The slow twin: OpenSSL's X25519. */
function nodePublicKey(secret: Uint8Array): string {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8, secret]), format: 'der', type: 'pkcs8' });
  return createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32).toString('base64');
}

/** RFC 7748, section 6.1. */
const VECTORS = [
  {
    name: 'Alice',
    secret: '77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a',
    expected: '8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a',
  },
  {
    name: 'Bob',
    secret: '5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb',
    expected: 'de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f',
  },
];

/** By what they are: u = 0, 1, two points of order eight, p - 1, p, p + 1; and with the bit that X25519 ignores. */
const LOW_ORDER = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '0000000000000000000000000000000000000000000000000000000000000080',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
];

describe('keys', () => {
  for (const { name, secret, expected } of VECTORS) {
    it(`derive the public key of RFC 7748's ${name}`, () => {
      const key = PrivateKey.fromBytes(hex(secret)).publicKey();
      assert.equal(Buffer.from(publicKeyBytes(key)).toString('hex'), expected);
    });
  }

  it('derive the public key that OpenSSL derives', () => {
    fc.assert(
      fc.property(bytes32, (secret) => {
        assert.equal(PrivateKey.fromBytes(secret).publicKey(), nodePublicKey(secret));
      }),
      { numRuns: 50 },
    );
  });

  it('survive text and bytes', () => {
    fc.assert(
      fc.property(bytes32, (bytes) => {
        const text = Buffer.from(bytes).toString('base64');
        assert.equal(parsePublicKey(text), text);
        assert.deepEqual(publicKeyBytes(publicKeyFromBytes(bytes)), bytes);
        assert.equal(PrivateKey.parse(text).reveal(), text);
        assert.deepEqual(PresharedKey.parse(text).bytes(), bytes);
      }),
    );
  });

  it('are 44 characters of canonical base64 and nothing else', () => {
    const text = PrivateKey.generate().reveal();
    const bad = [
      '',
      text.slice(0, 43),
      `${text}\n`,
      ` ${text}`,
      `${text}=`,
      text.slice(0, 40),
      `${'A'.repeat(42)}B=`, // bits beyond the 256th
      `${'-'.repeat(43)}=`,
      `${'A'.repeat(44)}`,
    ];
    for (const parse of [parsePublicKey, PrivateKey.parse, PresharedKey.parse, pubkey]) {
      for (const wrong of bad) assert.throws(() => parse(wrong), KeyError, JSON.stringify(wrong));
    }
    for (const from of [publicKeyFromBytes, PrivateKey.fromBytes, PresharedKey.fromBytes]) {
      for (const length of [0, 31, 33]) assert.throws(() => from(new Uint8Array(length)), KeyError);
    }
  });

  it('are never repeated by an error', () => {
    const wrong = `${PrivateKey.generate().reveal()}x`;
    for (const parse of [parsePublicKey, PrivateKey.parse, PresharedKey.parse]) {
      assert.throws(
        () => parse(wrong),
        (error) =>
          error instanceof KeyError &&
          error.code === 'INVALID_KEY' &&
          !inspect(error).includes(wrong.slice(0, 8)),
      );
    }
  });

  it('keep their secret however they are printed', () => {
    for (const secret of [PrivateKey.generate(), PresharedKey.generate()]) {
      const text = secret.reveal();
      const bytes = Buffer.from(secret.bytes()).toString('hex');
      const shown = [
        `${secret}`,
        String(secret),
        JSON.stringify({ secret }),
        inspect({ secret }, { depth: 9, showHidden: true }),
      ];
      for (const print of shown) assert.ok(!print.includes(text) && !print.includes(bytes), print);
      assert.deepEqual(Object.keys(secret), []);
      assert.deepEqual(structuredClone(secret), {});
    }
  });

  it('cannot be changed from outside', () => {
    const bytes = Uint8Array.from({ length: 32 }, (_, i) => i);
    const key = PrivateKey.fromBytes(bytes);
    const text = key.reveal();
    bytes.fill(9);
    key.bytes().fill(9);
    assert.equal(key.reveal(), text);
  });

  it('are generated clamped, and differ', () => {
    const keys = Array.from({ length: 20 }, () => PrivateKey.generate());
    for (const key of keys) {
      const bytes = key.bytes();
      assert.deepEqual([(bytes[0] ?? 0) & 7, (bytes[31] ?? 0) & 0xc0], [0, 0x40]);
    }
    assert.equal(new Set(keys.map((key) => key.reveal())).size, 20);
    assert.notEqual(PresharedKey.generate().reveal(), PresharedKey.generate().reveal());
  });

  it('are equal as X25519 sees them', () => {
    const loose = Uint8Array.from({ length: 32 }, () => 0xff);
    const tight = PrivateKey.generate(() => loose);
    assert.ok(PrivateKey.fromBytes(loose).equals(tight));
    assert.ok(!PrivateKey.generate().equals(tight));
    assert.ok(PresharedKey.fromBytes(loose).equals(PresharedKey.fromBytes(loose)));
    assert.ok(!PresharedKey.fromBytes(tight.bytes()).equals(PresharedKey.fromBytes(loose)));
  });

  it('of low order are recognised, others are not', () => {
    for (const point of LOW_ORDER) assert.ok(isLowOrder(publicKeyFromBytes(hex(point))), point);
    fc.assert(
      fc.property(bytes32, (secret) => assert.ok(!isLowOrder(PrivateKey.fromBytes(secret).publicKey()))),
      {
        numRuns: 20,
      },
    );
  });
});
