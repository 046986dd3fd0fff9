/**
 * The words of a proposal, as far as they are worth taking: what swanctl.conf(5) calls them, what charon calls them in `get-algorithms`,
 * and what they take of a packet. What RFC 8221 (ESP) and RFC 8247 (IKEv2) advise against is not among them.
 */
import type { EspSizes } from '../../mesh/mtu.ts';

export type Keyword =
  | { readonly kind: 'aead'; readonly algorithm: string; readonly approved: boolean; readonly esp: EspSizes }
  | {
      readonly kind: 'cipher';
      readonly algorithm: string;
      readonly approved: boolean;
      readonly esp: EspSizes;
    }
  | {
      readonly kind: 'integrity';
      readonly algorithm: string;
      readonly approved: boolean;
      readonly icv: number;
    }
  | { readonly kind: 'prf' | 'group' | 'additional'; readonly algorithm: string; readonly approved: boolean }
  /** Extended sequence numbers, or none. */
  | { readonly kind: 'esn' };

export type Kind = Keyword['kind'];

/** GCM: RFC 4106; CCM: RFC 4309; ChaCha20-Poly1305: RFC 7634. All of them with a tag of 16 bytes. */
const AEAD: EspSizes = { iv: 8, block: 4, icv: 16 };
/** RFC 3602. */
const CBC: EspSizes = { iv: 16, block: 16, icv: 0 };
/** RFC 3686. */
const CTR: EspSizes = { iv: 8, block: 4, icv: 0 };

const aead = (algorithm: string, approved: boolean): Keyword => ({
  kind: 'aead',
  algorithm,
  approved,
  esp: AEAD,
});
const cipher = (algorithm: string, esp: EspSizes): Keyword => ({
  kind: 'cipher',
  algorithm,
  approved: true,
  esp,
});
const integrity = (algorithm: string, icv: number): Keyword => ({
  kind: 'integrity',
  algorithm,
  approved: true,
  icv,
});
const prf = (algorithm: string): Keyword => ({ kind: 'prf', algorithm, approved: true });
const group = (algorithm: string, approved: boolean): Keyword => ({ kind: 'group', algorithm, approved });
/** RFC 9370: a key exchange more, after the first. The algorithm is that of FIPS 203. */
const additional = (algorithm: string): Keyword => ({ kind: 'additional', algorithm, approved: true });

/**
 * `approved`: by a FIPS or a NIST Special Publication that FIPS 140-3 goes by (SP 800-38A, 38C and 38D, FIPS 180-4 and 198-1, SP 800-56A
 * revision 3 with 128 bits of strength and more, FIPS 203).
 */
export const KEYWORDS: Readonly<Record<string, Keyword>> = {
  aes128gcm16: aead('AES_GCM_16', true),
  aes192gcm16: aead('AES_GCM_16', true),
  aes256gcm16: aead('AES_GCM_16', true),
  aes128ccm16: aead('AES_CCM_16', true),
  aes192ccm16: aead('AES_CCM_16', true),
  aes256ccm16: aead('AES_CCM_16', true),
  chacha20poly1305: aead('CHACHA20_POLY1305', false),

  aes128: cipher('AES_CBC', CBC),
  aes192: cipher('AES_CBC', CBC),
  aes256: cipher('AES_CBC', CBC),
  aes128ctr: cipher('AES_CTR', CTR),
  aes192ctr: cipher('AES_CTR', CTR),
  aes256ctr: cipher('AES_CTR', CTR),

  // RFC 4868: half of the digest is sent.
  sha256: integrity('HMAC_SHA2_256_128', 16),
  sha384: integrity('HMAC_SHA2_384_192', 24),
  sha512: integrity('HMAC_SHA2_512_256', 32),

  prfsha256: prf('PRF_HMAC_SHA2_256'),
  prfsha384: prf('PRF_HMAC_SHA2_384'),
  prfsha512: prf('PRF_HMAC_SHA2_512'),

  x25519: group('CURVE_25519', false),
  curve25519: group('CURVE_25519', false),
  x448: group('CURVE_448', false),
  curve448: group('CURVE_448', false),
  ecp256: group('ECP_256', true),
  ecp384: group('ECP_384', true),
  ecp521: group('ECP_521', true),
  ecp256bp: group('ECP_256_BP', false),
  ecp384bp: group('ECP_384_BP', false),
  ecp512bp: group('ECP_512_BP', false),
  modp2048: group('MODP_2048', false),
  modp3072: group('MODP_3072', true),
  modp4096: group('MODP_4096', true),
  modp6144: group('MODP_6144', true),
  modp8192: group('MODP_8192', true),

  ke1_mlkem512: additional('ML_KEM_512'),
  ke1_mlkem768: additional('ML_KEM_768'),
  ke1_mlkem1024: additional('ML_KEM_1024'),

  esn: { kind: 'esn' },
  noesn: { kind: 'esn' },
};

/** What charon knows and we do not take, and what instead. */
export const REFUSED: readonly (readonly [keyword: RegExp, why: string])[] = [
  [/^(null|aes(128|192|256)gmac)$/, 'encrypts nothing; use aes256gcm16'],
  [/^(3des|des|blowfish|cast|idea|rc5)/, 'has blocks of 64 bits (RFC 8221); use aes256gcm16'],
  [/^(aes(128|192|256)?)?(gcm|ccm)\d*$/, 'needs a tag of 16 bytes, said in full; use aes256gcm16'],
  [/^aes$/, 'does not say how long its key is; use aes256'],
  [/^prf(md5|sha1|aesxcbc|aescmac|camellia\w*)$/, 'is too old or too rare; use prfsha384'],
  [/^(md5|sha1?|aesxcbc|aescmac|camelliaxcbc)(_\d+)?$/, 'is too old or too rare; use sha384'],
  [/^sha2_(256|384|512)$|^sha256_96$/, 'has a shorter name, or a shorter tag; use sha256, sha384 or sha512'],
  [
    /^(modpnull|modp(768|1024|1536)\w*|ecp(192|224)(bp)?|modp2048s\d+)$/,
    'is too weak (RFC 8247); use ecp384',
  ],
  [/^mlkem\d+$/, 'alone rests on nothing older; use it beside another, x25519-ke1_mlkem768'],
  [/^ke\d_none$/, 'is no key exchange; write another proposal without one'],
  [/^ke[2-7]_/, 'is one more than there is; use ke1_mlkem768'],
];
