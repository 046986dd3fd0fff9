/** What an ESP packet takes beside what is in it, by the algorithms that may be negotiated. */
import type { EspSizes } from '../../mesh/mtu.ts';
import { PROFILES, wordsOf } from './proposals.ts';

/** Of everything that these proposals allow: which of them it will be is the peers' matter too. */
export function espSizesOf(espProposals: readonly string[]): readonly EspSizes[] {
  return espProposals.flatMap((text) => {
    const keywords = wordsOf(text).map(({ keyword }) => keyword);
    const tags = keywords.flatMap((keyword) => (keyword.kind === 'integrity' ? keyword.icv : []));
    return keywords.flatMap((keyword) => {
      if (keyword.kind === 'aead') return keyword.esp;
      return keyword.kind === 'cipher' ? tags.map((icv) => ({ ...keyword.esp, icv })) : [];
    });
  });
}

export const DEFAULT_ESP_SIZES = espSizesOf(PROFILES.default.espProposals);
