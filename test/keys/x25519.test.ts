/** tweetnacl's keys against another implementation, and against the RFCs' own figures. */
import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import fc from 'fast-check';
import nacl from 'tweetnacl';
import { PrivateKey } from 'wireguard-tools-wrapper';
import { ed25519PublicKey } from '../../keys/ed25519.ts';

/** DER of a private key before its 32 bytes (RFC 8410 section 7). */
const PKCS8 = { x25519: '302e020100300506032b656e04220420', ed25519: '302e020100300506032b657004220420' };

function opensslPublicKey(kind: keyof typeof PKCS8, secret: Uint8Array): string {
  const der = Buffer.concat([Buffer.from(PKCS8[kind], 'hex'), secret]);
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  return createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(-32).toString('base64');
}

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
const base64 = (text: string): string => Buffer.from(text, 'hex').toString('base64');
const secrets = fc.uint8Array({ minLength: 32, maxLength: 32 });

describe('X25519', () => {
  it('gives the public keys and the shared secret of RFC 7748 section 6.1', () => {
    const alice = PrivateKey.fromBytes(
      hex('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a'),
    );
    const bob = PrivateKey.fromBytes(hex('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb'));
    assert.equal(
      alice.publicKey(),
      base64('8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a'),
    );
    assert.equal(bob.publicKey(), base64('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f'));
    const shared = nacl.scalarMult(alice.bytes(), Buffer.from(bob.publicKey(), 'base64'));
    assert.equal(
      Buffer.from(shared).toString('hex'),
      '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742',
    );
  });

  it('scalar multiplication gives what RFC 7748 section 5.2 says', () => {
    const out = nacl.scalarMult(
      hex('a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4'),
      hex('e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c'),
    );
    assert.equal(
      Buffer.from(out).toString('hex'),
      'c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552',
    );
  });

  it('gives the public keys that OpenSSL gives, clamped or not', () => {
    fc.assert(
      fc.property(secrets, (secret) => {
        assert.equal(PrivateKey.fromBytes(secret).publicKey(), opensslPublicKey('x25519', secret));
      }),
      { numRuns: 50 },
    );
  });

  it('generates clamped keys, no two alike', () => {
    const keys = Array.from({ length: 50 }, () => PrivateKey.generate());
    assert.equal(new Set(keys.map((key) => key.publicKey())).size, 50);
    for (const bytes of keys.map((key) => key.bytes())) {
      assert.equal((bytes[0] ?? 0) & 7, 0);
      assert.equal((bytes[31] ?? 0) & 192, 64);
    }
  });
});

describe('Ed25519', () => {
  it('gives the public key of RFC 8032 section 7.1, test 1', () => {
    const seed = PrivateKey.fromBytes(
      hex('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60'),
    );
    assert.equal(
      ed25519PublicKey(seed),
      base64('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a'),
    );
  });

  it('gives the public keys that OpenSSL gives', () => {
    fc.assert(
      fc.property(secrets, (secret) => {
        assert.equal(ed25519PublicKey(PrivateKey.fromBytes(secret)), opensslPublicKey('ed25519', secret));
      }),
      { numRuns: 50 },
    );
  });
});
