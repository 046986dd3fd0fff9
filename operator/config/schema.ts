/**
 * The configuration: one schema for the spec of `EncryptionMesh`, the file, the flags and the environment.
 * It says what may be written; `defaults.ts` what holds where nothing is, `sources.ts` who wins, `mesh-config.ts` what it means.
 */
import * as z from 'zod';
import { durationSchema, fwmarkSchema, prefixSchema } from './values.ts';

const TABLE_MAX = 0xffff_ffff;
/** 0 is `local`, 32766 and 32767 are `main` and `default` (ip-rule(8)); ours must come before those. */
const PRIORITY = { min: 1, max: 32765 };
/** 253 to 255 are `default`, `main` and `local` (rtnetlink.h, RT_TABLE_*). */
const RESERVED_TABLES: readonly number[] = [253, 254, 255];

const table = (description: string) =>
  z
    .int()
    .min(1)
    .max(TABLE_MAX)
    .refine((value) => !RESERVED_TABLES.includes(value), { error: 'tables 253 to 255 belong to the system' })
    .optional()
    .describe(description);
const priority = (description: string) =>
  z.int().min(PRIORITY.min).max(PRIORITY.max).optional().describe(description);
const prefixes = (description: string) => z.array(prefixSchema).optional().describe(description);
const strings = (description: string) => z.array(z.string().min(1)).optional().describe(description);

const rotation = z.strictObject({
  interval: durationSchema({ minimum: '1h' })
    .optional()
    .describe('How often keys rotate; omitted: only by hand'),
  drain: durationSchema({ minimum: '5s' })
    .optional()
    .describe('Silence on a superseded generation before it is withdrawn, 5s at least'),
  passOver: strings('Names of Nodes that no rotation and no disabling waits for'),
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
  ikeProposals: strings('IKE proposals, best first'),
  espProposals: strings('ESP proposals, best first'),
});

const routing = z
  .strictObject({
    table: table('Routing table of the routes to remote prefixes'),
    rulePriority: priority('Priority of the rule that looks that table up'),
    podTable: table('Routing table for packets from own pods to node addresses'),
    podRulePriority: priority('Priority of the rules that look that table up; lower than rulePriority'),
    fwmark: fwmarkSchema.optional().describe("MARK/MASK of the tunnels' own packets"),
  })
  .refine((value) => value.table === undefined || value.table !== value.podTable, {
    error: 'table and podTable must differ',
    path: ['podTable'],
  });

const labelSelector = z.strictObject({
  matchLabels: z.record(z.string(), z.string()).optional(),
  matchExpressions: z
    .array(
      z.strictObject({
        key: z.string().min(1),
        operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
        values: z.array(z.string()).optional(),
      }),
    )
    .optional(),
});

/** What a person may write. Nothing here has a default: what is not set reads back as not set. */
export const specSchema = z.strictObject({
  encryption: z
    .enum(['none', 'wireguard', 'ipsec'])
    .optional()
    .describe('The flag: how pods of different nodes are encrypted'),
  mode: z.enum(['permissive', 'strict']).optional().describe('What happens to traffic that has no tunnel'),
  scope: z.enum(['pods', 'nodes']).optional().describe('nodes: encrypt node-to-node traffic too'),
  generation: z.int().min(1).max(2147483647).optional().describe('Raised to rotate the keys, never lowered'),
  rotation: rotation.optional().describe('Rotation of keys'),
  wireguard: wireguard.optional().describe('WireGuard'),
  ipsec: ipsec.optional().describe('IPsec'),
  mtu: z
    .union([z.literal('auto'), z.int().min(1280).max(65535)], {
      error: 'expected auto or a number from 1280 to 65535',
    })
    .optional()
    .describe('MTU of the tunnel devices'),
  routing: routing.optional().describe('Where our routes and rules stand'),
  nodeSelector: labelSelector.optional().describe('Which nodes take part, by label'),
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
    .describe('Prefixes behind a node'),
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
