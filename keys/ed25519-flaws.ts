/** What is wrong with a public key of Ed25519 that somebody else gives us. */
import type { PublicKey } from './generation.ts';

/** The prime of the field (RFC 8032 section 5.1). */
const P = 2n ** 255n - 19n;
/** The curve's constant d, -121665/121666. */
const D = mod(-121665n * power(121666n, P - 2n));
const SIGN = 2n ** 255n;
/** y of a point of order 8. */
const EIGHTH = 0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n;
/** y of the eight points whose order divides 8: for these, signatures can be made that are valid whatever is signed. */
const LOW_ORDER: ReadonlySet<bigint> = new Set([0n, 1n, P - 1n, EIGHTH, P - EIGHTH]);

type KeyFlaw = 'of low order' | 'no point of Ed25519';

/** Why nobody has the private key of it, or everybody; undefined: nothing is wrong with it. */
export function flawOf(key: PublicKey): KeyFlaw | undefined {
  const number = BigInt(`0x${Buffer.from(key, 'base64').reverse().toString('hex')}`);
  const y = number % SIGN;
  if (LOW_ORDER.has(y)) return 'of low order';
  if (y >= P) return 'no point of Ed25519';
  // x² = u/v (RFC 8032 section 5.1.3), and u/v is a square where uv is one: one in two numbers.
  const u = mod(y * y - 1n);
  const v = mod(D * y * y + 1n);
  return isSquare(mod(u * v)) ? undefined : 'no point of Ed25519';
}

/** Of a number other than 0, by its Jacobi symbol over P. */
function isSquare(number: bigint): boolean {
  let symbol = true;
  let [a, n] = [number, P];
  while (a !== 0n) {
    const eight = n & 7n;
    for (; (a & 1n) === 0n; a >>= 1n) if (eight === 3n || eight === 5n) symbol = !symbol;
    if ((a & 3n) === 3n && (n & 3n) === 3n) symbol = !symbol;
    [a, n] = [n % a, a];
  }
  return symbol;
}

function mod(number: bigint): bigint {
  const rest = number % P;
  return rest < 0n ? rest + P : rest;
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let square = base, left = exponent; left > 0n; left >>= 1n) {
    if (left % 2n === 1n) result = mod(result * square);
    square = mod(square * square);
  }
  return result;
}
