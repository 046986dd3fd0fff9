/**
 * The configuration: one schema for the spec of `EncryptionMesh`, the file, the flags and the environment, and for the CRD.
 * It says what may be written; `together.ts` what goes together, `defaults.ts` what holds where nothing is said, `resolve.ts` who wins.
 */
import * as z from 'zod';
import { labelSelectorSchema, nodeNameSchema } from './labels.ts';
import { proposalsSchema } from './proposals.ts';
import { rules } from './rules.ts';
import { durationSchema, fwmarkSchema, prefixSchema, socketSchema } from './values.ts';

const TABLE_MAX = 0xffff_ffff;
/** 0 is `local`, 32766 and 32767 are `main` and `default` (ip-rule(8)); ours must come before those. */
const PRIORITY = { min: 1, max: 32765 };
/** `default`, `main` and `local` (rtnetlink.h, RT_TABLE_*). */
const RESERVED_TABLES = { min: 253, max: 255 };
const RESERVED = 'tables 253 to 255 belong to the system';

const table = (description: string) =>
  z
    .int()
    .min(1)
    .max(TABLE_MAX)
    .refine((value) => value < RESERVED_TABLES.min || value > RESERVED_TABLES.max, { error: RESERVED })
    .meta(
      rules({ rule: `self < ${RESERVED_TABLES.min} || self > ${RESERVED_TABLES.max}`, message: RESERVED }),
    )
    .optional()
    .describe(description);
const priority = (description: string) =>
  z.int().min(PRIORITY.min).max(PRIORITY.max).optional().describe(description);

/** No item twice: whoever applies one entry owns that entry alone. */
const set = (item: z.ZodString, most: number) =>
  z
    .array(item)
    .max(most)
    .refine((items) => new Set(items).size === items.length, { error: 'expected no item twice' })
    .meta({ 'x-kubernetes-list-type': 'set' });
const prefixes = (description: string) => set(prefixSchema, 256).optional().describe(description);

const rotation = z.strictObject({
  interval: durationSchema({ minimum: '1h', maximum: '87600h' })
    .optional()
    .describe('How often keys rotate; omitted: only by hand'),
  drain: durationSchema({ minimum: '5s', maximum: '24h' })
    .optional()
    .describe('Silence on a superseded generation before it is withdrawn, 5s at least'),
  passOver: set(nodeNameSchema, 1000)
    .optional()
    .describe('Names of Nodes that no rotation and no disabling waits for'),
});

const wireguard = z.strictObject({
  port: z.int().min(1).max(65534).optional().describe('Generation n listens on this UDP port + n mod 2'),
  keepalive: durationSchema({ minimum: '0s', maximum: '65535s' })
    .optional()
    .describe('Persistent keepalive; 0s: none'),
  userspace: z
    .enum(['auto', 'always', 'never'])
    .optional()
    .describe('wireguard-go: auto where the kernel has no WireGuard'),
  threadedNapi: z.enum(['unset', 'on', 'off']).optional().describe('Threaded NAPI of the devices'),
});

const ipsec = z.strictObject({
  profile: z
    .enum(['default', 'fips', 'post-quantum'])
    .optional()
    .describe(
      'Which algorithms: fips has approved ones only, post-quantum adds ML-KEM-768 and needs strongSwan 6',
    ),
  ikeProposals: proposalsSchema('ike')
    .optional()
    .describe("IKE proposals, best first, in place of the profile's; with espProposals only"),
  espProposals: proposalsSchema('esp')
    .optional()
    .describe("ESP proposals, best first, in place of the profile's; with ikeProposals only"),
  lifetime: durationSchema({ minimum: '30s', maximum: '24h' })
    .optional()
    .describe('After which the session of two nodes is replaced by the next'),
  vici: socketSchema
    .optional()
    .describe("Path of the host's charon's VICI socket; omitted: a charon of our own"),
  userspace: z
    .enum(['auto', 'always', 'never'])
    .optional()
    .describe('ESP outside the kernel, which this version refuses: auto and never are the same'),
});

const routing = z.strictObject({
  table: table('Routing table of the routes to remote prefixes'),
  rulePriority: priority('Priority of the rule that looks that table up'),
  podTable: table('Routing table for packets from own pods to node addresses'),
  podRulePriority: priority('Priority of the rules that look that table up; lower than rulePriority'),
  fwmark: fwmarkSchema.optional().describe("MARK/MASK of the tunnels' own packets"),
});

/** What a person may write. Nothing here has a default: what is not set reads back as not set. */
export const specSchema = z.strictObject({
  encryption: z
    .enum(['none', 'wireguard', 'ipsec'])
    .optional()
    .describe('The flag: how pods of different nodes are encrypted'),
  mode: z
    .enum(['permissive', 'strict'])
    .optional()
    .describe(
      'What happens to traffic that has no tunnel: permissive lets it pass in clear, strict drops it',
    ),
  scope: z.enum(['pods', 'nodes']).optional().describe('nodes: encrypt node-to-node traffic too'),
  generation: z.int().min(1).max(2147483647).optional().describe('Raised to rotate the keys, never lowered'),
  rotation: rotation.optional().describe('When keys rotate, and whom a rotation waits for'),
  wireguard: wireguard.optional().describe('How WireGuard is set up'),
  ipsec: ipsec.optional().describe('How IPsec is set up'),
  mtu: z
    .union([z.literal('auto'), z.int().min(1280).max(65535)], {
      error: 'expected auto or a number from 1280 to 65535',
    })
    .optional()
    .describe('MTU of the tunnel devices: auto, or a number from 1280 to 65535'),
  routing: routing.optional().describe('Where the routes and rules stand on each node'),
  nodeSelector: labelSelectorSchema
    .optional()
    .describe('Which nodes take part, by label; the others count as having no tunnel'),
  clusterPrefixes: prefixes('Ranges that all pods come from; strict mode needs them'),
  nodePrefixes: prefixes("Ranges of all nodes' addresses"),
  prefixes: z
    .strictObject({
      source: z
        .enum(['podCIDRs', 'pods', 'annotations'])
        .optional()
        .describe('Where the prefixes behind a node come from'),
    })
    .optional()
    .describe('Which addresses are behind a node'),
  exempt: prefixes('Prefixes never encrypted nor dropped'),
});

/** The spec as written: every field may be absent. */
export type Spec = z.infer<typeof specSchema>;

/** Where a value came from. */
export type Source = 'flag' | 'environment' | 'file' | 'resource' | 'default';

/** One value that holds, and who said so: `{value: 51830, source: 'flag', name: '--wireguard-port'}`. */
export interface Origin {
  readonly value: unknown;
  readonly source: Source;
  /** The flag, the variable, `file:line`, the resource; absent for a default. */
  readonly name?: string;
}

/** By path (`wireguard.port`), sorted: what `sheath status --config` shows. */
export type ConfigView = Readonly<Record<string, Origin>>;
