/** What charon is told to propose, and to accept: a profile, or lists in swanctl.conf(5)'s words, `aes256gcm16-prfsha384-x25519`. */
import type { IpsecConfig } from '../../mesh/config.ts';
import { KEYWORDS, type Keyword, type Kind, REFUSED } from './keywords.ts';

export type IpsecProfile = 'default' | 'fips' | 'post-quantum';

/** Best first. */
export type Proposals = Pick<IpsecConfig, 'ikeProposals' | 'espProposals'>;

/**
 * The group of ESP is for rekeying, with fresh secrecy. ESP has extended sequence numbers (RFC 4303, 2.2.1), for 2^32 packets are over
 * in an hour at 10 Gbit/s. A profile can be left for any other but `post-quantum` while both are in use: they have proposals in common.
 */
export const PROFILES = {
  default: {
    ikeProposals: ['aes256gcm16-prfsha384-x25519', 'aes256gcm16-prfsha384-ecp384'],
    espProposals: ['aes256gcm16-x25519-esn', 'aes256gcm16-ecp384-esn'],
  },
  fips: {
    ikeProposals: ['aes256gcm16-prfsha384-ecp384', 'aes256-sha384-prfsha384-ecp384'],
    espProposals: ['aes256gcm16-ecp384-esn', 'aes256-sha384-ecp384-esn'],
  },
  'post-quantum': {
    ikeProposals: ['aes256gcm16-prfsha384-x25519-ke1_mlkem768', 'aes256gcm16-prfsha384-ecp384-ke1_mlkem768'],
    espProposals: ['aes256gcm16-x25519-ke1_mlkem768-esn', 'aes256gcm16-ecp384-ke1_mlkem768-esn'],
  },
} as const satisfies Record<IpsecProfile, Proposals>;

export type Protocol = 'ike' | 'esp';

/** `aes256gcm16` and what is said of it. */
export interface Word {
  readonly word: string;
  readonly keyword: Keyword;
}

/** Why a proposal cannot be, naming the word and the way out; undefined when it can. */
export function proposalProblem(text: string, protocol: Protocol): string | undefined {
  const words = text.split('-');
  const unknown = words.find((word) => !Object.hasOwn(KEYWORDS, word));
  if (unknown !== undefined) return refusalOf(unknown, protocol);
  const stranger = words.find((word) => !KINDS[protocol].includes(KEYWORDS[word]?.kind ?? 'esn'));
  if (stranger !== undefined) return strangerIn(stranger, protocol);
  const found = new Set(words.flatMap((word) => KEYWORDS[word]?.kind ?? []));
  const rule = RULES[protocol].find(({ holds }) => !holds(found));
  return rule === undefined ? undefined : `${text}: ${rule.message}`;
}

/** The words of one that has no problem; others are left out. */
export function wordsOf(text: string): readonly Word[] {
  return text.split('-').flatMap((word) => {
    const keyword = Object.hasOwn(KEYWORDS, word) ? KEYWORDS[word] : undefined;
    return keyword === undefined ? [] : [{ word, keyword }];
  });
}

/** Which kinds of words a proposal may have. */
export const KINDS: Readonly<Record<Protocol, readonly Kind[]>> = {
  ike: ['aead', 'cipher', 'integrity', 'prf', 'group', 'additional'],
  esp: ['aead', 'cipher', 'integrity', 'group', 'additional', 'esn'],
};

interface ProposalRule {
  readonly holds: (kinds: ReadonlySet<Kind>) => boolean;
  /** The same in CEL, given a term for "there is a word of this kind". */
  readonly cel: (has: (kind: Kind) => string) => string;
  readonly message: string;
}

const CIPHER: ProposalRule = {
  holds: (kinds) => kinds.has('aead') !== kinds.has('cipher'),
  cel: (has) => `${has('aead')} != ${has('cipher')}`,
  message:
    'needs ciphers of one kind: such as protect what they encrypt, aes256gcm16, or such as do not, aes256',
};
const INTEGRITY: ProposalRule = {
  holds: (kinds) => kinds.has('integrity') === kinds.has('cipher'),
  cel: (has) => `${has('integrity')} == ${has('cipher')}`,
  message:
    'needs sha256, sha384 or sha512 beside aes256 and its like, and has none of them beside aes256gcm16 and its like',
};

/** How words go together, in swanctl.conf(5) and in RFC 7296, 3.3.3. */
export const RULES: Readonly<Record<Protocol, readonly ProposalRule[]>> = {
  ike: [
    CIPHER,
    INTEGRITY,
    {
      holds: (kinds) => kinds.has('prf') || kinds.has('integrity'),
      cel: (has) => `${has('prf')} || ${has('integrity')}`,
      message: 'has nothing to derive keys with; add prfsha384',
    },
    {
      holds: (kinds) => kinds.has('group'),
      cel: (has) => has('group'),
      message: 'has no key exchange; add x25519 or ecp384',
    },
  ],
  esp: [
    CIPHER,
    INTEGRITY,
    {
      holds: (kinds) => kinds.has('group') || !kinds.has('additional'),
      cel: (has) => `${has('group')} || !${has('additional')}`,
      message: 'has an additional key exchange and no first one; add x25519 or ecp384',
    },
  ],
};

function refusalOf(word: string, protocol: Protocol): string {
  const why = REFUSED.find(([pattern]) => pattern.test(word))?.[1];
  if (why !== undefined) return `${word} ${why}`;
  const known = Object.entries(KEYWORDS).filter(([, { kind }]) => KINDS[protocol].includes(kind));
  const list = known.map(([name]) => name).join(', ');
  return `${JSON.stringify(word)} is no word of a proposal; there are ${list}`;
}

function strangerIn(word: string, protocol: Protocol): string {
  const way =
    protocol === 'ike' ? 'only ESP has sequence numbers of that kind' : 'only IKE derives keys with it';
  return `${word} has no place in an ${protocol.toUpperCase()} proposal: ${way}; leave it out`;
}
