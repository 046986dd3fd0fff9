/**
 * What an agent answers to `/status` through the pod proxy, parsed: its word is not ours, and it may be of another version. Fields that
 * we do not know are left out, so that whatever stands in them harms nobody who prints the rest.
 */
import * as z from 'zod';
import type { AgentStatus } from '../../operator/status.ts';

const text = z.string();
const number = z.number();
const driver = z.enum(['wireguard', 'ipsec']);
const reason = z.object({ code: text, message: text });

const peer = z.object({
  node: text,
  state: z.enum(['unknown', 'configured', 'established', 'routed', 'degraded', 'refused']),
  since: number,
  generation: number.optional(),
  driver: driver.optional(),
  endpoint: text.optional(),
  publicKey: text.optional(),
  lastHandshake: number.optional(),
  receivedBytes: number,
  sentBytes: number,
  observedAt: number.optional(),
  mtu: number.optional(),
  unansweredSince: number.optional(),
  reason: reason.optional(),
});

const refusal = reason.extend({
  node: text,
  uid: text,
  inFavourOf: text.optional(),
  publicKey: text.optional(),
});

/** Deeper than any setting is, and far from what overflows the stack of who prints it. */
const SETTING_DEPTH = 5;
const origin = z.object({ value: setting(SETTING_DEPTH).optional(), source: text, name: text.optional() });

const schema = z.object({
  node: text,
  uid: text.optional(),
  version: text,
  startedAt: number,
  now: number,
  encryption: z.enum(['none', 'wireguard', 'ipsec']),
  mode: text,
  scope: text,
  state: z.enum(['starting', 'alone', 'encrypted', 'partial', 'plaintext', 'withdrawing']),
  since: number,
  generations: z.array(
    z.object({
      number,
      driver,
      publicKey: text,
      port: number.optional(),
      createdAt: number.optional(),
      sending: z.boolean(),
    }),
  ),
  devices: z.array(
    z.object({
      name: text,
      generation: number,
      implementation: text,
      mtu: number,
      port: number,
    }),
  ),
  peers: z.array(peer),
  refused: z.array(refusal),
  problems: z.array(reason.extend({ since: number, node: text.optional() })),
  records: z.object({
    source: z.enum(['api', 'disk', 'none']),
    at: number.optional(),
    age: number.optional(),
    nodes: number,
    connected: z.boolean(),
  }),
  publish: z.object({ state: text, since: number, reason: reason.optional() }),
  config: z.record(text, origin),
});

/** Undefined where it is not what an agent answers. */
export function parseAnswer(answer: unknown): AgentStatus | undefined {
  const parsed = schema.safeParse(answer);
  // Codes and public keys are only shown: those of a newer agent are as good as ours.
  return parsed.success ? (parsed.data as unknown as AgentStatus) : undefined;
}

function setting(depth: number): z.ZodType {
  const plain = z.union([text, number, z.boolean(), z.null()]);
  if (depth === 0) return plain;
  const inner = setting(depth - 1);
  return z.union([plain, z.array(inner), z.record(text, inner)]);
}
