/** Whether this machine's nf_tables can hold the door of strict mode: tried, and not done. */
import type { RoutingConfig } from '../../mesh/types.ts';
import { createNft } from '../firewall/nft.ts';
import { tablesOf } from '../firewall/ruleset.ts';
import { loading } from '../firewall/transaction.ts';
import type { Runner } from '../ports.ts';
import { anyPlan, PREFIXES } from './foreign.ts';

export async function doorRefused(
  routing: RoutingConfig,
  programs: { readonly run: Runner; readonly nft: string },
): Promise<readonly string[]> {
  const plan = anyPlan(routing);
  const strict = { ...plan, mode: 'strict', clusterPrefixes: PREFIXES, nodePrefixes: PREFIXES } as const;
  // Under names that nothing has: of the tables that are there nothing is asked.
  const tables = tablesOf(strict).map((table) => ({ ...table, name: `${table.name}-trial` }));
  const commands = tables.flatMap((table) => loading(table, undefined, new Map()));
  return createNft(programs)
    .check(commands)
    .then(
      () => [],
      (error: unknown) => [
        `strict: this machine's nf_tables refuses the rules of the door (${String(error)}); Linux 6.2 or its module nft_objref is needed, and nft 1.0`,
      ],
    );
}
