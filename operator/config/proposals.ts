/** A proposal as a field of the configuration: what `tunnels/ipsec/proposals.ts` says of it, for the agent and, in CEL, for the API server. */
import * as z from 'zod';
import { KEYWORDS, type Kind } from '../../tunnels/ipsec/keywords.ts';
import { KINDS, type Protocol, proposalProblem, RULES } from '../../tunnels/ipsec/proposals.ts';
import { celText, type Rule, rules } from './rules.ts';

const SIZE = 128;
const MOST = 16;

/** Best first. Nothing in it: the profile's. */
export const proposalsSchema = (protocol: Protocol) =>
  z.array(proposalSchema(protocol)).max(MOST, { error: `expected ${MOST} proposals at most` });

const proposalSchema = (protocol: Protocol) =>
  z
    .string()
    .max(SIZE, { error: `expected ${SIZE} characters at most` })
    .superRefine((text, context) => {
      const message = proposalProblem(text, protocol);
      if (message !== undefined) context.addIssue({ code: 'custom', message });
    })
    .meta(rules(knownWords(protocol), ...RULES[protocol].map(inCel)));

function knownWords(protocol: Protocol): Rule {
  return {
    rule: `self.split('-').all(t, t in ${wordsInCel(...KINDS[protocol])})`,
    message: `expected a proposal of words that are known and good enough, like ${EXAMPLE[protocol]}`,
  };
}

const EXAMPLE: Readonly<Record<Protocol, string>> = {
  ike: 'aes256gcm16-prfsha384-x25519',
  esp: 'aes256gcm16-x25519-esn',
};

const inCel = ({ cel, message }: (typeof RULES)[Protocol][number]): Rule => ({
  rule: cel((kind) => `self.split('-').exists(t, t in ${wordsInCel(kind)})`),
  message: `the proposal ${message}`,
});

/** All words of these kinds, as a list. */
export const wordsInCel = (...kinds: readonly Kind[]): string =>
  listInCel(Object.keys(KEYWORDS).filter((word) => kinds.some((kind) => KEYWORDS[word]?.kind === kind)));

export const listInCel = (words: readonly string[]): string => `[${words.map(celText).join(', ')}]`;
