/** Public keys of Ed25519 that nobody has, or everybody: against the curve itself (RFC 8032 section 5.1), by its group law. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { PrivateKey, publicKeyFromBytes } from 'wireguard-tools-wrapper';
import { ed25519PublicKey } from '../../keys/ed25519.ts';
import { flawOf } from '../../keys/ed25519-flaws.ts';

const P = 2n ** 255n - 19n;
const mod = (a: bigint): bigint => ((a % P) + P) % P;
const pow = (a: bigint, n: bigint): bigint =>
  n === 0n ? 1n : mod(pow(mod(a * a), n / 2n) * (n % 2n === 1n ? a : 1n));
const inverse = (a: bigint): bigint => pow(a, P - 2n);
const D = mod(-121665n * inverse(121666n));
const ROOT = pow(2n, (P - 1n) / 4n);

type Point = readonly [x: bigint, y: bigint];

function pointAt(y: bigint): Point | undefined {
  const square = mod((y * y - 1n) * inverse(mod(D * y * y + 1n)));
  const x = pow(square, (P + 3n) / 8n);
  return [x, mod(x * ROOT)].map((one): Point => [one, y]).find(([one]) => mod(one * one) === square);
}

function add([x1, y1]: Point, [x2, y2]: Point): Point {
  const k = mod(D * mod(x1 * x2) * mod(y1 * y2));
  return [mod((x1 * y2 + x2 * y1) * inverse(mod(1n + k))), mod((y1 * y2 + x1 * x2) * inverse(mod(1n - k)))];
}

const encoded = (y: bigint, sign = 0n) => {
  const hex = (y + sign * 2n ** 255n).toString(16).padStart(64, '0');
  return publicKeyFromBytes(Buffer.from(hex, 'hex').reverse());
};

describe('Ed25519 keys of others', () => {
  it('of pairs of keys are good', () => {
    for (let i = 0; i < 50; i += 1) assert.equal(flawOf(ed25519PublicKey(PrivateKey.generate())), undefined);
    const { publicKey } = generateKeyPairSync('ed25519');
    const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32);
    assert.equal(flawOf(publicKeyFromBytes(raw)), undefined);
  });

  it('are points of the curve, or refused', () =>
    fc.assert(
      fc.property(fc.bigInt({ min: 2n, max: P - 2n }), fc.constantFrom(0n, 1n), (y, sign) => {
        const expected = pointAt(y) === undefined ? 'no point of Ed25519' : undefined;
        assert.equal(flawOf(encoded(y, sign)), expected);
      }),
    ));

  it('are refused when they are of low order, which doubling three times tells', () => {
    // All of them come from the points of order 8: what is left of any point times the order of the base point.
    const order = 2n ** 252n + 27742317777372353535851937790883648493n;
    const found = new Set<bigint>();
    for (let y = 2n; found.size < 5 && y < 100n; y += 1n) {
      const point = pointAt(y);
      if (point === undefined) continue;
      let rest: Point = [0n, 1n];
      for (let [n, doubled] = [order, point]; n > 0n; n /= 2n, doubled = add(doubled, doubled))
        if (n % 2n === 1n) rest = add(rest, doubled);
      for (let [i, multiple] = [0, rest]; i < 8; i += 1, multiple = add(multiple, rest))
        found.add(multiple[1]);
    }
    assert.equal(found.size, 5);
    for (const y of found)
      for (const sign of [0n, 1n]) assert.equal(flawOf(encoded(y, sign)), 'of low order', y.toString(16));
  });

  it('are refused in another spelling', () => {
    for (const y of [P, P + 1n, 2n ** 255n - 1n]) assert.equal(flawOf(encoded(y)), 'no point of Ed25519');
  });
});
