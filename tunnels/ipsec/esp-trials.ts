/** Which of the configured ESP algorithms this kernel lacks. */
import type { Keyword } from './keywords.ts';
import { type Word, wordsOf } from './proposals.ts';
import { type EspTrial, type TrialFamily, tryEsp } from './xfrm/trial.ts';

/** By charon's names. `salt`: bits of key material beside the key (RFC 4106, 4309, 7634 and 3686). */
const AEADS: Readonly<Record<string, { readonly name: string; readonly salt: number }>> = {
  AES_GCM_16: { name: 'rfc4106(gcm(aes))', salt: 32 },
  AES_CCM_16: { name: 'rfc4309(ccm(aes))', salt: 24 },
  CHACHA20_POLY1305: { name: 'rfc7539esp(chacha20,poly1305)', salt: 32 },
};
const CIPHERS: Readonly<Record<string, { readonly name: string; readonly salt: number }>> = {
  AES_CBC: { name: 'cbc(aes)', salt: 0 },
  AES_CTR: { name: 'rfc3686(ctr(aes))', salt: 32 },
};

/** What every kernel with ESP has; AES in CBC and HMAC-SHA-256 (RFC 8221). */
const USUAL: EspTrial = { cipher: 'cbc(aes)', bits: 256, integrity: 'hmac(sha256)', digest: 256 };

interface Trial {
  /** `aes256gcm16`, `aes256-sha384` */
  readonly words: string;
  readonly trial: EspTrial;
}

export interface EspGaps {
  /** Families over which there is no ESP at all. */
  readonly families: readonly TrialFamily[];
  /** Words of algorithms that are not there. */
  readonly words: readonly string[];
}

/** @throws ErrnoException `EPROTONOSUPPORT` where the kernel has no IPsec at all */
export async function espGaps(
  espProposals: readonly string[],
  families: readonly TrialFamily[],
): Promise<EspGaps> {
  const trials = trialsOf(espProposals);
  const lacking = new Set<string>();
  const without: TrialFamily[] = [];
  for (const family of families) {
    const [usual, ...answers] = await tryEsp(family, [USUAL, ...trials.map(({ trial }) => trial)]);
    if (usual === 'EPROTONOSUPPORT') without.push(family);
    else for (const [at, { words }] of trials.entries()) if (answers[at] !== undefined) lacking.add(words);
  }
  return { families: without, words: [...lacking] };
}

function trialsOf(espProposals: readonly string[]): readonly Trial[] {
  const trials = espProposals.flatMap((text) => {
    const words = wordsOf(text);
    const tags = words.filter(({ keyword }) => keyword.kind === 'integrity');
    return words.flatMap((word) => [...aeadTrial(word), ...tags.flatMap((tag) => cipherTrial(word, tag))]);
  });
  return [...new Map(trials.map((one) => [one.words, one])).values()];
}

function aeadTrial({ word, keyword }: Word): Trial[] {
  const found = keyword.kind === 'aead' ? AEADS[keyword.algorithm] : undefined;
  if (found === undefined) return [];
  return [{ words: word, trial: { aead: found.name, bits: keyBits(word) + found.salt, icv: 16 } }];
}

function cipherTrial({ word, keyword }: Word, tag: Word): Trial[] {
  const found = keyword.kind === 'cipher' ? CIPHERS[keyword.algorithm] : undefined;
  const digest = digestBits(tag.keyword);
  if (found === undefined || digest === undefined) return [];
  const integrity = `hmac(sha${digest})`;
  const trial = { cipher: found.name, bits: keyBits(word) + found.salt, integrity, digest };
  return [{ words: `${word}-${tag.word}`, trial }];
}

/** Half of the digest is sent (RFC 4868). */
const digestBits = (keyword: Keyword): number | undefined =>
  keyword.kind === 'integrity' ? keyword.icv * 16 : undefined;

const keyBits = (word: string): number => Number(/^aes(\d{3})/.exec(word)?.[1] ?? 256);
