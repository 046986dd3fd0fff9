/** Whether this machine's nf_tables can hold the door of strict mode: tried, and not done. */
import type { MeshPlan, RoutingConfig } from '../../mesh/types.ts';
import { createNft } from '../firewall/nft.ts';
import { tablesOf } from '../firewall/ruleset.ts';
import { loading } from '../firewall/transaction.ts';
import type { Runner } from '../ports.ts';
import { anyPlan, PREFIXES } from './foreign.ts';

export interface DoorCheck {
  readonly run: Runner;
  readonly nft: string;
  /** Whether it must also be one that lets IPsec pass. */
  readonly ipsec: boolean;
}

export async function doorRefused(routing: RoutingConfig, check: DoorCheck): Promise<readonly string[]> {
  const refused = await trial(anyPlan(routing), check);
  if (refused !== undefined)
    return [
      `strict: this machine's nf_tables refuses the rules of the door (${refused}); Linux 6.2 or its module nft_objref is needed, and nft 1.0`,
    ];
  const withIpsec = check.ipsec ? await trial(onIpsec(anyPlan(routing)), check) : undefined;
  return withIpsec === undefined
    ? []
    : [
        `ipsec: this machine's nf_tables does not know what IPsec is about to encrypt (${withIpsec}), so strict mode would stop it; its module nft_xfrm is needed`,
      ];
}

const onIpsec = (plan: MeshPlan): MeshPlan => ({
  ...plan,
  devices: plan.devices.map((device) => ({ ...device, driver: 'ipsec' })),
});

/** @returns what nft says against it. */
async function trial(plan: MeshPlan, check: DoorCheck): Promise<string | undefined> {
  const strict = { ...plan, mode: 'strict', clusterPrefixes: PREFIXES, nodePrefixes: PREFIXES } as const;
  // Under names that nothing has: of the tables that are there nothing is asked.
  const tables = tablesOf(strict).map((table) => ({ ...table, name: `${table.name}-trial` }));
  const commands = tables.flatMap((table) => loading(table, undefined, new Map()));
  return createNft(check)
    .check(commands)
    .then(() => undefined, String);
}
