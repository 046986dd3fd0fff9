/** What must go together under `ipsec`: lists in place of a profile's keep what the profile promises. */
import { KEYWORDS, type Keyword } from '../../tunnels/ipsec/keywords.ts';
import { wordsOf } from '../../tunnels/ipsec/proposals.ts';
import type { FullSpec } from './defaults.ts';
import { listInCel, wordsInCel } from './proposals.ts';
import type { Together } from './together.ts';

type List = 'ikeProposals' | 'espProposals';

const isNotApproved = (keyword: Keyword): boolean => 'approved' in keyword && !keyword.approved;

const NOT_APPROVED = Object.entries(KEYWORDS).flatMap(([word, keyword]) =>
  isNotApproved(keyword) ? [word] : [],
);

/** Who asked for approved algorithms gets no others. */
const approved = (list: List): Together => ({
  fields: [`ipsec.${list}`, 'ipsec.profile'],
  holds: (spec) => spec.ipsec.profile !== 'fips' || notApproved(spec, list).length === 0,
  must: 'must have approved algorithms only with',
  when: 'ipsec.profile fips',
  why: ': AES in GCM, CCM, CBC or CTR, SHA-2, ecp256 to ecp521, modp3072 to modp8192, ML-KEM',
  details: (spec) => `; not approved: ${notApproved(spec, list).join(', ')}`,
  reason: 'FieldValueInvalid',
  cel: (proposals, profile) =>
    `${profile} != 'fips' || ${proposals}.all(p, !p.split('-').exists(t, t in ${listInCel(NOT_APPROVED)}))`,
});

function notApproved({ ipsec }: FullSpec, list: List): readonly string[] {
  const words = ipsec[list].flatMap(wordsOf).filter(({ keyword }) => isNotApproved(keyword));
  return [...new Set(words.map(({ word }) => word))];
}

const POST_QUANTUM: Together = {
  fields: ['ipsec.ikeProposals', 'ipsec.profile'],
  holds: ({ ipsec }) =>
    ipsec.profile !== 'post-quantum' ||
    ipsec.ikeProposals.every((text) => wordsOf(text).some(({ keyword }) => keyword.kind === 'additional')),
  must: 'must have an additional key exchange in each with',
  when: 'ipsec.profile post-quantum',
  why: ': add ke1_mlkem768, or choose another profile',
  reason: 'FieldValueInvalid',
  cel: (proposals, profile) =>
    `${profile} != 'post-quantum' || ${proposals}.all(p, p.split('-').exists(t, t in ${wordsInCel('additional')}))`,
};

export const IPSEC_TOGETHER: readonly Together[] = [
  {
    fields: ['ipsec.espProposals', 'ipsec.ikeProposals'],
    holds: ({ ipsec }) => (ipsec.espProposals.length === 0) === (ipsec.ikeProposals.length === 0),
    must: 'must be set together with',
    why: ': they are in place of both lists of the profile',
    reason: 'FieldValueInvalid',
    cel: (esp, ike) => `(size(${esp}) == 0) == (size(${ike}) == 0)`,
  },
  approved('ikeProposals'),
  approved('espProposals'),
  POST_QUANTUM,
];
